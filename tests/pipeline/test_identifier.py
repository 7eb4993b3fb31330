"""An identifier is trained by a config; what it learns depends on the texts and settings alone."""

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.errors import RunError
from pipeline.identifier import IdentifierConfig, classify, learn, quantised
from pipeline.text.lid_characters import CODE_BIT, LATIN, SCRIPTS
from pipeline.text.lid_model import load
from pipeline.text.lid_scan import find
from tests.pipeline import making

SENTENCES = {
    ("text", "en"): "All human beings are born free and equal in dignity and rights. They are endowed with reason. ",
    ("text", "sw"): "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri. ",
    ("text", "ar"): "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق وقد وهبوا عقلا وضميرا. ",
    ("text", "de"): "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft begabt. ",
    ("text", "el"): "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. ",
    ("text", "arz"): "البني ادمين كلهم مولودين حرين ومتساويين في الكرامة والحقوق. ",
    ("code", "python"): "def born(self, name):\n    return [free for free in self._all if free.name == name]\n",
}
TEXTS = {group: (text * 20).encode() for group, text in SENTENCES.items()}
CONFIG = IdentifierConfig(samples=1500, rows=2000)


def test_what_is_trained_is_found():
    model, _ = learn(TEXTS, CONFIG)
    groups = [group for group in SENTENCES if group[1] not in ("el", "arz")]
    texts = pa.array([SENTENCES[group] for group in groups], pa.large_string())
    found = [model.names[label] for label in find(texts, model, np.zeros(len(texts), bool))[0]]
    assert found == [lang if lang != "de" else "other" for _, lang in groups]


def test_the_same_texts_give_the_same_bytes_and_another_seed_others():
    first = learn(TEXTS, CONFIG)[0].to_bytes()
    assert learn(dict(reversed(TEXTS.items())), CONFIG)[0].to_bytes() == first
    assert learn(TEXTS, CONFIG.model_copy(update={"seed": 1}))[0].to_bytes() != first


def test_varieties_scripts_of_none_and_crumbs_are_left_out():
    _, about = learn({**TEXTS, ("text", "nl"): b"te kort"}, CONFIG)
    assert set(about["bytes"]) == {"text en", "text sw", "text ar", "text de", "code python"}


def test_akan_with_twi_and_both_writings_of_chinese_are_one_class_each():
    texts = {("text", lang): TEXTS["text", "en"] for lang in ("ak", "tw", "zh-hans", "zh-hant", "sw")}
    classes = classify(dict(sorted(texts.items())))
    assert classes.of.tolist() == [0, 1, 0, 2, 2]  # ak, sw, tw, zh-hans, zh-hant
    assert classes.names == ("ak", "sw", "tw", "zh-hans", "zh-hant", "other")
    assert [classes.names[label] for label in classes.labels] == ["ak", "sw", "zh-hans"]


def test_a_class_is_for_the_scripts_that_it_is_written_in():
    model, _ = learn(TEXTS, CONFIG)
    masks = {model.names[label]: int(mask) for label, mask in zip(model.labels, model.masks, strict=True)}
    assert masks["en"] == 1 << LATIN
    assert masks["ar"] == 1 << SCRIPTS.index("Arab")
    assert masks["python"] == CODE_BIT | 1 << LATIN


def test_one_language_is_too_little():
    with pytest.raises(RunError, match="1 languages of ROOTS"):
        learn({("text", "en"): TEXTS["text", "en"]}, CONFIG)


def test_quantised_rows_are_within_half_a_step():
    embedding = np.random.default_rng(0).normal(size=(300, 32)).astype(np.float32)
    rows, steps = quantised(embedding)
    assert np.abs(rows * steps - embedding).max() <= steps.max() / 2 * 1.001
    assert np.abs(rows).max() == 127


@pytest.mark.parametrize(
    "calibration", [((0, 0),), ((0, 0), (0, 1)), ((0.5, 0), (0, 1)), ((0, 1), (1, 0)), ((0, 0), (1, 2))]
)
def test_a_calibration_that_does_not_rise_is_refused(calibration):
    with pytest.raises(ValidationError):
        IdentifierConfig(calibration=calibration)


def test_a_run_seals_an_identifier_that_identify_can_use(tmp_path):
    for (kind, lang), text in SENTENCES.items():
        texts = [f"{number} {text * 5}" for number in range(4)]
        making.write_jsonl(tmp_path / kind / f"{lang}.jsonl", texts, lang=lang)
    sources = [
        {"jsonl": {"name": "prose", "path": str(tmp_path / "text/*.jsonl")}},
        {"jsonl": {"name": "code", "path": str(tmp_path / "code/*.jsonl"), "kind": "code"}},
    ]
    learning = {"samples": 1500, "rows": 2000}
    stages = ["normalize"]
    result = making.go(making.config(tmp_path, sources=sources, stages=stages, identifier=learning))
    made = next(p for p in result.steps if p.kind == "identifier").step
    about = made.manifest()["about"]
    assert about["lots"] == {"de": about["lots"]["de"]}
    path = made.folder / "identifier.safetensors"
    assert load(path).names == ("ar", "en", "sw", "python", "other")
    again = making.config(tmp_path, "again", sources=sources, stages=["normalize"], identifier=learning)
    assert making.go(again).steps[-1].step.manifest()["digest"] == made.manifest()["digest"]
    judged = making.config(tmp_path, "judged", sources=sources, stages=[{"identify": {"model": str(path)}}])
    kept = making.kept_after(making.go(judged), 1)
    assert set(zip(kept["lang_declared"].to_pylist(), kept["lang"].to_pylist(), strict=True)) >= {
        ("en", "en"),
        ("ar", "ar"),
    }
