"""E-mail addresses and what stands behind an @; pieces of the kernel in `spans`, which says what they are.

In: UTF-8 bytes and the place of an @ (U+0040 or the full-width U+FF20). Out: (begin, end, place in `spans.KINDS`) of
what stands around it; begin = end where there is nothing. Never looks before `done`, and behind the next @ only if it
belongs to no address.
"""

from pipeline.text.ascii import alnum, digit, letter, word
from pipeline.text.characters import ALNUM, UNSPACED
from pipeline.text.compiling import piece
from pipeline.text.handles import handle, step_at
from pipeline.text.nearby import before, slots, spelled

EMAIL, USER = 1, 2  # bits of what is wanted
LONGEST_LOCAL, LONGEST_DOMAIN = 64, 253  # characters; RFC 5321, 4.5.3.1, has as many octets
LONGEST_MESSAGE_ID = 128  # bytes in front of its @

# Last labels that are endings of file names or units, and no top-level domain (IANA root zone): icon@2x.png
NO_DOMAIN = (
    "png jpg jpeg gif svg webp bmp ico pdf css scss less js jsx mjs cjs tsx json xml html htm xhtml yml yaml txt log "
    "tgz gz xz bz tar rar exe dll jar war php cpp hpp cxx conf cfg ini service socket timer mount automount slice "
    "swap"
)
PROGRAMS = "git hg svn bzr cvs gitolite gitea"  # local parts that are accounts of programs, when a path follows
_NO_DOMAIN = slots(NO_DOMAIN.split())
_PROGRAMS = slots(PROGRAMS.split())


@piece
def around_at(data, at, width, begin, done, end, wanted, kinds, lower):  # type: ignore[no-untyped-def]
    """(begin, end, kind) of the address or the user name around the @ of `width` bytes; begin = end: neither."""
    first, length = local_part(data, at, done, kinds)
    free = first == at  # nothing that could be a local part stands in front
    while first < at and (data[first] == 46 or data[first] == 45):
        first += 1
        length -= 1
    if wanted & EMAIL and 0 < length <= LONGEST_LOCAL and data[at - 1] != 46:
        last = domain(data, at + width, end, kinds, lower)
        if last and not _is_no_address(data, first, at, last, done, end, lower):
            return first, last, 0
    if wanted & USER and free:
        last = handle(data, at, at + width, begin, done, end, kinds, lower)
        if last:
            return at, last, 1
    return at, at, 0


@piece
def local_part(data, at, done, kinds):  # type: ignore[no-untyped-def]
    """(begin, characters) of the longest run that ends at `at` and may be a local part; LONGEST_LOCAL + 1 at most."""
    first, length = at, 0
    while first > done and length <= LONGEST_LOCAL:
        byte = data[first - 1]
        if byte < 0x80:
            if not (word(byte) or byte in (37, 43, 45, 46)):  # % + - .
                break
            first -= 1
        else:
            code, start = before(data, first, done)
            if kinds[code] & (ALNUM | UNSPACED) != ALNUM:
                break
            first = start
        length += 1
    return first, length


@piece
def domain(data, begin, end, kinds, lower):  # type: ignore[no-untyped-def]
    """The end of the longest domain from `begin` on, 0 if there is none."""
    best, labels, length = 0, 0, 0
    letters, size, pure = 0, 0, True  # of the label: letters, bytes, whether there is nothing but letters
    label, i = begin, begin
    while i < end and length < LONGEST_DOMAIN:
        length += 1
        byte = data[i]
        step = 1 if letter(byte) else step_at(data, i, end, kinds)
        if step:
            letters += 1
        elif digit(byte) or (byte == 45 and size):
            pure, step = False, 1
        elif byte == 46 and size:
            labels += 1
            letters, size, pure = 0, 0, True
            i += 1
            label = i
            continue
        else:
            break
        size += step
        i += step
        if labels and (pure or _punycode(data, label, i)) and letters >= 2 and not _letter_follows(data, i, end, kinds):
            best = 0 if spelled(data, label, i, lower, _NO_DOMAIN) else i
    return best


@piece
def _punycode(data, first, last):  # type: ignore[no-untyped-def]
    """Whether a label is an internationalised one in its ASCII form, xn--..., and does not end in a hyphen."""
    if last - first < 5 or data[last - 1] == 45:
        return False
    return data[first] | 32 == 120 and data[first + 1] | 32 == 110 and data[first + 2] == 45 and data[first + 3] == 45


@piece
def _letter_follows(data, i, end, kinds):  # type: ignore[no-untyped-def]
    return i < end and (alnum(data[i]) or step_at(data, i, end, kinds) > 0)


@piece
def _is_no_address(data, first, at, last, floor, end, lower):  # type: ignore[no-untyped-def]
    """A shell prompt (ana@host.net:~$), a path on another machine (host.net:/srv), git@host, a Message-ID."""
    if last + 1 < end and data[last] == 58 and (data[last + 1] == 126 or data[last + 1] == 47):
        return True
    if last + 1 < end and data[last] in (58, 47) and spelled(data, first, at, lower, _PROGRAMS):
        return True
    return last < end and data[last] == 62 and _message_id(data, at, floor)


@piece
def _message_id(data, at, floor):  # type: ignore[no-untyped-def]
    """Whether what stands between < and the @ was made by a program: 16 bytes or more, a third of them digits."""
    i, digits = at, 0
    while i > floor and at - i <= LONGEST_MESSAGE_ID and data[i - 1] > 32 and data[i - 1] != 60:
        i -= 1
        digits += 1 if digit(data[i]) else 0
    return i > floor and data[i - 1] == 60 and at - i >= 16 and 3 * digits >= at - i
