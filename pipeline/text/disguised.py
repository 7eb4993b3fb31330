"""E-mail addresses spelled out against harvesters; a piece of the kernel in `spans`.

    name (at) host.org    name[at]host[dot]org    name {AT} host dot org    name <at> host (dot) co (dot) ke

In: UTF-8 bytes and the place of an opening bracket. Out: (begin, end); begin = end where there is none. The sign must
stand in brackets: "look at dot com" is prose, so bare words are left alone. Dots may be themselves, bracketed, or bare.
"""

from pipeline.text.ascii import alnum, digit, letter
from pipeline.text.compiling import piece
from pipeline.text.handles import step_at
from pipeline.text.names import LONGEST_DOMAIN, LONGEST_LOCAL, local_part


@piece
def disguised(data, bracket, done, end, kinds):  # type: ignore[no-untyped-def]
    """(begin, end) of the address whose sign is in this bracket."""
    none = (bracket, bracket)
    behind = _bracketed(data, bracket, end, 97, 116, 0)
    if behind == 0 or bracket == done:
        return none
    at = bracket - 1 if data[bracket - 1] == 32 else bracket
    first, length = local_part(data, at, done, kinds)
    while first < at and (data[first] == 46 or data[first] == 45):
        first += 1
        length -= 1
    if not 0 < length <= LONGEST_LOCAL or data[at - 1] == 46:
        return none
    if behind < end and data[behind] == 32:
        behind += 1
    last = _spelled_domain(data, behind, end, kinds)
    return (first, last) if last else none


@piece
def _bracketed(data, i, end, a, b, c):  # type: ignore[no-untyped-def]
    """The end of a bracket that holds this word of two or three letters, blanks at its sides allowed; 0 if none."""
    opening = data[i]
    closing = 41 if opening == 40 else opening + 2  # ASCII has ] } > two places behind [ { <
    i += 1
    i += 1 if i < end and data[i] == 32 else 0
    if i + 2 >= end or data[i] | 32 != a or data[i + 1] | 32 != b:
        return 0
    i += 2
    if c:
        if data[i] | 32 != c:
            return 0
        i += 1
    i += 1 if i < end and data[i] == 32 else 0
    return i + 1 if i < end and data[i] == closing else 0


@piece
def _dot(data, i, end):  # type: ignore[no-untyped-def]
    """Where the label behind a dot begins: . or (dot) or the word between blanks; 0 if there is none."""
    if i < end and data[i] == 46:
        return i + 1
    at = i + 1 if i < end and data[i] == 32 else i
    if at < end and data[at] in (40, 91, 123, 60):
        behind = _bracketed(data, at, end, 100, 111, 116)
        return behind + 1 if behind and behind < end and data[behind] == 32 else behind
    if at > i and at + 3 < end and data[at] | 32 == 100 and data[at + 1] | 32 == 111 and data[at + 2] | 32 == 116:
        return at + 4 if data[at + 3] == 32 else 0
    return 0


@piece
def _spelled_domain(data, i, end, kinds):  # type: ignore[no-untyped-def]
    """The end of the longest domain from `i` on, 0 if there is none."""
    best, labels, length = 0, 0, 0
    while length < LONGEST_DOMAIN:
        size, pure = 0, True
        while i < end and length < LONGEST_DOMAIN:
            step = 1 if letter(data[i]) else step_at(data, i, end, kinds)
            if step == 0:
                if not (digit(data[i]) or (data[i] == 45 and size)):
                    break
                pure, step = False, 1
            i += step
            size += 1
            length += 1
        if size == 0 or (i < end and (alnum(data[i]) or data[i] == 95)):
            break
        labels += 1
        if labels > 1 and pure and size >= 2:
            best = i
        i = _dot(data, i, end)
        if i == 0:
            break
    return best
