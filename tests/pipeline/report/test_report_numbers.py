"""The report's numbers: worked by hand on runs of a few documents, and laws for all of them."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.digest import coin
from pipeline.errors import InputError
from pipeline.report import gather, write
from pipeline.report.languages import temperature
from pipeline.report.levels import imbalances
from pipeline.report.names import name
from pipeline.report.samples import BY_LANGUAGE, SEED
from pipeline.report.tables import funnel_table, loss_table
from pipeline.report.warn import FEW_TOKENS


def by(rows, **wanted):
    (found,) = [row for row in rows if all(row[k] == v for k, v in wanted.items())]
    return found


def small(made):
    """a and b are Swahili, c is declared English and found to be Swahili, d is English."""
    made.source("s", [("a", "sw", "xx"), ("b", "sw", "xxxx"), ("c", "en", "xxxxxxxx"), ("d", "en", "x")])
    made.stage("identify", lang={"c": "sw"})
    made.stage("keep", {"a": ("words", 1.0, 5.0)})
    made.stage("keep", {"b": ("length", 2.0, 3.0)})
    return made


def test_each_level_counts_what_came_stayed_and_went(made):
    funnel = gather(small(made).steps).funnel
    assert [level["label"] for level in funnel] == ["sources", "identify", "keep", "keep 2"]
    assert [(level["documents"], level["dropped"]) for level in funnel] == [(4, 0), (4, 0), (3, 1), (2, 1)]
    assert [level["bytes"] for level in funnel] == [15, 15, 13, 9]


def test_a_language_gains_what_was_found_to_be_its_own(made):
    report = gather(small(made).steps)
    assert report.named_at == "identify"
    assert report.funnel[1]["languages"]["sw"]["arrived"] == 1
    assert report.funnel[1]["languages"]["en"]["arrived"] == -1
    swahili = by(report.languages, lang="sw")
    assert (swahili["documents_in"], swahili["documents"], swahili["bytes_in"], swahili["bytes"]) == (3, 1, 14, 8)
    assert swahili["kept"] == pytest.approx(1 / 3)


def test_what_was_dropped_before_languages_were_set_counts_under_its_old_name(made):
    made.source("s", [("a", "en", "x"), ("b", "en", "x")])
    made.stage("keep", {"a": ("words", 1.0, 5.0)})
    made.stage("identify", lang={"b": "sw"})
    languages = gather(made.steps).languages
    assert (by(languages, lang="en")["documents_in"], by(languages, lang="sw")["documents_in"]) == (1, 1)


def test_lengths_are_those_where_languages_were_set_and_those_at_the_end(made):
    swahili = by(gather(small(made).steps).languages, lang="sw")
    assert swahili["sizes_in"] == [[1, 1], [2, 1], [3, 1]]  # 2, 4 and 8 bytes: 2^1, 2^2, 2^3
    assert swahili["sizes"] == [[3, 1]]


def test_books_that_do_not_balance_are_told_with_the_numbers(made):
    funnel = gather(small(made).steps).funnel
    assert imbalances(funnel) == []
    funnel[2]["documents"] -= 1
    assert "4 documents came, 2 stayed and 1 were dropped; 1 are missing" in imbalances(funnel)[0]
    assert "too many" in imbalances(funnel)[1]  # and the next level has one more than came to it


def test_drops_are_summed_by_stage_and_reason_the_largest_first(made):
    made.source("s", [("a", "sw", "xx"), ("b", "sw", "xxxx"), ("c", "en", "xxx")])
    made.stage("keep", {"a": ("words", 1.0, 5.0), "b": ("length", 4.0, 5.0), "c": ("length", 3.0, 5.0)})
    first, second = gather(made.steps).drops
    assert (first["reason"], first["documents"], first["bytes"]) == ("length", 2, 7)
    assert first["languages"] == {"en": {"documents": 1, "bytes": 3}, "sw": {"documents": 1, "bytes": 4}}
    assert (second["reason"], second["samples"][0]["id"], second["samples"][0]["limit"]) == ("words", "a", 5.0)


def test_a_temperature_of_a_half_takes_the_root_of_the_shares():
    # shares .9 and .1; roots .94868 and .31623; their sum 1.26491; 3/4 and 1/4
    mix = temperature({"en": 900, "sw": 100}, 0.5)
    assert mix == pytest.approx({"en": 0.75, "sw": 0.25})


def test_epochs_are_the_share_drawn_over_the_natural_share(made):
    made.source("s", [("a", "en", "x"), ("b", "sw", "x")])
    made.tail({"en": 900, "sw": 100})
    rows = gather(made.steps).languages
    assert by(rows, lang="sw")["epochs"]["0.5"] == pytest.approx(2.5)  # .25 / .1
    assert by(rows, lang="en")["epochs"]["0.5"] == pytest.approx(0.75 / 0.9)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**15), min_size=1), st.floats(0.05, 1.0))
def test_shares_sum_to_one_and_a_temperature_never_changes_the_order(tokens, alpha):
    mix, total = temperature(tokens, alpha), sum(tokens.values())
    assert sum(mix.values()) == pytest.approx(1.0 if total else 0.0)
    ordered = sorted(tokens, key=lambda lang: tokens[lang])
    assert all(mix[a] <= mix[b] for a, b in pairwise(ordered))
    if total:
        assert temperature(tokens, 1.0) == pytest.approx({lang: n / total for lang, n in tokens.items()})


def test_fertility_is_tokens_over_words_and_bytes_over_tokens(made):
    made.source("s", [("a", "sw", "x" * 30)])
    made.tail({"sw": 12}, words={"sw": 5})
    row = by(gather(made.steps).languages, lang="sw")
    assert (row["tokens_per_word"], row["bytes_per_token"]) == (12 / 5, 30 / 12)
    assert (row["tokens"], row["train"], row["valid"]) == (12, 11, 1)


def test_fertility_is_unknown_where_no_words_were_counted(made):
    made.source("s", [("a", "sw", "x" * 30)])
    made.tail({"sw": 12})
    row = by(gather(made.steps).languages, lang="sw")
    assert row["tokens_per_word"] is None and row["bytes_per_token"] == 2.5


def many(made, shards):
    docs = [(f"{lang}{i}", lang, "x" * 20) for lang, n in (("en", 40), ("sw", 3), ("yo", 1)) for i in range(n)]
    made.source("s", docs)
    made.stage("keep", {doc[0]: ("words", 1.0, 5.0) for doc in docs}, shards=shards)
    return gather(made.steps, samples=6).drops[0]["samples"]


def test_samples_are_the_same_whatever_the_shards(tmp_path):
    from tests.pipeline.report.conftest import Made

    one, seven = many(Made(tmp_path / "one"), 1), many(Made(tmp_path / "seven"), 7)
    assert one == seven
    assert len(one) == 6


def test_a_ledger_without_a_row_gives_no_sample(made):
    made.source("s", [("a", "sw", "x")])
    made.stage("keep", {"a": ("words", 1.0, 5.0)}, shards=3)  # two of the three ledgers are empty
    assert [row["id"] for row in gather(made.steps).drops[0]["samples"]] == ["a"]


def test_samples_are_the_smallest_coins_and_languages_take_turns(made):
    found = many(made, 3)
    smallest = sorted((f"en{i}" for i in range(40)), key=lambda name: coin(SEED, name))[:BY_LANGUAGE]
    assert [row["id"] for row in found if row["lang"] == "en"] == smallest[: sum(r["lang"] == "en" for r in found)]
    assert sorted(row["lang"] for row in found[:3]) == ["en", "sw", "yo"]  # the first turn
    assert [row["lang"] for row in found].count("sw") >= 2


def test_records_that_could_not_be_read_are_shown_with_file_and_offset(made):
    bad = [{"id": f"s/f#{i}", "reason": "invalid_json", "file": "f.jsonl", "offset": 7 * i} for i in range(5)]
    harmless = [{"id": "s/g#0", "reason": "licence", "file": "g"}]
    made.source("s", [("a", "sw", "x")], bad=[*bad, *harmless])
    report = gather(made.steps)
    (source,) = report.sources
    assert (source["documents_in"], source["documents_read"], source["bad"]) == (7, 1, 5)
    assert {(s["file"], s["offset"]) for s in source["samples"]} >= {("f.jsonl", 28)}
    assert len(source["samples"]) == 6
    assert [w["text"] for w in report.warnings] == [
        "5 records of the source s could not be read (invalid_json 5). "
        "File and offset of each stand in its ledger; some are shown under Sources."
    ]


def test_a_source_keeps_its_books_to_the_end(made):
    made.source("one", [("a", "sw", "xx"), ("b", "sw", "xxx")])
    made.source("two", [("c", "sw", "xxxx")])
    made.stage("keep", {"a": ("words", 1.0, 5.0)})
    one, two = gather(made.steps).sources
    assert (one["documents_read"], one["documents"], one["bytes"]) == (2, 1, 3)
    assert (two["documents_read"], two["documents"], two["bytes"]) == (1, 1, 4)


def said(report):
    return " | ".join(warning["text"] for warning in report.warnings)


def test_a_language_that_vanished_is_named(made):
    made.source("s", [("a", "yo", "x"), ("b", "sw", "x")])
    made.stage("keep", {"a": ("words", 1.0, 5.0)})
    assert "1 language vanished: all documents of Yoruba (1, most at keep) were dropped." in said(gather(made.steps))


def test_a_language_that_was_only_found_and_is_gone_is_no_loss_of_the_sources(made):
    made.source("s", [("a", "sw", "x"), ("b", "sw", "x")])
    made.stage("identify", lang={"a": "so"})
    made.stage("keep", {"a": ("declared", 1.0, 5.0)})
    report = gather(made.steps)
    told = "Nothing is left of languages that were found, which no source declares: Somali (1, most at keep)."
    assert told in said(report)
    assert "vanished" not in said(report)


def test_a_corpus_of_which_nothing_is_left_is_an_error_that_names_the_stage_and_its_reason(made):
    made.source("s", [(name, "und", "x") for name in "abcd"])
    made.stage("identify", lang=dict.fromkeys("abcd", "en"))
    made.stage("keep", {"a": ("length", 1.0, 5.0), "b": ("words", 1.0, 5.0), "c": ("words", 1.0, 5.0)})
    made.stage("dedup_exact", {"d": ("exact_duplicate",)})
    first, *others = gather(made.steps).warnings
    assert first["level"] == "error"
    assert first["text"] == "Nothing is left of 4 records: keep dropped 3 of them (words)."
    assert "Nothing is left of languages found: English (4, most at keep)." in [w["text"] for w in others]


def test_a_source_without_a_document_is_told(made):
    made.source("full", [("a", "sw", "x")])
    made.source("void", [])
    assert "There is no document in the source void." in said(gather(made.steps))
    assert "source full" not in said(gather(made.steps))


def test_a_language_that_no_source_declares_and_that_is_kept_is_named(made):
    made.source("s", [("a", "sw", "x"), ("b", "sw", "x")])
    made.stage("identify", lang={"a": "so"})
    assert "No source declares Somali (1): these documents were found to be of it, and are kept." in said(
        gather(made.steps)
    )


def test_a_language_of_which_every_document_was_renamed_is_named(made):
    made.source("s", [("a", "tum", "x"), ("b", "ny", "x")])
    made.stage("identify", lang={"a": "ny"})
    assert said(gather(made.steps)) == "Every document declared as Chitumbuka was found to be of another language."


def test_a_stage_that_drops_more_than_half_of_a_language_is_named_and_one_that_drops_half_is_not(made):
    docs = [(f"{lang}{i}", lang, "x") for lang in ("yo", "sw") for i in range(12)]
    made.source("s", docs)
    made.stage(
        "keep", {f"yo{i}": ("words", 1.0, 5.0) for i in range(7)} | {f"sw{i}": ("words", 1.0, 5.0) for i in range(6)}
    )
    words = said(gather(made.steps))
    assert "keep dropped more than half of the documents of Yoruba (58.3%)." in words
    assert "Swahili" not in words


def test_text_that_edits_took_is_counted_beside_what_was_dropped(made):
    made.source("a", [("a", "ro", "0123456789"), ("b", "ro", "01234"), ("c", "hr", "0123")])
    made.stage("dedup_lines", edit={"a": "0"})  # nine bytes of Romanian
    made.stage("keep", drop={"b": ("words", 1.0, 2.0)})
    report = gather(made.steps)
    assert [level["edited_bytes"] for level in report.funnel] == [0, 9, 0]
    romanian, croatian = (report.funnel[1]["languages"][lang] for lang in ("ro", "hr"))
    assert (romanian["edited_bytes"], croatian["edited_bytes"]) == (9, 0)
    row = next(row for row in report.languages if row["lang"] == "ro")
    assert row["kept"] == 1 / 2 and row["kept_bytes"] == 1 / 15
    cells = [cell.text for cell in funnel_table(report.funnel).rows[1].cells]
    assert cells[0] == "dedup_lines" and "9 B" in cells
    assert "60.0%" in [c.text for line in loss_table(report.funnel, report.languages, "bytes").rows for c in line.cells]


def test_a_language_that_keeps_its_documents_and_loses_their_text_is_named_with_the_stage(made):
    made.source("a", [(f"{lang}{i}", lang, "0123456789") for lang in ("ro", "hr") for i in range(5)])
    made.stage("repair", edit={f"ro{i}": "01234567" for i in range(5)})
    made.stage("dedup_lines", edit={f"ro{i}": "0123" for i in range(5)} | {f"hr{i}": "01234" for i in range(5)})
    (warning,) = [w for w in gather(made.steps).warnings if "text is kept" in w["text"]]
    assert warning["level"] == "warning" and warning["langs"] == ["ro"]  # half is not less than half
    assert "Romanian (40.0%): dedup_lines took most" in warning["text"]


def test_languages_with_few_tokens_are_named_up_to_the_bound(made):
    made.source("s", [("a", "yo", "x"), ("b", "sw", "x")])
    made.tail({"yo": FEW_TOKENS - 1, "sw": FEW_TOKENS})
    assert said(gather(made.steps)) == "1 language has fewer than 10,000 tokens: Yoruba."


def test_a_language_without_held_out_text_is_named(made):
    made.source("s", [("a", "yo", "x")])
    made.tail({"yo": 9})  # a tenth of it is nothing
    assert "No held-out text for Yoruba" in said(gather(made.steps))


def test_a_vocabulary_smaller_than_asked_is_told(made):
    made.source("s", [("a", "yo", "x")])
    made.tail({"yo": 90_000}, vocab_size=511)
    assert (
        said(gather(made.steps))
        == "The vocabulary has 511 tokens, not the 512 asked for: the sample holds no more merges."
    )


def test_the_chance_to_find_a_pair_at_the_threshold_is_the_one_that_the_stage_told(made):
    made.source("s", [("a", "sw", "x")])
    settings = {"threshold": 0.5, "bands": 2, "rows": 1, "recall": 0.75}
    made.stage("dedup_near", kind="corpus", about={"settings": settings})
    assert gather(made.steps).duplicates[0]["found"] == 0.75


def test_speed_is_the_text_that_came_over_the_seconds_of_workers(made):
    steps = gather(small(made).steps).steps
    assert [step["bytes_in"] for step in steps] == [15, 15, 15, 13]
    assert steps[3]["bytes_per_worker_second"] == 13.0


@pytest.mark.parametrize("until", [0, 1, 2, 3, 4, 5])
def test_a_report_of_an_unfinished_run_can_be_written(made, tmp_path, until):
    made.source("s", [("a", "sw", "x")])
    made.stage("normalize")
    made.tail({"sw": 4})
    page = write(gather(made.steps[:until]), tmp_path)
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_two_reports_of_the_same_steps_are_equal_and_report_json_holds_it(made, tmp_path):
    first, second = gather(small(made).steps), gather(made.steps)
    write(first, tmp_path)
    assert first == second
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == first.to_json()


def test_a_value_that_is_no_number_in_a_ledger_is_left_out(made, tmp_path):
    made.source("s", [("a", "sw", "x")])
    made.stage("keep", {"a": ("words", math.nan, math.inf)})
    report = gather(made.steps)
    assert report.drops[0]["samples"][0]["value"] is None
    write(report, tmp_path)  # JSON has no NaN


def test_a_damaged_ledger_is_told_with_its_path(made):
    small(made)
    ledger = next(made.steps[2].folder.glob("ledger/*"))
    ledger.write_bytes(ledger.read_bytes()[:100])
    with pytest.raises(InputError, match=ledger.name):
        gather(made.steps)


@pytest.mark.parametrize(
    ("code", "kind", "called"),
    [("de", "text", "German"), ("sr-Latn", "text", "Serbian"), ("el", "text", "Modern Greek"), ("r", "code", "r")],
)
def test_languages_beyond_the_46_have_their_names_too(code, kind, called):
    assert name(code, kind) == called
