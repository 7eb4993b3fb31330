"""What is found in a text, by regular expressions: the definition that the kernels must equal.

They run over the text's shape, in which a letter, mark or number outside ASCII is é, or 中 in scripts without spaces.
Keys have their twin in keys_twin.py, numbers theirs in accounts_twin.py.
"""

import ipaddress
import re
import unicodedata

from pipeline.text.handles import CODE_WORDS, NOBODY
from pipeline.text.names import NO_DOMAIN, PROGRAMS
from pipeline.text.versions import NUMBERED
from tests.pipeline.text.measures_twin import is_space, is_unspaced
from tests.pipeline.text.measures_twin import lower as lowered

LOCAL = re.compile(r"[A-Za-z0-9_.%+é-]*\Z")
DOMAIN = re.compile(r"(?:[A-Za-z0-9é][A-Za-z0-9é-]*\.)+([A-Za-zé]{2,}|[Xx][Nn]--[A-Za-z0-9é-]*[A-Za-z0-9é])")
HANDLE = re.compile(r"[A-Za-z0-9_é]+(?:[.-][A-Za-z0-9_é]+)*")
MACHINE = re.compile(rb"<([^\x00-\x20<]{16,129})\Z")
OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
AFTER = r"(?![A-Za-z0-9])(?!\.[A-Za-z0-9])(?!-[A-Za-z])(?![+_~][A-Za-z0-9])"
IPV4 = re.compile(rf"(?<![A-Za-z0-9_.-]){OCTET}(?:\.{OCTET}){{3}}{AFTER}", re.ASCII)
NO_MORE = r"(?![A-Za-z0-9])(?!\.[A-Za-z0-9])"
DOTTED = rf"{OCTET}(?:\.{OCTET}){{3}}{AFTER}"
RUN = "[0-9A-Fa-f:]"
IPV6 = re.compile(rf"(?<![A-Za-z0-9_.])([23][0-9A-Fa-f]{{3}}:(?:{RUN}*(?<=:){DOTTED}|{RUN}*+)){NO_MORE}", re.ASCII)
INSIDE = re.compile(r"(?:(?:\A|[^A-Za-z0-9])[0-9A-Fa-f]{1,4}|:):\Z", re.ASCII)
NOBODYS = [
    *["0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
    *["192.0.2.0/24"],
    *(["192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001:db8::/32"]),
]
NETWORKS = [ipaddress.ip_network(network) for network in NOBODYS]
BEHIND = re.compile(
    r"""[(\[{=@`\\|/$%_]|:[:A-Za-z0-9]|":|->|¶|[ \t]{1,39}=|;[ \t]{0,39}(?:\n|\#|\Z)""", re.ASCII
)  # no user names, in front of these
DEFINES = ["def", "class", "async", "public", "private", "protected", "static", "final", "abstract", "void", "function"]
DEFINES += ["export", "const"]
PILE = r"(?:\n[ \t]{0,40}@[\w.-]{0,64}+)"  # other decorators between; then a definition, or one that is called
DECORATES = re.compile(rf"{PILE}{{0,7}}\n[ \t]{{0,40}}(?i:{'|'.join(DEFINES)})(?![\w.-])|{PILE}{{1,7}}\(", re.ASCII)
HOSTS = ["com", "org", "net", "edu", "gov", "mil", "int", "info", "localdomain"]
COMPARED = re.compile(r"(?:[\^~§]|[<>=~!(]=|~>) ?\Z")
SIGN_OF_AT = re.compile(r"\( ?at ?\)|\[ ?at ?\]|\{ ?at ?\}|< ?at ?>", re.ASCII | re.IGNORECASE)
LABEL = re.compile(r"[A-Za-z0-9é][A-Za-z0-9é-]*")
DOT = re.compile(r"\.| ?(?:\( ?dot ?\)|\[ ?dot ?\]|\{ ?dot ?\}|< ?dot ?>) ?| dot ", re.ASCII | re.IGNORECASE)


def shape(text: str) -> str:
    return "".join(c if c < "\x80" else _sort(c) for c in text)


def _sort(c: str) -> str:
    if c == "＠":
        return c
    if unicodedata.category(c)[0] not in "LMN":
        return "\x80"
    return "中" if is_unspaced(c) else "é"


def is_alnum(c: str) -> bool:
    return unicodedata.category(c)[0] in "LMN"


def follows(text: str, i: int, floor: int, words: set[str]) -> bool:
    """Whether a word stands in front of `i`, with four characters between at most."""
    between = 0
    while i - between > floor and not is_alnum(text[i - between - 1]):
        between += 1
    head = text[floor : i - between]
    if between > 4 or set("\n<>") & set(text[i - between : i]):
        return False
    for size in range(1, min(len(head), 32) + 1):
        word, front = head[-size:], head[-size - 1 : -size]
        if unicodedata.category(word[0]) == "Nd":
            return False
        if not is_alnum(word[0]):
            return False
        open_front = not front or not is_alnum(front) or (is_unspaced(front) and unicodedata.category(front) != "Nd")
        if (open_front or is_unspaced(word[0])) and lowered(word) in words:
            return True
    return False


def spans(text: str) -> list[tuple[str, str]]:
    """(kind, what was found) of e-mail addresses, user names and IP addresses, in order."""
    form, found, done = shape(text), [], 0
    for sign in re.finditer("[@＠.:([{<]", form):
        at = sign.start()
        if at < done:
            continue
        finder = {"@": _around_at, "＠": _around_at, ".": _ipv4, ":": _ipv6}.get(sign[0], _disguised)
        kind, begin, end = finder(text, form, at, done)
        if kind:
            found.append((kind, text[begin:end]))
            done = end
    return found


def _local(form, at, done):
    return LOCAL.search(form[done:at])[0][-65:]


def _around_at(text, form, at, done):
    before = _local(form, at, done)
    local = before.lstrip(".-")
    fits = local and len(local) <= 64 and local[-1] != "."
    if fits and (end := _domain(form, at + 1)) and not _no_address(text, at - len(local), at, end, done):
        return "email", at - len(local), end
    if not before and (end := _handle(text, form, at, done)):
        return "user", at, end
    return None, 0, 0


def _domain(form, begin):
    best = 0
    for end in range(begin + 1, min(len(form), begin + 253) + 1):
        match = DOMAIN.fullmatch(form, begin, end)
        if match and not re.match("[A-Za-z0-9é]", form[end : end + 1]):
            best = 0 if match[1].lower() in NO_DOMAIN.split() else end
    return best


def _no_address(text, first, at, last, done):
    if text[last : last + 2] in (":~", ":/"):
        return True
    if text[last : last + 1] in (":", "/") and last + 1 < len(text) and text[first:at].lower() in PROGRAMS.split():
        return True
    machine = text[last : last + 1] == ">" and MACHINE.search(text[done:at].encode())
    return bool(machine) and 3 * sum(48 <= byte <= 57 for byte in machine[1]) >= len(machine[1])


def _handle(text, form, at, done):
    match = HANDLE.match(form, at + 1, at + 66)
    if not match or not 3 <= len(match[0]) <= 64 or len(re.findall("[A-Za-zé]", match[0])) < 2:
        return 0
    name, end = text[at + 1 : match.end()], match.end()
    if (at > done and text[at - 1] in "{\\$%&=|[@`#^") or BEHIND.match(text, end):
        return 0
    if lowered(name) in NOBODY.split() or follows(text, at, done, set(CODE_WORDS.split())):
        return 0
    if "." in name and lowered(name).rpartition(".")[2] in HOSTS:
        return 0
    starts_line = re.search(r"(?:\A|\n)[ \t]{0,40}\Z", text[:at])
    return 0 if starts_line and DECORATES.match(text, end) else end


def _disguised(text, form, bracket, done):
    sign = SIGN_OF_AT.match(form, bracket)
    if not sign or bracket == done:
        return None, 0, 0
    at = bracket - 1 if form[bracket - 1] == " " else bracket
    local = _local(form, at, done).lstrip(".-")
    if not 0 < len(local) <= 64 or local[-1] == ".":
        return None, 0, 0
    i, best, labels = sign.end() + (form[sign.end() : sign.end() + 1] == " "), 0, 0
    while label := LABEL.match(form, i):
        i, labels = label.end(), labels + 1
        if form[i : i + 1] == "_":
            break
        if labels > 1 and re.fullmatch("[A-Za-zé]{2,}", label[0]):
            best = i
        if not (dot := DOT.match(form, i)):
            break
        i = dot.end()
    return ("email", at - len(local), best) if best else (None, 0, 0)


def somebodys(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if parsed.version == 4 and address.endswith(".0.0"):
        return False
    return not any(parsed in network for network in NETWORKS if network.version == parsed.version)


def _ipv4(text, form, at, done):
    for match in IPV4.finditer(form[done:]):
        begin, end = done + match.start(), done + match.end()
        if begin + match[0].index(".") == at:
            if somebodys(match[0]) and not _numbers(text, match[0], begin, end, done):
                return "ip", begin, end
            return None, 0, 0
    return None, 0, 0


def _numbers(text, address, begin, end, done):
    """Whether the four numbers are a version or a section."""
    parts = [int(part) for part in address.split(".")]
    if parts[:3] in ([2, 5, 4], [2, 5, 29]) or parts == [1, 3, 6, 1]:
        return True
    if begin == done:
        return done == 0 and _heading(text, parts, begin, end)
    front = text[done:begin]
    if COMPARED.search(front) or follows(text, begin, done, set(NUMBERED.split())):
        return True
    if front.endswith("[") and max(parts) <= 31:
        return True
    if re.search(r"#\Z|[A-Za-z]/\Z", front):
        return max(parts) <= 99
    return _heading(text, parts, begin, end)


def _heading(text, parts, begin, end):
    line = text[:begin].rpartition("\n")[2]
    if len(line) > 8 or not all(is_space(c) or c in "#*/" for c in line) or end >= len(text):
        return False
    if text[end] == ".":
        return max(parts) <= 99 and (end + 1 == len(text) or is_space(text[end + 1]))
    blanks = 0
    while end + blanks < len(text) and is_space(text[end + blanks]) and text[end + blanks] != "\n":
        blanks += 1
    title = text[end + blanks : end + blanks + 1]
    return max(parts) <= 31 and 1 <= blanks <= 4 and ("A" <= title <= "Z" or title >= "\xaa")


def _ipv6(text, form, at, done):
    if at - 4 < done or (match := IPV6.match(form[done:], at - 4 - done)) is None:
        return None, 0, 0
    address = match[1][:-1] if match[1].endswith(":") and not match[1].endswith("::") else match[1]
    if INSIDE.search(form[done : at - 4]) or address.endswith(":"):
        return None, 0, 0
    return ("ip", at - 4, at - 4 + len(address)) if somebodys(address) else (None, 0, 0)
