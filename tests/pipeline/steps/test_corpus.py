"""Whole runs of corpus-wise stages on hostile shapes: what they drop, what they hold, what damage does to them."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import InputError, RunError
from pipeline.steps import clusters, corpus, partitions
from pipeline.store import files
from tests.pipeline.making import Killed, config, go, ledger_of, sealed, write_jsonl

WORDS = [f"word{i}" for i in range(400)]
NEAR = {"dedup_near": {"permutations": 32, "bands": 8, "rows": 4}}
EXACT = {"dedup_near": {"permutations": 32, "bands": 8, "rows": 4, "verify": "exact"}}


def prose(seed: int, length: int = 60) -> list[str]:
    return np.random.default_rng(seed).choice(WORDS, length).tolist()


def some(count: int) -> list[str]:
    """Copies, near copies, chains of near copies, texts without words."""
    texts = []
    for i in range(count):
        words = prose(i // 7)
        words[: i % 7] = ["changed"] * (i % 7)
        texts.append(["", "...", " ".join(words)][min(2, i % 9)])
    return texts


def twins(planned) -> dict[str, str]:
    return {row["id"]: row["twin"] for row in ledger_of(planned).to_pylist()}


def make_tight(patch: pytest.MonkeyPatch) -> None:
    """Lots of 50 rows, partitions of 4 kB, blocks of 32 documents, details of 2 kB; no waiting for the disk."""
    patch.setattr(corpus, "LOT", 50)
    patch.setattr(corpus, "DETAIL_BYTES", 2000)
    patch.setattr(partitions, "PARTITION_BYTES", 4000)
    patch.setattr(clusters, "BLOCK", 32)
    patch.setattr(clusters, "LOT", 20)
    patch.setattr(files, "_flush", lambda path: None)


@pytest.fixture
def tight(monkeypatch):
    make_tight(monkeypatch)


@pytest.mark.parametrize("stages", [[NEAR], ["dedup_exact", EXACT]])
def test_small_lots_and_ranges_drop_what_large_ones_do(tmp_path, tight, monkeypatch, stages):
    write_jsonl(tmp_path / "a.jsonl", some(200))
    wide = go(config(tmp_path, "wide", stages=stages, shard_size=10_000))
    monkeypatch.setattr(clusters, "ranges_of", lambda *_: clusters.Ranges(200, 1))
    assert sealed(go(config(tmp_path, "narrow", stages=stages, shard_size=10_000))) == sealed(wide)
    monkeypatch.undo()
    found = [twins(planned) for planned in go(config(tmp_path, "usual", stages=stages, shard_size=10_000)).steps[1:]]
    assert [twins(planned) for planned in wide.steps[1:]] == found
    assert sum(map(len, found)) > 40


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.torture)])
def test_one_document_many_times_over_leaves_one(tmp_path, monkeypatch, count):
    monkeypatch.setattr(corpus, "LOT", max(3000, count // 10))  # so that a bucket comes in several lots
    write_jsonl(tmp_path / "a.jsonl", [" ".join(prose(1))] * count)
    result = go(config(tmp_path, stages=[NEAR], shard_size=count * 50))
    assert set(twins(result.steps[1]).values()) == {"src/a.jsonl#0"}
    about = result.steps[1].step.manifest()["about"]
    assert about["sizes"] == [[count, 1]] and len(about["clusters"][0]["documents"]) == 5


@pytest.mark.parametrize("verify", ["none", "estimate", "exact"])
def test_one_bucket_of_strangers_is_no_cluster_unless_nobody_looks(tmp_path, tight, monkeypatch, verify):
    from pipeline.stages.dedup_near import DedupNear

    real = DedupNear.observe

    def observe(self, docs):
        observed = real(self, docs)
        keys = observed.keys.set_column(0, "key", pa.array(np.full(observed.keys.num_rows, 77, np.uint64)))
        return type(observed)(keys, observed.notes)

    monkeypatch.setattr(DedupNear, "observe", observe)
    texts = [" ".join(prose(i)) for i in range(60)] + [" ".join(prose(i)) for i in range(7)]
    write_jsonl(tmp_path / "a.jsonl", texts)
    stage = {"dedup_near": {**NEAR["dedup_near"], "verify": verify}}
    found = twins(go(config(tmp_path, stages=[stage], shard_size=3000)).steps[1])
    name = "src/a.jsonl#{}".format
    # the first seven strangers lead the bucket, so the seven copies behind all others still find them
    want = {name(60 + i): name(i) for i in range(7)} if verify != "none" else {name(i): name(0) for i in range(1, 67)}
    assert found == want


def test_texts_without_words_and_empty_shards_pass(tmp_path, tight):
    write_jsonl(tmp_path / "a.jsonl", [""] * 3000 + ["..."] * 500)
    result = go(config(tmp_path, stages=[NEAR, EXACT], shard_size=1000))
    assert twins(result.steps[1]) == twins(result.steps[2]) == {}


@pytest.mark.parametrize("stage", [NEAR, EXACT])
def test_no_file_stays_open_when_a_step_is_made(tmp_path, tight, stage):
    write_jsonl(tmp_path / "a.jsonl", some(60))
    go(config(tmp_path, "before", stages=[stage], shard_size=3000))
    before = len(list(Path("/dev/fd").iterdir()))
    result = go(config(tmp_path, "again", stages=[stage], shard_size=3000))
    assert len(twins(result.steps[1])) > 10 and len(list(Path("/dev/fd").iterdir())) == before


SCRATCH = ["keys", "notes", "edges", "ends", "details", "links", "labels"]


def stopped_before(phase: str, made) -> None:
    """A run of one worker that ends as its first task of this phase begins."""

    def stop(**_):
        raise Killed

    where = corpus if hasattr(corpus, phase) else clusters
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(where, phase, stop)
        go(made)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a corpus, and the bytes of a run over it that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    write_jsonl(folder / "a.jsonl", some(120))
    with pytest.MonkeyPatch.context() as patch:
        make_tight(patch)
        return folder, sealed(go(config(folder, "whole", stages=[EXACT], shard_size=10_000)))


@pytest.mark.parametrize("phase", ["observe", "resolve", "examine", "confirm", "join", "count", "settle", "apply"])
def test_a_run_that_ends_before_any_phase_goes_on_to_the_same_bytes(whole, tight, phase):
    folder, bytes_ = whole
    made = config(folder, f"before-{phase}", stages=[EXACT], shard_size=10_000)
    stopped_before(phase, made)
    assert sealed(go(made)) == bytes_


@pytest.mark.parametrize("turn", range(3))
def test_scratch_files_that_were_damaged_are_made_again_by_the_next_run(whole, tight, turn):
    folder, bytes_ = whole
    made = config(folder, f"damaged-{turn}", stages=[EXACT], shard_size=10_000)
    stopped_before("apply", made)
    for at, kind in enumerate(SCRATCH):
        path = sorted((folder / f"damaged-{turn}").glob(f"01-*/scratch/{kind}/*.arrow"))[-1]
        content = bytearray(path.read_bytes())
        content[-24] ^= 0xFF  # in the last column, before the mark of the end
        path.unlink()
        if (at + turn) % 3:
            path.write_bytes(content if (at + turn) % 3 == 1 else content[: len(content) // 2])
    assert sealed(go(made)) == bytes_


def test_a_scratch_file_that_is_cut_short_under_a_run_stops_it_by_name(tmp_path, tight, monkeypatch):
    write_jsonl(tmp_path / "a.jsonl", some(120))
    made = config(tmp_path, stages=[NEAR], shard_size=2000)
    real = corpus.resolve

    def cut(**arguments):
        path = sorted((tmp_path / "run").glob("01-*/scratch/keys/*.arrow"))[0]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return real(**arguments)

    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"scratch/keys/.*\.arrow") as caught:
        patch.setattr(corpus, "resolve", cut)
        go(made)
    assert "run again" in caught.value.hint
    assert sealed(go(made)) == sealed(go(config(tmp_path, "whole", stages=[NEAR], shard_size=2000)))


def test_what_a_task_may_need_is_told_before_it_starts(tmp_path, monkeypatch):
    """The details of one edge may be larger than what is held of many: then `confirm` asks for as much."""
    asked = []
    real = corpus.CorpusWork.over_partitions

    def over_partitions(self, phase, count, memory):
        asked.append((phase, memory))
        return real(self, phase, count, memory)

    monkeypatch.setattr(corpus.CorpusWork, "over_partitions", over_partitions)
    monkeypatch.setattr(corpus, "DETAIL_BYTES", 1000)
    long = " ".join(prose(1, 3000))
    write_jsonl(tmp_path / "a.jsonl", [long, long + " more", "some other text of few words"])
    result = go(config(tmp_path, stages=[EXACT]))
    (resolve, base), (confirm, more) = asked
    assert (resolve, confirm) == ("resolve", "confirm")
    # 2,997 runs of five words in the longer one, 8 bytes each, of two documents
    assert more - base == corpus.DETAIL_COPIES * 2 * 8 * 2997
    assert len(twins(result.steps[1])) == 1
    assert json.dumps(result.steps[1].step.manifest()["about"]["sizes"]) == "[[2, 1]]"


@pytest.mark.parametrize(
    ("sizes", "want"),
    [
        ([400, 500, 100, 1], [(0, 3), (3, 4)]),  # 1,000 fit, 1,001 do not
        ([5000, 1, 5000], [(0, 1), (1, 2), (2, 3)]),  # one edge is taken whatever it needs
        ([0, 0, 0], [(0, 3)]),
        ([], []),
    ],
)
def test_edges_are_cut_where_their_details_would_be_too_many(monkeypatch, sizes, want):
    class Details:
        def sizes(self, docs):
            return np.array([sizes[doc] if doc < 99 else 0 for doc in docs.tolist()], np.int64)

    monkeypatch.setattr(corpus, "DETAIL_BYTES", 1000)
    edges = pa.table({"a": pa.array(range(len(sizes)), pa.uint64()), "b": pa.array([99] * len(sizes), pa.uint64())})
    assert list(corpus._cut(edges, Details())) == want


@pytest.mark.parametrize("kind", ["keys", "links"])
def test_a_disk_that_fills_up_among_the_keys_stops_with_a_deed_and_the_next_run_goes_on(whole, tight, kind):
    folder, bytes_ = whole
    made = config(folder, f"full-{kind}", stages=[EXACT], shard_size=10_000)
    real, written = files.write_table, []

    def write_table(path, table):
        if path.parent.name == kind:
            written.append(path)
        if len(written) < 2:
            return real(path, table)
        with files.written_whole(path) as aside:
            aside.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RunError, match=f"disk is full.*{kind}") as caught:
        patch.setattr(corpus, "write_table", write_table)
        go(made)
    assert "free some space" in caught.value.hint
    assert len(written) == 2 and not written[1].exists()
    assert sealed(go(made)) == bytes_
