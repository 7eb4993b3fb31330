"""Which keys are found in a text, in plain Python over its bytes: the definition that `find_keys` must equal."""

import base64
import itertools
import re

from pipeline.text import drawn
from pipeline.text.services import ANY, DOTTED, FORMS, HEX, UPPER, WORD

TOKEN = re.compile(rb"[A-Za-z0-9+/_-]{10,}")
RUN = re.compile(rb"[A-Za-z0-9_-]*")
SORTS = {ANY: rb"[A-Za-z0-9+/_-]*", WORD: rb"[A-Za-z0-9_-]*", HEX: rb"[0-9a-fA-F]*", UPPER: rb"[A-Z0-9]*"}
LABEL = re.compile(rb"([^\n]{0,59}?)-----")
CLASSES = (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[+/_-]")


def keys(text: str) -> list[str]:
    data, found, i, done = text.encode(), [], 0, 0
    while match := TOKEN.search(data, i):
        first, last = match.span()
        first += bool(re.match(rb"\\[nrt]", data[first - 1 : first + 1])) if first else 0
        end, private = _pem(data, first, last)
        i = max(last, end)
        begin, stop = (first, end) if private else (0, 0) if end else _key(data, first, last, done)
        if stop:
            found.append(data[begin:stop].decode())
            done = i = max(i, stop)
    return found


def _pem(data, first, last):
    if not data[:last].endswith(b"-----BEGIN") or data[last : last + 1] != b" " or last - first < 10:
        return 0, False
    if not (label := LABEL.match(data, last + 1)):
        return 0, False
    private = b"PRIVATE KEY" in label[1]
    stop = data.find(b"-----END ", label.end())
    again = data.find(b"-----BEGIN ", label.end())
    if stop < 0 or -1 < again < stop:
        return 0, False
    end = LABEL.match(data, stop + 9)
    return (end.end(), private) if end and (b"PRIVATE KEY" in end[1]) == private else (0, False)


def _key(data, first, last, done):
    for found in (_known(data, first, last, done), _dotted(data, first, last, done)):
        if found:
            return found
    token = data[first:last]
    sort = looks_drawn(token)
    if sort and not is_secret(data, first, done) and (sort == 1 or is_public(data, first, last, done)):
        sort = 0
    return (first, _filled(data, last)) if sort else (0, 0)


def _filled(data, last):
    return last + len(re.match(rb"={0,2}", data[last:])[0])


def _mixed(part):
    return sum(bool(re.search(sort, part)) for sort in CLASSES[:3]) >= 2


def _known(data, first, last, done):
    token = data[first:last]
    if len(token) < 20:
        return None
    for begin, host in ((b"com/services/", b"hooks.slack."), (b"com/api/webhooks/", b"discord.")):
        if token.startswith(begin) and data[done:first].endswith(host):
            return first + len(begin), _filled(data, last)
    at = 0
    while len(token) - at >= 20:
        for begin, sort, least, most in FORMS:
            if token[at:].startswith(begin.encode()):
                rest = token[at + len(begin) :]
                part = rest if sort == ANY else re.match(SORTS[sort], rest)[0]
                free = not re.match(rb"[A-Za-z0-9_]", rest[len(part) :])
                if least <= len(part) <= most and free and _mixed(part):
                    end = first + at + len(begin) + len(part)
                    return first + at, _filled(data, end)
        at += len(re.match(rb"[^/+]*", token[at:])[0]) + 1
    return None


def _dotted(data, first, last, done):
    token = data[first:last]
    if len(token) >= 20 and token.startswith(b"eyJ"):
        rest = re.match(rb"\.eyJ[A-Za-z0-9_-]{14,}(\.[A-Za-z0-9_-]*)", data[last:])
        if not rest:
            return None
        return first, last + (rest.end() if len(rest[1]) > 10 else rest.start(1))
    front = data[done:first]
    if front.endswith(b"."):
        for name, least, most in DOTTED:
            free = re.search(rb"(?:\A|[^A-Za-z0-9_])" + name.encode() + rb"\.\Z", front)
            if free and least <= len(token) <= most and _mixed(token):
                more = re.match(rb"\.([A-Za-z0-9_-]*)", data[last:])
                return first - 1 - len(name), last + (more.end() if more and more.end() > 20 else 0)
        return None
    if len(front) >= 6 and re.search(rb"[0-9]Q~\Z", front):
        start = re.search(rb"(?:\A|[^A-Za-z0-9])([A-Za-z0-9]{3}[0-9]Q~)\Z", front)
        rest = re.match(rb"[A-Za-z0-9_.~-]*", data[first : first + 35])[0]
        return (done + start.start(1), first + len(rest)) if start and 31 <= len(rest) <= 34 else None
    if front.endswith(b":") and len(token) == 35 and token.startswith(b"AA"):
        number = re.search(rb"(?:\A|[^A-Za-z0-9])([0-9]{8,10}):\Z", front)
        return (done + number.start(1), last) if number else None
    return None


def looks_drawn(token):
    """2 by itself, 1 behind a word for a secret, 0 never; see `pipeline.text.drawn` for the rule."""
    lower, upper, digits, signs = (len(re.findall(sort, token)) for sort in CLASSES)
    longest = max(map(len, re.split(rb"[+/_-]", token)))
    spelt = sum(len(run) for run in re.findall(rb"[a-z]{4,}", token))
    if not 16 <= len(token) <= 256 or lower + upper == 0 or digits < 2 or len(set(token)) < 8:
        return 0
    if 2 * spelt > lower + upper:
        return 0
    letters = re.sub(rb"[+/_-]", b"", token)
    sorts = [next(k for k, sort in enumerate(CLASSES) if re.match(sort, bytes([byte]))) for byte in letters]
    changes = sum(a != b for a, b in itertools.pairwise(sorts))
    numbers = len(re.findall(rb"[0-9]+", letters))
    mixed = 8 * lower >= len(token) and 8 * upper >= len(token) and numbers >= 2 and 10 * signs <= len(token)
    quick = 20 * changes >= 9 * (len(letters) - 1)
    quick = quick and 3 * spelt <= lower + upper
    if mixed and quick and len(token) >= 24 and len(set(token)) >= 12 and longest >= 13:
        return 2
    return 1 if longest >= 16 else 0


def _name(data, first, done):
    """(name, signs) in front of the token."""
    match = re.search(rb"([A-Za-z0-9_-]{0,40})([ \"'=:>(,`]{0,5})\Z", data[done:first])
    signs = re.search(rb"[ \"'=:>(,`]{0,5}\Z", data[done:first])[0]
    return re.search(rb"[A-Za-z0-9_-]{0,40}\Z", data[done : first - len(signs)])[0].lower(), signs if match else b""


def is_secret(data, first, done):
    name, signs = _name(data, first, done)
    tied = b"=" in signs or b":" in signs
    if any(word.encode() in name for word in drawn.NO_SECRETS.split()):
        return False
    return b"bearer" in name or (tied and any(word.encode() in name for word in drawn.SECRETS.split()))


def is_public(data, first, last, done):
    token, words = data[first:last], [word.encode() for word in drawn.PUBLIC.split()]
    name, signs = _name(data, first, done)
    if data[done:first].endswith(b"?") or any(token.lower().startswith(word + b"-") for word in words):
        return True
    if any(sign in signs for sign in (b"=", b":", b",")) and any(word in name for word in words):
        return True
    if data[done:first].endswith(b".") and re.match(rb"[a-z]{2,12}/", token):
        return True
    if len(token) >= 24:
        readable = base64.b64decode(token[:24].replace(b"-", b"+").replace(b"_", b"/"))
        if 3 * sum(32 <= byte < 127 for byte in readable) >= 2 * 18:
            return True
    return _in_block(data, first, last)


def _in_block(data, first, last):
    """Whether the line above ends in a token of 40 or more, or (if this one has as many) the next begins with one."""
    if last - first >= 40:
        i, feeds = last, 0
        while i < min(len(data), last + 48) and not re.match(rb"[A-Za-z0-9]", data[i : i + 1]):
            feeds += data[i : i + 1] == b"\n" or data[i : i + 2] == b"\\n"
            i += 2 if data[i : i + 1] == b"\\" else 1
        if feeds and i < min(len(data), last + 48) and re.match(rb"[A-Za-z0-9+/_-]{40}", data[i:]):
            return True
    i, feeds = first, 0
    while i > max(0, first - 48):
        if i > 1 and data[i - 2 : i - 1] == b"\\":
            feeds, i = feeds + (data[i - 1 : i] in (b"n", b"\n")), i - 2
            continue
        if re.match(rb"[A-Za-z0-9]", data[i - 1 : i]):
            break
        feeds += data[i - 1 : i] == b"\n"
        i -= 1
    return bool(feeds) and i >= 40 and bool(re.search(rb"[A-Za-z0-9+/_-]{40}\Z", data[:i]))
