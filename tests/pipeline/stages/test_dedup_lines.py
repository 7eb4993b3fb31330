"""`dedup_lines` takes out what its twin says, however documents are sharded and keys are parted."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.stages.base import PART_VERDICTS, Outcome
from pipeline.stages.dedup_lines import DedupLines
from tests.pipeline.stages.tables import docs
from tests.pipeline.text import lines_twin as twin


def outcomes(stage: DedupLines, shards: list[pa.Table], parts: int = 1) -> list[Outcome]:
    """Observed shard by shard, decided in `parts` partitions, applied shard by shard."""
    observed = [stage.observe(shard) for shard in shards]
    totals: dict[str, int] = {}
    for name, count in (item for o in observed for item in o.totals.items()):
        totals[name] = totals.get(name, 0) + count
    keys = pa.concat_tables([o.keys for o in reversed(observed)])
    part = [key % parts for key in keys.column("key").to_pylist()]
    masks = [pa.array([p == at for p in part], pa.bool_()) for at in range(parts)]
    verdicts = pa.concat_tables([stage.decide(keys.filter(mask), totals) for mask in masks])
    assert verdicts.schema == PART_VERDICTS
    theirs = [set(shard.column("doc").to_pylist()) for shard in shards]
    of = [pa.array([doc in own for doc in verdicts.column("doc").to_pylist()], pa.bool_()) for own in theirs]
    return [stage.apply(shard, verdicts.filter(mine)) for shard, mine in zip(shards, of, strict=True)]


def numbered(texts: list[str], **columns) -> pa.Table:
    return docs(texts, doc=pa.array(range(len(texts)), pa.uint64()), **columns)


def texts_of(outcome: Outcome, table: pa.Table) -> list[str]:
    new = outcome.columns["text"].to_pylist()
    return [o if n is None else n for o, n in zip(table.column("text").to_pylist(), new, strict=True)]


LINES = st.lists(st.sampled_from(["", "a", " a ", "ab", "b", " ", "abc\u3000"]), min_size=1, max_size=8).map("\n".join)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(LINES, st.sampled_from("st")), min_size=2, max_size=8),
    st.fixed_dictionaries(
        {
            "min_chars": st.integers(1, 3),
            "min_count": st.integers(2, 4),
            "min_share": st.sampled_from([0, 0.5]),
            "keep": st.sampled_from(["first", "none"]),
            "by": st.sampled_from(["documents", "occurrences"]),
            "within": st.sampled_from(["source", "corpus"]),
            "unit": st.sampled_from(["line", "paragraph"]),
        }
    ),
    st.integers(1, 3),
    st.integers(0, 8),
)
def test_lines_go_as_the_twin_says_however_they_are_sharded(cases, parameters, parts, cut):
    cases = sorted(cases, key=lambda case: case[1])  # documents of a source stand together
    texts, sources = [t for t, _ in cases], [s for _, s in cases]
    table = numbered(texts, source=sources)
    found = outcomes(DedupLines(**parameters), [table.slice(0, cut), table.slice(cut)], parts)
    new = [n for outcome in found for n in outcome.columns["text"].to_pylist()]
    gone = [row + at for at, o in zip((0, cut), found, strict=True) for row in o.dropped.column("row").to_pylist()]
    groups = sources if parameters.pop("within") == "source" else ["all"] * len(texts)
    marked = twin.template_lines(texts, groups, **parameters)
    without = twin.without if parameters["unit"] == "line" else twin.without_paragraphs
    expected = [without(text, marks) for text, marks in zip(texts, marked, strict=True)]
    assert gone == [row for row, text in enumerate(expected) if text is not None and not text.strip()]
    assert new == [None if row in gone else text for row, text in enumerate(expected)]
    counts = [c for outcome in found for c in outcome.columns[f"template_{parameters['unit']}s"].to_pylist()]
    assert counts == [sum(marks) for marks in marked]


MENU = "Home | News | About us"


def test_the_first_of_a_template_line_stays_and_originals_take_all():
    table = numbered([f"{MENU}\nstory {i}" for i in range(10)])
    (kept,) = outcomes(DedupLines(), [table])
    assert texts_of(kept, table) == [f"{MENU}\nstory 0", *(f"story {i}" for i in range(1, 10))]
    (none,) = outcomes(DedupLines(keep="none"), [table])
    assert texts_of(none, table) == [f"story {i}" for i in range(10)]
    assert none.tallies == {"lines": 10, "bytes": 10 * len(MENU + "\n")}


def test_a_bound_is_met_at_the_bound():
    table = numbered([f"{MENU}\nstory {i}" for i in range(9)])
    assert outcomes(DedupLines(), [table])[0].tallies["lines"] == 0  # 9 documents, 10 are asked
    assert outcomes(DedupLines(min_count=9), [table])[0].tallies["lines"] == 8
    assert outcomes(DedupLines(min_count=9, min_chars=len(MENU)), [table])[0].tallies["lines"] == 8
    assert outcomes(DedupLines(min_count=9, min_chars=len(MENU) + 1), [table])[0].tallies["lines"] == 0
    half = numbered(["x\nmine"] * 2 + ["y", "z"])  # on two of four pages: on just half of them
    assert outcomes(DedupLines(min_chars=1, min_count=2, min_share="51%"), [half])[0].tallies["lines"] == 0
    assert outcomes(DedupLines(min_chars=1, min_count=2, min_share="50%"), [half])[0].tallies["lines"] == 2
    exact = numbered(["x"] * 7 + ["y"] + [str(i) for i in range(92)])  # 0.07 * 100 is more than 7
    assert outcomes(DedupLines(min_chars=1, min_count=2, min_share="7%"), [exact])[0].tallies["lines"] == 6


def test_a_refrain_within_one_document_is_no_template_unless_occurrences_count():
    table = numbered(["a refrain of a song\n" * 12, "another text"])
    assert outcomes(DedupLines(), [table])[0].tallies["lines"] == 0
    assert outcomes(DedupLines(by="occurrences"), [table])[0].tallies["lines"] == 11


def test_a_document_of_which_nothing_is_left_goes_to_the_ledger_with_its_text():
    table = numbered([f"{MENU}\nstory {i}" for i in range(10)] + [f" {MENU}\n\n{MENU}"])
    (outcome,) = outcomes(DedupLines(), [table])
    (row,) = outcome.dropped.to_pylist()
    assert (row["row"], row["reason"], row["value"]) == (10, "emptied", 2)
    assert outcome.columns["text"][10].as_py() is None


def test_code_is_not_touched_and_does_not_count():
    table = numbered(["    return nothing at all\n"] * 12, kind="code")
    assert outcomes(DedupLines(), [table])[0].columns["text"].null_count == 12
    mixed = pa.concat_tables(
        [numbered(["    return nothing at all\nx"] * n, kind=k) for n, k in ((3, "code"), (9, "text"))]
    )
    assert outcomes(DedupLines(), [mixed])[0].tallies["lines"] == 0


def test_a_paragraph_goes_with_the_blank_lines_behind_it():
    notice = "All rights\nreserved."
    table = numbered(
        [f"{notice}\n\nstory 0", f"one\n \n  {notice}\n\n\ntwo", f"three\n\n{notice}", "All rights\n\nreserved."]
    )
    (outcome,) = outcomes(DedupLines(unit="paragraph", min_count=3), [table])
    assert texts_of(outcome, table) == [f"{notice}\n\nstory 0", "one\n \ntwo", "three", "All rights\n\nreserved."]
    assert outcome.tallies == {"paragraphs": 2, "bytes": len(f"  {notice}\n\n\n") + len(f"\n\n{notice}")}
    assert outcome.columns["template_paragraphs"].to_pylist() == [0, 1, 1, 0]
    assert outcomes(DedupLines(min_count=3, min_chars=5), [table])[0].tallies["lines"] == 6  # its lines stand in four


def test_the_paragraph_of_a_key_is_found_for_the_report():
    table = numbered(["\n\none\ntwo \n\nthree"])
    stage = DedupLines(unit="paragraph", min_chars=1)
    found = [stage.part(table, key) for key in stage.observe(table).keys.column("key").to_pylist()]
    assert sorted(found) == ["one\ntwo", "three"]


def test_the_line_of_a_key_is_found_for_the_report():
    table = numbered([f"story\n  {MENU}\t\nend"])
    keys = DedupLines().observe(table).keys
    assert DedupLines().part(table, keys.column("key")[0].as_py()) == MENU


@pytest.mark.parametrize(
    "settings_", [{"min_chars": 0}, {"min_count": 1}, {"keep": "last"}, {"min_share": 2}, {"unit": "page"}]
)
def test_what_cannot_be_is_refused(settings_):
    with pytest.raises(ValidationError):
        DedupLines(**settings_)
