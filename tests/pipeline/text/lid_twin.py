"""What the language identifier reads, in plain Python: the definitions that its kernels are held to."""

import itertools
import unicodedata

WORD, PAIR, LOOK = 0x5851F42D4C957F2D, 0x14057B7EF767814F, 0x2545F4914F6CDD1D
P, M, MASK = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, (1 << 64) - 1
BLOCKS = {
    "Latn": [(0x41, 0x2FF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF), (0xAB30, 0xAB6F),
             (0xFB00, 0xFB06), (0xFF21, 0xFF5A)],
    "Arab": [(0x600, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)],
    "Deva": [(0x900, 0x97F), (0xA8E0, 0xA8FF)], "Beng": [(0x980, 0x9FF)], "Guru": [(0xA00, 0xA7F)],
    "Gujr": [(0xA80, 0xAFF)], "Orya": [(0xB00, 0xB7F)], "Taml": [(0xB80, 0xBFF)], "Telu": [(0xC00, 0xC7F)],
    "Knda": [(0xC80, 0xCFF)], "Mlym": [(0xD00, 0xD7F)],
    "Han": [(0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
            (0xF900, 0xFAFF), (0x20000, 0x3FFFF)],
}  # fmt: skip
VOWELS = {*map(chr, range(0x64B, 0x653)), "\u0670", "\u0640"}
APOSTROPHES = "'\u2019\u02bc\uff07`\u00b4\u02b9\u02bb\ua78c"


def script_of(char):
    return next((name for name, found in BLOCKS.items() if any(a <= ord(char) <= b for a, b in found)), "other")


def kind_of(char):
    """gap, nothing or letter"""
    code, category = ord(char), unicodedata.category(char)
    if code >= 0x10000:
        return "letter" if code < 0x1E000 or 0x20000 <= code < 0x40000 else "gap"
    if char in APOSTROPHES:
        return "letter"
    if char in "\t\n\v\f\r\x85":
        return "gap"
    if category in ("Cc", "Cf") or char in VOWELS:
        return "nothing"
    return "letter" if category[0] in "LM" else "gap"


def look_of(char):
    category = unicodedata.category(char)
    if ord(char) >= 0x10000:
        return "a" if kind_of(char) == "letter" else " "
    if category in ("Lu", "Lt"):
        return "A"
    if category[0] in "LM":
        return "a"
    if category[0] == "N":
        return "0"
    return char if char == "\n" or "!" <= char <= "~" else " "


def folded(char):
    if char in APOSTROPHES:
        return "'"
    lower = char.lower()
    if ord(char) >= 0x10000:
        return "\uffff"
    return lower if len(lower) == 1 and ord(lower) < 0x10000 else char


def composed(letter, mark):
    """The one character for a letter in lower case and a mark, where NFC would put it."""
    for first in dict.fromkeys((letter, letter.upper())):
        whole = unicodedata.normalize("NFC", first + mark)
        parts = unicodedata.decomposition(whole[0]).split()
        if len(first) == len(whole) == 1 and len(parts) == 2 and chr(int(parts[1], 16)) == mark:
            return whole.lower()[0]
    return None


def weight_of(char):
    """Letters that a character counts for: a kana twelve; Han, Hangul and all between them three; others one."""
    code = ord(char)
    if 0x3041 <= code <= 0x3096 or 0x30A1 <= code <= 0x30FA:
        return 12
    blocks = [(0x2E80, 0xA4CF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)]
    return 3 if any(a <= code <= b for a, b in blocks) else 1


def units(text):
    """(characters between blanks, {script: weight of its letters}, signs of code)"""
    out, scripts, signs = [" "], {}, 0
    for char in text:
        kind = kind_of(char)
        if kind == "gap":
            signs += char in "{}=<>[]$_\\*&|;#@^~"
            out += [" "] * (out[-1] != " ")
        if kind != "letter":
            continue
        if unicodedata.category(char)[0] == "M" and ord(char) < 0x10000 and (whole := composed(out[-1], char)):
            out[-1] = whole
            continue
        script = script_of(char)
        shared = char in APOSTROPHES or (unicodedata.category(char)[0] == "M" and script in ("other", "Latn"))
        if shared and ord(char) < 0x10000:
            out.append(folded(char))
            continue
        scripts[script] = scripts.get(script, 0) + weight_of(char)
        if script == "other":
            out += [" "] * (out[-1] != " ")
        else:
            out.append(folded(char))
    return "".join(out + [" "] * (out[-1] != " ")), scripts, signs


def looks(text):
    """Runs of letters, digits and blanks count once; signs of ASCII stand for themselves."""
    out = []
    for look in (look_of(char) for char in text if kind_of(char) != "nothing"):
        if look not in "aA0 \n" or out[-1:] != [look]:
            out.append(look)
    return out


def row_of(h, rows):
    h = ((h ^ h >> 29) * M) & MASK
    return (h >> 32) * rows >> 32


def rolled(codes, start=0):
    h = start
    for code in codes:
        h = (h * P + code) & MASK
    return h


def features(text, rows):
    """Sorted rows of all features of a text."""
    found = []
    seen = looks(text)
    for i in range(len(seen)):
        for size in (2, 3, 4):
            part = seen[max(0, i + 1 - size) : i + 1]
            if any(look not in "aA0 \n" for look in part[-min(size, 3) :]):
                h = int.from_bytes("".join(part).encode(), "big") * LOOK + size
                found.append(row_of(h & MASK, rows))
    chars, *_ = units(text)
    for i in range(1, len(chars)):
        if ord(chars[i]) >= 128:
            found.append(row_of((ord(chars[i]) + 1) * P & MASK, rows))
        for size in range(2, 6):
            gram = chars[i + 1 - size : i + 1] if i + 1 >= size else ""
            if gram and " " not in gram[1:-1]:
                found.append(row_of(rolled(map(ord, reversed(gram[:-1])), ord(gram[-1]) + 1), rows))
    words = [rolled(map(ord, word)) for word in chars.split()]
    found += [row_of(h * WORD & MASK, rows) for h, word in zip(words, chars.split(), strict=True) if len(word) > 3]
    found += [row_of((a * PAIR + b * WORD) & MASK, rows) for a, b in itertools.pairwise(words) if a and b]
    return sorted(found)
