"""What an HTML page would cost its parser, told before it is parsed: one pass over its bytes, linear on any input.

In: a page's UTF-8 bytes. Out, (4,) int64: DEPTH, how many elements stand open at once at most; NODES, an upper bound on
those of the tree; ATTRIBUTES, the most on one tag; WORK, bytes of text and tags each times the elements open around it.

A parser by the HTML standard, and a main-text extractor behind it, take time or memory that grows with the square of
each of these: each end tag looks through all open elements, each attribute is compared with all before it, each
paragraph opens anew every unclosed `<font>`. So this follows the standard's stack of open elements and its list of
formatting elements as far as they grow, not what the tree looks like. Never builds anything.
"""

import numpy as np

from pipeline.text.compiling import kernel, piece
from pipeline.text.html_tags import (
    ADDRESS,
    BREAKS_OUT,
    BUTTON,
    CELL,
    CLOSES_P,
    DEFINED,
    DIV,
    ENDS,
    FOREIGN,
    FOREIGN_SCOPE,
    FORM,
    FORMATTING,
    FRAMESET,
    HEADING,
    ITEM,
    MATH,
    NOBR,
    OF_SVG,
    ONCE,
    OPTION,
    PLAINTEXT,
    RAW,
    ROW,
    ROWS,
    SCOPE,
    SPECIAL,
    TABLE,
    VOID,
    A,
    P,
    behind_comment,
    behind_raw,
    kind_of,
    read_attributes,
    read_name,
)

DEPTH, NODES, ATTRIBUTES, WORK = range(4)
DEEPEST = 1024  # elements; a deeper page is told as having this many, and not read on
FORMATS = 256  # unclosed formatting elements, unlike each other, that are followed
ALIKE = 3  # of formatting elements that are alike in all, more are never opened anew
TOO_MANY = 1 << 40  # NODES of a page that has more of them
NAMELESS = np.uint64(0)  # an element that no rule is about
TAG_WORK = 16  # bytes of text that a tag weighs as much as


@piece
def find(stack, size, name, stops):  # type: ignore[no-untyped-def]
    """Place of the last open element called `name`; -1 where there is none, or one above it that `stops` the search."""
    for at in range(size - 1, -1, -1):
        if stack[at] == name:
            return at
        if kind_of(stack[at]) & stops:
            return -1
    return -1


@piece
def find_kind(stack, size, wanted, stops, passes_div):  # type: ignore[no-untyped-def]
    """Likewise, for one that is `wanted`; `passes_div`: div, p and address do not stop it."""
    for at in range(size - 1, -1, -1):
        kind = kind_of(stack[at])
        if kind & wanted:
            return at
        if passes_div and (stack[at] == DIV or stack[at] == P or stack[at] == ADDRESS):
            continue
        if kind & stops:
            return -1
    return -1


@piece
def make_room(stack, size, name, kind):  # type: ignore[no-untyped-def]
    """How many elements stay open when this one begins; -1 where it is not opened at all."""
    if kind & (CELL | ROW | ROWS):
        table = find(stack, size, TABLE, 0)
        if table < 0:
            return -1
        keep = table + 1
        for at in range(table + 1, size):
            above = kind_of(stack[at])
            if (above & ROWS and kind & (CELL | ROW)) or (above & ROW and kind & CELL):
                keep = at + 1
        return keep
    if kind & ITEM or kind & DEFINED:
        at = find_kind(stack, size, kind & (ITEM | DEFINED), SPECIAL, True)
        size = at if at >= 0 else size
    if kind & CLOSES_P:
        for at in range(size - 1, -1, -1):
            if stack[at] == P:
                size = at
                break
            if kind_of(stack[at]) & SCOPE or stack[at] == BUTTON:
                break
    if kind & HEADING and size and kind_of(stack[size - 1]) & HEADING:
        size -= 1
    if name == BUTTON:
        at = find(stack, size, BUTTON, SCOPE)
        size = at if at >= 0 else size
    if name == OPTION and size and stack[size - 1] == OPTION:
        size -= 1
    if name == FORM and find(stack, size, FORM, 0) >= 0:
        return -1
    return size


@piece
def end(stack, size, name, kind):  # type: ignore[no-untyped-def]
    """How many elements stay open behind this end tag."""
    if kind & HEADING:
        at = find_kind(stack, size, HEADING, SCOPE, False)
    elif kind & (CELL | ROW | ROWS) or name == TABLE:
        table = find(stack, size, TABLE, 0)
        at = find(stack, size, name, 0)
        at = at if at >= table else -1
    else:
        at = find(stack, size, name, SCOPE if kind & (ENDS | CLOSES_P) else SPECIAL)
    return at if at >= 0 else size


@piece
def close(marks, size, keep, formats, open_, active):  # type: ignore[no-untyped-def]
    """Notes which formatting elements are among those that close, from `keep` to `size`."""
    for at in range(keep, size):
        if marks[at]:
            for last in range(active - 1, -1, -1):
                if formats[last] == marks[at] and open_[last]:
                    open_[last] = False
                    break


@piece
def reopen(stack, marks, size, formats, names, open_, active):  # type: ignore[no-untyped-def]
    """Opens anew the formatting elements at the list's end that closed with what was around them; how many are open."""
    first = active
    while first > 0 and not open_[first - 1]:
        first -= 1
    for at in range(first, active):
        if size < DEEPEST:
            stack[size], marks[size], open_[at] = names[at], formats[at], True
            size += 1
    return size


@piece
def forget(formats, names, open_, active, place):  # type: ignore[no-untyped-def]
    """Takes one formatting element out of the list; how many there are."""
    for at in range(place, active - 1):
        formats[at], names[at], open_[at] = formats[at + 1], names[at + 1], open_[at + 1]
    return active - 1


@piece
def forget_last(formats, names, open_, active, name):  # type: ignore[no-untyped-def]
    for last in range(active - 1, -1, -1):
        if names[last] == name:
            return forget(formats, names, open_, active, last)
    return active


@piece
def take_out(stack, marks, size, name):  # type: ignore[no-untyped-def]
    """Closes the last element of this name; what it holds stays open."""
    place = find(stack, size, name, SCOPE)
    if place < 0:
        return size
    for move in range(place, size - 1):
        stack[move], marks[move] = stack[move + 1], marks[move + 1]
    return size - 1


@piece
def hash_of(data, begin, end):  # type: ignore[no-untyped-def]
    mark = np.uint64(14695981039346656037)
    for byte in data[begin:end]:
        mark = (mark ^ np.uint64(byte)) * np.uint64(1099511628211)
    return mark | np.uint64(1)


@kernel
def html_cost(data):  # type: ignore[no-untyped-def]
    """(4,) int64 from a page's bytes, uint8."""
    cost = np.zeros(4, np.int64)
    stack, marks = np.zeros(DEEPEST + 1, np.uint64), np.zeros(DEEPEST + 1, np.uint64)  # marks: of formatting ones
    formats, names = np.zeros(FORMATS + 1, np.uint64), np.zeros(FORMATS + 1, np.uint64)
    open_ = np.zeros(FORMATS + 1, np.bool_)
    size = active = framesets = 0
    at = np.int64(0)
    while at < data.size and size < DEEPEST and active <= FORMATS:
        if data[at] != 60 or at + 1 >= data.size:
            begin = at
            blank = True
            while at < data.size and (data[at] != 60 or at == begin):
                blank = blank and data[at] <= 32
                at += 1
            before = size
            if not blank:
                size = reopen(stack, marks, size, formats, names, open_, active)
            cost[NODES] += 1 + size - before
            cost[DEPTH] = max(cost[DEPTH], size)
            cost[WORK] += (at - begin) * (size + 1)
            continue
        after = data[at + 1]
        closing = after == 47
        first = data[at + 2] if closing and at + 2 < data.size else after
        if not (65 <= first <= 90 or 97 <= first <= 122):
            at = behind_comment(data, at) if closing or after == 33 or after == 63 else at + 1
            cost[NODES] += 1
            continue
        begin = at
        name, at = read_name(data, at + (2 if closing else 1))
        count, at = read_attributes(data, at)
        if at < 0:
            break
        cost[ATTRIBUTES] = max(cost[ATTRIBUTES], count)
        cost[WORK] += TAG_WORK * (size + 1)
        cost[NODES] += 1
        kind = kind_of(name)
        foreign = find_kind(stack, size, FOREIGN, FOREIGN_SCOPE, False)
        if closing:
            if foreign >= 0 and find(stack, size, name, 0) >= foreign:
                kind = ENDS  # of an element within the drawing or formula
            elif kind & FOREIGN_SCOPE:
                kind = 0
            if kind & ONCE or name == FRAMESET:
                continue
            if kind & FORMATTING:
                active = forget_last(formats, names, open_, active, name)
            if kind & FORMATTING or (name == FORM and foreign < 0):
                size = take_out(stack, marks, size, name)
                continue
            keep = end(stack, size, name, kind)
            close(marks, size, keep, formats, open_, active)
            size = keep
            continue
        if foreign >= 0 and kind & BREAKS_OUT:
            while foreign >= 0:
                close(marks, size, foreign, formats, open_, active)
                size = foreign
                foreign = find_kind(stack, size, FOREIGN, FOREIGN_SCOPE, False)
        if foreign >= 0:
            if data[at - 2] == 47:  # only here a tag ends itself
                continue
        else:
            if kind & RAW and not framesets and find_kind(stack, size, FOREIGN, 0, False) < 0:
                at = behind_raw(data, at, name)
                continue
            if name == PLAINTEXT:
                break
            if kind & ONCE:
                continue
            if name == FRAMESET:  # whether it counts depends on all before; if so, no script is text behind it
                framesets += 1
                continue
            room = size if kind & VOID else make_room(stack, size, name, kind)
            if room < 0:
                continue
            close(marks, size, room, formats, open_, active)
            size = room
            if not kind & CLOSES_P:
                size = reopen(stack, marks, size, formats, names, open_, active)
                cost[NODES] += size - room
            if kind & VOID or size >= DEEPEST:
                cost[DEPTH] = max(cost[DEPTH], size)
                continue
        if foreign >= 0 and kind & FOREIGN_SCOPE and (stack[foreign] == MATH) == (kind & OF_SVG != 0):
            name = NAMELESS  # a formula's foreignobject holds no HTML, nor does a drawing's mtext
        stack[size], marks[size] = name, np.uint64(0)
        if foreign < 0 and kind & FORMATTING:
            if name in (A, NOBR):  # ends the one before
                active = forget_last(formats, names, open_, active, name)
                size = take_out(stack, marks, size, name)
                stack[size] = name
            mark = hash_of(data, begin, at)
            marks[size] = mark
            alike, oldest = 0, 0
            for other in range(active - 1, -1, -1):
                if formats[other] == mark:
                    alike, oldest = alike + 1, other
            if alike >= ALIKE:
                active = forget(formats, names, open_, active, oldest)
            formats[active], names[active], open_[active] = mark, name, True
            active += 1
        size += 1
        cost[DEPTH] = max(cost[DEPTH], size)
    cost[DEPTH] = max(cost[DEPTH], framesets)
    if active > FORMATS:
        cost[NODES] += TOO_MANY
    return cost
