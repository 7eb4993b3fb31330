"""`identify` believes a sure engine, else the source; it keeps what the engine cannot know, and code."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.stages.engines import PIECE, Cld2, FastText, pieces
from pipeline.stages.identify import Identify
from pipeline.text.lid_model import BUILT_IN
from tests.pipeline.stages.tables import docs
from tests.pipeline.text.texts import TEXT

SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri."
ENGLISH = "All human beings are born free and equal in dignity and rights, and are endowed with reason."
CHINESE = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。"


def identified(text, declared=None, kind="text", **settings_):
    outcome = Identify(**settings_).apply(docs([text], kind, declared or "und", lang_declared=[declared]))
    return outcome.columns["lang"].to_pylist()[0], outcome.columns["lang_score"].to_pylist()[0]


@pytest.mark.parametrize("engine", ["seedbed", "pycld2", "langdetect"])
@pytest.mark.parametrize(("text", "lang"), [(SWAHILI, "sw"), (ENGLISH, "en")])
def test_a_sure_engine_is_believed_over_the_source(engine, text, lang):
    found, score = identified(text, "fr", engine=engine)
    assert found == lang
    assert score >= 0.7


@pytest.mark.parametrize("engine", ["seedbed", "pycld2"])
def test_chinese_goes_by_its_script(engine):
    simplified = CHINESE.translate(str.maketrans("尊嚴權應關係對賦並", "尊严权应关系对赋并"))
    assert identified(CHINESE, engine=engine)[0] == "zh-hant"
    assert identified(simplified, engine=engine)[0] == "zh-hans"


def test_at_the_score_it_is_sure_and_above_it_not():
    half = "Hello there my good friend. " * 3 + "Καλημέρα σας αγαπητέ φίλε. " * 2
    score = identified(half)[1]
    assert 0.1 < score < 0.95  # else nothing lies on either side
    assert identified(half, "fr", sure=score)[0] != "fr"
    assert identified(half, "fr", sure=score + 0.001)[0] == "fr"
    assert identified(half, sure=score + 0.001)[0] == "und"


@pytest.mark.parametrize("engine", ["pycld2", "langdetect"])
@pytest.mark.parametrize("lang", ["bm", "fon", "ki", "tum"])
def test_a_declared_language_that_the_engine_does_not_know_stands(engine, lang):
    assert identified(ENGLISH, lang, engine=engine) == (lang, None)


def test_a_score_that_is_left_out_leaves_nothing_in_the_layer():
    column = Identify(engine="pycld2").apply(docs([ENGLISH], lang_declared=["bm"])).columns["lang_score"]
    assert column.null_count == 1  # else the next line reads a score
    assert np.frombuffer(column.buffers()[1], np.float64)[0] == 0


def test_answers_that_are_not_remembered_are_the_same(monkeypatch):
    declared = ["fr", "bm", "sw", None, "fr", "bm", "eng"]
    asked = docs([ENGLISH, SWAHILI] * 3 + [ENGLISH], lang_declared=declared)
    remembered = Identify().apply(asked)
    monkeypatch.setattr("pipeline.stages.identify.MOST_ANSWERS", 1)
    anew = Identify().apply(asked)
    assert anew.tallies == remembered.tallies
    assert all(anew.columns[name].equals(column) for name, column in remembered.columns.items())


def test_twi_declared_and_akan_found_is_twi():
    akan = "Nnipa nyinaa yɛ pɛ. Na wɔde adwene ne nyansa na abɔ obiara. Ɛno nti, ɛsɛ sɛ obiara dɔ ne yɔnko."
    for engine in ("seedbed", "pycld2"):
        assert identified(akan, "twi", engine=engine)[0] == "tw"
        assert identified(akan, engine=engine)[0] == "ak"


def test_declared_spellings_are_understood():
    assert identified("42", "swa") == ("sw", 0.0)  # no letter to go by
    assert identified("42", "zh_TW") == ("zh-hant", 0.0)


def test_code_keeps_its_language_and_has_no_score():
    assert identified(ENGLISH, "python", kind="code") == ("python", None)


def test_what_is_found_outside_the_languages_asked_for_is_undetermined():
    assert identified(ENGLISH, languages=["sw", "eng"])[0] == "en"
    assert identified(ENGLISH, languages=["sw", "fr"])[0] == "und"


@pytest.mark.parametrize("engine", ["seedbed", "pycld2", "langdetect"])
@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, max_size=4))
def test_any_text_has_a_language_that_depends_on_it_alone(engine, texts):
    stage = Identify(engine=engine)
    together = stage.apply(docs(texts)).columns["lang_score"].to_pylist()
    assert [stage.apply(docs([text])).columns["lang_score"].to_pylist()[0] for text in texts] == together


@pytest.mark.parametrize("engine", ["seedbed", "pycld2"])
def test_controls_and_noncharacters_do_not_stop_the_engine(engine):
    spoiled = ENGLISH.replace(" ", "\x92 \x00\ufdd0\U0001ffff", 3)
    assert identified(spoiled, engine=engine)[0] == "en"


def test_a_long_text_is_judged_by_its_beginning_middle_and_end():
    text = ("b" * PIECE + "x" * PIECE + "中" * PIECE + "x" * PIECE + "é" * PIECE).encode()
    begin, middle, end = pieces(np.frombuffer(text, np.uint8)).decode().split("\n")
    assert begin == "b" * PIECE
    assert middle == "中" * len(middle)  # what was cut through is left out
    assert PIECE - 4 < len(middle.encode()) <= PIECE
    assert end == "é" * (PIECE // 2)
    assert identified(SWAHILI * 1000, engine="pycld2")[0] == "sw"


def test_tallies_count_what_came_of_declarations():
    table = docs([ENGLISH, ENGLISH, "42"], lang_declared=["en", "sw", None])
    expected = {"as_declared": 1, "other_than_declared": 1, "undetermined": 1}
    assert Identify().apply(table).tallies == expected


def test_arabic_written_with_its_vowels_is_arabic():
    text = "وَقَالَ الَّذِينَ كَفَرُوا أَإِذَا كُنَّا تُرَابًا وَآبَاؤُنَا أَئِنَّا لَمُخْرَجُونَ " * 12
    assert Cld2().find_one(text.encode())[0] == ("ar", 0.99)
    assert identified(text)[0] == "ar"


GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt."
PYTHON = """import os

def files(folder: str, ending: str = ".txt") -> list[str]:
    found = [name for name in os.listdir(folder) if name.endswith(ending)]
    return sorted(found, key=lambda name: (len(name), name))
"""


def test_text_in_no_language_of_the_table_is_undetermined_whatever_was_declared():
    assert identified(GERMAN)[0] == "und"
    assert identified(GERMAN, "sw")[0] == "und"
    assert identified(GERMAN, "de") == ("de", None)  # which the engine has no name for
    assert identified("Все люди рождаются свободными и равными в своем достоинстве и правах.", "sw")[0] == "und"


def test_code_is_told_without_a_name_among_text_and_where_nobody_declared_it():
    assert identified(PYTHON)[0] == "python"
    assert identified(PYTHON, kind="code")[0] == "python"
    assert identified(PYTHON, "ruby", kind="code") == ("ruby", None)
    assert identified(PYTHON, kind="code", engine="pycld2") == ("und", None)


def test_decomposed_letters_change_nothing_and_capitals_not_the_language():
    french = "L'été dernier, nous avons mangé des pêches très mûres près de la forêt où naît la rivière."
    apart = unicodedata.normalize("NFD", french)
    assert apart != french
    assert identified(french) == identified(apart)
    assert identified(french)[0] == identified(french.upper())[0] == "fr"


def test_the_second_language_and_its_share():
    table = docs([(SWAHILI + "\n") * 12 + (ENGLISH + "\n") * 4, SWAHILI * 4])
    for engine in ("seedbed", "pycld2"):
        columns = Identify(engine=engine).apply(table).columns
        assert columns["lang"].to_pylist() == ["sw", "sw"]
        assert columns["lang_second"].to_pylist() == ["en", None]
        share, none = columns["lang_second_share"].to_pylist()
        assert 0.1 < share < 0.45
        assert none is None


def test_a_long_text_is_judged_by_its_whole_length():
    table = docs([ENGLISH * 20 + SWAHILI * 400])
    assert Identify().apply(table).columns["lang"].to_pylist() == ["sw"]


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"engine": "fasttext"}, "needs a model"),
        ({"engine": "pycld2", "model": "x.ftz"}, "brings its own model"),
        ({"model": "missing.safetensors"}, "is no identifier of this project"),
        ({"model": __file__}, "is no identifier of this project"),
        ({"engine": "fasttext", "model": "missing.ftz"}, "fasttext|missing.ftz"),
    ],
)
def test_a_model_that_cannot_be_used_is_told_at_once(settings_, words):
    with pytest.raises(ValidationError, match=words):
        Identify(**settings_)


def test_the_recipe_names_the_model_by_its_digest(tmp_path):
    copy = tmp_path / "other.safetensors"
    copy.write_bytes(BUILT_IN.read_bytes())
    assert Identify(model=copy).recipe_parameters() == Identify().recipe_parameters()
    assert Identify(engine="pycld2").recipe_parameters().get("model") is None


def test_fasttext_labels_are_understood():
    fake = lambda line, k, least, errors: [(1.00001, "__label__swh_Latn")]  # noqa: E731
    engine = FastText.__new__(FastText)
    engine._predict, engine._languages = fake, {"sw", "zh-hant"}
    assert engine.find_one(b"Habari\nya leo") == [("sw", 1.0)]
    assert engine.find_one(b" \n") == []
    assert engine.known("sw")
    assert not engine.known("en")
    engine._predict = lambda line, k, least, errors: [(0.9, "__label__zh")]
    assert engine.find_one(CHINESE.encode()) == [("zh-hant", 0.9)]  # lid.176 tells no writing; the characters do
    assert engine.find_one("人民".encode()) == [("zh-hans", 0.9)]
