"""Files are there whole or not at all; layers lie over each other; a seal notices any change."""

import errno
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.digest import address, canonical, coin
from pipeline.document import DOCUMENT
from pipeline.errors import InputError, RunError
from pipeline.store import files
from pipeline.store.counts import add_kept, count_kept
from pipeline.store.files import read_json, read_table, sweep, write_file, write_table
from pipeline.store.layers import DOC, Shard, overlay, read_shard
from pipeline.store.lock import owned
from pipeline.store.numbered import NumberedRows
from pipeline.store.place import place, removal
from pipeline.store.step import Step, faults, remove_step


def table(texts: list[str], lang: str = "en") -> pa.Table:
    rows = [{"id": f"s/f#{i}", "source": "s", "kind": "text", "lang": lang, "text": t} for i, t in enumerate(texts)]
    return pa.Table.from_pylist(rows, schema=DOCUMENT)


def source(folder: Path, texts: list[str], key: str = "s-00000-0000", base: int = 0) -> Shard:
    write_table(Step(folder).layer(key), table(texts))
    return Shard(key, str(folder), base, len(texts), sum(map(len, texts)))


def test_a_value_without_a_single_spelling_is_refused():
    for value in (float("nan"), float("inf"), -0.0, {1: 2}, {"a": {1}}, b"x", {"a": [float("nan")]}, Path("x")):
        with pytest.raises(ValueError, match=r"no single spelling|no string"):
            canonical(value)


def test_canonical_spelling_does_not_depend_on_the_order_of_keys():
    assert canonical({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()
    assert address({"a": 1, "b": 2}) == address({"b": 2, "a": 1}) != address({"a": 1, "b": 3})


def test_a_coin_is_the_same_on_any_machine_and_spread_evenly():
    assert coin(0, "a") == 0xB979ECA6AB0D033A
    tosses = [coin(7, f"doc#{i}") for i in range(4000)]
    counts = np.bincount(np.array(tosses, dtype=np.uint64) >> np.uint64(60), minlength=16)
    assert counts.min() > 190 and counts.max() < 310  # 250 each, five standard deviations (15) either way


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def fail(aside):
        aside.write_text("half")
        raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        write_file(tmp_path / "x", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_what_to_do(tmp_path):
    def fill(aside):
        with aside.open("wb") as out, open("/dev/full", "wb", buffering=0) as full:
            out.write(b"x")
            full.write(b"x")

    with pytest.raises(RunError, match="disk is full"):
        write_file(tmp_path / "x", fill)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", [read_table, read_json])
def test_a_disk_that_does_not_give_a_file_is_no_reason_to_delete_it(tmp_path, monkeypatch, read):
    (tmp_path / "x").write_bytes(b"{}")

    def away(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "nearby", away)
    monkeypatch.setattr(Path, "read_text", away)
    with pytest.raises(RunError, match="Input/output error") as caught:
        read(tmp_path / "x")
    assert "delete" not in caught.value.hint


def test_what_is_gone_or_torn_is_to_be_made_again(tmp_path):
    (tmp_path / "torn").write_bytes(b"{")
    for read, name in ((read_table, "torn"), (read_table, "gone"), (read_json, "torn"), (read_json, "gone")):
        with pytest.raises(InputError, match=name) as caught:
            read(tmp_path / name)
        assert "run again" in caught.value.hint


def test_how_to_remove_is_quoted_for_a_shell_and_no_command_for_a_store(tmp_path):
    assert removal([Path("runs/my corpus/a"), Path("b")]) == "rm -r 'runs/my corpus/a' b"
    pytest.importorskip("upath")
    assert removal([place("memory://runs/a")]) == "remove memory://runs/a"


def test_a_step_loses_its_seal_first_and_what_cannot_be_removed_is_told(tmp_path, monkeypatch):
    step = tmp_path / "step"
    (step / "layers").mkdir(parents=True)
    (step / "manifest.json").write_text("{}")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(RunError, match="cannot be removed whole"):
        remove_step(step)
    assert not (step / "manifest.json").exists()
    monkeypatch.undo()
    remove_step(step)
    assert not step.exists()


def test_sweep_removes_what_a_killed_run_left(tmp_path):
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / ".tmp-1-x.arrow").write_text("half")
    (tmp_path / "layers" / "x.arrow").write_text("whole")
    sweep(tmp_path)
    assert [p.name for p in tmp_path.rglob("*.arrow")] == ["x.arrow"]


def test_a_file_cut_short_is_told_by_name(tmp_path):
    write_table(tmp_path / "t.arrow", table(["abc"] * 100))
    whole = (tmp_path / "t.arrow").read_bytes()
    (tmp_path / "t.arrow").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"t\.arrow"):
        read_table(tmp_path / "t.arrow")


def test_layers_lie_over_each_other_and_masks_apply(tmp_path):
    shard = source(tmp_path / "a", ["one", "two", "three"])
    text, keep = Step(tmp_path / "b"), Step(tmp_path / "c")
    write_table(text.layer(shard.key), pa.table({"text": pa.array([None, "TWO", None], pa.large_string())}))
    write_table(keep.layer(shard.key), pa.table({"words": [1, 2, 3], "kept": [False, True, True]}))
    docs = read_shard(shard, [text, keep])
    assert docs.column("text").to_pylist() == ["TWO", "three"]
    assert docs.column("words").to_pylist() == [2, 3]
    assert docs.column(DOC).to_pylist() == [1, 2]
    assert read_shard(shard, [text, keep], ["id"]).column_names == ["id", DOC]


def test_an_empty_layer_changes_nothing(tmp_path):
    shard = source(tmp_path / "a", ["one", "two"])
    write_table(Step(tmp_path / "b").layer(shard.key), pa.table({}))
    assert overlay(read_shard(shard, []), read_table(Step(tmp_path / "b").layer(shard.key))).num_rows == 2


def test_numbered_rows_come_in_the_order_asked_for_from_any_shard(tmp_path):
    shards = [source(tmp_path / "a", ["x"] * 3, "k0"), source(tmp_path / "a", ["x"] * 2, "k1", base=3)]
    rows = NumberedRows(shards, [Step(tmp_path / "a").layer(s.key) for s in shards], ["id"])
    assert rows.take(np.array([4, 0, 4, 2], np.uint64)).column("id").to_pylist() == ["s/f#1", "s/f#0", "s/f#1", "s/f#2"]
    assert rows.take(np.zeros(0, np.uint64)).num_rows == 0


def test_counts_add_up_whatever_the_cut():
    whole = table(["a" * n for n in (0, 1, 2, 3, 1000)])
    parts = [whole.slice(0, 2), whole.slice(2)]
    assert add_kept(c for p in parts for c in count_kept(p)) == count_kept(whole)
    (cell,) = count_kept(whole)
    assert cell["documents"] == 5 and cell["bytes"] == 1006
    assert cell["sizes"] == [[0, 2], [1, 2], [9, 1]]  # 0 and 1 byte: 2^0; 2 and 3: 2^1; 1000: 2^9


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    with owned(tmp_path), pytest.raises(RunError, match="belongs to another run"), owned(tmp_path):
        pass
    with owned(tmp_path):
        pass  # released


def sealed_step(folder: Path) -> Step:
    step = Step(folder / "01-x-0123456789abcdef")
    info = write_table(step.layer("k"), table(["abc"] * 50))
    mark = step.mark("k", {}, {step.layer("k"): info})
    step.seal({"files": mark["files"]}, run={"seconds": 1})
    return step


def test_verify_notices_one_changed_byte_a_cut_a_loss_and_a_changed_manifest(tmp_path):
    step = sealed_step(tmp_path)
    assert list(faults(step)) == []
    path, whole = step.layer("k"), step.layer("k").read_bytes()
    path.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    assert list(faults(step)) == ["layers/k.arrow: its bytes are not those that were sealed"]
    path.write_bytes(whole[:-1])
    assert "bytes instead of" in next(iter(faults(step)))
    path.unlink()
    assert list(faults(step)) == ["layers/k.arrow: missing"]
    path.write_bytes(whole)
    manifest = json.loads((step.folder / "manifest.json").read_text())
    (step.folder / "manifest.json").write_text(json.dumps({**manifest, "name": "other"}))
    assert "digest" in next(iter(faults(step)))


def test_times_are_outside_the_digest(tmp_path):
    step = sealed_step(tmp_path)
    manifest = json.loads((step.folder / "manifest.json").read_text())
    (step.folder / "manifest.json").write_text(json.dumps({**manifest, "run": {"seconds": 2}}))
    assert list(faults(step)) == []


def test_a_manifest_of_a_newer_version_is_refused(tmp_path):
    step = sealed_step(tmp_path)
    manifest = json.loads((step.folder / "manifest.json").read_text())
    (step.folder / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    with pytest.raises(InputError, match="newer version"):
        step.manifest()


def test_a_mark_counts_only_while_its_files_stand_whole(tmp_path):
    step = Step(tmp_path / "s")
    info = write_table(step.layer("k"), table(["abc"]))
    step.mark("k", {"x": 1}, {step.layer("k"): info})
    assert step.marked("k")["x"] == 1 and step.marked("other") is None
    step.layer("k").write_bytes(step.layer("k").read_bytes()[:-1])
    assert step.marked("k") is None
