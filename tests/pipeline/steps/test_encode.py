"""The step of the token ids: a proper layer, whose lists decode to the documents."""

import pyarrow as pa
import pytest

from pipeline.steps.base import Corpus
from pipeline.steps.encode import EncodeWork
from pipeline.steps.tokenizer import TokenizerWork, tokenizer_of
from pipeline.store.files import write_table
from pipeline.store.layers import KEPT, read_shard
from pipeline.store.step import Step
from pipeline.tokenizer import TokenizerConfig
from tests.pipeline.steps.building import columns_over, corpus_of, documents, kept_of, make, sealed, step

COUNTS = {"en": 25, "fr": 6, "zh-hans": 3, "python": 3}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Step:
    folder = tmp_path_factory.mktemp("tokenizer")
    corpus = corpus_of(folder, documents(COUNTS))
    work = TokenizerWork(step(folder, "tokenizer"), TokenizerConfig(vocab_size=300), corpus, kept_of(corpus))
    make(work)
    return work.step


def encoded(folder, tokenizer: Step, corpus: Corpus | None = None) -> EncodeWork:
    return EncodeWork(step(folder, "encode"), tokenizer, corpus or corpus_of(folder, documents(COUNTS)))


def test_reading_the_step_gives_tokens_that_decode_to_the_text(tmp_path, tokenizer):
    work = encoded(tmp_path, tokenizer)
    make(work)
    decode, seen = tokenizer_of(tokenizer).decode, 0
    for shard in work.corpus.shards:
        docs = read_shard(shard, [*work.corpus.steps, work.step])
        assert docs.schema.field("tokens").type == pa.list_(pa.int32())
        assert docs.schema.field("text_bytes").type == pa.int64()
        for row in docs.to_pylist():
            assert decode(row["tokens"][:-1], skip_special_tokens=False) == row["text"]
            assert row["tokens"][-1] == 2 and 2 not in row["tokens"][:-1]
            assert row["text_bytes"] == len(row["text"].encode())
            seen += 1
    assert seen == sum(COUNTS.values())


def test_dropped_documents_get_no_tokens(tmp_path, tokenizer):
    corpus = corpus_of(tmp_path, documents(COUNTS))
    judged = step(tmp_path, "keep")
    for shard in corpus.shards:
        write_table(judged.layer(shard.key), pa.table({KEPT: [i % 2 == 0 for i in range(shard.rows)]}))
    work = encoded(tmp_path, tokenizer, corpus.then(judged))
    kept = make(work)["kept"]
    rows = [read_shard(s, [judged, work.step]).num_rows for s in corpus.shards]
    assert sum(cell["documents"] for cell in kept) == sum(rows) == sum(-(-s.rows // 2) for s in corpus.shards)


def test_tallies_are_the_sums_by_language(tmp_path, tokenizer):
    work = encoded(tmp_path, tokenizer)
    tallies = make(work)["tallies"]
    for lang, count in COUNTS.items():
        docs = [
            row for s in work.corpus.shards for row in read_shard(s, [work.step]).to_pylist() if row["lang"] == lang
        ]
        assert tallies[f"tokens/{lang}"] == sum(len(row["tokens"]) for row in docs)
        assert tallies[f"bytes/{lang}"] == sum(len(row["text"].encode()) for row in docs)
        assert len(docs) == count


def test_words_are_those_of_the_text_that_is_encoded_not_of_the_text_that_was_measured(tmp_path, tokenizer):
    corpus = columns_over(tmp_path, corpus_of(tmp_path, documents(COUNTS)), "words", lambda row: 700)
    shortened = step(tmp_path, "drop_lines")
    for shard in corpus.shards:
        texts = pa.array(["two words"] * shard.rows, pa.large_string())
        write_table(shortened.layer(shard.key), pa.table({"text": texts}))
    work = encoded(tmp_path, tokenizer, corpus.then(shortened))
    tallies = make(work)["tallies"]
    assert {lang: tallies[f"words/{lang}"] for lang in COUNTS} == {lang: 2 * count for lang, count in COUNTS.items()}
    after = [row["words"] for s in corpus.shards for row in read_shard(s, [work.step]).to_pylist()]
    assert after == [2] * sum(COUNTS.values())  # what is packed is told by these


def test_documents_that_were_not_measured_have_no_words_after_encoding_either(tmp_path, tokenizer):
    measured = columns_over(
        tmp_path, corpus_of(tmp_path, documents(COUNTS)), "words", lambda row: 7 if row["lang"] == "en" else None
    )
    tallies = make(encoded(tmp_path, tokenizer, measured))["tallies"]
    assert [name for name in tallies if name.startswith("words/")] == ["words/en"]


def test_without_measured_words_none_are_tallied(tmp_path, tokenizer):
    tallies = make(encoded(tmp_path, tokenizer))["tallies"]
    assert sorted(name for name in tallies if name.endswith("/en")) == ["bytes/en", "tokens/en"]


def test_a_killed_step_goes_on_where_it_stopped(tmp_path, tokenizer):
    whole, killed = encoded(tmp_path / "whole", tokenizer), encoded(tmp_path / "killed", tokenizer)
    make(whole)
    make(killed, stop_after=2)
    _, tasks = killed.phases()  # what is there is read again first
    assert len(tasks) == len(killed.corpus.shards) - 2
    make(killed)
    assert sealed(killed.step) == sealed(whole.step)
