"""Four numbers with dots between them that are no IP address: versions and sections; a piece of `ips`.

In: UTF-8 bytes and the place of four numbers to 255. Out: whether they number something. `begin` is where the text
begins, `floor` where the span found before ends, of which nothing is looked at. What tells:

word in front     version, v., release, section, §, RFC, Abschnitt, раздел, 第, ... with four other characters between
sign in front     >= 1.2.3.4, == 1.2.3.4, ~> 1.2.3.4, ^1.2.3.4, (= 1.2.3.4), § 1.2.3.4
heading           first on its line and a full stop, or a blank and no small letter, behind; no number above 99 or 31
in brackets       [1.2.3.4], no number above 31
part of a path    download/1.2.3.4, page.html#1.2.3.4, no number above 99
object identifier 2.5.4.x, 2.5.29.x, 1.3.6.1 (X.500, SNMP)

One of 5,000 addresses drawn by chance has no number above 31, and one of 45 none above 99.
"""

import numpy as np

from pipeline.text.ascii import letter
from pipeline.text.characters import SPACE, U, decode
from pipeline.text.compiling import piece
from pipeline.text.nearby import before, follows, slots

# The word for version, release, section, chapter and their kin, as it stands in front of a number
NUMBERED = (
    "version versions ver v release released rel revision rev build firmware kernel upgrade since update patch "
    "patchlevel section sections sec sect chapter ch appendix annex figure fig table clause item paragraph par rfc "
    "jvms jls oid linux libreoffice versión versiones sección secciones capítulo apartado apéndice figura tabla "
    "versão seção secção versio versió secció capítol apèndix versione sezione capitolo appendice versiune versiunea "
    "secțiunea secțiune capitolul kapitel abschnitt anhang abbildung tabelle ausgabe afsnit bilag avsnitt seksjon "
    "vedlegg utgåva versie paragraaf hoofdstuk bijlage verze oddíl kapitola příloha sekce wersja wersji rozdział "
    "sekcja podrozdział verzia verzió fejezet szakasz versija skyrius bertsio bertsioa atala kapitulua odjeljak "
    "poglavlje sürüm bölüm kısım versi bagian bab lampiran seksi toleo sehemu sura версия версии версію версія раздел "
    "разделе раздела розділ розділі розділу глава главе приложение издание τμήμα έκδοση ενότητα κεφάλαιο παράρτημα "
    "संस्करण खंड अनुभाग अध्याय সংস্করণ অধ্যায় பதிப்பு பிரிவு قسمت الإصدار إصدار القسم قسم الفصل فصل نسخه نسخة بخش "
    "فصل ورژن حصہ باب bản phần mục chương luku osa versio liite 第 节 節 章 版 "
    "版本 バージョン ヴァージョン 节点 버전 절 장 เวอร์ชัน รุ่น บท "
    "ส่วน"
)
_NUMBERED = slots(NUMBERED.split())


@piece
def numbers_something(data, first, last, address, begin, floor, end, kinds, lower):  # type: ignore[no-untyped-def]
    """Whether the four numbers `data[first:last]`, whose value is `address`, are a version or a section."""
    if address >> 8 in (0x020504, 0x02051D) or address == 0x01030601:
        return True
    if first == floor:
        return floor == begin and _is_heading(data, first, last, address, begin, end, kinds)
    if _compared(data, first, floor) or follows(data, first, floor, kinds, lower, _NUMBERED):
        return True
    if data[first - 1] == 91 and _none_above(address, 31):
        return True
    if data[first - 1] == 35 or (data[first - 1] == 47 and first - 1 > floor and letter(data[first - 2])):
        return _none_above(address, 99)
    return _is_heading(data, first, last, address, begin, end, kinds)


@piece
def _none_above(address, most):  # type: ignore[no-untyped-def]
    return (
        address >> 24 <= most and address >> 16 & 255 <= most and address >> 8 & 255 <= most and address & 255 <= most
    )


@piece
def _compared(data, first, floor):  # type: ignore[no-untyped-def]
    """Whether >= <= == ~= != (= ~> ^ ~ or § stands in front, with one blank between at most."""
    i = first - 1
    if data[i] == 32 and i > floor:
        i -= 1
    if data[i] in (94, 126):
        return True
    if i == floor:
        return False
    if data[i] == 0xA7 and data[i - 1] == 0xC2:  # §
        return True
    if data[i] == 61:
        return data[i - 1] in (60, 61, 62, 126, 33, 40)
    return data[i] == 62 and data[i - 1] == 126


@piece
def _is_heading(data, first, last, address, begin, end, kinds):  # type: ignore[no-untyped-def]
    """Whether it is first on its line, small, and a title follows: "6.1.2.4. Title" to 99, "6.1.2.4 Title" to 31."""
    i, steps = first, 0
    while i > begin:
        code, start = before(data, i, begin)
        if code == U(10):
            break
        steps += 1
        if steps > 8 or not (kinds[code] & SPACE or code == U(35) or code == U(42) or code == U(47)):
            return False
        i = start
    if last >= end:
        return False
    if data[last] == 46:
        blank = last + 1 >= end or kinds[decode(data, U(last + 1), U(end))[0]] & SPACE
        return _none_above(address, 99) and blank
    return _none_above(address, 31) and _title_follows(data, last, end, kinds)


@piece
def _title_follows(data, i, end, kinds):  # type: ignore[no-untyped-def]
    """Whether there are one to four blanks, and then a capital or a letter that is not ASCII."""
    for step in range(5):
        if i >= end:
            return False
        code, after = decode(data, U(i), U(end))
        if not kinds[code] & SPACE or code == U(10):
            return step > 0 and (65 <= code <= 90 or code >= U(0xAA))
        i = np.int64(after)
    return False
