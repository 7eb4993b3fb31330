"""The step of the tokenizer: its bytes follow from the documents and the config, never from shards."""

from pathlib import Path

import pytest

from pipeline.engine import perform
from pipeline.errors import RunError
from pipeline.steps import tokenizer as steps
from pipeline.steps.tokenizer import TokenizerWork, tokenizer_of
from pipeline.store.step import faults
from pipeline.tokenizer import TokenizerConfig, load
from tests.pipeline.steps.building import corpus_of, documents, kept_of, make, sealed, step

COUNTS = {"en": 60, "fr": 12, "zh-hans": 3, "python": 9}
CONFIG = TokenizerConfig(vocab_size=330, sample=4000, alpha=0.3)


def work(folder: Path, config: TokenizerConfig = CONFIG, per_shard: int = 10, backwards: bool = False) -> TokenizerWork:
    rows = documents(COUNTS)
    corpus = corpus_of(folder, rows[::-1] if backwards else rows, per_shard)
    return TokenizerWork(step(folder, "tokenizer"), config, corpus, kept_of(corpus))


def test_the_sealed_step_holds_what_transformers_and_tokenizers_load(tmp_path):
    made = work(tmp_path)
    manifest = make(made)
    assert sorted(sealed(made.step)) == ["manifest.json", "tokenizer.json", "tokenizer_config.json"]
    assert list(faults(made.step)) == []
    assert tokenizer_of(made.step).get_vocab_size() == manifest["about"]["vocab_size"] == 330
    assert manifest["about"]["asked"] == 330 and manifest["about"]["merges"] == 330 - 260
    assert manifest["about"]["special_ids"] == {"unk": 0, "bos": 1, "eos": 2, "pad": 3}


def test_shards_and_their_order_move_no_byte(tmp_path):
    one, two = work(tmp_path / "one"), work(tmp_path / "two", per_shard=7, backwards=True)
    assert make(one)["digest"] == make(two)["digest"]
    assert sealed(one.step) == sealed(two.step)


def test_a_killed_training_ends_as_an_unbroken_one(tmp_path):
    whole = make(work(tmp_path / "whole"))
    for tasks in (0, 3, 9):
        make(work(tmp_path / str(tasks)), stop_after=tasks)
        assert make(work(tmp_path / str(tasks)))["digest"] == whole["digest"]


def test_the_manifest_tells_the_sample_of_each_language(tmp_path):
    sample = make(work(tmp_path))["about"]["sample"]
    assert sample.keys() == COUNTS.keys()
    # wherever the corpus has less than its budget all of it is taken: sizes to the power 0.3 are near each other
    assert sample["zh-hans"]["bytes"] == sample["zh-hans"]["available"] > 0
    assert sample["zh-hans"]["documents"] == 3
    assert 0 < sample["en"]["bytes"] < sample["en"]["available"]


def test_another_seed_takes_another_sample(tmp_path):
    one = make(work(tmp_path / "one"))
    two = make(work(tmp_path / "two", TokenizerConfig(vocab_size=330, sample=4000, alpha=0.3, seed=1)))
    assert one["about"]["sample"]["en"] != two["about"]["sample"]["en"]


def test_a_corpus_too_small_for_the_vocabulary_says_how_large_it_became(tmp_path):
    made = work(tmp_path, TokenizerConfig(vocab_size=50_000))
    about = make(made)["about"]
    assert about["asked"] == 50_000
    assert 260 < about["vocab_size"] == tokenizer_of(made.step).get_vocab_size() < 1000


def test_a_ready_tokenizer_is_taken_byte_for_byte_and_nothing_is_sampled(tmp_path):
    first = work(tmp_path / "first")
    make(first)
    path = first.step.folder / "tokenizer.json"
    second = work(tmp_path / "second", TokenizerConfig(path=path))
    about = make(second)["about"]
    assert (second.step.folder / "tokenizer.json").read_bytes() == path.read_bytes()
    assert (about["asked"], about["sample"], about["vocab_size"]) == (None, {}, 330)


def test_no_documents_give_the_bytes_alone(tmp_path):
    made = TokenizerWork(step(tmp_path, "tokenizer"), CONFIG, corpus_of(tmp_path, []), [])
    assert make(made)["about"]["vocab_size"] == 260
    assert load(made.step.folder / "tokenizer.json").decode([4]) == "!"


def test_a_sample_that_came_out_too_large_to_count_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "LARGEST_SAMPLE", 1000)
    made = work(tmp_path)
    phases = made.phases()
    for task in next(phases):
        perform(task)
    with pytest.raises(RunError, match=r"kB, more than the trainer can count"):
        next(phases)


def test_training_says_what_memory_it_needs_before_it_starts(tmp_path):
    made = work(tmp_path)
    phases = made.phases()
    for task in next(phases):
        perform(task)
    (training,) = next(phases)
    assert training.memory == steps.TRAIN_BASE + steps.TRAIN_FACTOR * training.bytes
    assert training.bytes == sum(entry["bytes"] for entry in made._sampled(made.step).values()) > 0
