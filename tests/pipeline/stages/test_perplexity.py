"""`perplexity` scores by models that the user names, or says at config time what is missing."""

import importlib.util
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import load
from pipeline.errors import ConfigError, InputError
from pipeline.plan import plan
from pipeline.stages import perplexity as module
from pipeline.stages.perplexity import Perplexity, normalized, perplexity
from tests.pipeline.stages.tables import docs

# log10 probabilities: `a` after `<s>` by the bigram, all else by the unigram and the back-off of what stood before
ARPA = """\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-2.0\t<unk>
-99\t<s>\t-0.5
-0.5\t</s>
-1.0\ta\t0
-1.5\tb\t0

\\2-grams:
-0.1\t<s> a

\\end\\
"""
HAS_KENLM = importlib.util.find_spec("kenlm") is not None
needs_kenlm = pytest.mark.skipif(not HAS_KENLM, reason="kenlm comes without wheels: it is an extra, not part of dev")


@pytest.fixture
def arpa(tmp_path):
    path = tmp_path / "tiny.arpa"
    path.write_text(ARPA, encoding="utf-8")
    return path


@pytest.fixture
def installed(monkeypatch):
    """As if the packages were there: what is checked before they are loaded can be tested without them."""
    monkeypatch.setattr(module, "find_spec", lambda name: object())


def refused(**settings):
    with pytest.raises((ValidationError, ConfigError)) as error:
        Perplexity(**settings)
    return str(error.value)


@needs_kenlm
@pytest.mark.parametrize(
    ("text", "log", "tokens"),
    [
        ("a b", -0.1 - 1.5 - 0.5, 3),  # <s> a, then b and </s> as unigrams: a and b back off for nothing
        ("b a", -0.5 - 1.5 - 1.0 - 0.5, 3),  # <s> backs off to b
        ("x", -0.5 - 2.0 - 0.5, 2),  # unknown
        ("a\nb", (-0.1 - 0.5) + (-0.5 - 1.5 - 0.5), 4),  # two lines, an end each
        ("", -0.5 - 0.5, 1),  # nothing but the end
    ],
)
def test_hand_worked_perplexities(arpa, text, log, tokens):
    column = Perplexity(models={"en": arpa}).apply(docs([text], lang="en")).columns["perplexity"]
    assert column.to_pylist() == [round(10 ** (-log / tokens), 1)]


@needs_kenlm
def test_lines_that_are_joined_grow_together_as_in_roots(arpa):
    column = Perplexity(models={"en": arpa}, joined=True).apply(docs(["a\nb"], lang="en")).columns["perplexity"]
    assert column.to_pylist() == [round(10 ** ((0.5 + 2.0 + 0.5) / 2), 1)]  # `ab` is unknown


@needs_kenlm
def test_a_language_without_a_model_has_no_perplexity(arpa):
    stage = Perplexity(models={"eng": arpa})
    assert stage.apply(docs(["a", "a"], lang=["sw", "en"])).columns["perplexity"].to_pylist()[0] is None
    assert stage.writes == ("perplexity",)


@needs_kenlm
def test_a_damaged_model_is_told(tmp_path):
    path = tmp_path / "cut.arpa"
    path.write_text(ARPA[:60], encoding="utf-8")
    with pytest.raises(InputError, match=r"cut\.arpa cannot be loaded"):
        Perplexity(models={"en": path}).apply(docs(["a"], lang="en"))


@needs_kenlm
def test_sentencepiece_cuts_the_lines_where_it_is_named(tmp_path, arpa):
    trainer = pytest.importorskip("sentencepiece", reason="an extra, as kenlm is")
    prefix = tmp_path / "sp"
    trainer.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab ba ab"] * 9), model_prefix=str(prefix), vocab_size=6, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    stage = Perplexity(models={"en": arpa}, sentencepiece={"en": prefix.with_suffix(".model")})
    pieces = trainer.SentencePieceProcessor(model_file=str(prefix.with_suffix(".model"))).encode("ab", out_type=str)
    assert len(pieces) > 1  # else a word would do as well
    log = -0.5 + sum({"a": -1.0, "b": -1.5}.get(piece, -2.0) for piece in pieces) - 0.5
    (value,) = stage.apply(docs(["ab"], lang="en")).columns["perplexity"].to_pylist()
    assert value == round(10 ** (-log / (len(pieces) + 1)), 1)
    assert stage.packages == ("kenlm", "sentencepiece")


def test_a_package_that_is_absent_is_told_with_what_to_install(arpa, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "the package kenlm is not installed: pip install 'seedbed[perplexity]'" in refused(models={"en": arpa})


def test_a_file_that_is_not_there_is_told_at_config_time(tmp_path, installed):
    assert "there is no file" in refused(models={"en": tmp_path / "en.arpa.bin"})


def test_a_file_that_is_no_model_is_told_at_config_time(tmp_path, installed):
    path = tmp_path / "en.txt"
    path.write_text("no model", encoding="utf-8")
    assert "is no KenLM model" in refused(models={"en": path})


def test_a_cutter_without_a_model_and_a_language_named_twice_are_refused(arpa, installed):
    assert "has no model to cut text for" in refused(models={"en": arpa}, sentencepiece={"fr": arpa})
    assert "'en' is named twice" in refused(models={"en": arpa, "eng": arpa})
    assert "no model is named" in refused(models={})


def test_the_recipe_names_the_model_by_its_bytes_not_by_its_place(arpa, tmp_path, installed, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "other.arpa"
    moved.write_bytes(arpa.read_bytes())
    monkeypatch.setattr("pipeline.plan.version", lambda package: "1")
    first = recipe(tmp_path, arpa)
    assert recipe(tmp_path, moved) == first
    assert recipe(tmp_path, arpa, joined=True) != first
    moved.write_text(ARPA.replace("-0.1", "-0.2"), encoding="utf-8")
    assert recipe(tmp_path, moved) != first


def recipe(tmp_path, path, **more):
    raw = {
        "run": {"workdir": str(tmp_path / "run")},
        "sources": [{"text": {"name": "a", "path": str(tmp_path / "*.txt")}}],
        "stages": [{"perplexity": {"models": {"en": str(path)}, **more}}],
    }
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "config.yaml").write_text(json.dumps(raw), encoding="utf-8")
    return next(step.recipe for step in plan(load(tmp_path / "config.yaml")) if step.name == "perplexity")


def test_a_model_counts_as_memory(arpa, installed):
    size = arpa.stat().st_size
    assert Perplexity(models={"en": arpa, "fr": arpa}).memory(0, 0) == 2 * size


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("  a\tb \x00", "ab"),  # the tab is a control, and goes
        ("３ cats, ٤ dogs", "0 cats, 0 dogs"),
        ("«a» — b…", '"a"  -  b...'),
        ("你好，世界。", "你好,世界."),
        ("a\u3000b\u202f!", "a b !"),
    ],
)
def test_lines_are_normalized_as_in_roots(line, plain):
    assert normalized(line) == plain


def counted(line):
    tokens = line.split()
    return -float(len(tokens)), len(tokens)


@settings(deadline=None)
@given(st.text(), st.booleans())
def test_any_text_has_a_finite_perplexity(text, joined):
    assert math.isfinite(perplexity(text, counted, joined))


def test_an_impossible_text_has_a_finite_perplexity():
    assert math.isfinite(perplexity("a", lambda line: (-1e30, 1)))


@settings(deadline=None)
@given(st.lists(st.text("ab", min_size=1, max_size=20), max_size=60))
def test_the_pieces_of_a_line_hold_all_its_characters(words):
    line = " ".join(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 7)
        pieces = list(module._pieces(line))
    assert all(len(piece) <= 7 for piece in pieces)
    assert "".join(pieces).replace(" ", "") == "".join(words)
