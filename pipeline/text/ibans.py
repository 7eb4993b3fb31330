"""International bank account numbers in texts; a piece of `spans`.

In: UTF-8 bytes and the place of a digit. Out: the end of the number whose first check digit it is, 0 if there is none.
A number is the country's two capitals, two check digits, and as many letters and digits as the country has (SWIFT's
IBAN registry, release 101), either together or with one blank or hyphen after every fourth; modulo 97 it is 1 (ISO
13616-1, ISO/IEC 7064). Small letters are none.
"""

import numpy as np

from pipeline.text.ascii import alnum, digit
from pipeline.text.compiling import piece

LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
_LENGTHS = np.zeros(26 * 26, np.int64)
for _country in LENGTHS.split():
    _LENGTHS[26 * (ord(_country[0]) - 65) + ord(_country[1]) - 65] = int(_country[2:])


@piece
def _capital(byte):  # type: ignore[no-untyped-def]
    return 65 <= byte <= 90


@piece
def iban(data, i, floor, end):  # type: ignore[no-untyped-def]
    """The end of the number that begins two bytes before `i`, 0 if none does."""
    first = i - 2
    if first < floor or not (_capital(data[first]) and _capital(data[first + 1])):
        return 0
    if first > floor and (alnum(data[first - 1]) or data[first - 1] == 95):
        return 0
    size = _LENGTHS[26 * (data[first] - 65) + data[first + 1] - 65]
    if size == 0 or i + 1 >= end or not digit(data[i + 1]):
        return 0
    at, sign, rest, head = (
        first,
        0,
        np.int64(0),
        np.int64(0),
    )  # `rest` of the account, `head` of the country and check digits, modulo 97
    for place in range(size):
        if place and place % 4 == 0 and at < end and (data[at] == 32 or data[at] == 45):
            if place > 4 and sign != data[at]:
                return 0
            sign = data[at]
            at += 1
        elif place and place % 4 == 0 and sign:
            return 0
        if at >= end or not (digit(data[at]) or _capital(data[at])):
            return 0
        value = np.int64(data[at]) - 48 if digit(data[at]) else np.int64(data[at]) - 55
        scale = 10 if value < 10 else 100
        if place < 4:
            head = (head * scale + value) % 97
        else:
            rest = (rest * scale + value) % 97
        at += 1
    whole = (rest * 1_000_000 + head) % 97  # two letters and two digits are six digits
    if at < end and (alnum(data[at]) or data[at] == 95):
        return 0
    return at if whole == 1 else 0
