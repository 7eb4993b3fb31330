"""Every measure of Gopher, C4, FineWeb and SlimPajama equals its plain-Python twin on any text."""


from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.quality import FAMILIES, LIMIT, QUALITY, quality
from pipeline.text.stopwords import StopLists
from tests.pipeline.text import quality_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

STOPS = {"en": ["a", "b", "the"], "xx": ["é", "中", "ß", "not met"]}
# what the filters tell apart, and chance seldom makes: few words and lines, so that they repeat
PARTS = ["a", "b", "ab", "A. ", "the ", " ", "\n", "\n\n", "- ", "• ", "...", "…", "#", "{", "42 ", "Lorem ipsum ", "Ab. Ba! ",
         "«So?» he ", "中。", "\r\n", "\u2028", "x" * 31, "İ", ") ", "۔", "«", "\x1f"]  # fmt: skip
MADE = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


def measured(texts, lang="", names=tuple(QUALITY), limit=LIMIT):
    columns = quality(array(texts), [lang] * len(texts), StopLists.of(STOPS), names, limit)
    return [
        dict(zip(columns, row, strict=True)) for row in zip(*(c.to_pylist() for c in columns.values()), strict=True)
    ]


@settings(deadline=None, max_examples=150)
@given(st.lists(ANY_TEXT | MADE, max_size=4), st.sampled_from(["", "en", "xx"]))
def test_the_kernel_equals_its_twin_on_any_text(texts, lang):
    stops = set(STOPS[lang]) if lang else None
    assert measured(texts, lang) == [twin.quality(text, stops) for text in texts]


@settings(deadline=None, max_examples=30)
@given(st.lists(MADE, max_size=3), st.sampled_from(sorted(FAMILIES)))
def test_a_family_alone_has_the_numbers_that_it_has_among_all(texts, family):
    expected = [{name: numbers[name] for name in FAMILIES[family]} for numbers in measured(texts)]
    assert measured(texts, names=FAMILIES[family]) == expected
