"""Phone numbers in runs of digits; a piece of `spans`.

In: a run as `numbers` reads it, and whether a word for a phone stands in front. Out: whether it is a phone number.

international   + or 00, a country code in use (ITU E.164), 8 to 15 digits in all; at least 9 without any gap, and 00
                only with one. One dot may follow the country code, as registries of domains write it, no others
North America   212-555-0123, (212) 555-0123, 212.555.0123, 1-212-555-0123; area and exchange begin with 2 to 9; with
                blanks alone only behind a word
trunk zero      0 and no second one, 9 to 12 digits, the first group of 2 to 6: 020 7946 0958, 01 23 45 67 89,
                0722 123456, 06 12345678, 021-12345678. Groups of one sort of gap if four or more, no date in
                front, no group of one digit, not all groups with a zero and three at most: 02 01 02 01 02 is a dump
area in brackets  (11) 91234-5678, (021) 1234567: 2 to 5 digits that are no year, 9 to 11 digits in all
China, mobile   138 1234 5678, 138-1234-5678
behind a word   Tel., phone, mobile, fax, هاتف, फ़ोन, 电话, ...: 7 to 15 digits in any groups that are no date

So dates, versions, ISBNs, prices, coordinates and numbers with spaces in thousands are none: they begin with no + or 0
and stand behind no such word, or their groups are another form. Without a gap and without a word only + makes a phone.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.nearby import slots
from pipeline.text.numbers import BLANK, CLOSED, COUNT, DOT, HYPHEN, NONE, OPENED, PLUS, SLASH

WORDS = (
    "tel tél tlf telf telefon telefono teléfono telefone téléphone telephone phone phones ph mob mobile mobil móvil "
    "movil cel cell cellphone cellular celular cellulare handy fax telefax faks call whatsapp sms contact contacto "
    "contato hotline helpline fon fono fone gsm telèfon mòbil telefonoa mugikorra telepon telpon ponsel hubungi simu "
    "rununu piga namba foonu ekwentị ucingo inombolo umakhalekhukhwini selula foni mogala kontak thoại đt sđt dđ điện "
    "zalo тел телефон телефоны моб факс τηλ τηλέφωνο هاتف الهاتف تلفون جوال الجوال موبايل فاكس اتصل واتساب تلفن "
    "موبائل فون موبایل टेलीफोन फोन फ़ोन मोबाइल दूरभाष संपर्क দূরভাষ ফোন মোবাইল টেলিফোন ફોન મોબાઇલ ਫੋਨ ਮੋਬਾਈਲ தொலைபேசி "
    "போன் ఫోన్ ಫೋನ್ ദൂരവാണി ഫോൺ ଫୋନ 电话 電話 手机 手機 传真 傳真 "
    "热线 熱線 联系电话 聯絡電話 行動電話 携帯 携帯電話 전화 전화번호 휴대폰 팩스 โทร โทรศัพท์ มือถือ"
)
PHONE_WORDS = slots(WORDS.split())

# Country codes in use (ITU, list of assigned codes): of two digits, and of three; 1 and 7 stand alone
CODES_OF_TWO = (
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 "
    "90 91 92 93 94 95 98"
)
CODES_OF_THREE = (
    "211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242 "
    "243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291 "
    "297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 379 380 381 382 383 385 "
    "386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672 "
    "673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 852 853 855 856 870 878 "
    "880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995 "
    "996 998"
)
_CODE_DIGITS = np.zeros(
    1000, np.int64
)  # by the first three digits: how many the country code has, 0 where none is in use
_CODE_DIGITS[100:200] = _CODE_DIGITS[700:800] = 1
for _code in CODES_OF_TWO.split():
    _CODE_DIGITS[10 * int(_code) : 10 * int(_code) + 10] = 2
_CODE_DIGITS[[int(_code) for _code in CODES_OF_THREE.split()]] = 3
LEAST, MOST, LEAST_TOGETHER, LEAST_NAMED = 8, 15, 9, 7
MOST_GROUPS = 8


@piece
def is_phone(digits, gaps, shape, named, sizes):  # type: ignore[no-untyped-def]
    """Whether the run is a phone number; `sizes` is (MOST_GROUPS,) int64 for its groups."""
    count = shape[COUNT]
    groups = _group(gaps, count, sizes)
    if groups == 0 or count > MOST + 2:
        return False
    if shape[PLUS]:
        return _international(digits, gaps, shape, 0, groups)
    if digits[0] == 0 and digits[1] == 0:
        together = groups == 1
        return (named or not together) and count > 11 and _international(digits, gaps, shape, 2, groups)
    if _is_date(digits, sizes, groups):
        return False
    if named:
        return LEAST_NAMED <= count <= MOST and _gaps_agree(gaps, count)
    if groups < 2 or not _gaps_agree(gaps, count):
        return False
    return (
        _north_american(digits, gaps, sizes, groups, count)
        or _trunk_zero(digits, gaps, sizes, groups, count)
        or _in_brackets(digits, gaps, shape, sizes, groups, count)
        or _chinese_mobile(digits, gaps, sizes, groups)
    )


@piece
def _group(gaps, count, sizes):  # type: ignore[no-untyped-def]
    """How many groups the digits stand in, 0 if more than MOST_GROUPS; fills their sizes."""
    groups = 0
    for i in range(count):
        if i == 0 or gaps[i] != NONE:
            if groups == MOST_GROUPS:
                return 0
            sizes[groups] = 0
            groups += 1
        sizes[groups - 1] += 1
    return groups


@piece
def _international(digits, gaps, shape, first, groups):  # type: ignore[no-untyped-def]
    size = shape[COUNT] - first
    if not LEAST <= size <= MOST or (groups == 1 and size < LEAST_TOGETHER):
        return False
    code = _CODE_DIGITS[(digits[first] * 10 + digits[first + 1]) * 10 + digits[first + 2]]
    italian = digits[first] == 3 and digits[first + 1] == 9
    zero = digits[first + code] == 0 and not italian  # behind the code: +44 (0)20, but not 00 20 00 or +2000000000
    if code == 0 or (zero and shape[OPENED] < 0 and (first or gaps[first + code] == NONE)):
        return False
    dots = 0
    for i in range(1, shape[COUNT]):
        dots += 1 if gaps[i] == DOT else 0
    registry = dots == 1 and groups == 2 and gaps[first + code] == DOT
    return dots == 0 or registry or (dots == groups - 1 and groups > 3)


@piece
def _gaps_agree(gaps, count):  # type: ignore[no-untyped-def]
    """Whether dots stand everywhere or nowhere, a slash nowhere but in the first gap, the same sign in four gaps."""
    dots, slashes, seen, same, sign = 0, 0, 0, True, NONE
    for i in range(1, count):
        if gaps[i] == NONE:
            continue
        dots += 1 if gaps[i] == DOT else 0
        slashes += 1 if gaps[i] == SLASH and seen else 0
        same = same and (sign in (NONE, CLOSED) or gaps[i] == sign)
        sign = gaps[i]
        seen += 1
    return (dots == 0 or dots == seen) and slashes == 0 and (same or seen < 4)


@piece
def _is_date(digits, sizes, groups):  # type: ignore[no-untyped-def]
    """Whether it begins with day, month and year in any order, the year of 19.. or 20.."""
    if groups < 3 or max(sizes[1], min(sizes[0], sizes[2])) > 2:
        return False
    year = 0 if sizes[0] == 4 else sizes[0] + sizes[1]
    if sizes[0] != 4 and sizes[2] != 4:
        return False
    return (digits[year] == 1 and digits[year + 1] == 9) or (digits[year] == 2 and digits[year + 1] == 0)


@piece
def _north_american(digits, gaps, sizes, groups, count):  # type: ignore[no-untyped-def]
    skip = 1 if groups == 4 and sizes[0] == 1 and digits[0] == 1 else 0
    if groups != 3 + skip or sizes[skip] != 3 or sizes[skip + 1] != 3 or sizes[skip + 2] != 4:
        return False
    blanks = True
    for i in range(1, count):
        blanks = blanks and (gaps[i] == NONE or gaps[i] == BLANK)
    return not blanks and digits[skip] >= 2 and digits[skip + 3] >= 2


@piece
def _trunk_zero(digits, gaps, sizes, groups, count):  # type: ignore[no-untyped-def]
    if digits[0] != 0 or not 9 <= count <= 12 or not 2 <= sizes[0] <= 6:
        return False
    dotted, zeros, at = False, 0, 0
    for group in range(groups):
        if sizes[group] < 2:
            return False
        zeros += 1 if digits[at] == 0 else 0
        dotted = dotted or (at > 0 and gaps[at] == DOT)
        at += sizes[group]
    if (dotted and groups != 5) or zeros > 3 or (zeros == groups and groups > 2):
        return False
    return groups > 2 or (sizes[1] >= 5 and (sizes[0] > 2 or sizes[1] > 7 or gaps[2] == HYPHEN or gaps[2] == CLOSED))


@piece
def _in_brackets(digits, gaps, shape, sizes, groups, count):  # type: ignore[no-untyped-def]
    area = sizes[0]
    if shape[OPENED] != 0 or groups > 3 or not 2 <= area <= 5 or gaps[area] != CLOSED or not 9 <= count <= 11:
        return False
    year = area == 4 and ((digits[0] == 1 and digits[1] == 9) or (digits[0] == 2 and digits[1] == 0))
    return not year and sizes[1] >= 3


@piece
def _chinese_mobile(digits, gaps, sizes, groups):  # type: ignore[no-untyped-def]
    form = groups == 3 and sizes[0] == 3 and sizes[1] == 4 and sizes[2] == 4
    sign = gaps[3] if form else NONE
    return form and digits[0] == 1 and digits[1] >= 3 and gaps[7] == sign and (sign in (BLANK, HYPHEN))
