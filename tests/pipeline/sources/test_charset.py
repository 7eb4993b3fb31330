import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.charset import decoded, known

RUSSIAN = "Все люди рождаются свободными и равными в своём достоинстве и правах. " * 3
JAPANESE = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。" * 3
FRENCH = "Tous les êtres humains naissent libres et égaux — en dignité et en droits. " * 3


def meta(charset: str) -> bytes:
    return f'<!doctype html><meta http-equiv="Content-Type" content="text/html; charset={charset}">'.encode()


@given(text=st.text(st.characters(codec="utf-8")), declared=st.sampled_from([None, "utf-8", "iso-8859-1", "nonsense"]))
def test_utf8_is_read_as_it_is_whatever_one_byte_encoding_is_declared(text, declared):
    found = decoded(text.encode(), declared)
    assert (found.text, found.replaced) == (text.removeprefix("\ufeff"), 0)


@given(data=st.binary(max_size=200), declared=st.sampled_from([None, "utf-8", "gbk", "utf-16", "shift_jis", "x"]))
def test_any_bytes_become_a_text_without_lone_surrogates(data, declared):
    found = decoded(data, declared)
    assert found.text.encode().decode() == found.text
    assert found.replaced <= found.text.count("\ufffd")


@pytest.mark.parametrize(
    ("data", "declared", "codec", "text"),
    [
        (RUSSIAN.encode("cp1251"), "windows-1251", "cp1251", RUSSIAN),  # the server's word
        (meta("windows-1251") + RUSSIAN.encode("cp1251"), None, "cp1251", RUSSIAN),  # the page's
        (meta("utf-8") + RUSSIAN.encode("koi8-r"), "koi8-r", "koi8-r", RUSSIAN),  # the server goes before the page
        (meta("Shift_JIS") + JAPANESE.encode("cp932"), None, "cp932", JAPANESE),
        (meta("gb2312") + "髙鎔".encode("gb18030"), None, "gb18030", "髙鎔"),  # what gb2312 means to browsers
        (b"<?xml version='1.0' encoding='euc-jp'?>" + JAPANESE.encode("euc_jp"), None, "euc_jp", JAPANESE),
        (FRENCH.encode("cp1252"), "iso-8859-1", "cp1252", FRENCH),  # the dash is no Latin-1
        (codecs.BOM_UTF16_LE + JAPANESE.encode("utf-16-le"), "utf-8", "utf-16-le", JAPANESE),  # the mark goes first
        (codecs.BOM_UTF8 + FRENCH.encode(), "big5", "utf-8", FRENCH),
        (FRENCH.encode(), "iso-8859-1", "utf-8", FRENCH),  # a server that is wrong
        (meta("utf-16") + FRENCH.encode(), None, "utf-8", FRENCH),  # a word that was read as ASCII
        (RUSSIAN.encode("cp1251"), None, "cp1251", RUSSIAN),  # nobody's word: detected
        (JAPANESE.encode("cp932"), "utf-8", "cp932", JAPANESE),  # a word that does not fit: detected
    ],
)
def test_the_encoding_is_found(data, declared, codec, text):
    found = decoded(data, declared)
    assert found.codec == codec
    assert found.text.endswith(text)
    assert found.replaced == 0


def test_a_page_cut_within_a_character_loses_just_that():
    found = decoded(JAPANESE.encode()[:-1], "utf-8")
    assert (found.text, found.replaced) == (JAPANESE[:-1] + "\ufffd", 1)


def test_the_pages_word_counts_in_its_first_1024_bytes_only():
    late = b"<!--" + b" " * 1024 + b"-->" + meta("koi8-r") + FRENCH.encode("cp1252")
    assert decoded(late, None).codec != "koi8-r"
    assert decoded(late[1000:], None).codec == "koi8-r"


def test_labels_are_the_standards():
    assert [known(label) for label in ("UTF8", " latin1 ", "ks_c_5601-1987", "rot13", "", None)] == [
        "utf-8",
        "cp1252",
        "cp949",
        None,
        None,
        None,
    ]
