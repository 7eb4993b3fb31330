"""`dedup_exact` drops all but the first of each group of equal texts, however the keys are parted and ordered."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.dedup_exact import DedupExact
from tests.pipeline.stages.settling import clusters, settled
from tests.pipeline.stages.tables import docs


def resolved(texts: list[str], stage=None, parts: int = 1, seed: int = 0) -> list[pa.Table]:
    """Edges: observed in two shards, resolved in `parts` partitions of shuffled keys."""
    stage = stage or DedupExact()
    numbered = docs(texts, doc=pa.array(range(len(texts)), pa.uint64()))
    half = len(texts) // 2
    keys = pa.concat_tables([stage.observe(part).keys for part in (numbered.slice(0, half), numbered.slice(half))])
    keys = keys.take(np.random.default_rng(seed).permutation(keys.num_rows))
    part = keys.column("key").to_numpy() % np.uint64(parts)
    return [stage.resolve(keys.filter(pa.array(part == p)), None).edges for p in range(parts)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["a", "a ", "\ta", "b", "B", "", " ", "a\u3000b", "ab"]), max_size=12),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_the_first_of_each_group_stays_whatever_the_order(texts, parts, seed):
    first: dict[str, int] = {}
    expected = []
    for doc, text in enumerate(texts):
        key = "".join(text.split()) or f"blank {text!r}"
        if key in first:
            expected.append((doc, first[key]))
        first.setdefault(key, doc)
    found = settled(resolved(texts, parts=parts, seed=seed))
    assert [(row["doc"], row["twin"]) for row in found] == expected


def test_what_does_not_count_is_told_by_ignore():
    texts = ["Page 1.", "Page 2", "Page1.", "Page 1."]
    drops = {
        ignore: [row["doc"] for row in settled(resolved(texts, DedupExact(ignore=ignore)))]
        for ignore in ("nothing", "whitespace", "whitespace_and_digits_punctuation")
    }
    assert drops == {"nothing": [3], "whitespace": [2, 3], "whitespace_and_digits_punctuation": [1, 2, 3]}


def about(texts: list[str]) -> dict:
    return DedupExact().about(clusters(resolved(texts)))


def test_groups_are_told_to_the_report():
    assert about(["a", "b", "a", "c", "a", "c"]) == {"groups": 2, "documents": 5, "largest": 3}
    assert about(["a", "b"]) == {"groups": 0, "documents": 0, "largest": 0}


def test_the_reason_and_the_twin_reach_the_outcome():
    dropped = DedupExact().apply(docs(["a", "a"]), pa.table({"row": [1], "twin": ["src/f#0"]})).dropped.to_pylist()[0]
    assert (dropped["row"], dropped["reason"], dropped["twin"]) == (1, "exact_duplicate", "src/f#0")
