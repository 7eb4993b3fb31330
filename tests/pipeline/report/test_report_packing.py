"""The report tells what packing did: documents cut, padding, tokens a row."""

import json

from pipeline.report import gather
from pipeline.report.card import render_card
from pipeline.report.page import render_page
from pipeline.report.tables import packing_table
from pipeline.store.step import MANIFEST

NUMBERS = {"rows": 4, "documents": 10, "cut": 3, "padding": 26, "tokens": 2026}


def repacked(made, mode, **numbers):
    """The run with other figures of its packed rows: 4 rows of 513, 2,026 tokens and 26 of padding."""
    made.source("s", [("a", "sw", "x")])
    made.tail({"sw": 10})
    path = made.steps[-1].folder / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["recipe"] = {"parameters": {"mode": mode}}
    manifest["splits"] = {"train": {"sw": {**manifest["splits"]["train"]["sw"], **numbers}}, "valid": {}}
    path.write_text(json.dumps(manifest), "utf-8")
    return gather(made.steps)


def test_the_table_tells_what_was_cut_and_padded(made):
    table = packing_table(repacked(made, "best_fit", **NUMBERS).packed)
    assert "best_fit" in table.caption
    train, valid = ([cell.text for cell in line.cells] for line in table.rows)
    # 3 of 10; 2026 / 4; 26 of 4 * 513
    assert train == ["train", "10", "3", "30.0%", "4", "2,026", "506.5", "26", "1.3%"]
    assert valid[0] == "valid" and valid[3] == ""  # nothing held out: no share of it


def test_a_folder_that_was_packed_before_cuts_were_counted_has_no_figure_for_them(made):
    report = repacked(made, "concat", rows=4)
    assert report.packed["splits"]["train"]["cut"] is None
    assert [cell.text for cell in packing_table(report.packed).rows[0].cells][2:4] == ["", ""]


def test_the_page_and_the_card_speak_of_the_mode(made):
    report = repacked(made, "best_fit", **NUMBERS)
    assert "Packed rows (best_fit)" in render_page(report)
    assert "documents whole where they fit" in render_card(report)


def test_nothing_packed_has_no_table(made):
    made.source("s", [("a", "sw", "x")])
    report = gather(made.steps)
    assert report.packed is None and packing_table(report.packed) is None
    assert "Packed rows" not in render_page(report)
