"""IP addresses in texts; pieces of the kernel in `spans`.

In: UTF-8 bytes and the place of a dot or colon. Out: (begin, end) of the address whose first sign it is; begin = end
where it is none, or one that leads to nobody. Never looks before `done`, or more than some hundred bytes from the sign.
What has the form of an address but numbers a version or a section is told in `versions.py`.
"""

from pipeline.text.ascii import alnum, digit, letter, word
from pipeline.text.compiling import piece
from pipeline.text.versions import numbers_something

LONGEST_IPV6 = 39  # bytes of its groups


@piece
def ipv4(data, dot, begin, done, end, kinds, lower):  # type: ignore[no-untyped-def]
    """(begin, end) of the address whose first dot this is; begin = end if it is none."""
    none = (dot, dot)
    first = dot
    while first > done and dot - first < 4 and digit(data[first - 1]):
        first -= 1
    if first == dot or (first > done and _joins(data[first - 1])):
        return none
    i, address = _dotted(data, first, end)
    if i == first or _nobodys(address) or numbers_something(data, first, i, address, begin, done, end, kinds, lower):
        return none
    return first, i


@piece
def _joins(byte):  # type: ignore[no-untyped-def]
    """Whether it makes a longer name or number of the one behind it: 1.2.3.4.5, v1.2.3.4, lib-1.2.3.4, lib_1.2.3.4."""
    return word(byte) or byte == 46 or byte == 45


@piece
def _dotted(data, first, end):  # type: ignore[no-untyped-def]
    """(end, value) of four numbers with dots between them; the end is `first` if there are none, or if more follows."""
    none = (first, 0)
    i, address = first, 0
    for part in range(4):
        value, begin = 0, i
        while i < end and i - begin < 4 and digit(data[i]):
            value = value * 10 + data[i] - 48
            i += 1
        if i == begin or value > 255 or i - begin > 3 or (data[begin] == 48 and i - begin > 1):
            return none
        address = address << 8 | value
        if part < 3:
            if i >= end or data[i] != 46:
                return none
            i += 1
    if (i < end and alnum(data[i])) or (i + 1 < end and data[i] == 46 and alnum(data[i + 1])):
        return none  # a version or a section; but a sentence may end behind an address
    if i + 1 < end and data[i] == 45 and letter(data[i + 1]):
        return none  # 1.2.3.4-beta; but a range may go on
    if i + 1 < end and data[i] in (43, 95, 126) and alnum(data[i + 1]):
        return none  # 1.2.3.4+dfsg, 1.2.3.4_amd64, 1.2.3.4~rc1
    return i, address


@piece
def _nobodys(address):  # type: ignore[no-untyped-def]
    """Whether an IPv4 address belongs to no one in particular (IANA special-purpose registry, RFC 6890)."""
    a, ab, abc = address >> 24, address >> 16, address >> 8
    return (
        a in (0, 10, 127)
        or address & 0xFFFF == 0  # of a network, of no host
        or a >= 224
        or ab in (0xC0A8, 0xA9FE, 0xC612, 0xC613)  # 192.168, 169.254, 198.18/15
        or 0xAC10 <= ab <= 0xAC1F  # 172.16/12
        or 0x6440 <= ab <= 0x647F  # 100.64/10
        or abc in (0xC00000, 0xC00002, 0xC63364, 0xCB0071)  # 192.0.0, 192.0.2, 198.51.100, 203.0.113
    )


@piece
def _hex(byte):  # type: ignore[no-untyped-def]
    return digit(byte) or 65 <= byte <= 70 or 97 <= byte <= 102


@piece
def ipv6(data, colon, done, end):  # type: ignore[no-untyped-def]
    """(begin, end) of the address whose first colon this is; begin = end if it is none.

    Only 2000::/3 is in use for single hosts (IANA): an address begins with four digits, the first of them 2 or 3.
    """
    none = (colon, colon)
    first = colon - 4
    if first < done or not (data[first] == 50 or data[first] == 51):
        return none
    for at in range(first, colon):
        if not _hex(data[at]):
            return none
    if first > done and (word(data[first - 1]) or data[first - 1] == 46 or _goes_on(data, first, done)):
        return none
    last = colon
    while last < end and last - first < LONGEST_IPV6 + 2 and (_hex(data[last]) or data[last] == 58):
        last += 1
    if data[last - 1] == 58 and data[last - 2] != 58:
        last -= 1  # the colon of the sentence
    groups_end, tail = last, 0  # the last two groups may be written as an IPv4 address
    if last + 1 < end and data[last] == 46 and alnum(data[last + 1]):
        while data[groups_end - 1] != 58:
            groups_end -= 1
        last, _ = _dotted(data, groups_end, end)
        tail = 2
        if last == groups_end:
            return none
    behind = last < end and alnum(data[last])
    if data[last - 1] == 58:
        return none  # 2000::/3, std2021::, a network and no host
    if groups_end - first > LONGEST_IPV6 or behind or not _groups(data, first, groups_end, tail):
        return none
    if _value(data, first, last) == 0x2001 and _value(data, colon + 1, last) == 0xDB8:  # documentation (RFC 3849)
        return none
    return first, last


@piece
def _goes_on(data, first, done):  # type: ignore[no-untyped-def]
    """Whether the groups from `first` on are the rest of a longer address: 2001:db8:2000::19, not ip:2000::19."""
    i = first - 1
    if data[i] != 58:
        return False
    while i > done and first - i < 6 and _hex(data[i - 1]):
        i -= 1
    size = first - 1 - i
    return (0 < size <= 4 and not (i > done and alnum(data[i - 1]))) or (size == 0 and i > done and data[i - 1] == 58)


@piece
def _value(data, i, end):  # type: ignore[no-untyped-def]
    value = 0
    while i < end and data[i] != 58:
        value = value << 4 | (data[i] - 48 if digit(data[i]) else (data[i] | 32) - 87)
        i += 1
    return value


@piece
def _groups(data, first, last, tail):  # type: ignore[no-untyped-def]
    """Whether these are eight groups of one to four digits, `tail` of them still to come, or fewer with one ::."""
    groups, size, gaps = tail, 0, 0
    for i in range(first, last):
        if data[i] != 58:
            size += 1
            if size == 1:
                groups += 1
            if size > 4:
                return False
            continue
        if size == 0:  # the second colon of a pair
            gaps += 1
        size = 0
    return (gaps == 0 and groups == 8) or (gaps == 1 and groups < 8)
