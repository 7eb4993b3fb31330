"""What is found in a text, by regular expressions: the definition that the kernels must equal.

They run over the text's shape, in which a letter, mark or number outside ASCII is é, or 中 in scripts without spaces.
"""

import ipaddress
import re
import unicodedata

from tests.pipeline.text.measures_twin import is_unspaced

LOCAL = re.compile(r"[A-Za-z0-9_.%+é-]*\Z")
DOMAIN = re.compile(r"(?:[A-Za-z0-9é][A-Za-z0-9é-]*\.)+[A-Za-zé]{2,}(?![A-Za-z0-9é])")
HANDLE = re.compile(r"[A-Za-z0-9_é]+(?:[.-][A-Za-z0-9_é]+)*")
OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
IPV4 = re.compile(
    rf"(?<![A-Za-z0-9.-]){OCTET}(?:\.{OCTET}){{3}}(?![A-Za-z0-9])(?!\.[A-Za-z0-9])(?!-[A-Za-z])", re.ASCII
)
NO_MORE = r"(?![A-Za-z0-9])(?!\.[A-Za-z0-9])"
DOTTED = rf"{OCTET}(?:\.{OCTET}){{3}}(?!-[A-Za-z])"
RUN = "[0-9A-Fa-f:]"
IPV6 = re.compile(rf"(?<![A-Za-z0-9.])([23][0-9A-Fa-f]{{3}}:(?:{RUN}*(?<=:){DOTTED}|{RUN}*+)){NO_MORE}", re.ASCII)
NOBODYS = [
    *(
        [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "127.0.0.0/8",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
        ]
    ),
    *(["192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001:db8::/32"]),
]
NETWORKS = [ipaddress.ip_network(network) for network in NOBODYS]


def shape(text: str) -> str:
    return "".join(c if c < "\x80" else _sort(c) for c in text)


def _sort(c: str) -> str:
    if unicodedata.category(c)[0] not in "LMN":
        return "\x80"
    return "中" if is_unspaced(c) else "é"


def somebodys(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not any(parsed in network for network in NETWORKS if network.version == parsed.version)


def spans(text: str) -> list[tuple[str, str]]:
    """(kind, what was found) of e-mail addresses, user names and IP addresses, in order."""
    form, found, done = shape(text), [], 0
    for sign in re.finditer("[@.:]", form):
        at = sign.start()
        if at < done:
            continue
        kind, begin, end = {"@": _around_at, ".": _ipv4, ":": _ipv6}[sign[0]](form, at, done)
        if kind:
            found.append((kind, text[begin:end]))
            done = end
    return found


def _around_at(form, at, done):
    before = LOCAL.search(form[done:at])[0]
    local = before.lstrip(".-")
    if local and len(local) <= 64 and local[-1] != "." and (domain := DOMAIN.match(form, at + 1)):
        return "email", at - len(local), domain.end()
    if not before and (handle := HANDLE.match(form, at + 1)) and 3 <= len(handle[0]) <= 64:
        return "user", at, handle.end()
    return None, 0, 0


def _ipv4(form, at, done):
    for match in IPV4.finditer(form[done:]):
        if done + match.start() + match[0].index(".") == at:
            return ("ip", done + match.start(), done + match.end()) if somebodys(match[0]) else (None, 0, 0)
    return None, 0, 0


def _ipv6(form, at, done):
    if at - 4 < done or (match := IPV6.match(form[done:], at - 4 - done)) is None:
        return None, 0, 0
    address = match[1][:-1] if match[1].endswith(":") and not match[1].endswith("::") else match[1]
    return ("ip", at - 4, at - 4 + len(address)) if somebodys(address) else (None, 0, 0)
