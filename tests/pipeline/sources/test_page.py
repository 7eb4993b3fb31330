import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.base import Unwell
from pipeline.sources.page import Wanted, read_page
from tests.pipeline.sources.web_making import PROSE, page

MAIN, ALL = Wanted(), Wanted(main=False)
RICH = f"""<html lang=fr><title> Un
titre </title><body><nav><a href="/">Accueil</a></nav><main><div><div><div><p>{PROSE}</p>
<ul><li>premier {PROSE}</li></ul><table><tr><td>case</td><td>autre</td></tr></table>
<p>Voir <a href="https://example.org/x">ici</a>.</p><div class=comments><p>un commentaire</p></div></div></div></div>
</main>
<script>var x = "<p>rien</p>"</script><style>p{{}}</style><!-- rien --><footer><p>mentions</p></footer>""".encode()


def text(data: bytes, wanted: Wanted = MAIN) -> str:
    return read_page(data, None, wanted).text


def test_main_text_is_without_menus_and_all_text_is_with_them():
    assert text(page()) == PROSE.strip()
    assert "Nyumbani" in text(page(), ALL)
    assert "mentions" not in text(RICH)
    assert "mentions" in text(RICH, ALL)
    assert "rien" not in text(RICH, ALL)  # scripts and comments are no text


def test_title_language_and_encoding_stand_beside():
    found = read_page(RICH, None, ALL)
    assert (found.title, found.lang, found.codec, found.replaced) == ("Un titre", "fr", "utf-8", 0)


@pytest.mark.parametrize("said", ["", "e", "en us", "<b>", "javascript:alert(1)", "x" * 50])
def test_what_is_no_tag_of_a_language_is_none(said):
    assert read_page(page(lang=said), None, ALL).lang is None


@pytest.mark.parametrize(
    ("wanted", "there", "gone"),
    [
        (Wanted(main=False), ["premier", "case\t\tautre", "commentaire"], ["https:"]),
        (Wanted(main=False, tables=False), ["premier"], ["case"]),
        (Wanted(main=False, lists=False), ["case"], ["premier"]),
        (Wanted(main=False, links=True), ["ici (https://example.org/x)"], []),
        (Wanted(), ["premier", "ici"], ["commentaire", "Accueil"]),
        (Wanted(comments=True), ["commentaire"], ["Accueil"]),
    ],
)
def test_tables_lists_links_and_comments_are_as_asked_for(wanted, there, gone):
    found = text(RICH, wanted)
    assert [t for t in there if t not in found] == []
    assert [t for t in gone if t in found] == []


HOSTILE = [
    (b"<div>" * 100_000 + b"x", "too_deep"),
    (b"<ul><li>" * 100_000, "too_deep"),
    (b"<a " + b"b%d=1 " * 3000 % tuple(range(3000)) + b">", "too_many_attributes"),
    (b"<p>" + b"".join(b"<font size=%d>" % i for i in range(400)) + b"<p>x" * 100_000, "too_many_nodes"),
    (b"<p>x" * 600_000, "too_many_nodes"),
    (b"<div>" * 300 + b"<p>some words of text</p>" * 80_000, "too_deep"),  # 300 * 80,000 * (17 bytes and two tags)
]


@pytest.mark.parametrize(("data", "reason"), HOSTILE)
def test_a_page_that_would_cost_too_much_is_refused_with_the_number(data, reason):
    with pytest.raises(Unwell) as told:
        text(data)
    assert told.value.reason == reason
    assert told.value.value > told.value.limit


def test_a_page_of_just_the_depth_allowed_is_read():
    assert text(b"<div>" * 512 + b"x", ALL) == "x"
    with pytest.raises(Unwell, match="too_deep"):
        text(b"<div>" * 513 + b"x", ALL)


def test_a_page_that_is_no_text_in_any_encoding_is_told():
    with pytest.raises(Unwell) as told:
        text(b"<meta charset=utf-8>" + b"\xff\xfe\x81\x8d" * 500)
    assert told.value.reason == "invalid_encoding"
    assert text(b"<meta charset=utf-8><p>" + PROSE.encode() + "é".encode()[:1]).startswith(PROSE[:20])


@given(data=st.binary(max_size=300), main=st.booleans())
def test_any_bytes_give_a_page_or_a_reason(data, main):
    try:
        found = read_page(data, None, Wanted(main=main))
    except Unwell as told:
        assert told.reason in ("invalid_encoding", "too_deep", "too_many_nodes")
    else:
        assert found.text.encode().decode() == found.text
        assert "\0" not in found.text


SOUP = st.lists(
    st.sampled_from(["<p>", "<b>", "</b>", "<table>", "<td>", "x ", "é", "&lt;", "<ul><li>", "</ul>", "\0"])
)


@given(parts=SOUP)
def test_all_letters_of_a_soup_of_tags_are_kept(parts):
    found = text("".join(parts).encode(), ALL)
    assert [found.count(c) for c in "xé<"] == [parts.count(c) for c in ("x ", "é", "&lt;")]
