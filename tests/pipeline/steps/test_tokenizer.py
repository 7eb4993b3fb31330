"""The step of the tokenizer: its bytes follow from the documents and the config, never from shards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Task, perform
from pipeline.engine.local import WORKER_BASE, LocalEngine
from pipeline.errors import RunError
from pipeline.steps import partitions, pieces, sample_lines
from pipeline.steps import tokenizer as steps
from pipeline.steps.tokenizer import TokenizerWork, tokenizer_of
from pipeline.store.step import faults
from pipeline.text.piece_counts import PieceCounts
from pipeline.tokenizer import MOST_PIECES, TokenizerConfig, load, memory_to_train
from tests.pipeline.public_trainer import publicly
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


@pytest.mark.parametrize("workers", [1, 3])  # 2 stand in the laws
def test_workers_move_no_byte(tmp_path, workers):
    whole, shared = work(tmp_path / "whole"), work(tmp_path / "shared")
    make(whole)
    engine = LocalEngine(workers, 20 * 10**9)
    for tasks in shared.phases():
        list(engine.run(tasks))
    assert engine._size == (workers if workers > 1 else 0)  # processes of a pool; one worker needs none
    engine.close()
    shared.step.seal({"name": shared.title, **shared.manifest(shared.step)}, run={})
    assert sealed(shared.step) == sealed(whole.step)


@settings(deadline=None, max_examples=5)
@given(chance=st.randoms(use_true_random=False))
def test_the_order_in_which_tasks_end_moves_no_byte(tmp_path_factory, chance):
    folder = tmp_path_factory.mktemp("orders")
    whole, shuffled = work(folder / "whole"), work(folder / "shuffled")
    make(whole)
    for tasks in shuffled.phases():
        for task in chance.sample(tasks, len(tasks)):
            perform(task)
    shuffled.step.seal({"name": shuffled.title, **shuffled.manifest(shuffled.step)}, run={})
    assert sealed(shuffled.step) == sealed(whole.step)


def test_a_killed_training_ends_as_an_unbroken_one(tmp_path):
    whole = make(work(tmp_path / "whole"))
    for tasks in (0, 3, 9, 10, 14, 19, 20, 21):  # of 9 shards: sampled, lines settled, counted, merged, gathered
        make(work(tmp_path / str(tasks)), stop_after=tasks)
        assert make(work(tmp_path / str(tasks)))["digest"] == whole["digest"]


@pytest.mark.parametrize("file", ["sample", "lines", "elsewhere", "counts", "merged", "."])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_what_a_stopped_training_left_is_made_again_if_it_was_harmed(tmp_path, file, harm):
    whole = make(work(tmp_path / "whole"))
    broken = work(tmp_path / "broken")
    make(broken, stop_after=21)
    path = sorted((broken.step.folder / "scratch" / file).glob("*.arrow"))[0]
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            content[:middle] + (b"" if harm == "cut" else bytes([content[middle] ^ 1]) + content[middle + 1 :])
        )
    assert make(work(tmp_path / "broken"))["digest"] == whole["digest"]


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


def said(text: str, lang: str = "en", number: int = 0) -> dict[str, str]:
    return {"id": f"s/{lang}#{number}", "source": "s", "kind": "text", "lang": lang, "text": text}


def of(folder: Path, rows: list[dict[str, str]], per_shard: int = 2, **settings: object) -> TokenizerWork:
    corpus = corpus_of(folder, rows, per_shard)
    config = TokenizerConfig.model_validate({"vocab_size": 300, **settings})
    return TokenizerWork(step(folder, "tokenizer"), config, corpus, kept_of(corpus))


def test_a_line_that_stands_in_many_documents_counts_once(tmp_path):
    # "menu" stands three times, twice in one text; each "page n" once. Once each: menu 4, 3 pages of 6, 2 feeds
    rows = [said("menu\npage 1\nmenu", number=1), said("menu\npage 2", number=2), said("page 3", number=3)]
    about = make(of(tmp_path / "once", rows))["about"]
    assert about["repeated_lines"] == 2
    assert about["sample"]["en"] == {"documents": 3, "bytes": 33, "once": 4 + 1 + 6 + 6 + 6, "available": 33}
    every = make(of(tmp_path / "every", rows, dedup_lines=False))["about"]
    assert (every["repeated_lines"], every["sample"]["en"]["once"]) == (0, 33)
    assert about["pieces"]["occurrences"] < every["pieces"]["occurrences"]


def test_which_copy_of_a_line_stays_does_not_hang_on_shards(tmp_path):
    # a line of two languages: the bytes that count are told of the one whose document has the smaller toss
    rows = [said("the same line", lang, number) for number in range(4) for lang in ("en", "fr")]
    rows += [said(f"{number} of its own", "en", 10 + number) for number in range(5)]
    sides = [make(of(tmp_path / str(n), rows[:: 1 if n % 2 else -1], n))["about"]["sample"] for n in (1, 2, 3, 13)]
    assert all(side == sides[0] for side in sides)
    assert sorted(sides[0][lang]["once"] for lang in ("en", "fr"))[0] in (0, 13)


def test_partitions_of_any_size_give_the_same_tokenizer(tmp_path, monkeypatch):
    whole = make(work(tmp_path / "whole"))
    for module in (partitions, pieces, sample_lines):
        monkeypatch.setattr(module, "PARTITION_BYTES", 500)
    many = work(tmp_path / "many")
    _performed(many)
    assert len(list((many.step.folder / "scratch/merged").glob("*"))) > 5
    assert len(list((many.step.folder / "scratch/elsewhere").glob("*"))) > 1
    assert make(many)["digest"] == whole["digest"]


@pytest.mark.parametrize("settings", [{}, {"min_frequency": 5}, {"max_token_length": 6}])
def test_merges_are_those_of_the_public_trainer_on_the_same_sample(tmp_path, settings):
    rows = documents(COUNTS)
    made = of(tmp_path, rows, per_shard=10, vocab_size=600, dedup_lines=False, **settings)
    make(made)
    texts = [row["text"] for row in rows]
    assert (made.step.folder / "tokenizer.json").read_text() == publicly(texts, 600, **settings).to_str(pretty=True)


def test_pieces_beyond_the_bound_are_left_out_on_record(tmp_path):
    made = work(tmp_path, TokenizerConfig(vocab_size=330, most_pieces=60))
    about = make(made)["about"]["pieces"]
    assert about["pruned"]["pieces"] > 0 and about["pruned"]["seen"] >= 1
    assert about["bytes"] - about["pruned"]["bytes"] <= 60
    assert tokenizer_of(made.step).get_vocab_size() > 260
    whole = make(work(tmp_path / "whole", TokenizerConfig(vocab_size=330)))["about"]["pieces"]
    assert whole["pruned"] == {"pieces": 0, "bytes": 0, "occurrences": 0}
    assert {name: whole[name] for name in ("pieces", "bytes")} == {name: about[name] for name in ("pieces", "bytes")}


def test_languages_get_what_the_config_fixes(tmp_path):
    config = TokenizerConfig.model_validate({"vocab_size": 300, "sample": 4000, "languages": {"fr": "100%", "en": 0}})
    sample = make(work(tmp_path, config))["about"]["sample"]
    assert sample["en"]["bytes"] == 0
    assert sample["fr"]["bytes"] == sample["fr"]["available"] < 4000
    assert sample["python"]["bytes"] > 0  # what French has not is left to the others


def test_a_sample_of_nothing_gives_the_bytes_alone_and_says_so(tmp_path):
    about = make(work(tmp_path, TokenizerConfig.model_validate({"sample": 5000, "languages": {"en": "1B", "fr": 0}})))
    assert about["about"]["sample"]["fr"]["bytes"] == 0
    none = make(work(tmp_path / "none", TokenizerConfig(sample=0)))["about"]
    assert none["vocab_size"] == 260 and none["pieces"]["pieces"] == 0
    assert all(entry["documents"] == 0 for entry in none["sample"].values())


def test_a_language_that_does_not_occur_is_refused_with_those_that_do(tmp_path):
    config = TokenizerConfig.model_validate({"languages": {"sw": "5MB", "en": "1MB", "zu": 0}})
    with pytest.raises(RunError, match=r"wants sw, .* there is en, fr, python, zh-hans"):
        make(work(tmp_path, config))


def test_the_bound_that_is_set_by_default_fits_in_four_gigabytes():
    # pieces of 12 bytes, where text in many languages and code has 17, and of letters that are as unevenly spread
    letters = np.random.default_rng(0).geometric(0.1, MOST_PIECES).clip(1, 90).astype(np.uint8) + np.uint8(33)
    edges = np.arange(0, MOST_PIECES + 1, 12, dtype=np.int64)
    made = PieceCounts(edges, letters[: edges[-1]], np.ones(len(edges) - 1, np.int64))
    assert 2_000_000_000 < memory_to_train(made, 250_680) + WORKER_BASE < 4_000_000_000


def test_learning_says_what_memory_it_needs_before_it_starts(tmp_path):
    made = work(tmp_path)
    *_, (learning,) = _performed(made)
    assert learning.name == "learn"
    assert learning.memory == memory_to_train(pieces.gathered(made.step), 330) > 0


def test_no_task_is_told_more_than_the_bound_allows_however_large_the_sample(tmp_path):
    made = work(tmp_path, TokenizerConfig(vocab_size=330, most_pieces=60))
    *_, (gathering,), _ = _performed(made)
    assert gathering.arguments["bound"]["bytes"] <= 60
    assert len(pieces.gathered(made.step).data) <= 60


def test_pieces_that_no_text_has_are_refused_with_a_deed(tmp_path, monkeypatch):
    def refuses(*_: object) -> None:
        raise ValueError("more different pairs than there are numbers")

    made = work(tmp_path)
    monkeypatch.setattr(steps, "trained", refuses)
    with pytest.raises(RunError, match="different pairs") as caught:
        make(made)
    assert "most_pieces lower" in caught.value.hint


def _performed(made: TokenizerWork) -> list[list[Task]]:
    out = []
    for tasks in made.phases():
        for task in tasks:
            perform(task)
        out.append(tasks)
    return [tasks for tasks in out if tasks]
