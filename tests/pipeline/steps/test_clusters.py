"""Clusters are the components of the graph, and the same however many ranges the memory makes of the documents."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engine import perform
from pipeline.stages.dedup_near import DedupNear
from pipeline.steps import clusters
from pipeline.steps.base import Corpus
from pipeline.steps.clusters import Ranges, labels, ranges_of
from pipeline.steps.corpus import CorpusWork
from pipeline.steps.links import links_of
from pipeline.store import files
from pipeline.store.files import read_json, read_table, write_json, write_table
from pipeline.store.layers import Shard
from pipeline.store.step import Step
from pipeline.text.unionfind import components

SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EDGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda e: e[0] != e[1]), max_size=40)


def work(folder: Path, count: int, lots: list[tuple[np.ndarray, np.ndarray]]) -> CorpusWork:
    """Before the clusters: links of some lots of edges over `count` documents."""
    step, names = Step(folder / "01-dedup_near-x"), []
    for at, (a, b) in enumerate(lots):
        path = step.scratch(f"links/{at:05d}.arrow")
        write_table(path, links_of(pa.table({"a": np.asarray(a, np.uint64), "b": np.asarray(b, np.uint64)})))
        names.append(str(path.relative_to(step.folder)))
    write_json(step.scratch("partitions.json"), {"edges": 0, "files": names})
    made = CorpusWork(step, DedupNear(), Corpus((Shard("s", "", 0, count, 0),)), memory=0)
    made.name_corpus()
    return made


def joined(made: CorpusWork, width: int, count: int) -> np.ndarray:
    """(count,) labels, by ranges of `width` blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "ranges_of", lambda *_: Ranges(count, width))
        for tasks in clusters.phases(made, 0):
            for task in tasks:
                if task.name != "settle":  # which wants texts to show
                    perform(task)
    return labels(made.step, 0, count)


def expected(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.arange(count, dtype=np.uint64)
    members, roots = components(np.asarray(a, np.uint64), np.asarray(b, np.uint64))
    out[members.astype(np.int64)] = roots
    return out


def counts(made: CorpusWork) -> list[dict]:
    return [made.step.marked(task) for task in made.step.done() if task.startswith("count")]


@pytest.fixture
def small(monkeypatch):
    """Blocks of four documents, lots of five edges, and no waiting for the disk."""
    monkeypatch.setattr(clusters, "BLOCK", 4)
    monkeypatch.setattr(clusters, "LOT", 5)
    monkeypatch.setattr(files, "_flush", lambda path: None)


@SOME
@given(EDGES, st.integers(1, 6), st.integers(1, 9), st.randoms())
def test_labels_are_those_of_a_union_find_whatever_the_ranges(small, tmp_path_factory, edges, parts, width, chance):
    lot = [chance.randrange(parts) for _ in edges]  # none has all: its links would be the labels already
    cut = [[edge for edge, at in zip(edges, lot, strict=True) if at == part] for part in range(parts)]
    lots = [tuple(np.array(part, np.uint64).reshape(-1, 2).T) for part in cut]
    made = work(tmp_path_factory.mktemp("w"), 31, lots)
    found = joined(made, width, 31)
    want = expected(31, *np.array(edges, np.uint64).reshape(-1, 2).T)
    assert found.tolist() == want.tolist()
    sizes = Counter(Counter(want.tolist()).values())
    told = sum(
        (Counter(dict(made.step.marked(task)["sizes"])) for task in made.step.done() if "count" in task), Counter()
    )
    assert told == Counter({size: number for size, number in sizes.items() if size > 1})


@pytest.mark.parametrize("order", ["up", "down", "mixed", "far"])
def test_a_chain_over_many_ranges_is_forwarded_once(tmp_path, monkeypatch, order):
    count = 1_000_000
    monkeypatch.setattr(clusters, "BLOCK", count // 10)
    names = np.arange(count)
    if order == "mixed":
        names = np.random.default_rng(1).permutation(count)
    elif order == "far":  # each link crosses half of the documents
        names = np.concatenate([names[: count // 2, None], names[count // 2 :, None]], axis=1).ravel()
    names = names[::-1] if order == "down" else names
    made = work(tmp_path, count, [(names[:-1], names[1:])])
    monkeypatch.setattr(clusters, "rows_between", forests(names))
    assert not joined(made, 3, count).any()
    forwarded = made.step.folder.glob("scratch/forwarded/*.arrow")
    assert sum(read_table(path).num_rows for path in forwarded) <= count


def forests(names: np.ndarray):
    """The chain itself as what is read of links: reduced, it would be a star already."""
    real = clusters.rows_between
    a, b = names[:-1], names[1:]
    doc, root = np.maximum(a, b).astype(np.uint64), np.minimum(a, b).astype(np.uint64)
    order = np.argsort(doc, kind="stable")
    table = pa.table({"doc": doc[order], "root": root[order]})

    def read(paths, low, high, most, columns=None):
        begin, end = np.searchsorted(table.column("doc").to_numpy(), np.array([low, high], np.uint64))
        for at in range(begin, end, most):
            yield table.slice(at, min(most, end - at))
        yield from real([path for path in paths if "forwarded" in str(path)], low, high, most, columns)

    return read


def test_memory_decides_how_many_ranges_there_are():
    corpus = Corpus((Shard("s", "", 0, 200_000_000, 0),))
    assert [len(ranges_of(corpus, memory)) for memory in (500_000_000, 2_000_000_000, 8_000_000_000)] == [18, 3, 1]
    assert len(ranges_of(Corpus(()), 10**9)) == 0
    for memory in (10**9, 8 * 10**9):
        width = ranges_of(corpus, memory).width
        assert clusters.FIXED + clusters.BYTES * clusters.BLOCK * width <= memory // 2


def test_members_shown_are_the_first_of_each_cluster(small, tmp_path):
    a = np.array([3, 3, 9, 2, 2, 2, 2, 2, 2])
    b = np.array([9, 11, 30, 4, 8, 12, 16, 20, 24])
    made = work(tmp_path, 31, [(a, b)])
    joined(made, 2, 31)
    found = clusters._members(made.step, Ranges(31, 2), [2, 3])
    assert found == {2: [2, 4, 8, 12, 16], 3: [3, 9, 11, 30]}
    largest = sorted(
        tuple(c) for task in made.step.done() if "count" in task for c in made.step.marked(task)["largest"]
    )
    assert largest == [(-7, 2), (-4, 3)]
    assert read_json(made.step.scratch("partitions.json"))["edges"] == 0


def test_a_run_that_stops_between_ranges_goes_on_with_other_memory(small, tmp_path):
    edges = [(random.Random(5).randrange(31), i) for i in range(31)]
    a, b = np.array([e for e in edges if e[0] != e[1]]).T
    made = work(tmp_path, 31, [(a, b)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "ranges_of", lambda *_: Ranges(31, 1))
        for tasks, _ in zip(clusters.phases(made, 0), range(6), strict=False):
            for task in tasks:
                perform(task)
    assert joined(made, 3, 31).tolist() == expected(31, a, b).tolist()
