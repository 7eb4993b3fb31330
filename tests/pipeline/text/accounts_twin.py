"""Which phone numbers, cards and bank accounts are found, in plain Python: the definition of `find_accounts`."""

import itertools
import re
import unicodedata

from pipeline.text.cards import ISSUERS
from pipeline.text.ibans import LENGTHS
from pipeline.text.phones import CODES_OF_THREE, CODES_OF_TWO, WORDS
from tests.pipeline.text.measures_twin import is_unspaced
from tests.pipeline.text.spans_twin import follows, is_alnum

BLANKS, HYPHENS, DOTS = " \xa0\u202f\u2009\u3000", "-‐‑‒–−－", ".·"
MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")
CODES = {"1", "7", *CODES_OF_TWO.split(), *CODES_OF_THREE.split()}
COUNTRIES = {country[:2]: int(country[2:]) for country in LENGTHS.split()}


def accounts(text: str, phone: bool = True, iban: bool = True, card: bool = True) -> list[tuple[str, str]]:
    found, i, done = [], 0, 0
    while i < len(text):
        if not begins(text[i]):
            i += 1
            continue
        kind, begin, end = None, i, i
        is_ascii_digit = text[i] in "0123456789"
        if iban and is_ascii_digit and (stop := _iban(text, i, done)):
            kind, begin, end = "iban", i - 2, stop
        run = Run(text, i) if phone or card else None
        if not kind and run:
            kind, begin, end = _classify(text, run, done, phone, card)
        if kind:
            found.append((kind, text[begin:end]))
            done = i = end
        elif run and run.digits:
            i = run.ends[-1]
        else:
            i += max(1, len(re.match("[0-9]*", text[i:])[0]))
    return found


def value(c: str) -> int:
    return unicodedata.decimal(c, -1)


def begins(c: str) -> bool:
    return c in "+(" or value(c) >= 0


class Run:
    """Digits with what stands between them; `gaps` has a letter for each digit: n b h d s c."""

    def __init__(self, text: str, i: int):
        self.digits, self.gaps, self.ends, self.begin, self.plus, self.opened = [], [], [], i, False, -1
        gap, signs, is_open, inside = "n", 0, False, i
        while i < len(text) and len(self.digits) < 32:
            c, i = text[i], i + 1
            if value(c) >= 0:
                self.digits.append(value(c))
                self.gaps.append(gap)
                self.ends.append(i)
                gap, signs = "n", 0
                continue
            if MARKS.match(c):
                continue
            sort = "b" if c in BLANKS else "h" if c in HYPHENS else "d" if c in DOTS else "s" if c == "/" else "n"
            if c in "+＋":
                if self.digits or self.plus:
                    break
                self.plus = True
            elif c in "(（":
                if self.opened >= 0 or signs > 1 or len(self.digits) > 4:
                    break
                is_open, self.opened, inside = True, len(self.digits), i
                gap, signs = ("b" if gap == "n" else gap), signs + 1
            elif c in ")）":
                if not is_open or len(self.digits) == self.opened or gap != "n":
                    break
                is_open, gap, signs = False, "c", 1
            elif sort == "n" or signs > 2 or not self.digits:
                break
            elif gap in "nb":
                gap, signs = sort, signs + 1
            elif sort == "b" or (gap == "c" and sort == "h"):
                signs += 1
            else:
                break
        count = len(self.digits)
        if self.opened >= 0 and (self.opened == count or gap == "c"):
            self.begin = inside if self.opened == 0 else self.begin
            if self.opened not in (0, count):
                self.digits = []
            self.opened = -1
        elif is_open:
            self.digits = []

    @property
    def sizes(self) -> list[int]:
        starts = [i for i, gap in enumerate(self.gaps) if i == 0 or gap != "n"]
        return [b - a for a, b in zip(starts, [*starts[1:], len(self.digits)], strict=True)]


def free(text: str, begin: int, end: int, floor: int) -> bool:
    front = text[floor:begin]
    if front:
        c = front[-1]
        if c < "\x80":
            tied = re.search(r"[A-Za-z0-9]=\Z", front)
            if re.match(r"[A-Za-z0-9_.+$#%@\\=-]", c) and not tied:
                return False
            if (c == "/" and not front.endswith(" /")) or re.search(r"[0-9][,:']\Z", front):
                return False
        elif _letter(c) or c == "£" or "\u20a0" <= c <= "\u20cf":
            return False
    c = text[end : end + 1]
    if c >= "\x80":
        return not (_letter(c) or "\u20a0" <= c <= "\u20cf")
    return not re.match(r"[A-Za-z0-9_%$@=\\]|[-./+:,][A-Za-z0-9]", text[end:])


def _letter(c: str) -> bool:
    return is_alnum(c) and not is_unspaced(c)


def _classify(text, run, done, phone, card):
    if len(run.digits) < 7:
        return None, 0, 0
    size = _card(run) if card else 0
    if size and free(text, run.begin, run.ends[size - 1], done):
        return "card", run.begin, run.ends[size - 1]
    if not phone or not free(text, run.begin, run.ends[-1], done):
        return None, 0, 0
    named = not run.plus and follows(text, run.begin, done, set(WORDS.split()))
    return ("phone", run.begin, run.ends[-1]) if is_phone(run, named) else (None, 0, 0)


def _card(run: Run) -> int:
    if run.plus or run.opened >= 0 or len(run.digits) < 14:
        return 0
    gaps = "".join(run.gaps[1:]) + "$"
    forms = [r"n{13,18}(?!n)", r"nnn([bh])nnn\1nnn\1nnn\1nn(?!n)", r"nnn([bh])nnn\1nnn\1nnn(?!n)"]
    forms += [r"nnn([bh])n{5}\1n{4}(?!n)", r"nnn([bh])n{5}\1nnn(?!n)"]
    size = next((len(m[0]) + 1 for form in forms if (m := re.match(form, gaps))), 0)
    begin = int("".join(map(str, run.digits[:4])))
    if not any(a <= begin <= b and least <= size <= most for a, b, least, most in ISSUERS.tolist()):
        return 0
    doubled = [d * (1 + k % 2) for k, d in enumerate(reversed(run.digits[:size]))]
    return size if sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0 else 0


def is_phone(run: Run, named: bool) -> bool:
    number, sizes, gaps = "".join(map(str, run.digits)), run.sizes, run.gaps[1:]
    used = [gap for gap in gaps if gap != "n"]
    if len(sizes) > 8 or len(number) > 17:
        return False
    if run.plus:
        return _international(run, number, 0)
    if number.startswith("00"):
        return (named or len(sizes) > 1) and len(number) > 11 and _international(run, number, 2)
    if len(sizes) > 2 and sorted([*sizes[:1], *sizes[2:3]])[0] <= 2 and sizes[1] <= 2 and 4 in (sizes[0], sizes[2]):
        year = number[:4] if sizes[0] == 4 else number[sizes[0] + sizes[1] :]
        if year[:2] in ("19", "20"):
            return False
    uniform = "d" not in used or set(used) == {"d"}
    same = all(b == a or a == "c" for a, b in itertools.pairwise(used))
    uniform = uniform and "s" not in used[1:] and (same or len(used) < 4)
    if named:
        return 7 <= len(number) <= 15 and uniform
    if len(sizes) < 2 or not uniform:
        return False
    return _american(number, sizes, used) or _trunk(number, sizes, used) or _area(run, number) or _mobile(number, run)


def _international(run, number, first):
    rest = number[first:]
    if not 8 <= len(rest) <= 15 or (len(run.sizes) == 1 and len(rest) < 9):
        return False
    code = next((rest[:size] for size in (1, 2, 3) if rest[:size] in CODES), None)
    if code is None:
        return False
    after = first + len(code)
    zero = number[after] == "0" and not rest.startswith("39")
    if zero and run.opened < 0 and (first or run.gaps[after] == "n"):
        return False
    dots = run.gaps[1:].count("d")
    registry = dots == 1 and len(run.sizes) == 2 and run.gaps[after] == "d"
    return dots == 0 or registry or (dots == len(run.sizes) - 1 and len(run.sizes) > 3)


def _american(number, sizes, used):
    national = number[1:] if sizes == [1, 3, 3, 4] and number[0] == "1" else number
    fits = sizes == [3, 3, 4] or (sizes == [1, 3, 3, 4] and number[0] == "1")
    return fits and set(used) != {"b"} and national[0] >= "2" and national[3] >= "2"


def _trunk(number, sizes, used):
    if number[0] != "0" or not 9 <= len(number) <= 12 or not 2 <= sizes[0] <= 6:
        return False
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    if "d" in used and len(sizes) != 5:
        return False
    zeros = sum(number[at] == "0" for at in starts)
    if min(sizes) < 2 or zeros > 3:
        return False
    if len(sizes) > 2:
        return zeros < len(sizes)
    return sizes[1] >= 5 and (sizes[0] > 2 or sizes[1] > 7 or used[0] in "hc")


def _area(run, number):
    sizes = run.sizes
    if run.opened != 0 or len(sizes) > 3 or not 2 <= sizes[0] <= 5 or run.gaps[sizes[0]] != "c":
        return False
    year = sizes[0] == 4 and number[:2] in ("19", "20")
    return 9 <= len(number) <= 11 and not year and sizes[1] >= 3


def _mobile(number, run):
    return run.sizes == [3, 4, 4] and number[0] == "1" and number[1] >= "3" and run.gaps[3] == run.gaps[7] in ("b", "h")


def _iban(text, i, floor):
    begin = i - 2
    if begin < floor or not re.match("[A-Z]{2}[0-9]{2}", text[begin:]):
        return 0
    if begin > floor and re.match("[A-Za-z0-9_]", text[begin - 1]):
        return 0
    size = COUNTRIES.get(text[begin:i], 0)
    if not size:
        return 0
    forms = ["[A-Z0-9]" * size]
    forms += [sign.join(["[A-Z0-9]" * 4] * (size // 4) + ["[A-Z0-9]" * (size % 4)] * (size % 4 > 0)) for sign in " -"]
    for form in forms:
        if match := re.match(form + "(?![A-Za-z0-9_])", text[begin:]):
            account = re.sub("[ -]", "", match[0])
            digits = "".join(str(int(c, 36)) for c in account[4:] + account[:4])
            return begin + match.end() if int(digits) % 97 == 1 else 0
    return 0
