"""What `dedup_substrings` takes out, in plain Python: every window of every text in a dict, and a mark for each unit.

gone(["abcX", "Yabc"], 3) -> [[(…)], …]     spans of bytes of each text that go
"""

from __future__ import annotations

from pipeline.text.letters import CHAR, NOTHING, WORD, tables
from pipeline.text.shingles import astral_class

Span = tuple[int, int]


def words(text: str) -> list[tuple[str, int, int]]:
    """(folded word, first byte, byte behind the last) of each."""
    classes, folded = tables("auto")
    out: list[tuple[str, int, int]] = []
    inside, at = False, 0
    for char in text:
        code, end = ord(char), at + len(char.encode())
        kind = classes[code] if code < 0x10000 else astral_class.py_func(code, classes)
        low = chr(folded[code]) if code < 0x10000 else char
        if kind == CHAR:
            out.append((low, at, end))
        elif kind == WORD and inside:
            out[-1] = (out[-1][0] + low, out[-1][1], end)
        elif kind == WORD:
            out.append((low, at, end))
        if kind != NOTHING:
            inside = kind == WORD
        at = end
    return out


def gone(texts: list[str], length: int, unit: str = "bytes") -> list[list[Span]]:
    """Spans of bytes of each text that go; those that touch are one."""
    held = [list(text.encode()) if unit == "bytes" else [w[0] for w in words(text)] for text in texts]
    places: dict[tuple, list[Span]] = {}
    for t, units in enumerate(held):
        for i in range(len(units) - length + 1):
            places.setdefault(tuple(units[i : i + length]), []).append((t, i))
    goes = [[False] * len(units) for units in held]
    stays = [[False] * len(units) for units in held]
    for stands in places.values():
        if len(stands) > 1:
            for marks, some in ((stays, stands[:1]), (goes, stands[1:])):
                for t, i in some:
                    marks[t][i : i + length] = [True] * length
    marked = [[g and not s for g, s in zip(*pair, strict=True)] for pair in zip(goes, stays, strict=True)]
    return [_spans(text, marks, unit) for text, marks in zip(texts, marked, strict=True)]


def _spans(text: str, marks: list[bool], unit: str) -> list[Span]:
    data, out, begin = text.encode(), [], None
    for i, mark in enumerate([*marks, False]):
        if mark and begin is None:
            begin = i
        if not mark and begin is not None:
            out.append((begin, i))
            begin = None
    if unit == "words":
        placed = words(text)
        return [(placed[first][1], placed[last - 1][2]) for first, last in out]
    return [span for span in (_whole(data, *span) for span in out) if span[0] < span[1]]


def _whole(data: bytes, begin: int, end: int) -> Span:
    while begin < end and data[begin] & 0xC0 == 0x80:
        begin += 1
    while begin < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return begin, end


def cut(text: str, spans: list[Span], mask: str = "") -> str:
    data, at, out = text.encode(), 0, b""
    for begin, end in spans:
        out += data[at:begin] + mask.encode()
        at = end
    return (out + data[at:]).decode()
