"""Lists of words that a config names: read and checked with it, and only their words stand in the recipe."""

import json

import pytest
from pydantic import ValidationError

from pipeline.stages.measure import Measure
from pipeline.steps.rows import stage_from, stage_json
from tests.pipeline.stages.tables import docs

NAMES = ["words", "stopword_ratio", "flagged_ratio"]


@pytest.fixture
def flagged(tmp_path):
    path = tmp_path / "flagged.txt"
    path.write_text("\ufeffDamn\n\n damn \r\nbloody hell\n", "utf-8")
    return path


def ratios(stage, texts, lang="en"):
    columns = stage.apply(docs(texts, lang=lang)).columns
    return {name: columns[name].to_pylist() for name in columns}


def test_words_and_runs_of_words_are_counted_over_words(flagged):
    stage = Measure(names=NAMES, flagged={"en": flagged})
    # damn; bloody hell, whatever stands between the two words; hell alone is in no list
    assert ratios(stage, ["DAMN it all now", "a bloody, hell", "hell"])["flagged_ratio"] == [1 / 4, 1 / 3, 0]


def test_a_pair_counts_beside_its_words_and_a_ratio_is_at_most_one(tmp_path):
    (tmp_path / "vi.txt").write_text("được\nđược cho\ncho", "utf-8")
    stage = Measure(names=["flagged_ratio"], flagged={"vi": tmp_path / "vi.txt"})
    # 3 entries in 4 words; 3 in 2 words
    assert ratios(stage, ["được cho anh em", "được cho"], "vi")["flagged_ratio"] == [3 / 4, 1]


def test_in_a_script_without_spaces_each_character_is_a_word(tmp_path):
    (tmp_path / "zh.json").write_text(json.dumps(["中国", "人"]), "utf-8")
    stage = Measure(names=["flagged_ratio"], flagged={"zh-hans": tmp_path / "zh.json"})
    assert ratios(stage, ["中国人好", "国中"], "zh-hans")["flagged_ratio"] == [2 / 4, 0]


def test_a_language_without_a_list_has_no_ratio(flagged):
    assert ratios(Measure(names=NAMES, flagged={"en": flagged}), ["damn"], "fr")["flagged_ratio"] == [None]
    assert ratios(Measure(names=NAMES), ["damn"])["flagged_ratio"] == [None]


def test_own_stop_words_take_the_place_of_those_of_their_language_alone(tmp_path):
    (tmp_path / "en.txt").write_text("cat", "utf-8")
    stage = Measure(names=NAMES, stop_words={"en": tmp_path / "en.txt"})
    assert ratios(stage, ["the cat"], "en")["stopword_ratio"] == [1 / 2]
    assert ratios(stage, ["le chat"], "fr")["stopword_ratio"] == [1 / 2]
    stage = Measure(names=["stop_words_met"], stop_words={"en": tmp_path / "en.txt"})
    assert ratios(stage, ["the cat of a cat"], "en")["stop_words_met"] == [1]
    assert ratios(stage, ["le chat"], "fr")["stop_words_met"] == [1]


def test_a_text_with_emoji_finds_what_a_text_without_finds(flagged):
    found = ratios(Measure(names=NAMES, flagged={"en": flagged}), ["damn the cat", "damn the cat 😀", "𝒳 damn the cat"])
    assert found["flagged_ratio"] == [1 / 3, 1 / 3, 1 / 4]
    assert found["stopword_ratio"] == [1 / 3, 1 / 3, 1 / 4]


def test_the_recipe_holds_the_digest_of_the_words_wherever_they_lie(flagged, tmp_path):
    (tmp_path / "other.json").write_text('["bloody hell", "damn", "Damn"]', "utf-8")
    one, same = (
        Measure(names=NAMES, flagged={"en": path}).recipe_parameters() for path in (flagged, tmp_path / "other.json")
    )
    assert one == same
    assert one["flagged"]["en"]["words"] == 3
    assert str(tmp_path) not in json.dumps(one)
    flagged.write_text("damn", "utf-8")
    assert Measure(names=NAMES, flagged={"en": flagged}).recipe_parameters() != one


def test_a_worker_needs_no_file(flagged):
    stage = Measure(names=NAMES, flagged={"en": flagged})
    sent = json.loads(json.dumps(stage_json(stage)))
    flagged.unlink()
    assert stage_from(sent) == stage


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no word"),
        ("...\n", "has no letter"),
        ("one two three four five", "of 5 words"),
        ('["a", 3]', "3 in the list is no word"),
        ('["a"', "write a JSON list of words"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_what_mends_it(text, told, tmp_path):
    (tmp_path / "en.txt").write_text(text, "utf-8")
    with pytest.raises(ValidationError, match=told):
        Measure(names=NAMES, flagged={"en": tmp_path / "en.txt"})


def test_a_list_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9")
    for path, told in ((tmp_path / "none.txt", "name a file that can be read"), (tmp_path / "latin1.txt", "no UTF-8")):
        with pytest.raises(ValidationError, match=told):
            Measure(names=NAMES, flagged={"en": path})


def test_lists_that_nothing_asks_for_are_refused(flagged):
    with pytest.raises(ValidationError, match="add flagged_ratio to names"):
        Measure(names=["words"], flagged={"en": flagged})
    with pytest.raises(ValidationError, match="'en' is named twice"):
        Measure(names=NAMES, flagged={"en": flagged, "eng": flagged})
