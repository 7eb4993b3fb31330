"""What HTML left behind, by regular expressions: the definition that the kernel must equal."""

import re
from html.entities import html5

from pipeline.text.markup import _ELEMENTS, BLOCK, CELL, HIDDEN, WORDLIKE

SORTS = {name: sort for sort, names in _ELEMENTS.items() for name in names.split()}
TAG = re.compile(r"""<(/?)([A-Za-z][A-Za-z0-9]{0,15})(?=[>/\x00-\x20])([^<>=]*)(=(?:"[^"<]*"|'[^'<]*'|[^<>"'])*)?>""")
NAMED, NUMBER = re.compile("&([A-Za-z0-9]{1,31});"), re.compile("&#(?:([0-9]{1,7})|[xX]([0-9A-Fa-f]{1,7}));")
FENCE, TICKS = re.compile(r"[ \t]*(```|~~~)"), re.compile(r"`+(?:[^`\n]*`+)?")
COMMENT = re.compile("<!--.*?-->", re.S)


def tag_at(text: str, i: int) -> tuple[int, int]:
    """(the place after the tag, its sort); `i` where there is none."""
    match = TAG.match(text, i)
    sort = SORTS.get(match[2].lower(), 0) if match else 0
    if match is None or not sort:
        return i, 0
    closing, name, inside, equals = match.groups()
    bare = not inside.replace("/", "").strip("".join(map(chr, range(33))))
    stands = not equals if closing else equals or not (sort & WORDLIKE or (len(name) == 1 and not bare))
    return (match.end(), sort & 7) if stands else (i, 0)


def hidden_end(text: str, begin: int, name: str) -> int:
    for match in re.finditer(f"</{name}", text[begin:], re.I):
        last, sort = tag_at(text, begin + match.start())
        if sort == HIDDEN:
            return last
    return begin


def entity_at(text: str, i: int) -> tuple[int, str]:
    if (match := NAMED.match(text, i)) and (character := html5.get(match[1] + ";")) and match[1] not in ("nGt", "nLt"):
        return match.end(), character
    if match := NUMBER.match(text, i):
        code = int(match[1]) if match[1] else int(match[2], 16)
        if 128 <= code < 160:
            code = ord(bytes([code]).decode("cp1252", errors="replace"))
        control = (code < 32 and code not in (9, 10)) or 127 <= code < 160
        nobody = 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE or code == 0xFFFD
        if not control and not nobody and code <= 0x10FFFF:
            return match.end(), chr(code)
    return i, ""


def without_markup(text: str, wanted: int) -> tuple[str | None, list[int]]:
    out, counts, i, fence = "", [0, 0, 0], 0, ""
    while i < len(text):
        if i == 0 or text[i - 1] == "\n":
            mark = FENCE.match(text, i)
            if mark or fence:
                end = text.find("\n", i) + 1 or len(text)
                if mark and fence in ("", mark[1]):
                    fence = "" if fence else mark[1]
                out, i = out + text[i:end], end
                continue
        if text[i] == "`":
            end = TICKS.match(text, i).end()
            out, i = out + text[i:end], end
            continue
        end, put = i, ""
        if text[i] == "<":
            comment = COMMENT.match(text, i) if wanted & 1 else None
            last, sort = tag_at(text, i) if wanted & 3 else (i, 0)
            if comment:
                end = comment.end()
                counts[0] += 1
            elif (
                wanted & 1
                and sort == HIDDEN
                and text[i + 1] != "/"
                and (after := hidden_end(text, last, text[i + 1 : i + 7].lower().rstrip("> /\t\n"))) > last
            ):
                end = after
                counts[0] += 1
            elif last > i and wanted & 2:
                end = last
                counts[1] += 1
                if sort == BLOCK and out and out[-1] != "\n":
                    put = "\n"
                if sort == CELL and out and out[-1] not in "\n\t":
                    put = "\t"
        elif text[i] == "&" and wanted & 4:
            end, put = entity_at(text, i)
            counts[2] += end > i
        if end > i:
            out, i = out + put, end
        else:
            out, i = out + text[i], i + 1
    return (out if any(counts) else None), counts
