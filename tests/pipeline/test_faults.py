"""What breaks from outside: the disk, the input, the config half way, a second run. Told clearly; nothing lost."""

import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import fingerprint
from pipeline.errors import InputError, RunError
from pipeline.plan import plan
from pipeline.progress import Lines
from pipeline.run import run
from pipeline.steps import warm
from pipeline.steps.source import SourceWork
from pipeline.store.lock import owned
from pipeline.trace import trace
from tests.pipeline.making import STAGES, config, go, kept_after, ledger_of, sealed, write_jsonl
from tests.pipeline.sources.web_making import archive, visit
from tests.pipeline.test_laws import big, corpus, digests, run_process


def test_a_full_disk_stops_with_a_deed_and_the_next_run_goes_on(tmp_path):
    big(corpus(tmp_path), 1)
    whole = run_process(tmp_path, "whole", "--workers", "1")
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "pipeline.cli", "run", str(tmp_path / "config.yaml"), "-q", "--workers", "2"]
    done = subprocess.run(
        [*command, "--workdir", str(tmp_path / "full")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),  # no file may grow beyond
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the disk is full" in done.stderr and "hint: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "full").rglob(".tmp-*"))
    assert run_process(tmp_path, "full", "--workers", "1").returncode == 0
    assert digests(tmp_path / "full") == digests(tmp_path / "whole")


def test_a_config_that_changed_half_way_gives_what_it_would_have_given_alone(tmp_path, monkeypatch):
    corpus(tmp_path)
    stages = [stage for stage in STAGES if "dedup_lines" not in stage]  # so that the first shard goes through `keep`
    half = config(tmp_path, "half", stages=[*stages[:3], {"keep": {"bounds": {"words": [40, None]}}}, *stages[4:]])
    from pipeline.steps import rows

    real, calls = rows.sift_shard, []

    def stop(**arguments):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return real(**arguments)

    monkeypatch.setattr(rows, "sift_shard", stop)
    with pytest.raises(KeyboardInterrupt):
        go(half.model_copy(update={"shard_size": 2000}))
    monkeypatch.undo()
    changed = config(tmp_path, "half", stages=stages, shard_size=2000)
    assert sealed(go(changed)) == sealed(go(config(tmp_path, "whole", stages=stages, shard_size=2000)))


def test_a_truncated_file_stops_the_run_and_is_accepted_only_by_name(tmp_path):
    packed = gzip.compress("".join(json.dumps({"text": f"line {i}"}) + "\n" for i in range(5000)).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    sources = [{"jsonl": {"name": "src", "path": str(tmp_path / "*.gz")}}]
    with pytest.raises(RunError, match="truncated") as caught:
        go(config(tmp_path, stages=[], sources=sources, run={"max_bad": 0.01}))
    assert "a.jsonl.gz" in str(caught.value) and "max_bad" in caught.value.hint
    result = go(config(tmp_path, stages=[], sources=sources, run={"max_bad": 1.0}))
    assert kept_after(result, 0).num_rows > 100
    (row,) = [r for r in ledger_of(result.steps[0]).to_pylist() if r["reason"] == "truncated"]
    assert row["file"] == "a.jsonl.gz" and row["offset"] > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_bytes_broken_in_a_layer_that_the_next_run_builds_on_are_told_with_shard_and_step(tmp_path, workers):
    for name in ("a", "b"):
        write_jsonl(tmp_path / f"{name}.jsonl", [f"some text, number {i}, of {name}" for i in range(50)])
    sources = [{"jsonl": {"name": name, "path": str(tmp_path / f"{name}.jsonl")}} for name in ("a", "b")]
    stages = ["normalize", "measure", {"keep": {"bounds": {"words": [1, None]}}}, "dedup_exact"]
    made = go(config(tmp_path, stages=stages, sources=sources))
    layer = next((made.steps[0].step.folder / "layers").glob("*.arrow"))
    content = layer.read_bytes()
    layer.write_bytes(content.replace(b"a/a.jsonl#8", b"a/a.json\xff\xff\xff").replace(b"number 7", b"\xff" * 8))
    stages[2] = {"keep": {"bounds": {"words": [100, None]}}}
    with pytest.raises(InputError, match=r"shard a-00000-0000 for 03-keep-.*cannot read what a step before") as caught:
        go(config(tmp_path, stages=stages, sources=sources, run={"workers": workers}))
    assert "pipeline verify" in caught.value.hint
    with pytest.raises(InputError, match="tracing"):
        trace(made.steps, "a/a.jsonl#7")


@pytest.mark.parametrize("how", ["missing", "bytes instead of"])
def test_a_file_of_a_finished_step_that_is_gone_or_cut_off_is_told_and_its_step_made_again(tmp_path, how):
    write_jsonl(tmp_path / "a.jsonl", [f"some text, number {i}" for i in range(50)])
    made = config(tmp_path, stages=["normalize", "measure"])
    whole = sealed(first := go(made))
    folder = first.steps[2].step.folder
    (layer,) = (folder / "layers").iterdir()
    layer.unlink() if how == "missing" else layer.write_bytes(layer.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"02-measure-.* is damaged: layers/.*{how}") as caught:
        go(made)
    assert f"rm -r {folder} and run again" in caught.value.hint
    shutil.rmtree(folder)
    again = go(made)
    assert again.made == [folder.name] and sealed(again) == whole


def test_a_folder_in_the_place_of_the_link_is_told_before_the_work(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [f"some text, number {i}" for i in range(50)])
    made = config(tmp_path, stages=["normalize"], tokenizer={"vocab_size": 300}, pack={"seq_len": 16})
    go(made)
    link = made.run.workdir / "packed"
    rows = link.resolve()
    link.unlink()
    shutil.copytree(rows, link)
    with pytest.raises(InputError, match=r"packed is a folder") as caught:
        go(made)
    assert f"rm -r {link} if" in caught.value.hint
    shutil.rmtree(link)
    assert go(made).made == [] and link.is_symlink()


def test_digests_read_before_an_interruption_are_kept_and_long_reading_is_told(tmp_path, monkeypatch):
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        write_jsonl(file, ["some text"])
    monkeypatch.setattr(fingerprint, "LONG", 1)
    read, told = [], []

    def reads(path):
        if len(read) == 1:
            raise KeyboardInterrupt
        read.append(path)
        return "0" * 64

    monkeypatch.setattr(fingerprint, "file_sha256", reads)
    with pytest.raises(KeyboardInterrupt):
        plan(config(tmp_path), say=told.append)
    read[:] = []
    monkeypatch.setattr(fingerprint, "file_sha256", lambda path: read.append(path) or "0" * 64)
    plan(config(tmp_path))
    assert read == files[1:] and len(told) == 1 and "for their digests" in told[0]


def test_what_packing_needs_is_compiled_with_the_rest(tmp_path, monkeypatch):
    write_jsonl(tmp_path / "a.jsonl", [f"some text, number {i}" for i in range(50)])
    asked = []
    monkeypatch.setattr(warm, "tasks", lambda *wanted: asked.append(wanted) or [])
    made = config(tmp_path, stages=["normalize"], tokenizer={"vocab_size": 300}, pack={"seq_len": 16})
    go(made)
    go(made)
    (stages, *others), again = asked
    assert [stage.name for stage in stages] == ["normalize"] and others == [True] * 4  # encode, here, train, pack
    assert again == ([], False, True, False, False)


def test_broken_records_of_one_archive_are_records_not_files(tmp_path):
    data, offsets = archive([visit(i) for i in range(40)], ".gz")
    data = bytearray(data)
    for at in (offsets[3], offsets[20], offsets[30]):
        data[at + 40] ^= 0xFF
    (tmp_path / "a.warc.gz").write_bytes(data)
    sources = [{"warc": {"name": "src", "path": str(tmp_path / "*.gz")}}]
    with pytest.raises(RunError, match=r"7\.50% of the records cannot be read and 0\.00% of the files") as caught:
        go(config(tmp_path, stages=[], sources=sources, run={"max_bad": 0.01}))
    assert "{max_bad: 7.5%}" in caught.value.hint
    assert go(config(tmp_path, stages=[], sources=sources, run={"max_bad": 0.075})).made


def test_a_lost_row_group_counts_as_its_rows(tmp_path):
    table = pa.table({"text": [f"row {i} " * 50 for i in range(300)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100, write_page_checksum=True, use_dictionary=False)
    second = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(1).column(0)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[second.data_page_offset + second.total_compressed_size // 2] ^= 0xFF
    (tmp_path / "a.parquet").write_bytes(data)
    sources = [{"parquet": {"name": "src", "path": str(tmp_path / "*.parquet")}}]
    with pytest.raises(RunError, match=r"33\.33% of the records cannot be read and 0\.00% of the files"):
        go(config(tmp_path, stages=[], sources=sources, run={"max_bad": 0.3}))


def test_more_bad_lines_than_allowed_stop_the_run_with_examples(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "good"}\n' * 95 + "{broken\n" * 5)
    with pytest.raises(RunError, match=r"5\.00% of the records") as caught:
        go(config(tmp_path, stages=[], run={"max_bad": 0.04}))
    assert "invalid_json" in str(caught.value) and "a.jsonl, byte" in str(caught.value)
    assert go(config(tmp_path, stages=[], run={"max_bad": 0.05})).made


def test_a_document_of_200_mb_goes_to_the_ledger_within_bounded_memory(tmp_path):
    with (tmp_path / "a.jsonl").open("w") as file:
        file.write('{"text": "before"}\n{"text": "')
        for _ in range(200):
            file.write("huge word " * 100_000)
        file.write('"}\n{"text": "after"}\n')
    assert (tmp_path / "a.jsonl").stat().st_size > 200_000_000
    source = f"sources: [{{jsonl: {{name: s, path: '{tmp_path}/a.jsonl'}}}}]\nrun: {{max_bad: 0.5, memory: 1200MB}}\n"
    (tmp_path / "config.yaml").write_text(source)
    command = [sys.executable, "-m", "pipeline.cli", "run", str(tmp_path / "config.yaml"), "-q"]
    done = subprocess.run([*command, "--workdir", str(tmp_path / "r")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (manifest,) = [json.loads(p.read_text()) for p in (tmp_path / "r").glob("*/manifest.json")]
    assert [(c["reason"], c["documents"]) for c in manifest["dropped"]] == [("too_large", 1)]
    assert sum(c["documents"] for c in manifest["kept"]) == 2
    assert manifest["run"]["peak_memory"] < 1_200_000_000


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write_jsonl(tmp_path / "a.jsonl", ["one", "two"])
    real = SourceWork.phases

    def phases(self):
        yield from real(self)
        path.write_text('{"text": "other"}\n')

    monkeypatch.setattr(SourceWork, "phases", phases)
    with pytest.raises(RunError, match="changed while it was read"):
        go(config(tmp_path, stages=[]))


def test_a_file_that_changed_and_came_back_is_read_again_whole(tmp_path, monkeypatch):
    path = write_jsonl(tmp_path / "a.jsonl", [f"first {i} " * 20 for i in range(40)])
    before = path.read_bytes()
    made = config(tmp_path, "broken", stages=[], shard_size=1000)
    real = SourceWork.phases

    def phases(self):
        path.write_bytes(before.replace(b"first", b"other"))  # behind the digests, before the reading
        yield from real(self)
        raise KeyboardInterrupt  # and killed before anything could notice

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SourceWork, "phases", phases)
        go(made)
    path.write_bytes(before)
    texts = kept_after(go(made), 0).column("text").to_pylist()
    assert len(texts) == 40 and all(text.startswith("first") for text in texts)


@pytest.mark.parametrize(
    "lost", ["00-*/marks/shard-*0001.json", "01-normalize-*/marks/*0001.json", "00-*/layers/*0001.arrow"]
)
def test_a_lost_mark_or_layer_of_an_unfinished_step_is_made_again(tmp_path, monkeypatch, lost):
    corpus(tmp_path)
    whole = sealed(go(config(tmp_path, "whole", stages=["normalize", "measure"], shard_size=2000)))
    made = config(tmp_path, "broken", stages=["normalize", "measure"], shard_size=2000)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        at = "pipeline.steps.source.SourceWork" if lost.startswith("00") else "pipeline.steps.rows.RowsWork"
        patch.setattr(f"{at}.manifest", lambda self, step: (_ for _ in ()).throw(KeyboardInterrupt))
        go(made)
    (path,) = (tmp_path / "broken").glob(lost)
    path.unlink()
    assert sealed(go(made)) == whole


def test_a_second_run_at_the_same_workdir_says_so_and_stops(tmp_path):
    corpus(tmp_path)
    with owned(tmp_path / "run"):
        done = run_process(tmp_path, "run")
    assert done.returncode == 1
    assert "belongs to another run" in done.stderr and str(os.getpid()) in done.stderr


def test_an_empty_source_goes_through_all_stages(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    result = go(config(tmp_path))
    assert kept_after(result, len(STAGES)).num_rows == 0
    assert result.report.exists()


def test_everything_dropped_goes_through_what_follows(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ["one", "two"])
    stages = ["measure", {"keep": {"bounds": {"words": [99, None]}}}, "dedup_exact", "dedup_near"]
    result = go(config(tmp_path, stages=stages))
    assert kept_after(result, 4).num_rows == 0


def test_a_tokenizer_of_nothing_is_refused_with_the_stage_that_took_all(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ["one", "two"])
    stages = ["measure", {"keep": {"bounds": {"words": [99, None]}}}]
    with pytest.raises(RunError, match="keep"):
        go(config(tmp_path, stages=stages, tokenizer={"vocab_size": 300}, pack={"seq_len": 16}))


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.torture)])
def test_a_flood_of_empty_documents_goes_through(tmp_path, count):
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n' * count)
    result = go(config(tmp_path))
    dropped = sum(ledger_of(p).num_rows for p in result.steps[1:])
    assert kept_after(result, 0).num_rows == count
    assert dropped + kept_after(result, len(STAGES)).num_rows == count


def test_hostile_text_reaches_neither_page_nor_card_unescaped(tmp_path):
    evil = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> \u202e {{7*7}} & ' \" "
    write_jsonl(tmp_path / "a.jsonl", [evil * 3, evil * 3, "x", evil + "other words here"])
    result = go(config(Path(tmp_path)))
    page = result.report.read_text("utf-8")
    assert "<script>alert(1)" not in page and "<img src=x" not in page


def test_a_where_that_matches_nothing_is_told(tmp_path, capsys):
    write_jsonl(tmp_path / "a.jsonl", ["one two", "three"], lang="en")
    keep = {"keep": {"bounds": {"words": [2, None]}}, "where": {"lang": "yo"}}
    run(config(tmp_path, stages=["measure", keep]), Lines())
    assert "the `where` of keep matched no document" in capsys.readouterr().err
