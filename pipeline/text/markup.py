"""What HTML left behind in text: tags, comments, scripts and styles, escaped characters.

In: Arrow texts (n) and which of KINDS to look for. Out: new texts, null where nothing was found, and how much of each.

blocks    <!-- ... -->, <script ...> ... </script>, <style ...> ... </style>: all of it goes. Without its end: nothing
          of a comment goes, and of a script the tag
tags      < or </, the name of an element in any case, then > or a blank or / and what follows up to >, but for a > in
          quotes behind an =; no other < stands in it. Names that people also write between angle brackets (`<source>`,
          `<title>`) are tags only with a / at the front or an = inside, or where one with a / stands in the text; names
          of one letter only bare, with a / or with an =. A tag of a block (br, p, div, li, h1, ...) becomes a line
          feed, of a cell a tab, unless the text is at the beginning of a line there; others go without a trace
entities  &name; of HTML 5 and &#number; become their character, once: &amp;lt; becomes &lt;. The semicolon must stand.
          Numbers 128 to 159 mean Windows-1252, as in browsers; controls, surrogates and noncharacters stay escaped

Code stays: what stands between two runs of backticks in one line, and blocks between lines that begin with ``` or ~~~
(an open one lasts to the end). Nothing is parsed or balanced. Output is never longer than input; time is linear.
"""

from functools import cache
from html.entities import html5

import numpy as np
import pyarrow as pa

from pipeline.text.ascii import alnum, digit, letter
from pipeline.text.buffers import buffers
from pipeline.text.characters import U
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, mix
from pipeline.text.lines import array_of, copy, feed
from pipeline.text.utf8 import encode

KINDS = ("blocks", "tags", "entities")
BLOCKS, TAGS, ENTITIES = 1, 2, 4
LONGEST_ELEMENT = 16  # letters of an element's name
LONGEST_NAME = 31  # letters of an entity's name
LONGEST_NUMBER = 7  # digits of an entity's number

INLINE, BLOCK, CELL, HIDDEN = 1, 2, 3, 4  # sorts of elements, in the low bits of what the table says of a name
WORDLIKE = 8  # also a word that people write between angle brackets
_ELEMENTS = {
    INLINE: "a abbr acronym b bdi bdo big del em fieldset font i img ins s small span strike strong sub sup tt u wbr",
    BLOCK: "blockquote br center dd div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li ol p pre table tbody tfoot"
    " thead tr ul",
    CELL: "td th",
    HIDDEN: "script style",
    INLINE | WORDLIKE: "area audio base basefont button canvas cite code col colgroup data datalist dfn embed form"
    " frame frameset html iframe input kbd label legend link map mark meta meter noframes noscript object optgroup"
    " option output param picture progress q ruby rp rt samp select slot source svg template textarea time track var"
    " video",
    BLOCK | WORDLIKE: "address article aside body caption details dialog dir footer head header hgroup main menu nav"
    " section summary title",
}
_WINDOWS_1252 = bytes(range(128, 160)).decode("cp1252", errors="replace")


@cache
def _names() -> tuple[np.ndarray, np.ndarray]:
    """Open addressing: (slots,) uint64 hashes of element names, 0 where empty, and (slots,) uint8 their sorts."""
    sorts = {name: sort for sort, names in _ELEMENTS.items() for name in names.split()}
    return _slots({_name_hash(np.frombuffer(name.encode(), np.uint8)): sort for name, sort in sorts.items()}, np.uint8)


@cache
def _entities() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `_names`, of entities: hashes, which one; then (m + 1,) int64 offsets and the bytes of their characters.

    Those whose characters take more bytes than their names are left out (two relations of mathematics)."""
    known = {name[:-1]: text.encode() for name, text in html5.items() if name.endswith(";")}
    known = {name: text for name, text in sorted(known.items()) if len(text) <= len(name) + 2}
    assert max(map(len, known)) <= LONGEST_NAME
    hashes = {_name_hash(np.frombuffer(name.encode(), np.uint8)): at for at, name in enumerate(known)}
    ends = np.cumsum([0, *map(len, known.values())], dtype=np.int64)
    return *_slots(hashes, np.int64), ends, np.frombuffer(b"".join(known.values()), np.uint8)


def _slots(entries: dict[int, int], kind: type) -> tuple[np.ndarray, np.ndarray]:
    size = 16
    while size < 2 * len(entries):
        size *= 2
    keys: np.ndarray = np.zeros(size, np.uint64)
    values: np.ndarray = np.zeros(size, kind)
    for key, value in entries.items():
        at = int(key) & (size - 1)
        while keys[at]:
            at = (at + 1) & (size - 1)
        keys[at], values[at] = key, value
    return keys, values


def without_markup(texts: pa.Array | pa.ChunkedArray, wanted: int) -> tuple[pa.Array, np.ndarray]:
    """(n,) large_string, null where unchanged, and (n, len(KINDS)) int64 how much was found.

    `wanted` are bits of what to look for."""
    offsets, data = buffers(texts)
    windows = np.array([ord(c) for c in _WINDOWS_1252], np.int64)
    ends, out, counts = _without_markup(data, offsets, wanted, _names(), _entities(), windows)
    return array_of(ends, out, counts.any(axis=1)), counts


@kernel
def _name_hash(name):  # type: ignore[no-untyped-def]
    h = U(0)
    for byte in name:
        h = h * BASE + U(byte) + U(1)
    return max(mix(h), U(1))


@kernel
def _without_markup(data, offsets, wanted, names, entities, windows):  # type: ignore[no-untyped-def]
    n, room = len(offsets) - 1, 0
    for d in range(n):
        if _signs(data, offsets[d], offsets[d + 1]):
            room += offsets[d + 1] - offsets[d]
    out, ends, counts = np.empty(room, np.uint8), np.zeros(n + 1, np.int64), np.zeros((n, 3), np.int64)
    closed = np.zeros(len(names[0]), np.bool_)  # by slot: of which elements there is a </ in the text
    o = 0
    for d in range(n):
        if _signs(data, offsets[d], offsets[d + 1]):
            _close(data, offsets[d], offsets[d + 1], names, closed)
            all_names = names[0], names[1], closed
            stop = _one(data, offsets[d], offsets[d + 1], wanted, all_names, entities, windows, out, o, counts[d])
            if counts[d].any():
                o = stop
        ends[d + 1] = o
    return ends, out[:o].copy(), counts


@piece
def _signs(data, begin, end):  # type: ignore[no-untyped-def]
    """Whether there is a < or an &. In blocks, without a branch on each byte."""
    i = begin
    while i < end:
        found, stop = 0, min(i + 1024, end)
        for at in range(i, stop):
            found += (data[at] == 60) | (data[at] == 38)
        if found:
            return True
        i = stop
    return False


@piece
def _close(data, begin, end, names, closed):  # type: ignore[no-untyped-def]
    """Marks in `closed` the elements of which there is a </ in the text."""
    closed[:] = False
    for i in range(begin, end - 2):
        if data[i] == 60 and data[i + 1] == 47:
            _, slot = _name(data, i + 2, end, names[0])
            if slot >= 0:
                closed[slot] = True


@piece
def _one(data, begin, end, wanted, names, entities, windows, out, base, counts):  # type: ignore[no-untyped-def]
    """Writes what stays of `data[begin:end]` at `out[base:]`; the place after it."""
    i, o, fence = begin, base, 0
    no_comment, no_script, no_style = False, False, False  # none of these ends behind `i`
    new_line = True
    while i < end:
        if new_line:
            mark = _fence(data, i, end)
            inside = fence != 0
            if mark and (fence == 0 or mark == fence):
                fence = mark - fence
            new_line = False
            if mark or inside:
                last = min(feed(data, i, end) + 1, end)
                o = copy(data, i, last, out, o)
                i, new_line = last, True
                continue
        byte = data[i]
        following = data[i + 1] if i + 1 < end else 0  # looked at here: a call costs more
        if byte == 60 and (letter(following) or following == 47 or following == 33):
            last, sort = i, 0
            if wanted & BLOCKS and not no_comment and _comment(data, i, end):
                last = _after_comment(data, i + 4, end)
                no_comment = last == i + 4
                if no_comment:
                    last = i
                counts[0] += last > i
            elif wanted & (TAGS | BLOCKS) and following != 33:
                last, sort = _tag(data, i, end, names)
                if sort == HIDDEN and wanted & BLOCKS and data[i + 1] != 47:
                    style = data[i + 2] | 32 == 116
                    after = last
                    if not (no_style if style else no_script):
                        after = _after_hidden(data, last, end, style, names)
                        if after == last and style:
                            no_style = True
                        elif after == last:
                            no_script = True
                    if after > last:
                        counts[0] += 1
                        i = after
                        continue
                if last > i and wanted & TAGS:
                    counts[1] += 1
                    if sort in (BLOCK, CELL) and o > base and out[o - 1] != 10 and (sort == BLOCK or out[o - 1] != 9):
                        out[o] = 10 if sort == BLOCK else 9
                        o += 1
                else:
                    last = i
            if last > i:
                i = last
                continue
        elif byte == 38 and wanted & ENTITIES and (letter(following) or following == 35):
            last, o = _entity(data, i, end, entities, windows, out, o)
            if last > i:
                counts[2] += 1
                i = last
                continue
        elif byte == 96:
            last = _after_ticks(data, i, end)
            o = copy(data, i, last, out, o)
            i = last
            continue
        out[o] = byte
        o += 1
        i += 1
        new_line = byte == 10
    return o


@piece
def _fence(data, i, end):  # type: ignore[no-untyped-def]
    """The ` or ~ of which three stand at the beginning of the line at `i`, behind blanks; else 0."""
    while i < end and (data[i] == 32 or data[i] == 9):
        i += 1
    if i + 2 < end and (data[i] == 96 or data[i] == 126) and data[i] == data[i + 1] == data[i + 2]:
        return np.int64(data[i])
    return 0


@piece
def _after_ticks(data, i, end):  # type: ignore[no-untyped-def]
    """The place after the code that begins at `i` with a backtick; after the backticks where it does not end."""
    while i < end and data[i] == 96:
        i += 1
    at = i
    while at < end and data[at] != 10 and data[at] != 96:
        at += 1
    if at == end or data[at] == 10:
        return i
    while at < end and data[at] == 96:
        at += 1
    return at


@piece
def _comment(data, i, end):  # type: ignore[no-untyped-def]
    return i + 3 < end and data[i + 1] == 33 and data[i + 2] == 45 and data[i + 3] == 45


@piece
def _after_comment(data, begin, end):  # type: ignore[no-untyped-def]
    """The place after the next -->, or `begin` where there is none."""
    for i in range(begin, end - 2):
        if data[i] == 45 and data[i + 1] == 45 and data[i + 2] == 62:
            return i + 3
    return begin


@piece
def _after_hidden(data, begin, end, style, names):  # type: ignore[no-untyped-def]
    """The place after the next </script> or </style>, or `begin` where there is none."""
    for i in range(begin, end - 1):
        if data[i] == 60 and data[i + 1] == 47:
            last, sort = _tag(data, i, end, names)
            if sort == HIDDEN and last > i and (data[i + 3] | 32 == 116) == style:
                return last
    return begin


@piece
def _tag(data, i, end, names):  # type: ignore[no-untyped-def]
    """(the place after the tag at `i`, the sort of its element); `i` where no tag begins."""
    at = i + 1
    closing = at < end and data[at] == 47
    if closing:
        at += 1
    keys, sorts, closed = names
    first = at
    at, slot = _name(data, first, end, keys)
    if slot < 0:
        return i, 0
    sort, size = np.int64(sorts[slot]), at - first
    bare, equals, quote = True, False, 0
    while at < end and data[at] != 60:
        byte = data[at]
        if quote:
            if byte == quote:
                quote = 0
        elif byte == 62:
            word = sort & WORDLIKE != 0 and not closed[slot]
            if closing:
                tag = not equals
            else:
                tag = equals or not (word or (size == 1 and not bare))
            return (at + 1, sort & 7) if tag else (i, 0)
        elif byte == 61:
            equals = True
        elif (byte == 34 or byte == 39) and equals:
            quote = byte
        elif byte > 32 and byte != 47:
            bare = False
        at += 1
    return i, 0


@piece
def _name(data, at, end, keys):  # type: ignore[no-untyped-def]
    """(the place after the name of an element at `at`, its slot); slot -1 where there is none."""
    first, h = at, U(0)
    if at >= end or not letter(data[at]):
        return at, -1
    while at < end and at - first < LONGEST_ELEMENT and alnum(data[at]):
        h = h * BASE + U(data[at] | 32 if letter(data[at]) else data[at]) + U(1)
        at += 1
    if at >= end or not (data[at] == 62 or data[at] == 47 or data[at] <= 32):
        return at, -1
    h = max(mix(h), U(1))
    mask = U(len(keys) - 1)
    slot = h & mask
    while keys[slot] != U(0):
        if keys[slot] == h:
            return at, np.int64(slot)
        slot = (slot + U(1)) & mask
    return at, -1


@piece
def _entity(data, i, end, entities, windows, out, o):  # type: ignore[no-untyped-def]
    """(the place after the entity at `i`, the place after its character in `out`); `i` where there is none."""
    at = i + 1
    if at < end and data[at] == 35:
        return _numbered(data, i, end, windows, out, o)
    h = U(0)
    while at < end and at - i <= LONGEST_NAME and alnum(data[at]):
        h = h * BASE + U(data[at]) + U(1)
        at += 1
    if at == i + 1 or at == end or data[at] != 59:
        return i, o
    keys, which, ends, characters = entities
    mask, h = U(len(keys) - 1), max(mix(h), U(1))
    slot = h & mask
    while keys[slot] != U(0):
        if keys[slot] == h:
            one = which[slot]
            return at + 1, copy(characters, ends[one], ends[one + 1], out, o)
        slot = (slot + U(1)) & mask
    return i, o


@piece
def _numbered(data, i, end, windows, out, o):  # type: ignore[no-untyped-def]
    at = i + 2
    hexadecimal = at < end and data[at] | 32 == 120
    if hexadecimal:
        at += 1
    first, code = at, np.int64(0)
    while at < end and at - first <= LONGEST_NUMBER:
        byte = np.int64(data[at])
        if digit(byte):
            code = code * (16 if hexadecimal else 10) + byte - 48
        elif hexadecimal and 97 <= byte | 32 <= 102:
            code = code * 16 + (byte | 32) - 87
        else:
            break
        at += 1
    if at in (first, end) or at - first > LONGEST_NUMBER or data[at] != 59:
        return i, o
    if 128 <= code < 160:
        code = windows[code - 128]
    if not _printable(code):
        return i, o
    return at + 1, np.int64(encode(out, U(o), U(code)))


@piece
def _printable(code):  # type: ignore[no-untyped-def]
    if code < 32:
        return code == 9 or code == 10
    if 127 <= code < 160 or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code == 0xFFFD:
        return False
    return code <= 0x10FFFF and code & 0xFFFE != 0xFFFE
