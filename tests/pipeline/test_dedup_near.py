"""The stage: what it calls a duplicate, which document stays, and what it says of the one that goes."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.stages.base import Notes
from pipeline.stages.dedup_near import DedupNear, _Rows
from pipeline.text.jaccard import exact
from pipeline.text.lsh import candidate_probability
from pipeline.text.shingles import shingles
from tests.pipeline.stages.settling import clusters, settled

WORDS = [f"w{i}" for i in range(1000)]


def prose(seed: int, length: int = 200) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


def changed(words: list[str], *places: int) -> str:
    return " ".join("other" if i in places else word for i, word in enumerate(words))


def table(texts: list[str], numbers: list[int] | None = None) -> pa.Table:
    numbers = list(range(len(texts))) if numbers is None else numbers
    return pa.table({"text": pa.array(texts, pa.large_string()), "doc": pa.array(numbers, pa.uint64())})


def verdicts(stage: DedupNear, texts: list[str], partitions: int = 1) -> list[dict]:
    """All phases, the keys cut into partitions as the runner cuts them."""
    docs = table(texts)
    observed = stage.observe(docs)
    notes: Notes = _Rows(observed.notes)
    part = (observed.keys.column("key").to_numpy() >> np.uint64(32)).astype(object) * partitions >> 32
    edges = [stage.resolve(observed.keys.filter(pa.array(part == p)), notes).edges for p in range(partitions)]
    if stage.wants_examination:
        edges = [stage.confirm(e, _Rows(stage.examine(docs))) for e in edges]
    return settled(edges)


@pytest.mark.parametrize("verify", ["estimate", "exact", "none"])
@pytest.mark.parametrize("engine", ["kernel", "datasketch"])
def test_a_text_with_one_word_changed_goes_and_names_the_one_that_stays(verify, engine):
    texts = [" ".join(prose(1)), " ".join(prose(2)), changed(prose(1), 50), " ".join(prose(3))]
    (verdict,) = verdicts(DedupNear(verify=verify, engine=engine), texts)
    assert (verdict["doc"], verdict["twin"], verdict["neighbour"]) == (2, 0, 0)
    # 196 shingles a text, five of them touched: 191 common of 201
    assert verdict["similarity"] == pytest.approx(191 / 201, abs=1e-9 if verify == "exact" else 0.08)


def test_a_chain_is_one_cluster_and_each_link_names_its_nearest():
    far = [20, 40, 60, 80]  # each step touches five shingles more
    texts = [changed(prose(1), *far[:n]) for n in range(5)]
    found = verdicts(DedupNear(threshold=0.8, verify="exact", permutations=256, bands=64, rows=4), texts)
    assert [(v["doc"], v["twin"]) for v in found] == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert [v["neighbour"] for v in found] == [0, 1, 2, 3]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=14), st.integers(1, 7))
def test_partitions_do_not_change_the_verdicts(recipes, partitions):
    texts = [changed(prose(seed), *(7 * i for i in range(edits))) for seed, edits in recipes]
    for stage in (DedupNear(), DedupNear(verify="exact")):
        once = verdicts(stage, texts)
        assert [(v["doc"], v["twin"]) for v in once] == [
            (v["doc"], v["twin"]) for v in verdicts(stage, texts, partitions)
        ]
        assert all(v["twin"] < v["doc"] and v["neighbour"] != v["doc"] for v in once)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12), st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_with_exact_verification_nothing_below_the_threshold_goes(recipes, threshold):
    texts = [changed(prose(seed, 60), *(6 * i for i in range(edits))) for seed, edits in recipes]
    sets = shingles(pa.array(texts, pa.large_string()))
    for verdict in verdicts(DedupNear(threshold=threshold, verify="exact"), texts):
        true = exact(*sets, np.array([verdict["doc"]]), np.array([verdict["neighbour"]]))[0]
        assert verdict["similarity"] == true >= threshold


def test_a_similarity_at_the_threshold_is_a_duplicate():
    texts = ["a b c d e f", "a b c d e g"]  # shingles of two words: ab bc cd de ef, ab bc cd de eg: 4 of 6
    at = {"verify": "exact", "permutations": 64, "bands": 64, "rows": 1, "shingle": {"size": 2}}
    assert len(verdicts(DedupNear(threshold=4 / 6, **at), texts)) == 1
    assert len(verdicts(DedupNear(threshold=4 / 6 + 1e-9, **at), texts)) == 0


def test_texts_without_words_are_nobodys_duplicates():
    assert verdicts(DedupNear(), ["", "...", "!?", "", "a b", "a b"]) == [
        {"doc": 5, "twin": 4, "neighbour": 4, "similarity": 1.0}
    ]


def test_no_documents_and_no_duplicates_pass():
    assert verdicts(DedupNear(verify="exact"), []) == []
    assert verdicts(DedupNear(), [" ".join(prose(i)) for i in range(3)]) == []


def test_what_the_report_reads_is_told():
    stage = DedupNear(permutations=128, bands=16, rows=8)
    docs = table([" ".join(prose(1))] * 3 + [" ".join(prose(2))] * 2)
    observed = stage.observe(docs)
    about = stage.about(clusters([stage.resolve(observed.keys, _Rows(observed.notes)).edges]))
    assert about["sizes"] == [[2, 1], [3, 1]]
    assert about["clusters"] == [{"size": 3, "documents": [0, 1, 2]}, {"size": 2, "documents": [3, 4]}]
    assert about["curve"][40] == [0.8, pytest.approx(0.947, abs=5e-4)]
    assert (about["clusters_found"], about["documents_in_clusters"]) == (2, 5)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bands": 20, "rows": 8, "permutations": 128}, "raise permutations to 160"),
        ({"bands": 20}, "give both or neither"),
        ({"threshold": 0}, "greater than 0"),
        ({"recall": 0.99, "threshold": 0.02, "permutations": 128}, "raise permutations, or lower recall"),
        ({"recall": 0.9, "bands": 16, "rows": 8}, "recall and bands exclude each other"),
        ({"lsh": {"bands": 16}}, "is not of the form"),
        ({"lsh": {"bands": 16, "rows": 8}, "rows": 7}, "leave one of them out"),
        ({"like": "google"}, "'slimpajama', 'fineweb', 'nemo' or 'bigcode'"),
        ({"verify": "exact", "against": "runs/old"}, "an index has signatures, no shingles"),
        ({"among": False}, "add drop_from or against"),
        ({"drop_from": {"lang": "en"}}, "takes sources only"),
        ({"shingle": {"unit": "lines"}}, "'auto', 'words' or 'chars'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_a_deed(wrong, told):
    with pytest.raises(ValidationError, match=told):
        DedupNear(**wrong)


# shingles, bands, rows, permutations, and of the pairs at 0.7, 0.8 and 0.9 how many are found (1 - (1 - J^rows)^bands)
LIKE = {
    "slimpajama": ("chars", 13, 9, 13, 128, 0.084, 0.399, 0.929),
    "fineweb": ("words", 5, 14, 8, 112, 0.565, 0.924, 1.000),
    "nemo": ("chars", 24, 20, 13, 260, 0.177, 0.677, 0.997),
    "bigcode": ("words", 5, 25, 10, 256, 0.511, 0.942, 1.000),
}


@pytest.mark.parametrize("name", LIKE)
def test_a_name_stands_for_the_settings_of_its_project(name):
    unit, size, bands, rows, permutations, *found = LIKE[name]
    stage = DedupNear(like=name)
    assert (stage.shingle.unit, stage.shingle.size, *stage.cut) == (unit, size, bands, rows)
    assert (stage.permutations, stage.verify) == (permutations, "none")
    curve = [candidate_probability(j, *stage.cut) for j in (0.7, 0.8, 0.9)]
    assert curve == pytest.approx(found, abs=5e-4)


def test_the_help_tells_the_curve_of_each_name():
    lines = {line.split()[0]: line for line in str(DedupNear.__doc__).splitlines() if " not verified" in line}
    assert lines.keys() == LIKE.keys()
    for name, line in lines.items():
        curve = [f"{candidate_probability(j, *DedupNear(like=name).cut):.2f}" for j in (0.7, 0.8, 0.9)]
        assert line.split()[-5:-2] == curve, line


def test_what_is_written_out_goes_before_what_a_name_stands_for():
    stage = DedupNear(like="slimpajama", threshold=0.9, verify="estimate")
    assert (stage.threshold, stage.verify, stage.cut, stage.shingle.size) == (0.9, "estimate", (9, 13), 13)
    assert DedupNear(like="slimpajama", recall=0.95).cut == (18, 7)  # the name's bands find 0.40 only


def test_bands_follow_from_a_recall_and_permutations_are_raised_where_they_are_too_few():
    assert DedupNear(recall=0.94).cut == (16, 8)  # 1 - (1 - 0.8^8)^16 = 0.947
    assert DedupNear(recall=0.95).cut == (18, 7)
    rare = DedupNear(recall=0.99, threshold=0.02)  # 1 - 0.98^128 = 0.92, 1 - 0.98^256 = 0.994
    assert (rare.permutations, rare.cut) == (256, (256, 1))
    assert rare.remarks and "256 permutations" in rare.remarks[0]


def test_lsh_is_bands_and_rows_in_one():
    assert DedupNear(lsh={"bands": 20, "rows": 10}) == DedupNear(bands=20, rows=10, permutations=200)


@pytest.mark.parametrize(
    "said", [{}, {"like": "nemo"}, {"like": "nemo", "recall": 0.9}, {"lsh": {"bands": 20, "rows": 10}}]
)
def test_a_stage_told_by_all_its_fields_is_the_same(said):
    stage = DedupNear(**said)
    assert DedupNear.model_validate(stage.model_dump(mode="json")) == stage


def test_the_recipe_holds_the_numbers_whatever_they_come_from():
    spelled = DedupNear(
        threshold=0.75, permutations=112, bands=14, rows=8, verify="none", shingle={"unit": "words", "size": 5}
    )
    assert DedupNear(like="fineweb").recipe_parameters() == spelled.recipe_parameters()
    assert DedupNear(recall=0.94).recipe_parameters() == DedupNear(bands=16, rows=8).recipe_parameters()


def test_bands_are_chosen_for_the_threshold():
    assert DedupNear().cut == (16, 8)
    assert DedupNear(threshold=0.9).cut[1] > 8
    assert DedupNear(bands=9, rows=13).cut == (9, 13)


def test_the_version_of_datasketch_is_in_the_recipe_only_where_it_is_the_engine():
    assert DedupNear().packages == ()
    assert DedupNear(engine="datasketch").packages == ("datasketch",)


@pytest.mark.parametrize("settings_", [{}, {"verify": "exact"}, {"engine": "datasketch", "verify": "none"}])
def test_warming_runs_every_phase(settings_):
    DedupNear(**settings_).warm()
