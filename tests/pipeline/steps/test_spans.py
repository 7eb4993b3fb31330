"""Steps of span-wise stages: the same bytes however the work is cut, parted, stopped or spoiled on its way."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.stages import dedup_substrings
from pipeline.stages.dedup_substrings import DedupSubstrings
from pipeline.steps import spans
from pipeline.store.counts import total
from pipeline.store.step import faults
from tests.pipeline.making import config, go, kept_after, ledger_of, sealed, stopped_at_write, write_jsonl
from tests.pipeline.stages import substrings_twin as twin

STAGES = [{"dedup_substrings": {"length": 30, "min_left": 12}}]
SAID = [
    "All human beings are born free and equal in dignity and rights. ",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits. ",
    "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "Share this page with all of your friends, today and tomorrow. ",
]


def texts(count: int = 60) -> list[str]:
    """Sentences that come again, numbers that do not, whole copies, short and empty ones."""
    chance = random.Random(3)
    out = [
        "".join(f"{chance.random()} {chance.choice(SAID)}" for _ in range(chance.randint(1, 5))) for _ in range(count)
    ]
    return [*out, "", f"a{SAID[0]}b", SAID[0] * 3, *out[:5], "short", "short", ""]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_jsonl(folder / "a.jsonl", texts()[:40])
    write_jsonl(folder / "b.jsonl", texts()[40:])
    return folder, go(config(folder, stages=STAGES, shard_size=1500))


def expected() -> list[str]:
    """What is left, by brute force: of a text that lost something, 12 bytes must be."""
    all_of_them = texts()
    left = [twin.cut(t, cuts) for t, cuts in zip(all_of_them, twin.gone(all_of_them, 30), strict=True)]
    return [new for old, new in zip(all_of_them, left, strict=True) if old == new or len(new.encode()) >= 12]


def test_a_run_over_shards_takes_out_what_brute_force_says_and_loses_no_document(whole):
    _, result = whole
    ids = kept_after(result, 0).column("id").to_pylist()
    kept, gone = kept_after(result, 1), ledger_of(result.steps[-1])
    assert sorted(kept.column("id").to_pylist() + gone.column("id").to_pylist()) == sorted(ids)
    assert set(gone.column("reason").to_pylist()) == {"emptied", "repeated"}
    assert kept.column("text").to_pylist() == expected()
    manifest = result.steps[-1].step.manifest()
    assert (total(manifest["kept"]), total(manifest["dropped"])) == (kept.num_rows, gone.num_rows)
    assert len(manifest["files"]) > 10  # else there were no shards


def test_the_manifest_shows_what_stood_most_often_and_the_longest_that_went(whole):
    about = whole[1].steps[-1].step.manifest()["about"]
    all_of_them, texts_by_id = (
        texts(),
        dict(zip(*kept_after(whole[1], 0).select(["id", "text"]).to_pydict().values(), strict=True)),
    )
    for shown in about["most"]:
        assert len(shown["excerpt"].encode()) > 26  # 30 bytes, less what of a character was not whole
        assert sum(text.count(shown["excerpt"]) for text in all_of_them) >= shown["total"]
        assert shown["excerpt"] in texts_by_id[shown["document"]]
    most = max(sum(text.count(said[:20]) for text in all_of_them) for said in SAID)
    assert about["most"][0]["total"] == most
    assert about["longest"][0]["bytes"] == max(e - b for cuts in twin.gone(all_of_them, 30) for b, e in cuts)
    assert all(shown["excerpt"] in texts_by_id[shown["document"]] for shown in about["longest"])


def test_bytes_depend_on_neither_workers_nor_partitions_nor_how_hot_keys_are_told(whole, monkeypatch):
    folder, one = whole
    two = go(config(folder, "two", stages=STAGES, shard_size=1500, run={"workers": 2, "memory": "3GB"}))
    assert sealed(one) == sealed(two)
    monkeypatch.setattr(spans, "PARTITION_BYTES", 3000)
    monkeypatch.setattr(dedup_substrings, "HOT", 4)
    assert sealed(one) == sealed(go(config(folder, "parted", stages=STAGES, shard_size=1500)))


@pytest.mark.parametrize("size", [1000, 4000, 16_000_000])
def test_what_goes_does_not_depend_on_how_shards_are_cut(whole, size):
    folder, one = whole
    other = go(config(folder, f"cut{size}", stages=STAGES, shard_size=size))
    assert kept_after(other, 1).to_pylist() == kept_after(one, 1).to_pylist()
    found, expected_ = (made.steps[-1].step.manifest()["about"] for made in (other, one))
    assert found["most"] == expected_["most"] and found["longest"][0] == expected_["longest"][0]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(after=st.integers(1, 120))
def test_a_run_that_stops_at_any_write_goes_on_to_the_same_bytes(whole, tmp_path_factory, after):
    folder, one = whole
    broken = str(tmp_path_factory.mktemp("broken"))
    made = config(folder, stages=STAGES, shard_size=1500, run={"workdir": broken})
    with stopped_at_write(after):
        go(made)
    assert sealed(go(made)) == sealed(one)
    assert not list(Path(broken).rglob(".tmp-*"))


@pytest.mark.parametrize("how", ["cut short", "changed"])
@pytest.mark.parametrize("kind", ["keys", "suspects", "contents", "copies", "spans"])
def test_a_file_on_the_way_that_was_damaged_is_made_again(whole, tmp_path, monkeypatch, kind, how):
    folder, one = whole
    made = config(folder, stages=STAGES, shard_size=1500, run={"workdir": str(tmp_path)})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(spans, "show", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
        go(made)
    path = sorted(tmp_path.glob(f"01-*/scratch/{kind}/*.arrow"))[0]
    content = bytearray(path.read_bytes())
    content[-24] ^= 0xFF  # in the last column, before the mark of the end
    path.write_bytes(content if how == "changed" else content[:-9])
    for mark in tmp_path.glob("01-*/marks/apply*"):
        mark.unlink()
    assert sealed(go(made)) == sealed(one)


def test_one_broken_byte_of_a_layer_is_found(whole):
    folder, _ = whole
    result = go(config(folder, "byte", stages=STAGES, shard_size=1500))
    step = result.steps[-1].step
    assert not list(faults(step))
    path = max(step.folder.glob("layers/*.arrow"), key=lambda p: p.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [f"layers/{path.name}" in fault for fault in faults(step)] == [True]


def test_where_names_the_documents_that_are_compared(tmp_path):
    lines = [{"text": SAID[0] + str(i), "lang": lang} for i, lang in enumerate(["en", "fr", "en", "fr"])]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = go(config(tmp_path, stages=[{**STAGES[0], "where": {"lang": "fr"}}]))
    assert kept_after(result, 1).column("text").to_pylist() == [SAID[0] + "0", SAID[0] + "1", SAID[0] + "2"]
    assert result.steps[-1].step.manifest()["tallies"]["where_matched"] == 2


def test_a_corpus_without_documents_or_without_windows_passes(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ["", "short", "short"])
    result = go(config(tmp_path, stages=STAGES))
    assert kept_after(result, 1).num_rows == 3
    assert result.steps[-1].step.manifest()["about"] == {"longest": [], "most": []}


def test_keys_out_of_order_stop_the_run_instead_of_getting_lost(tmp_path, monkeypatch):
    real = DedupSubstrings.observe
    monkeypatch.setattr(DedupSubstrings, "warm", lambda self: None)
    monkeypatch.setattr(DedupSubstrings, "observe", lambda self, docs: real(self, docs).take([1, 0]))
    write_jsonl(tmp_path / "a.jsonl", [SAID[0] * 2])
    with pytest.raises(AssertionError, match="dedup_substrings: keys must rise"):
        go(config(tmp_path, stages=STAGES))
