"""A work folder on an object store holds the same bytes as one on disk; all commands work there; one run owns it."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import ConfigError, InputError, RunError
from pipeline.store import lock as locks
from pipeline.store import nearby as near
from pipeline.store.files import read_json, read_table, write_json, write_table
from pipeline.store.lock import owned
from pipeline.store.nearby import nearby
from pipeline.store.place import is_local, place, remove_folder, sizes, store_of
from pipeline.store.rows import layout_of
from pipeline.store.step import Step, faults, watched
from tests.pipeline.making import TAIL, config, go, kept_after, write_jsonl
from tests.pipeline.stores import s3_server, seals
from tests.pipeline.test_laws import corpus
from tests.pipeline.test_store import table

STAGES = ["normalize", {"dedup_lines": {"min_chars": 5, "min_count": 4}}, "measure", "dedup_near"]


@pytest.fixture(scope="module")
def bucket():
    with s3_server() as address:
        yield address


@pytest.fixture(autouse=True)
def copies(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("nearby")
    monkeypatch.setenv("SEEDBED_NEARBY", str(folder))
    return folder


@pytest.fixture(params=["memory", "s3"])
def remote(request, tmp_path):
    """A fresh remote folder."""
    if request.param == "memory":
        pytest.importorskip("upath", reason="universal-pathlib is not installed: pip install 'seedbed[remote]'")
        return f"memory://{tmp_path.name}"
    return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"


@pytest.fixture(scope="module")
def run_on_s3(bucket, tmp_path_factory):
    """A config, its run on disk and the same on S3."""
    folder = corpus(tmp_path_factory.mktemp("remote"), 24)
    made = {"stages": STAGES, "shard_size": 3000, **TAIL}
    there = config(folder, run={"workdir": f"{bucket}/run"}, **made)
    return folder, go(config(folder, "disk", **made)), go(there), there


def test_a_run_on_s3_has_the_bytes_of_a_run_on_disk(run_on_s3):
    _, disk, remote, _ = run_on_s3
    assert len(seals(disk)) == len(STAGES) + 4
    assert seals(remote) == seals(disk)
    for planned, other in zip(disk.steps, remote.steps, strict=True):
        files = planned.step.manifest()["files"]
        assert set(sizes(other.step.folder)) == {*files, "manifest.json"}
        assert list(faults(other.step)) == []


def test_a_second_run_on_s3_makes_nothing_and_leaves_no_lock(run_on_s3, bucket):
    _, _, _, there = run_on_s3
    again = go(there)
    assert again.made == []
    names = sizes(place(f"{bucket}/run"))
    assert ".lock" not in names and "report.html" in names
    assert place(f"{bucket}/run/packed").read_text("utf-8") == f"{again.packed.name}\n"


def test_a_run_killed_on_s3_goes_on_to_the_same_bytes(run_on_s3, bucket, monkeypatch):
    folder, disk, _, _ = run_on_s3
    there = config(folder, run={"workdir": f"{bucket}/killed"}, stages=STAGES, shard_size=3000, **TAIL)
    from pipeline.steps import rows

    real, calls = rows.sift_shard, []

    def stop(**arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(**arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rows, "sift_shard", stop)
        go(there)
    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(rows, "sift_shard", lambda **arguments: calls.append(1) or real(**arguments))
        result = go(there)
    assert seals(result) == seals(disk)
    shards = len(disk.steps[0].step.manifest()["shards"])
    assert shards >= 3  # else it was killed elsewhere
    assert len(calls) == 2 * shards - 2  # of the first row-wise step two were done; then the other row-wise step


def test_a_source_on_s3_gives_the_same_documents(run_on_s3, bucket):
    folder, disk, _, _ = run_on_s3
    store = store_of(place(f"{bucket}/in"))[0]
    for name in ("a.jsonl", "b.jsonl"):
        store.put_file(str(folder / name), f"{bucket}/in/{name}")
    sources = [{"jsonl": {"name": "src", "path": f"{bucket}/in/*.jsonl"}}]
    result = go(config(folder, "from-s3", stages=[], shard_size=3000, sources=sources))
    mine, other = (r.steps[0].step.manifest()["files"] for r in (result, disk))
    assert mine == other


def test_spans_and_evaluation_sets_on_s3_give_the_bytes_of_a_run_on_disk(bucket, tmp_path):
    folder = corpus(tmp_path / "in", 40)
    texts = [json.loads(line)["text"] for line in (folder / "a.jsonl").read_text("utf-8").splitlines()]
    item = " ".join(f"{chr(97 + i)}ny" for i in range(16))
    write_jsonl(folder / "b.jsonl", [f"{text} and {item}" for text in texts])
    local = write_jsonl(tmp_path / "set.jsonl", [item])
    store_of(place(bucket))[0].put_file(str(local), f"{bucket}/sets/set.jsonl")

    def made(workdir: str, path: str):
        rule = {"action": "cut", "around": 0, "min_piece": 5}
        against = {"against": [{"jsonl": {"name": "eval", "path": path}}], **rule}
        stages = [{"decontaminate": against}, {"dedup_substrings": {"length": 30}}]
        return go(config(folder, run={"workdir": workdir}, stages=stages, shard_size=2000))

    disk, remote = made(str(tmp_path / "run"), str(local)), made(f"{bucket}/spans", f"{bucket}/sets/set.jsonl")
    # of the set its store tells a version, no sha256, so the addresses are others
    mine, other = ([planned.step.manifest()["files"] for planned in r.steps] for r in (disk, remote))
    assert mine == other
    assert kept_after(disk, 1).num_rows == 2 * len(texts) > kept_after(disk, 2).num_rows  # both did something
    assert item not in "".join(kept_after(disk, 1).column("text").to_pylist())
    assert len(disk.steps[0].step.manifest()["shards"]) > 2


def written(folder: Path) -> Path:
    """The config of these runs as a file."""
    sources = [{"jsonl": {"name": "src", "path": str(folder / "*.jsonl")}}]
    path = folder / "config.yaml"
    path.write_text(json.dumps({"sources": sources, "stages": STAGES, "shard_size": 3000, **TAIL}))
    return path


@pytest.mark.parametrize("command", ["plan", "report", "verify", "inspect", "trace", "prune"])
def test_every_command_works_on_s3(run_on_s3, bucket, command):
    folder, _, _, there = run_on_s3
    more = {"inspect": ["--measure", "words"], "trace": ["src/a.jsonl#3"]}.get(command, [])
    done = CliRunner().invoke(
        app, [command, str(written(folder)), *more, "--workdir", str(there.run.workdir)], catch_exceptions=False
    )
    assert done.exit_code == 0
    said = {
        "plan": "0 of 8 steps to make",
        "report": "documents",
        "verify": "as sealed",
        "inspect": "words",
        "trace": "packed",
        "prune": "",
    }
    assert said[command] in done.output


def test_prune_removes_what_the_config_does_not_use_from_s3(run_on_s3, bucket):
    folder, _, _, there = run_on_s3
    old = place(f"{bucket}/run/03-old-0123456789abcdef")
    write_json(old / "manifest.json", {})
    path = written(folder)
    before = set(sizes(there.run.workdir))
    done = CliRunner().invoke(app, ["prune", str(path), "--workdir", f"{bucket}/run", "--yes"])
    assert done.exit_code == 0, done.output
    assert before - set(sizes(there.run.workdir)) == {"03-old-0123456789abcdef/manifest.json"}


# Files


def test_a_table_and_json_come_back_as_they_were_put(remote):
    here = place(remote)
    info = write_table(here / "a" / "t.arrow", table(["abc", "é"]))
    write_json(here / "j.json", {"b": 1})
    assert not is_local(here) and sizes(here) == {"a/t.arrow": info.bytes, "j.json": 12}
    assert read_table(here / "a" / "t.arrow") == table(["abc", "é"])
    assert read_table(here / "a" / "t.arrow", ["id"]).column_names == ["id"]
    assert read_json(here / "j.json") == {"b": 1}
    remove_folder(here)
    assert sizes(here) == {}
    with pytest.raises(InputError, match="cannot read"):
        read_table(here / "a" / "t.arrow")


def test_a_file_that_was_put_again_is_not_read_from_its_old_copy(remote):
    path = place(remote) / "t.arrow"
    for texts in (["abc"], ["xyz"]):  # of one size
        write_table(path, table(texts))
        assert read_table(path).column("text").to_pylist() == texts
        time.sleep(0.01)  # in memory:// a version is a time


def test_where_rows_lie_in_a_copy_is_learnt_once_though_it_is_used_again(remote):
    path = place(remote) / "t.arrow"
    write_table(path, table(["abc", "é"]))
    first = layout_of(path, ["id"])
    time.sleep(0.01)
    assert layout_of(path, ["id"]) is first


def test_copies_that_were_used_longest_ago_make_room(remote, copies, monkeypatch):
    paths = [place(remote) / f"{i}.arrow" for i in range(4)]
    size = max(write_table(path, table(["abc"] * 10)).bytes for path in paths)
    monkeypatch.setenv("SEEDBED_NEARBY_BYTES", str(2 * size))
    monkeypatch.setattr(near, "IN_USE", -60)
    first = nearby(paths[0])
    for path in paths[1:]:
        os.utime(first, (time.time() + 5, time.time() + 5))  # the first is used again and again
        nearby(path)
    assert first in copies.iterdir() and len(list(copies.iterdir())) == 2
    monkeypatch.setattr(near, "IN_USE", 60)
    nearby(paths[1])
    assert len(list(copies.iterdir())) == 3  # what has just been asked for stays until it is opened


def test_a_mark_counts_only_while_its_files_stand_whole_on_a_store(remote):
    folder = place(remote) / "s"
    step, looking = Step(folder), watched(folder)
    info = write_table(step.layer("k"), table(["abc"]))
    step.mark("k", {"x": 1}, {step.layer("k"): info})
    assert step.marked("k")["x"] == 1 and looking.marked("k")["x"] == 1 and looking.marked("other") is None
    step.mark("other", {"x": 2}, {})
    assert looking.marked("other") is None  # not looked at again
    looking.look_again()
    assert looking.marked("other")["x"] == 2
    (folder / "marks" / "other.json").unlink()  # as a task does that found its files damaged
    looking.look_again()
    assert looking.marked("other") is None and looking.marked("k") is not None
    store, name = store_of(step.layer("k"))
    store.pipe_file(name, b"cut")
    assert step.marked("k") is None and watched(folder).marked("k") is None
    looking.tidy()
    assert looking.marked("other") is None


def test_a_store_without_its_package_is_told_with_what_to_install():
    with pytest.raises(ConfigError, match="nosuch"):
        place("nosuch://bucket/run")


def test_a_place_on_disk_may_be_spelled_as_a_url(tmp_path):
    assert place(f"file://{tmp_path}") == tmp_path == place(str(tmp_path)) == place(tmp_path)
    assert place("a:b") == Path("a:b")


# The lock


def other_machine(there) -> dict:
    return {"owner": "x", "machine": "elsewhere 1:2", "host": "elsewhere", "pid": 17, "started": 1.0, "alive": there}


def test_a_second_run_on_a_store_is_refused_and_told_who_owns_it(remote):
    folder = place(remote)
    with owned(folder), pytest.raises(RunError, match=f"process {os.getpid()}"), owned(folder):
        pass
    assert sizes(folder) == {}
    store, name = store_of(folder / ".lock")
    store.pipe_file(name, json.dumps(other_machine(time.time() - 100)).encode())
    with (
        pytest.raises(RunError, match=r"process 17 on elsewhere, last sign of life 10\d s ago") as caught,
        owned(folder),
    ):
        pass
    assert "run again on elsewhere" in caught.value.hint and f"remove {folder}/.lock" in caught.value.hint
    store.rm_file(name)
    with owned(folder):
        assert ".lock" in sizes(folder)


def test_a_lock_that_a_dead_run_of_this_machine_left_is_taken_over(remote):
    folder = place(remote)
    store, name = store_of(folder / ".lock")
    with owned(folder):
        left = store.cat_file(name)
    store.pipe_file(name, left)  # as if it had been killed: its lock on this machine is gone, the object stays
    with owned(folder):
        assert json.loads(store.cat_file(name))["owner"] != json.loads(left)["owner"]


def test_a_run_whose_lock_was_removed_stops(remote, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.05)
    folder = place(remote)
    store, name = store_of(folder / ".lock")
    with owned(folder) as lock:
        first = json.loads(store.cat_file(name))["alive"]
        until(lambda: json.loads(store.cat_file(name))["alive"] > first)
        lock.hold()
        store.pipe_file(name, json.dumps(other_machine(time.time())).encode())
        until(lambda: lock._lost.is_set())
        with pytest.raises(RunError, match="no longer this run's"):
            lock.hold()
    assert json.loads(store.cat_file(name))["host"] == "elsewhere"  # the other's stays


def until(true, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_store_that_fails_in_the_midst_is_a_sentence_and_its_lock_no_second_error(remote, monkeypatch):
    def expired(*_, **__):
        raise PermissionError(13, "the token has expired")

    folder = place(remote)
    store, _ = store_of(folder)
    with pytest.raises(RunError, match=r"cannot write .*expired"), owned(folder):
        for name in ("put_file", "cat_file", "rm_file"):
            monkeypatch.setattr(store, name, expired)
        write_json(folder / "x.json", {})


def test_a_bucket_that_is_not_there_is_told(bucket, tmp_path):
    corpus(tmp_path, 4)
    with pytest.raises(RunError, match="cannot write") as caught:
        go(config(tmp_path, run={"workdir": "s3://no-such-bucket/run"}, stages=[]))
    assert "credentials" in caught.value.hint
    shutil.rmtree(tmp_path)
