r"""Headers, of records and of responses: names in lower case, of a name that stands twice the first value.

    folded(["A: one", "\ttwo", "a: three"])                         -> {"a": "one two"}
    arc_headers(b"http://a.org/ 1.2.3.4 20140216050221 text/html 7\n") -> {"warc-type": "response", ...}

Both take time linear in what they read, whatever stands there: headers come from strangers. Opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ARC_URL = re.compile(rb"(?:filedesc|https?|ftp|dns):")
ARC_REST = re.compile(rb"(\S+) (\d{8,17}) (\S+) (-?\w+)\r?\n")  # no part can hold a blank, so there is one way to match
ARC_TYPES = {b"filedesc": "warcinfo", b"dns": "resource"}  # all others are responses

Headers = dict[str, str]  # names in lower case


def folded(lines: Iterable[str]) -> Headers:
    """The headers in these lines. A line that begins blank goes on with the one before it; one without a colon is a
    name without a value."""
    found: dict[str, list[str]] = {}
    parts: list[str] = []  # of the value that is being read; adding to a string would copy it for each line
    for line in lines:
        if parts and line[:1] in (" ", "\t"):
            parts.append(line.strip())
            continue
        name, _, value = line.partition(":")
        parts = [value.strip()]
        found.setdefault(name.strip().lower(), parts)
    return {name: " ".join(parts) for name, parts in found.items()}


def arc_headers(line: bytes) -> Headers | None:
    """A line of ARC 1 (`URL IP date type length`) as the WARC headers it stands for; None where it is none. A URL may
    hold blanks, so the other four are counted from the end."""
    if not ARC_URL.match(line):
        return None
    url, *rest = line.rsplit(b" ", 4)
    match = ARC_REST.fullmatch(b" ".join(rest))
    if not match:
        return None
    address, date, kind, length = (part.decode("utf-8", "replace") for part in match.groups())
    type_ = ARC_TYPES.get(url.partition(b":")[0], "response")
    return {
        "warc-type": type_,
        "warc-target-uri": url.decode("utf-8", "replace"),
        "warc-ip-address": address,
        "warc-date": _arc_date(date),
        "content-length": length,
        "content-type": "application/http" if type_ == "response" else kind,
    }


def _arc_date(digits: str) -> str:
    """20140216050221 -> 2014-02-16T05:02:21Z; what has not 14 digits stays as it is."""
    d = digits
    return f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:14]}Z" if len(d) == 14 else digits
