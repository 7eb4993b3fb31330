"""The stage: what it calls a duplicate, which document stays, and what it says of the one that goes."""

import itertools
import random
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import load
from pipeline.stages.dedup_simhash import DedupSimhash
from tests.pipeline.making import config, go, kept_after, ledger_of, write_jsonl
from tests.pipeline.stages.settling import settled
from tests.pipeline.stages.tables import docs
from tests.pipeline.text import simhash_twin as twin

ROOT = Path(__file__).parents[3]


def prose(seed: int, words: int = 150) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(words)]


def verdicts(stage: DedupSimhash, texts: list[str], **columns) -> list[dict]:
    table = docs(texts, doc=pa.array(range(len(texts)), pa.uint64()), **columns)
    keys = [stage.observe(table.slice(0, 2)).keys, stage.observe(table.slice(2)).keys]  # two shards
    return settled(
        [stage.resolve(pa.concat_tables(keys).sort_by([("key", "ascending"), ("doc", "ascending")]), None).edges]
    )


WORDS = st.sampled_from(["one", "two", "three", "four", "Five", "six,"])
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=8)


@settings(deadline=None, max_examples=100)
@given(TEXTS, st.integers(0, 8), st.integers(1, 40))
def test_who_goes_is_who_is_near_an_earlier_one_by_a_chain(texts, distance, long):
    stage = DedupSimhash(distance=distance, blocks=distance + 1, window=3, long=long, long_distance=2)
    prints = [twin.compute(f) if (f := twin.features(t, False, 3)) else None for t in texts]
    label = list(range(len(texts)))
    for i, j in itertools.combinations(range(len(texts)), 2):
        if prints[i] is not None and prints[j] is not None:
            limit = distance if max(len(texts[i]), len(texts[j])) <= long else min(distance, 2)
            if twin.distance(prints[i], prints[j]) <= limit:
                label = [min(label[i], label[j]) if x in (label[i], label[j]) else x for x in label]
    gone = [(row["doc"], row["twin"]) for row in verdicts(stage, texts)]
    assert gone == [(doc, first) for doc, first in enumerate(label) if first != doc]


def test_a_near_copy_goes_and_the_ledger_tells_how_many_bits_differ(tmp_path):
    words = prose(1, 600)
    near = [*words[:80], "changed", *words[81:]]
    texts = [" ".join(prose(2)), " ".join(words), " ".join(near).upper(), " ".join(prose(3))]
    write_jsonl(tmp_path / "a.jsonl", texts, lang="en")
    result = go(config(tmp_path, stages=[{"dedup_simhash": {"by_words": [], "long": None}}], shard_size=1000))
    (row,) = ledger_of(result.steps[-1]).to_pylist()
    apart = twin.distance(*(twin.compute(twin.features(t, False, 6)) for t in texts[1:3]))
    assert 0 < apart <= 4
    assert (row["id"], row["twin"], row["neighbour"]) == ("src/a.jsonl#2", "src/a.jsonl#1", "src/a.jsonl#1")
    assert (row["reason"], row["value"], row["limit"], row["similarity"]) == (
        "simhash_duplicate",
        apart,
        4,
        1 - apart / 64,
    )
    assert kept_after(result, 1).num_rows == 3
    about = result.steps[-1].step.manifest()["about"]
    assert (about["clusters_found"], about["sizes"], about["clusters"][0]["size"]) == (1, [[2, 1]], 2)


def test_a_language_of_words_is_compared_by_words_and_another_by_characters():
    words = prose(4)
    texts = [" ".join(words), " ".join(words[:-1])]
    assert verdicts(DedupSimhash(long=None), texts, lang="en") != []
    # of the 145 runs of six words few stay when each tenth word is another; of characters most do
    changed = [w if i % 10 else w + "x" for i, w in enumerate(words)]
    texts = [" ".join(words), " ".join(changed)]
    loose = {"distance": 13, "blocks": 14, "long": None}
    assert verdicts(DedupSimhash(**loose), texts, lang="en") == []
    assert len(verdicts(DedupSimhash(**loose), texts, lang="fr")) == 1


def test_a_long_document_may_differ_less_and_the_longest_takes_no_part():
    texts = [" ".join(prose(5))] * 2
    assert len(verdicts(DedupSimhash(long=10, long_distance=0), texts)) == 1
    assert len(verdicts(DedupSimhash(longest=len(texts[0])), texts)) == 1
    assert len(verdicts(DedupSimhash(longest=len(texts[0]) - 1), texts)) == 0


def test_the_ledger_s_limit_is_that_of_the_document_s_length():
    told = {"row": [0, 1], "twin": ["a", "a"], "neighbour": ["a", "a"], "similarity": [1 - 2 / 64, 1 - 2 / 64]}
    table = docs(["12345", "123456", "123456"])
    dropped = DedupSimhash(long=5).apply(table, pa.table(told)).dropped
    assert (dropped.column("value").to_pylist(), dropped.column("limit").to_pylist()) == ([2, 2], [4, 3])
    for stage in (DedupSimhash(long=None), DedupSimhash(long=5, long_distance=9)):  # no longer document may differ more
        assert stage.apply(table, pa.table(told)).dropped.column("limit").to_pylist() == [4, 4]


def test_texts_without_characters_are_nobodys_duplicates_and_short_ones_only_of_their_like():
    assert verdicts(DedupSimhash(), ["", "...", "", "ab", "a.b", "cd"]) == [
        {"doc": 4, "twin": 3, "neighbour": 3, "similarity": 1.0}
    ]
    assert verdicts(DedupSimhash(), []) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"blocks": 4}, "set blocks to 5 or more"),
        ({"blocks": 20}, "would give a document 4845 keys"),
        ({"by_words": ["xx-none"]}, "xx-none"),
        ({"distance": 17}, "less than or equal to 16"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_a_deed(wrong, told):
    with pytest.raises(ValidationError, match=told):
        DedupSimhash(**wrong)


def test_the_recipe_that_ships_has_the_settings_of_roots_and_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    made = load(ROOT / "configs" / "simhash.yaml", {"workers": 1, "workdir": str(tmp_path / "run")})
    (stage,) = [stage for stage in made.stages if stage.name == "dedup_simhash"]
    assert (stage.distance, stage.blocks, stage.window, stage.by_words) == (4, 6, 6, ("en",))
    few = made.sources[0].model_copy(update={"path": (str(ROOT / "data/udhr/sw.jsonl.zst"),)})
    result = go(made.model_copy(update={"sources": (few,)}))
    assert kept_after(result, 2).num_rows > 20


def test_warming_runs_every_phase():
    DedupSimhash().warm()
