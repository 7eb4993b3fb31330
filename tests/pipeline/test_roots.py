"""configs/roots.yaml has the limits of ROOTS in its order, and the pipeline decides with them as a plain twin does."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings

from benchmarks import roots_twin as twin
from pipeline.config import load
from pipeline.stages.measure import CHARACTERS_OF, WORDS_OF, Measure
from pipeline.text import stopwords
from pipeline.text.languages import LANGUAGES
from tests.pipeline.stages.tables import docs
from tests.pipeline.text.texts import ANY_TEXT

ROOT = Path(__file__).parents[2]
NAMES = ("words", "char_repetition", "word_repetition", "symbol_ratio", "stopword_ratio")
# parameters_filtering.py of bigscience-workshop/data-preparation: words, characters repeat, words repeat, special
# characters, language score, longest word (None: off). Stop words and the symbols of Urdu belong to other lists here.
ROOTS = {
    "ar": (20, 100_000, 0.2, 0.34, 0.3, 0.81, 25), "bn": (33, 100_000, 0.13, 0.21, 0.45, 0.95, 20),
    "ca": (15, 100_000, 0.2, 0.4, 0.25, 0.8, 20), "en": (20, 100_000, 0.106, 0.19, 0.4, 0.8, 25),
    "es": (16, 100_000, 0.14, 0.25, 0.34, 0.8, 25), "eu": (8, 100_000, 0.2, 0.4, 0.31, 0.7, 28),
    "fr": (13, 100_000, 0.14, 0.13, 0.34, 0.8, 45), "hi": (38, 100_000, 0.18, 0.47, 0.45, 0.9, 25),
    "id": (15, 100_000, 0.15, 0.2, 0.34, 0.7, 30), "pt": (19, 100_000, 0.25, 0.98, 0.35, 0.6, 19),
    "ur": (25, 100_000, 0.19, 0.5, 0.265, 0.9, 20), "vi": (30, 100_000, 0.15, 0.2, 0.34, 0.9, 25),
    "zh-hans": (1, 1_000_000, 0.2, 0.96, 0.3, 0.85, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def recipe():
    return load(ROOT / "configs" / "roots.yaml").stages


def named(recipe, name):
    return [stage for stage in recipe if stage.name == name]


def bounds(stage, lang):
    return dict(stage.bounds) | dict(dict(stage.lang).get(lang, ()))


def test_the_13_languages_have_the_limits_of_roots(recipe):
    numbers, language = named(recipe, "keep")
    lengths = dict(named(recipe, "drop_words")[0].lang)
    for lang, (least, most, characters, words, symbols, score, length) in ROOTS.items():
        found = bounds(numbers, lang)
        assert found["words"] == (least, most), lang
        assert [found[name][1] for name in NAMES[1:4]] == [characters, words, symbols], lang
        assert bounds(language, lang)["lang_score"] == (score, 1), lang
        assert lengths.get(lang) == length, lang
    assert dict(numbers.bounds)["words"] == (10, 100_000)  # ROOTS' default


def test_sizes_of_ngrams_are_those_of_roots():
    assert CHARACTERS_OF == {"zh-hans": 3, "zh-hant": 3}
    assert WORDS_OF == {"ur": 7}


def test_bounds_are_tried_in_the_order_of_roots(recipe):
    numbers, language = named(recipe, "keep")
    assert tuple(name for name, _ in numbers.bounds) == NAMES
    assert all(name in NAMES for _, own in numbers.lang for name, _ in own)  # one that is new would be tried last
    assert [name for name, _ in language.bounds] == ["lang_score"]
    names = [stage.name for stage in recipe]
    assert names.index("drop_words") < names.index("measure") < names.index("keep") < names.index("dedup_near")
    assert names[-1] == "redact"


def test_each_of_the_46_languages_has_limits_of_its_own(recipe):
    numbers = named(recipe, "keep")[0]
    assert {lang for lang, _ in numbers.lang} == set(LANGUAGES)
    assert set(LANGUAGES) - set(dict(named(recipe, "drop_words")[0].lang)) == {"zh-hans", "zh-hant"}


def declaration():
    texts, langs = [], []
    for path in sorted((ROOT / "data" / "udhr").glob("*.jsonl.zst")):
        with zstandard.open(path, "rb") as file:
            lines = io.TextIOWrapper(file, encoding="utf-8").readlines()[:6]
        texts += [json.loads(line)["text"] for line in lines]
        langs += [path.name.split(".")[0]] * len(lines)
    return texts, langs


def test_the_pipeline_decides_as_the_plain_twin_of_roots(recipe):
    texts, langs = declaration()
    table, numbers = docs(texts, lang=langs), named(recipe, "keep")[0]
    for name, values in Measure(names=NAMES).apply(table).columns.items():
        table = table.append_column(name, values)
    decided = {
        row["row"]: (row["reason"], row["value"], row["limit"]) for row in numbers.apply(table).dropped.to_pylist()
    }
    told = {}
    for row, (text, lang) in enumerate(zip(texts, langs, strict=True)):
        limits = [(name, *bounds(numbers, lang)[name]) for name, _ in numbers.bounds]
        told[row] = twin.judge(text, rules(lang), limits)
    assert decided == {row: verdict for row, verdict in told.items() if verdict is not None}
    assert len(decided) > 20  # else nothing was compared


def rules(lang):
    return twin.Rules(CHARACTERS_OF.get(lang, 10), WORDS_OF.get(lang, 5), frozenset(stopwords.words(lang)))


@settings(deadline=None, max_examples=60)
@given(ANY_TEXT)
def test_measures_equal_the_plain_twin_on_any_text(text):
    text = text.encode(errors="replace").decode()
    for lang in ("en", "zh-hans"):
        table = pa.table({"text": pa.array([text], pa.large_string()), "lang": [lang]})
        found = {name: values.to_pylist()[0] for name, values in Measure(names=NAMES).apply(table).columns.items()}
        expected = twin.measures(text, rules(lang))
        assert found == {name: expected[name] for name in NAMES}


CASES = [
    ("char_repetition", "abababababab", 2 / 3),  # 3 runs of ten, 2 different: the root is 1, the one that occurs twice
    ("word_repetition", "a b c d e " * 2, 2 / 6),  # 6 runs of five; abcde twice, the other four once
    ("symbol_ratio", "ab, 1", 3 / 5),  # the comma, the blank, the digit
    ("stopword_ratio", "The cat, at all", 3 / 4),  # the, at, all
]


@pytest.mark.parametrize(("name", "text", "value"), CASES)
def test_hand_worked_cases_of_the_twin(name, text, value):
    assert twin.measures(text, twin.Rules(stop_words=["the", "at", "all"]))[name] == pytest.approx(value, abs=1e-15)


def test_a_run_of_words_in_a_list_counts_beside_its_words():
    assert twin.listed(["được", "cho", "x", "y"], ["được cho", "cho"]) == 2 / 4  # the pair, and cho
