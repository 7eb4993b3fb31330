"""`decontaminate` finds what plain sets find and does what the config says; a set that cannot be read is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError

from pipeline.stages.decontaminate import Decontaminate
from pipeline.steps.rows import stage_from, stage_json
from pipeline.text.contamination import Rule
from tests.pipeline.making import config, go, kept_after, ledger_of, write_jsonl
from tests.pipeline.stages.tables import docs
from tests.pipeline.text import contamination_twin as twin

UDHR = Path(__file__).parents[3] / "data" / "udhr"
TALE = "The quick brown fox jumps over the lazy dog and then it sleeps again until morning"  # 16 words: 4 runs of 13
OTHER = "Nobody has ever seen so many small green birds in one old garden behind that house"


def against(folder: Path, *texts: str, name: str = "eval") -> list[dict]:
    return [{"jsonl": {"name": name, "path": str(write_jsonl(folder / f"{name}.jsonl", texts))}}]


def stage(folder: Path, *texts: str, **settings) -> Decontaminate:
    return Decontaminate(against=against(folder, *(texts or (TALE, OTHER))), **settings)


def test_a_document_that_holds_thirteen_words_of_an_item_goes_and_the_ledger_names_the_item(tmp_path):
    words = TALE.split()
    held = ["clean", "so: " + " ".join(words[:13]).upper() + "!", " ".join(words[:12]), f"{OTHER} {TALE}"]
    outcome = stage(tmp_path).apply(docs(held))
    rows = [(r["row"], r["reason"], r["value"], r["limit"], r["twin"]) for r in outcome.dropped.to_pylist()]
    assert rows == [
        (1, "contaminated", 1 / 4, 0, "eval/eval.jsonl#0"),
        (3, "contaminated", 1, 0, "eval/eval.jsonl#0"),  # both are there whole: of equals the first
    ]
    assert outcome.tallies == {"documents": 2, "set/eval": 2, "item/eval/eval.jsonl#0": 2, "item/eval/eval.jsonl#1": 1}
    assert outcome.columns["contamination"].to_pylist() == [0, 1 / 4, 0, 1]


def test_a_share_is_met_at_the_share(tmp_path):
    half = " ".join(TALE.split()[:14])  # 2 of 4
    for share, gone in ((0.5, 1), (0.51, 0), ("50%", 1)):
        assert stage(tmp_path, share=share).apply(docs([half])).dropped.num_rows == gone
    marked = stage(tmp_path, share=0.51, action="mark").apply(docs([half]))
    assert marked.columns["contaminated_by"].to_pylist() == ["eval/eval.jsonl#0"]  # what is below is shown, not counted
    assert marked.tallies == {"documents": 0}


def test_marking_changes_nothing_and_tells_what_dropping_would(tmp_path):
    table = docs(["clean", TALE, OTHER])
    drop, mark = (stage(tmp_path, action=action).apply(table) for action in ("drop", "mark"))
    assert mark.dropped.num_rows == 0 and "text" not in mark.columns
    assert mark.columns == drop.columns and mark.tallies == drop.tallies


def cut(folder: Path, text: str, **settings) -> tuple[str | None, list[tuple[str, float]]]:
    settings = {"action": "cut", "around": 3, "min_piece": 4, **settings}
    outcome = stage(folder, **settings).apply(docs([text]))
    gone = [(r["reason"], r["value"]) for r in outcome.dropped.to_pylist()]
    return outcome.columns["text"][0].as_py(), gone


def test_cutting_takes_out_the_words_and_what_is_around_them(tmp_path):
    # 3 characters before "The" are "lo ", 3 behind "morning" are " wö": "hél" and "rld" are too short, 3 < 4
    assert cut(tmp_path, f"héllo {TALE} wörld") == (None, [("emptied", 1)])
    assert cut(tmp_path, f"héllo {TALE} wörld", min_piece=3) == ("hél\n\nrld", [])
    assert cut(tmp_path, f"{TALE} wörld", around=0) == (" wörld", [])
    assert cut(tmp_path, "nothing to cut") == (None, [])
    assert cut(tmp_path, TALE) == (None, [("emptied", 1)])


def test_a_document_in_more_than_so_many_pieces_goes(tmp_path):
    text = " between ".join([TALE] * 3)  # pieces: two of " between "
    assert cut(tmp_path, text, around=0, max_pieces=2) == (" between \n\n between ", [])
    assert cut(tmp_path, text, around=0, max_pieces=1) == (None, [("pieces", 2)])
    outcome = stage(tmp_path, action="cut", around=0, max_pieces=1).apply(docs([text]))
    assert outcome.columns["contamination_cuts"].to_pylist() == [3]
    assert outcome.dropped.column("limit").to_pylist() == [1]


def test_what_is_below_the_share_is_not_cut(tmp_path):
    text = f"{TALE} ... {' '.join(OTHER.split()[:13])}"  # all of one, a quarter of the other
    assert cut(tmp_path, text, around=0, share=0.5)[0] == " ... " + " ".join(OTHER.split()[:13])


def test_fields_are_joined_in_their_order_and_lists_are_read(tmp_path):
    first, rest = " ".join(TALE.split()[:9]), " ".join(TALE.split()[9:])
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"q": first, "a": {"all": [rest, 3], "none": None}}) + "\n", "utf-8")
    for fields, words in ((["q"], 9), (["q", "a.all"], 17), (["q", "a.none", "a.all"], 17), (["q", "a"], 17)):
        made = Decontaminate(against=[{"jsonl": {"name": "q", "path": str(path)}, "fields": fields}])
        assert made.recipe_parameters()["against"][0]["looked_for"]["ngrams"] == max(1, words - 12), fields
        assert made.apply(docs([TALE])).dropped.num_rows == 1, fields


def test_sets_are_read_by_any_source(tmp_path):
    pq.write_table(pa.table({"question": [TALE], "choices": [["a", "b"]]}), tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text(f"{OTHER}\n{TALE}\n", "utf-8")
    sets = [
        {"parquet": {"name": "p", "path": str(tmp_path / "a.parquet")}, "fields": ["question", "choices"]},
        {"text": {"name": "t", "path": str(tmp_path / "b.txt"), "split": "line"}},
    ]
    made = Decontaminate(against=sets, common=2)
    assert made.apply(docs([OTHER])).dropped.column("twin").to_pylist() == ["t/b.txt#0"]
    assert set(made.files) == {"p/a.parquet", "t/b.txt"}
    assert stage_from(json.loads(json.dumps(stage_json(made)))) == made


@pytest.mark.parametrize(
    ("written", "settings", "told"),
    [
        ("", {}, "of its 0 items none can be looked for"),
        ('{"text": "too short"}\n', {}, "of its 1 items none can be looked for: none has 8 words"),
        (f'{{"text": "{TALE}"}}\n{{"text": \n', {}, "e/e.jsonl#1: invalid_json"),
        (f'{{"text": "{TALE}"}}\n{{"txt": ""}}\n', {}, "e/e.jsonl#1: missing_text"),
        (f'{{"text": "{TALE}"}}\n', {"fields": ["text", "b"]}, "e/e.jsonl#0 has no field 'b'"),
        (f'{{"text": "{TALE}"}}\n', {"max_document": "20"}, "too_large"),
    ],
)
def test_a_set_that_cannot_be_read_whole_is_refused_with_file_and_row(written, settings, told, tmp_path):
    (tmp_path / "e.jsonl").write_text(written, "utf-8")
    fields = {"fields": settings.pop("fields")} if "fields" in settings else {}
    with pytest.raises(ValidationError, match=told):
        Decontaminate(against=[{"jsonl": {"name": "e", "path": str(tmp_path / "e.jsonl"), **settings}, **fields}])


def test_what_names_no_set_is_refused_with_what_would(tmp_path):
    path = str(write_jsonl(tmp_path / "a.jsonl", [TALE]))
    jsonl = {"name": "a", "path": path}
    for wrong, told in (
        ([], "names no set"),
        ([{"jsonl": jsonl}, {"jsonl": jsonl}], "two sets are named 'a'"),
        ([{"json": jsonl}], "name a set as a source"),
        ([{"jsonl": {**jsonl, "pth": 1}}], "jsonl: pth: Extra inputs are not permitted"),
        ([{"jsonl": {**jsonl, "text_field": "a"}, "fields": ["b"]}], "keep `fields`"),
        ([{"text": jsonl, "fields": ["b"]}], "no fields to choose from"),
        ([{"jsonl": jsonl, "fields": None}], "fields: None is neither a name nor a list of names"),
        ([{"jsonl": jsonl, "fields": 5}], "fields: 5 is neither"),
        ([{"jsonl": jsonl, "fields": {"a": "b"}}], "is neither"),
        ([{"jsonl": jsonl, "fields": [None]}], "is neither"),
    ):
        with pytest.raises(ValidationError, match=told):
            Decontaminate(against=wrong)


def texts_of(lang: str) -> list[str]:
    with zstandard.open(UDHR / f"{lang}.jsonl.zst", "rb") as file:
        return [json.loads(line)["text"] for line in io.TextIOWrapper(file, encoding="utf-8")]


def test_on_real_text_it_finds_what_plain_sets_find(tmp_path):
    """Articles of six languages are items; documents are articles of others, mixed with items, and parts of items."""
    items = [text for lang in ("en", "fr", "zh-hans", "hi", "ar", "sw") for text in texts_of(lang)]
    others = [text for lang in ("es", "zu", "zh-hant", "ur") for text in texts_of(lang)]
    mixed = [f"{b[:200]} {a[len(a) // 3 :]} {b[-200:]}" for a, b in zip(items[::3], others, strict=False)]
    halves = [text[: len(text) // 4] for text in items]
    rule = Rule(13, 26, 8, 16, 10)
    sets = twin.counted(items, rule)
    holders: dict[twin.Gram, list[int]] = {}
    for number, own in enumerate(sets):
        for gram in own:
            holders.setdefault(gram, []).append(number)
    outcome = stage(tmp_path, *items, action="mark").apply(docs([*others, *mixed, *halves]))
    hit = 0
    for text, share, by in zip(
        [*others, *mixed, *halves],
        *(outcome.columns[name].to_pylist() for name in ("contamination", "contaminated_by")),
        strict=True,
    ):
        words = twin.words(text.encode())
        grams = {tuple(words[i : i + n]) for n in {len(g) for g in holders} for i in range(len(words) - n + 1)}
        counts = [0] * len(items)
        for gram in grams & holders.keys():
            for number in holders[gram]:
                counts[number] += 1
        shares = [count / len(own) if own else 0 for count, own in zip(counts, sets, strict=True)]
        best = max(shares, default=0)
        assert share == best
        assert by == (f"eval/eval.jsonl#{shares.index(best)}" if best else None)
        hit += best > 0
    assert len(mixed) <= hit < len(mixed) + len(halves)  # something was found, and not everywhere


def test_a_run_names_items_in_the_ledger_and_a_changed_set_makes_the_step_again(tmp_path):
    write_jsonl(tmp_path / "in" / "a.jsonl", ["clean text", f"say {TALE}", "more"])
    sources = [{"jsonl": {"name": "src", "path": str(tmp_path / "in" / "*.jsonl")}}]
    stages = [{"decontaminate": {"against": against(tmp_path, TALE)}}]
    result = go(config(tmp_path, stages=stages, sources=sources))
    (row,) = ledger_of(result.steps[-1]).to_pylist()
    assert (row["id"], row["twin"], row["reason"]) == ("src/a.jsonl#1", "eval/eval.jsonl#0", "contaminated")
    assert kept_after(result, 1).num_rows == 2
    manifest = result.steps[-1].step.manifest()
    assert list(manifest["recipe"]["files"]) == ["eval/eval.jsonl"]
    assert manifest["tallies"]["item/eval/eval.jsonl#0"] == 1
    (told,) = json.loads((result.report.parent / "report.json").read_text("utf-8"))["contamination"]
    assert (told["stage"], told["action"]) == ("decontaminate", "drop")
    most = [{"item": "eval/eval.jsonl#0", "documents": 1}]
    counts = {"items": 1, "not_looked_for": 0, "found": 1, "documents": 1}
    assert told["sets"] == [{"name": "eval", **counts, "most": most}]
    page = (result.report.parent / "report.html").read_text("utf-8")
    assert "eval/eval.jsonl#0" in page and TALE not in page.split('id="contamination"')[1].split("</section>")[0]
    against(tmp_path, TALE, OTHER)
    again = go(config(tmp_path, stages=stages, sources=sources))
    assert len(again.made) == 1
    (tmp_path / "eval.jsonl").rename(tmp_path / "in" / "eval.jsonl")  # where it lies makes no difference
    moved = [{"decontaminate": {"against": [{"jsonl": {"name": "eval", "path": str(tmp_path / "in" / "eval.jsonl")}}]}}]
    only = [{"jsonl": {"name": "src", "path": str(tmp_path / "in" / "a.jsonl")}}]
    assert go(config(tmp_path, stages=moved, sources=only)).made == []
