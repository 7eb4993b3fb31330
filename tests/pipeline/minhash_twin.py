"""What the kernels of shingles.py and minhash.py compute, in plain Python: slow, and meant to be read."""

from pipeline.text.letters import CHAR, GAP, NOTHING, WORD, tables

M = (1 << 64) - 1
EMPTY = 0xFFFFFFFF
GOLDEN = 0x9E3779B97F4A7C15  # base of the shingles' polynomial, and step of the rounds


def kind(char: str, unit: str) -> int:
    classes, c = tables(unit)[0], ord(char)
    if c < 0x10000:
        return int(classes[c])
    if 0x1F000 <= c < 0x1FB00:
        return GAP
    if 0xE0000 <= c < 0xE1000:
        return NOTHING
    return int(classes[ord("一" if 0x1AFF0 <= c < 0x1B170 or 0x20000 <= c < 0x40000 else "a")])


def words(text: bytes, unit: str = "auto") -> list[str]:
    found, folded = [""], tables(unit)[1]
    for char in text.decode("utf-8", "replace"):
        what = kind(char, unit)
        char = chr(folded[ord(char)]) if ord(char) < 0x10000 else char
        if what == WORD:
            found[-1] += char
        elif what == CHAR:
            found += [char, ""]
        elif what == GAP:
            found.append("")
    return [word for word in found if word]


def mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & M
    x = (x ^ x >> 27) * 0x94D049BB133111EB & M
    return x ^ x >> 31


def word_hash(word: str) -> int:
    data, h = word.encode() + b"\0", 0
    for i in range(0, len(data), 8):
        h = (h ^ int.from_bytes(data[i : i + 8], "little")) * 0xD6E8FEB86659FD93 & M
        h ^= h >> 32
    return mix(h)


def shingles(text: bytes, size: int = 5, unit: str = "auto") -> list[int]:
    hashes = [word_hash(word) for word in words(text, unit)]
    windows = [hashes[i : i + size] for i in range(max(1, len(hashes) - size + 1))] if hashes else []
    return [mix(sum(h * pow(GOLDEN, p, 1 << 64) for p, h in enumerate(reversed(window))) & M) for window in windows]


def signature(found: list[int], k: int) -> list[int]:
    columns, distinct = [EMPTY] * k, list(dict.fromkeys(found))
    for r in range(k if distinct else 0):
        draws = [mix(e + r * GOLDEN & M) if r else e for e in distinct]
        fresh = [EMPTY] * k
        for draw in draws:
            c = (draw >> 32) * k >> 32
            fresh[c] = min(fresh[c], draw & EMPTY)
        columns = [new if old == EMPTY else old for old, new in zip(columns, fresh, strict=True)]
        if EMPTY not in columns:
            break
    for c in (c for c in range(k) if columns[c] == EMPTY and distinct):
        columns[c] = min(mix(e + (k + c) * GOLDEN & M) & EMPTY for e in distinct)
    return columns
