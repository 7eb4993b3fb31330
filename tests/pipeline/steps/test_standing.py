"""Which documents may go, and what they are compared with: protected sources, marked clusters, indexes of old runs."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import parse
from pipeline.errors import ConfigError
from pipeline.stages.dedup_near import DedupNear
from pipeline.steps.corpus import going
from pipeline.steps.source import shards_of
from pipeline.steps.standing import with_new
from pipeline.store.files import read_table
from pipeline.store.layers import read_shard
from pipeline.store.step import Step
from tests.pipeline.making import config, go, ledger_of, listed_backwards, sealed
from tests.pipeline.test_dedup_near import changed, prose

NEAR = {"permutations": 64, "bands": 16, "rows": 4}


def corpora(folder: Path, **texts: list[str]) -> list[dict]:
    """One source for each, with these texts."""
    folder.mkdir(exist_ok=True)
    for name, some in texts.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in some), "utf-8")
    return [{"jsonl": {"name": name, "path": str(folder / f"{name}.jsonl")}} for name in texts]


def run(folder: Path, sources: list[dict], stage: object, workdir: str = "run", **more: object):
    return go(config(folder, workdir, [stage], sources=sources, **more)).steps[-1]


def twins(step) -> dict[str, str]:
    """{id of what went: id of what stayed}, `source/file#row` written as `source row`."""
    ledger = ledger_of(step)
    return {
        short(gone): short(stayed)
        for gone, stayed in zip(*(ledger.column(n).to_pylist() for n in ("id", "twin")), strict=True)
    }


def short(name: str) -> str:
    return name.split("/")[0] + " " + name.split("#")[1]


def like(seed: int, *places: int) -> str:
    return changed(prose(seed), *places)


@pytest.fixture
def three(tmp_path):
    """Text 1 stands in all sources, text 2 twice in the crawl, text 3 twice in the books."""
    return corpora(
        tmp_path / "in",
        books=[like(1), like(3), like(3, 9)],
        crawl_a=[like(1, 5), like(2), like(2, 70), like(4)],
        wiki=[like(1, 50), like(5)],
    )


def test_without_more_the_first_of_each_cluster_stays(three, tmp_path):
    step = run(tmp_path, three, {"dedup_near": NEAR})
    assert twins(step) == {"books 2": "books 1", "crawl_a 0": "books 0", "crawl_a 2": "crawl_a 1", "wiki 0": "books 0"}


@pytest.mark.parametrize("verify", ["estimate", "exact"])
def test_only_sources_named_by_drop_from_lose_documents(three, tmp_path, verify):
    step = run(tmp_path, three, {"dedup_near": {**NEAR, "verify": verify, "drop_from": {"source": "crawl_*"}}})
    assert twins(step) == {"crawl_a 0": "books 0", "crawl_a 2": "crawl_a 1"}


def test_the_twin_is_a_protected_document_though_another_stands_before_it(three, tmp_path):
    step = run(tmp_path, three, {"dedup_near": {**NEAR, "drop_from": {"source": ["books", "crawl_a"]}}})
    assert twins(step)["books 0"] == twins(step)["crawl_a 0"] == "wiki 0"


def test_among_false_drops_only_what_a_protected_source_has(three, tmp_path):
    step = run(tmp_path, three, {"dedup_near": {**NEAR, "drop_from": {"source": "crawl_*"}, "among": False}})
    assert twins(step) == {"crawl_a 0": "books 0"}


def test_among_false_asks_whether_the_twin_is_protected():
    numbers, twins = np.arange(5, dtype=np.uint64), np.array([0, 0, 2, 2, 1], np.uint64)  # 0 and 1 may not go
    assert going(numbers, twins, 2, True).tolist() == [False, False, False, True, True]
    assert going(numbers, twins, 2, False).tolist() == [False, False, False, False, True]


def test_drop_from_that_names_no_source_is_refused(three, tmp_path):
    problems: list[str] = []
    assert parse({"sources": three, "stages": [{"dedup_near": {"drop_from": {"source": "craw"}}}]}, problems) is None
    assert "names none of the sources books, crawl_a, wiki" in problems[0]


def test_a_where_that_matches_nothing_is_counted(three, tmp_path):
    step = go(config(tmp_path, "run", [{"dedup_near": NEAR, "where": {"lang": "sw"}}], sources=three)).steps[-1]
    assert step.step.manifest()["tallies"]["where_matched"] == 0


@pytest.mark.parametrize("stage", ["dedup_exact", "dedup_url"])
def test_exact_and_url_protect_sources_in_the_same_way(tmp_path, stage):
    (tmp_path / "in").mkdir()
    sources = []
    for name, pages in {"a": ["x", "y"], "b": ["x", "z", "z"]}.items():
        docs = ({"text": page, "url": f"https://e.org/{page}"} for page in pages)
        (tmp_path / "in" / f"{name}.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs))
        sources.append({"jsonl": {"name": name, "path": str(tmp_path / "in" / f"{name}.jsonl")}})
    assert twins(run(tmp_path, sources, stage)) == {"b 0": "a 0", "b 2": "b 1"}
    assert twins(run(tmp_path, sources, {stage: {"drop_from": {"source": "a"}}})) == {"a 0": "b 0"}


WORKERS = pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.torture)])


@WORKERS
def test_who_stays_follows_priority_and_name_alone_whatever_the_order_of_sources_and_workers(tmp_path, workers):
    texts = [like(seed, *range(0, 20 * edits, 20)) for seed in range(4) for edits in range(4)]
    found = []
    for turn in range(3):
        folder = tmp_path / str(turn)
        sources = corpora(folder, a=texts[::3], b=texts[1::3], c=texts[2::3])
        sources[2]["jsonl"]["priority"] = -1  # c stays before a and b
        random.Random(turn).shuffle(sources)
        more = {"run": {"workers": workers if turn else 1}, "shard_size": 1000 * (1 + turn)}
        found.append(twins(run(folder, sources, {"dedup_near": NEAR}, **more)))
    assert found[0] == found[1] == found[2]
    assert sum(twin.startswith("c") for twin in found[0].values()) > len(found[0]) / 2


def test_mark_drops_nothing_and_names_the_first_of_each_cluster(three, tmp_path):
    step = run(tmp_path, three, {"dedup_near": {**NEAR, "action": "mark"}})
    assert ledger_of(step).num_rows == 0
    assert step.step.manifest()["tallies"] == {"marked": 7}
    clusters = {short(d["id"]): d["cluster"] and short(d["cluster"]) for d in documents(tmp_path, step)}
    assert clusters == {
        "books 0": "books 0", "books 1": "books 1", "books 2": "books 1", "wiki 0": "books 0", "wiki 1": None,
        "crawl_a 0": "books 0", "crawl_a 1": "crawl_a 1", "crawl_a 2": "crawl_a 1", "crawl_a 3": None,
    }  # fmt: skip


def test_a_second_mark_keeps_what_the_first_said_of_other_documents(three, tmp_path):
    mark = {**NEAR, "action": "mark"}
    stages = [{"dedup_near": mark, "where": {"source": name}} for name in ("books", "crawl_a")]
    step = go(config(tmp_path, "run", stages, sources=three)).steps[-1]
    marked = [short(d["id"]) for d in documents(tmp_path, step) if d["cluster"]]
    assert marked == ["books 1", "books 2", "crawl_a 1", "crawl_a 2"]


def test_the_packer_holds_out_whole_clusters_of_what_was_marked(tmp_path):
    texts = [like(seed, *range(0, 40 * edits, 40)) for seed in range(40) for edits in range(3)]
    made = config(
        tmp_path,
        "run",
        [{"dedup_near": {**NEAR, "action": "mark"}}],
        sources=corpora(tmp_path / "in", a=texts),
        tokenizer={"vocab_size": 300},
        pack={"seq_len": 64, "holdout": 0.2},
    )
    folder = go(made).packed
    held = {split: {name for row in rows(folder / split) for name in row["doc_ids"]} for split in ("train", "valid")}
    split_of = {name: split for split, names in held.items() for name in names}
    assert len(split_of) == len(texts) and 3 <= len(held["valid"]) <= 60
    for first in range(0, len(texts), 3):
        assert len({split_of[f"a/a.jsonl#{row}"] for row in range(first, first + 3)}) == 1


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.rglob("*.arrow")) for row in read_table(path).to_pylist()]


def documents(folder: Path, planned) -> list[dict]:
    steps = [Step(path) for path in sorted((folder / "run").glob("0[1-9]-*"))]
    sources = sorted((folder / "run").glob("00-source.*"))
    shards = [shard for path in sources for shard in shards_of(Step(path), "", 0)]
    return [row for shard in shards for row in read_shard(shard, steps).to_pylist()]


# Indexes -------------------------------------------------------------------------------------------------------------


def test_a_batch_against_the_index_of_another_loses_what_one_run_over_both_drops_of_it(tmp_path):
    old = [like(seed, *range(0, 20 * edits, 20)) for seed in range(4) for edits in range(3)]
    new = [like(seed, *range(10, 20 * edits, 20)) for seed in range(2, 7) for edits in range(1, 4)]
    both = corpora(tmp_path / "in", a=old, b=new)
    once = twins(run(tmp_path, both, {"dedup_near": NEAR}, "both"))
    run(tmp_path, both[:1], {"dedup_near": {**NEAR, "keep_index": True}}, "old")
    step = run(tmp_path, both[1:], {"dedup_near": {**NEAR, "against": str(tmp_path / "old")}}, "new")
    assert twins(step) == {gone: stayed for gone, stayed in once.items() if gone.startswith("b")}
    assert {stayed[0] for stayed in twins(step).values()} == {"a", "b"}


def test_a_document_like_a_dropped_one_alone_stays_against_an_index(tmp_path):
    a = [like(1), like(1, 20, 40, 60)]  # the second goes
    both = corpora(tmp_path / "in", a=a, b=[like(1, 20, 40, 60, 80, 100, 120)])  # 0.86 of a 1, 0.74 of a 0
    sure = {"permutations": 1024, "bands": 256, "rows": 4}
    once = twins(run(tmp_path, both, {"dedup_near": sure}, "both"))
    assert once == {"a 1": "a 0", "b 0": "a 0"}
    run(tmp_path, both[:1], {"dedup_near": {**sure, "keep_index": True}}, "old")
    assert twins(run(tmp_path, both[1:], {"dedup_near": {**sure, "against": str(tmp_path / "old")}}, "new")) == {}


def test_a_third_batch_is_compared_with_the_indexes_of_both_before_it(tmp_path):
    batches = corpora(
        tmp_path / "in", a=[like(1), like(2)], b=[like(1, 9), like(3)], c=[like(2, 9), like(3, 9), like(4)]
    )
    keep = {**NEAR, "keep_index": True}
    run(tmp_path, batches[:1], {"dedup_near": keep}, "a")
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    assert twins(run(tmp_path, batches[1:2], {"dedup_near": {**keep, "against": first}}, "b")) == {"b 0": "a 0"}
    step = run(tmp_path, batches[2:], {"dedup_near": {**keep, "against": [first, second]}}, "c")
    assert twins(step) == {"c 0": "a 1", "c 1": "b 1"}


def test_old_texts_are_not_needed_and_their_ids_stand_in_the_report(tmp_path):
    batches = corpora(tmp_path / "in", a=[like(1)], b=[like(1, 9), like(1, 40)])
    old = run(tmp_path, batches[:1], {"dedup_near": {**NEAR, "keep_index": True}}, "old")
    (tmp_path / "in" / "a.jsonl").unlink()
    for path in (tmp_path / "old").glob("00-*/layers/*"):
        path.unlink()
    step = run(tmp_path, batches[1:], {"dedup_near": {**NEAR, "against": str(old.step.folder)}}, "new")
    about = step.step.manifest()["about"]
    assert [short(d["id"]) for d in about["clusters"][0]["documents"]] == ["a 0", "b 0", "b 1"]
    assert about["pairs"] == [["b", "a", 2]]


@pytest.mark.parametrize("stage", ["dedup_exact", "dedup_near"])
def test_every_stage_can_keep_an_index(tmp_path, stage):
    batches = corpora(tmp_path / "in", a=[like(1), like(2), like(2)], b=[like(2), like(3), like(1)])
    run(tmp_path, batches[:1], {stage: {"keep_index": True}}, "old")
    step = run(tmp_path, batches[1:], {stage: {"against": str(tmp_path / "old")}}, "new")
    assert twins(step) == {"b 0": "a 1", "b 2": "a 0"}


def test_another_index_makes_another_step(tmp_path):
    batches = corpora(tmp_path / "in", a=[like(1)], a2=[like(2)], b=[like(3)])
    for at, name in enumerate(["a", "a2"]):
        run(tmp_path, batches[at : at + 1], {"dedup_near": {**NEAR, "keep_index": True}}, name)
    steps = [
        run(tmp_path, batches[2:], {"dedup_near": {**NEAR, "against": str(tmp_path / name)}}, "new")
        for name in ("a", "a2")
    ]
    assert steps[0].address != steps[1].address
    (tmp_path / "a").rename(tmp_path / "moved")
    moved = run(tmp_path, batches[2:], {"dedup_near": {**NEAR, "against": str(tmp_path / "moved")}}, "new")
    assert moved.address == steps[0].address


@WORKERS
def test_workers_and_backward_folders_change_no_byte_of_an_index_nor_of_what_goes_against_it(
    tmp_path, workers, monkeypatch
):
    texts = [like(seed, *range(0, 20 * edits, 20)) for seed in range(4) for edits in range(3)]
    batches = corpora(tmp_path / "in", a=texts[::2], b=texts[1::2])
    found = []
    for turn in range(2):
        more = {"run": {"workers": workers if turn else 1}, "shard_size": 3000}
        keep, against = {**NEAR, "keep_index": True}, {**NEAR, "against": str(tmp_path / f"old{turn}")}
        old = go(config(tmp_path, f"old{turn}", [{"dedup_near": keep}], sources=batches[:1], **more))
        new = go(config(tmp_path, f"new{turn}", [{"dedup_near": against}], sources=batches[1:], **more))
        found.append(sealed(old) | sealed(new))
        listed_backwards(monkeypatch)
    assert found[0] == found[1]
    assert sum("/index/" in name for name in found[0]) > 3


def test_bands_that_follow_from_another_threshold_are_refused_and_those_that_are_written_out_fit(tmp_path, monkeypatch):
    both = corpora(tmp_path / "in", a=[like(1)], b=[like(1), like(2)])
    run(tmp_path, both[:1], {"dedup_near": {"threshold": 0.8, "keep_index": True}}, "old")
    other = {"threshold": 0.85, "against": str(tmp_path / "old")}
    with pytest.raises(ConfigError, match="bands 16 there") as told:
        run(tmp_path, both[1:], {"dedup_near": other}, "new")
    assert "write them out here, `bands: 16, rows: 8`" in told.value.hint
    step = run(tmp_path, both[1:], {"dedup_near": {**other, "bands": 16, "rows": 8}}, "new")
    assert twins(step) == {"b 0": "a 0"}
    monkeypatch.setattr(DedupNear, "version", 99)  # then nothing that is written would help
    with pytest.raises(ConfigError, match="version 2 there, 99 here") as told:
        run(tmp_path, both[1:], {"dedup_near": other}, "new")
    assert told.value.hint.startswith("make its run again")


@pytest.mark.parametrize(
    ("kept", "against", "told"),
    [
        (None, NEAR, "has no index of dedup_near"),
        (NEAR, {**NEAR, "shingle": {"size": 3}}, "made with other settings: shingle"),
        (NEAR, {"permutations": 128, "bands": 16, "rows": 4}, "permutations 64 there, 128 here"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(tmp_path, kept, against, told):
    batches = corpora(tmp_path / "in", a=[like(1)], b=[like(2)])
    run(tmp_path, batches[:1], {"dedup_near": {**(kept or NEAR), "keep_index": kept is not None}}, "old")
    with pytest.raises(ConfigError, match=told):
        run(tmp_path, batches[1:], {"dedup_near": {**against, "against": str(tmp_path / "old")}}, "new")


def test_the_threshold_may_differ_from_that_of_the_index(tmp_path):
    batches = corpora(tmp_path / "in", a=[like(1)], b=[like(1, 20, 40)])  # 0.9 at most
    run(tmp_path, batches[:1], {"dedup_near": {**NEAR, "keep_index": True}}, "old")
    for threshold, gone in ((0.8, 1), (0.99, 0)):
        settings_ = {**NEAR, "threshold": threshold, "against": str(tmp_path / "old")}
        assert len(twins(run(tmp_path, batches[1:], {"dedup_near": settings_}, "new"))) == gone


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=20), st.integers(0, 10))
def test_keys_that_only_old_documents_have_are_passed_over(rows, new):
    rows = sorted(set(rows))
    key, doc = (np.array([row[i] for row in rows], np.uint64) for i in (0, 1))
    left = with_new(pa.table({"key": key, "doc": doc}), new).to_pylist()
    wanted = {k for k, d in rows if d >= new} | ({rows[-1][0]} if rows else set())
    assert [(row["key"], row["doc"]) for row in left] == [row for row in rows if row[0] in wanted]
