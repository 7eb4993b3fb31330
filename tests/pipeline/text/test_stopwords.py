"""Lists of stop words are clean, and their tables find what is in them and nothing else."""

import unicodedata

import numpy as np

from pipeline.text.languages import LANGUAGES
from pipeline.text.measures import measure
from pipeline.text.stopwords import listed, words
from pipeline.text.wordlists import WordLists
from tests.pipeline.text import measures_twin as twin
from tests.pipeline.text.texts import array


def ratios(texts: list[str], lang: str) -> list[float]:
    n = len(texts)
    lists = WordLists.of({lang: words(lang)})
    column = measure(array(texts), np.full(n, 10), np.full(n, 5), [lang] * n, lists, ["stopword_ratio"])
    return column["stopword_ratio"].to_pylist()


def test_each_of_the_46_languages_has_a_list():
    assert set(listed()) == set(LANGUAGES)
    assert min(len(words(lang)) for lang in listed()) >= 60


def test_every_entry_is_one_word_as_the_kernel_would_meet_it():
    for lang in listed():
        for word in words(lang):
            assert unicodedata.is_normalized("NFC", word), (lang, word)
            assert not any(map(twin.is_space, word)), (lang, word)
            assert word == twin.lower(word), (lang, word)
            assert not twin.is_special(word[0]) and not twin.is_special(word[-1]), (lang, word)


# From grammars, not from the lists: what a list of the language cannot do without
SMALL = {
    "ak": "na ne wɔ sɛ", "ki": "na nĩ ũyũ", "ny": "ndi ku koma", "rn": "na mu kandi canke", "sn": "kuti kana kubva",
    "st": "le ke ho hore", "sw": "na ya kwa ni", "tn": "le ke go gore", "ts": "na ku hi leswaku", "tum": "na ku ndipo",
    "tw": "na ne wɔ sɛ", "ur": "کے میں کی اور سے", "wo": "ci la mu ak", "xh": "ukuba kwaye okanye", "yo": "ní àti ti",
    "zh-hant": "的 是 這 個", "zu": "ukuthi futhi noma",
}  # fmt: skip


def test_lists_hold_the_commonest_small_words():
    for lang, expected in SMALL.items():
        assert set(expected.split()) <= set(words(lang)), lang


def test_tables_find_every_word_that_a_text_can_hold():
    for lang in listed():
        met = [word for word in words(lang) if twin.words(word) == [word]]
        assert len(met) > 25
        assert set(ratios(met, lang)) == {1.0}, lang


def test_tables_find_nothing_else():
    strangers = [f"{word}qx" for word in words("en")]
    assert set(ratios(strangers, "en")) == {0.0}


def test_running_text_holds_more_stop_words_than_a_list_of_names():
    text, names = "It was the best of times, it was the worst of times.", "Nairobi Lagos Dakar Accra Kigali"
    full, empty = ratios([text, names], "en")
    assert full > 0.5 > empty
