"""Pieces counted by shard, added up by partition, and bounded: the same whatever the shards and the partitions."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.steps import pieces
from pipeline.steps.sample import Sampling
from pipeline.steps.source import marked
from pipeline.store.layers import Shard
from pipeline.store.step import Step
from pipeline.text.piece_counts import PieceCounts
from tests.pipeline.steps.building import step

COUNTS = [
    Counter({b"a": 3, b"bb": 1, b" the": 2**40}),
    Counter(),
    Counter({b"bb": 1, b"ccc": 1, b" the": 2**40, b"\xff": 7}),
]


def merged(folder: Path, shards: list[Counter[bytes]], partitions: int) -> tuple[Step, list]:
    """The step with merged pieces, and what each partition has: (count, pieces, bytes)."""
    here = step(folder, "tokenizer")
    named = [Shard(f"s-0-{at:05d}", "", at, 1, 0) for at in range(len(shards))]
    Sampling(tuple(named), (), {}, 0).write(here)
    for shard, counts in zip(named, shards, strict=True):
        pieces.write_counts(here, shard.key, PieceCounts.of(counts))
    for at in range(partitions):
        pieces.merge_pieces(str(here.folder), at, partitions)
    return here, [marked(here, f"merge-{at:05d}")["by_count"] for at in range(partitions)]


def learned_from(folder: Path, shards: list[Counter[bytes]], partitions: int, most: int) -> tuple[list, dict]:
    here, by_count = merged(folder, shards, partitions)
    pieces.gather(str(here.folder), partitions, pieces.within(by_count, most).to_json(), 300)
    return list(pieces.gathered(here)), marked(here, "gather")["pieces"]


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_counts_of_shards_add_up_beyond_32_bits(tmp_path, partitions):
    found, told = learned_from(tmp_path, COUNTS, partitions, 10**9)
    assert found == sorted((COUNTS[0] + COUNTS[2]).items())
    assert found[0] == (b" the", 2**41)
    assert told.pop("pruned") == {"pieces": 0, "bytes": 0, "occurrences": 0}
    assert told == {"pieces": 5, "bytes": 11, "occurrences": 2**41 + 3 + 2 + 1 + 7}


def test_the_rarest_are_left_out_and_on_record(tmp_path):
    # " the" 4 bytes, \xff 1, a 1, bb 2, ccc 3, by their counts; 8 bytes hold all but ccc
    found, told = learned_from(tmp_path, COUNTS, 3, 8)
    assert [piece for piece, _ in found] == [b" the", b"a", b"bb", b"\xff"]
    assert told["pruned"] == {"pieces": 1, "bytes": 3, "occurrences": 1, "seen": 1}
    assert (told["pieces"], told["bytes"]) == (5, 11)


@pytest.mark.parametrize(("most", "left"), [(11, 5), (10, 4), (8, 4), (7, 3), (6, 3), (5, 2), (4, 1), (3, 0), (1, 0)])
def test_a_bound_is_kept_to_the_byte(tmp_path, most, left):
    found, _ = learned_from(tmp_path, COUNTS, 2, most)
    assert len(found) == left and sum(len(piece) for piece, _ in found) <= most


SHARDS = st.lists(st.dictionaries(st.binary(min_size=1, max_size=3), st.integers(1, 4), max_size=12), max_size=4)


@settings(deadline=None, max_examples=40)
@given(shards=SHARDS, most=st.integers(1, 60))
def test_neither_partitions_nor_shards_choose_what_is_left_out(tmp_path_factory, shards, most):
    counts = [Counter(shard) for shard in shards]
    total = sum(counts, Counter())
    one = learned_from(tmp_path_factory.mktemp("one"), [total], 1, most)
    many = learned_from(tmp_path_factory.mktemp("many"), counts[::-1], 5, most)
    assert one == many
    kept = dict(one[0])
    assert all(kept[piece] == total[piece] for piece in kept)
    gone = set(total) - set(kept)
    assert max((total[p] for p in gone), default=0) <= min(kept.values(), default=99)
    assert one[1]["pruned"]["occurrences"] == sum(total[p] for p in gone)


def test_a_long_piece_is_counted_into_the_memory_of_its_own_partition(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "LONG", 50)
    here = step(tmp_path, "tokenizer")
    told, _ = pieces.write_counts(here, "s", PieceCounts.of(Counter({b"a": 1, b"b" * 1000: 1})))
    assert told["rows"] == 2 and told["bytes"] == 1001 and [size for _, size in told["long"]] == [1000]
    low, high = sorted(pieces.merge_memory([told], at, 2) for at in (0, 1))
    assert high - low == pieces.MERGE_FACTOR * 1000


def test_pieces_that_share_a_key_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "piece_keys", lambda edges, data: np.full(len(edges) - 1, 5, np.uint64))
    found, _ = learned_from(tmp_path, COUNTS, 2, 10**9)
    assert found == sorted((COUNTS[0] + COUNTS[2]).items())
