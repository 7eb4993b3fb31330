"""`identify` believes a sure engine, else the source; it keeps what the engine cannot know, and code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.identify import PIECE, Cld2, Identify, _pieces
from tests.pipeline.stages.tables import docs
from tests.pipeline.text.texts import TEXT

SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri."
ENGLISH = "All human beings are born free and equal in dignity and rights, and are endowed with reason."
CHINESE = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。"


def identified(text, declared=None, kind="text", **settings_):
    outcome = Identify(**settings_).apply(docs([text], kind, declared or "und", lang_declared=[declared]))
    return outcome.columns["lang"].to_pylist()[0], outcome.columns["lang_score"].to_pylist()[0]


@pytest.mark.parametrize("engine", ["pycld2", "langdetect"])
@pytest.mark.parametrize(("text", "lang"), [(SWAHILI, "sw"), (ENGLISH, "en")])
def test_a_sure_engine_is_believed_over_the_source(engine, text, lang):
    found, score = identified(text, "fr", engine=engine)
    assert found == lang
    assert score >= 0.7


def test_chinese_goes_by_its_script():
    assert identified(CHINESE)[0] == "zh-hant"
    assert identified(CHINESE.translate(str.maketrans("尊嚴權應關係對", "尊严权应关系对")))[0] == "zh-hans"


def test_at_the_score_it_is_sure_and_above_it_not():
    half = "Hello there my good friend. " * 3 + "Καλημέρα σας αγαπητέ φίλε. " * 2
    score = identified(half)[1]
    assert 0.1 < score < 0.95  # else nothing lies on either side
    assert identified(half, "fr", sure=score)[0] != "fr"
    assert identified(half, "fr", sure=score + 0.01)[0] == "fr"
    assert identified(half, sure=score + 0.01)[0] == "und"


@pytest.mark.parametrize("engine", ["pycld2", "langdetect"])
@pytest.mark.parametrize("lang", ["bm", "fon", "ki", "tum"])
def test_a_declared_language_that_the_engine_does_not_know_stands(engine, lang):
    assert identified(ENGLISH, lang, engine=engine) == (lang, None)


def test_twi_declared_and_akan_found_is_twi():
    akan = "Nnipa nyinaa yɛ pɛ. Na wɔde adwene ne nyansa na abɔ obiara. Ɛno nti, ɛsɛ sɛ obiara dɔ ne yɔnko."
    assert identified(akan, "twi")[0] == "tw"
    assert identified(akan)[0] == "ak"


def test_declared_spellings_are_understood():
    assert identified("42", "swa") == ("sw", 0.0)
    assert identified("42", "zh_TW") == ("zh-hant", 0.0)


def test_code_keeps_its_language_and_has_no_score():
    assert identified(ENGLISH, "python", kind="code") == ("python", None)


def test_what_is_found_outside_the_languages_asked_for_is_undetermined():
    assert identified(ENGLISH, languages=["sw", "eng"])[0] == "en"
    assert identified(ENGLISH, languages=["sw", "fr"])[0] == "und"


@pytest.mark.parametrize("engine", ["pycld2", "langdetect"])
@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, max_size=4))
def test_any_text_has_a_language_that_depends_on_it_alone(engine, texts):
    stage = Identify(engine=engine)
    together = stage.apply(docs(texts)).columns["lang_score"].to_pylist()
    assert [stage.apply(docs([text])).columns["lang_score"].to_pylist()[0] for text in texts] == together


def test_controls_and_noncharacters_do_not_stop_the_engine():
    spoiled = ENGLISH.replace(" ", "\x92 \x00\ufdd0\U0001ffff", 3)
    assert identified(spoiled)[0] == "en"


def test_a_long_text_is_judged_by_its_beginning_middle_and_end():
    text = ("b" * PIECE + "x" * PIECE + "中" * PIECE + "x" * PIECE + "é" * PIECE).encode()
    begin, middle, end = _pieces(np.frombuffer(text, np.uint8)).decode().split("\n")
    assert begin == "b" * PIECE
    assert middle == "中" * len(middle)  # what was cut through is left out
    assert PIECE - 4 < len(middle.encode()) <= PIECE
    assert end == "é" * (PIECE // 2)
    assert identified(SWAHILI * 1000)[0] == "sw"


def test_tallies_count_what_came_of_declarations():
    table = docs([ENGLISH, ENGLISH, "42"], lang_declared=["en", "sw", None])
    expected = {"as_declared": 1, "other_than_declared": 1, "undetermined": 1}
    assert Identify().apply(table).tallies == expected


def test_arabic_written_with_its_vowels_is_arabic():
    text = "وَقَالَ الَّذِينَ كَفَرُوا أَإِذَا كُنَّا تُرَابًا وَآبَاؤُنَا أَئِنَّا لَمُخْرَجُونَ " * 12
    assert Cld2().find(text.encode()) == ("ar", 0.99)
