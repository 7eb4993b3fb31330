"""The seven laws of docs/design.md, each as a property of whole runs on any text."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.store import files
from pipeline.store.counts import total
from tests.pipeline.making import (
    STAGES,
    TAIL,
    Killed,
    config,
    go,
    kept_after,
    ledger_of,
    listed_backwards,
    sealed,
    stopped_at_write,
    write_jsonl,
)

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
WORDS = st.sampled_from(
    ["the", "cat", "sat", "und", "Hund", "我们", "हिन्दी", "العربية", "me@example.com", "10.1.2.3", "now"]
)
SENTENCE = st.lists(WORDS, min_size=1, max_size=30).map(" ".join)
TEXTS = st.lists(st.one_of(ANY_TEXT, SENTENCE), min_size=1, max_size=12).flatmap(
    lambda texts: st.permutations(texts + texts[: len(texts) // 2])  # so that there are duplicates
)
JUNK = st.binary(max_size=40)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

REAL = [
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison.",
    "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri.",
    "سبھی انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "write to jane.doe@example.org or ssh root@192.168.10.20 with key AKIAIOSFODNN7EXAMPLE now please",
]


def corpus(folder: Path, count: int = 60) -> Path:
    """Real sentences, exact and near duplicates and a template line among them, over two files."""
    chance = random.Random(5)
    texts = []
    for i in range(count):
        text = " ".join(chance.choices(REAL, k=3)) + (f" number {i}" if i % 3 else "")
        texts.append(text + ("\nShare this with your friends" if i % 4 == 1 else ""))
    write_jsonl(folder / "a.jsonl", texts[: count // 2], lang="en")
    write_jsonl(folder / "b.jsonl", texts[count // 2 :])
    return folder


def fresh(tmp_path_factory, name: str = "law") -> Path:
    return tmp_path_factory.mktemp(name)


# 1. Conservation


@FEW
@given(texts=TEXTS)
def test_every_document_that_goes_into_a_stage_comes_out_once(tmp_path_factory, texts):
    folder = fresh(tmp_path_factory)
    write_jsonl(folder / "a.jsonl", texts)
    result = go(config(folder, shard_size=1000))
    stages = [p for p in result.steps if p.kind in ("row", "corpus")]
    before = kept_after(result, 0).column("id").to_pylist()
    assert len(before) == len(set(before)) == len(texts)
    for count, planned in enumerate(stages, 1):
        kept = kept_after(result, count).column("id").to_pylist()
        gone = ledger_of(planned)
        assert sorted(kept + gone.column("id").to_pylist()) == sorted(before), planned.name
        manifest = planned.step.manifest()
        assert (total(manifest["kept"]), total(manifest["dropped"])) == (len(kept), gone.num_rows)
        before = kept


@FEW
@given(lines=st.lists(st.one_of(SENTENCE.map(lambda t: json.dumps({"text": t}).encode()), JUNK), max_size=20))
def test_every_line_of_a_source_becomes_a_document_or_a_line_of_the_ledger(tmp_path_factory, lines):
    folder = fresh(tmp_path_factory)
    lines = [line.replace(b"\n", b" ").replace(b"\r", b" ") for line in lines]
    lines = [line for line in lines if line.strip()]
    (folder / "a.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    result = go(config(folder, stages=[]))
    ids = kept_after(result, 0).column("id").to_pylist() + ledger_of(result.steps[0]).column("id").to_pylist()
    assert sorted(ids) == sorted(f"src/a.jsonl#{row}" for row in range(len(lines)))


def test_a_duplicate_in_the_ledger_names_a_twin_that_stayed(tmp_path):
    result = go(config(corpus(tmp_path)))
    for name in ("dedup_exact", "dedup_near"):
        count, planned = next((i, p) for i, p in enumerate(result.steps) if p.name == name)
        ledger = ledger_of(planned)
        assert ledger.num_rows > 0  # else nothing was checked
        kept = set(kept_after(result, count).column("id").to_pylist())
        assert set(ledger.column("twin").to_pylist()) <= kept


def test_a_line_that_goes_leaves_its_document_and_the_manifest_counts_every_one(tmp_path):
    result = go(config(corpus(tmp_path), shard_size=1000))
    planned = next(p for p in result.steps if p.name == "dedup_lines")
    before, after = (kept_after(result, steps).column("text").to_pylist() for steps in (1, 2))
    assert len(before) == len(after)
    lost = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
    assert len(lost) == planned.step.manifest()["tallies"]["lines"] == 14  # 15 hold the line, the first keeps it
    assert all(b == a + "\nShare this with your friends" for b, a in lost)
    (line,) = planned.step.manifest()["about"]["most"]
    assert line == {"total": 15, "document": "src/a.jsonl#1", "excerpt": "Share this with your friends"}


def test_what_breaks_a_bound_is_in_the_ledger_with_value_and_limit(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", ["one", "one two", "one two three"])
    result = go(config(tmp_path, stages=["measure", {"keep": {"bounds": {"words": [2, None]}}}]))
    (row,) = ledger_of(result.steps[-1]).to_pylist()
    assert (row["id"], row["reason"], row["value"], row["limit"]) == ("src/a.jsonl#0", "words", 1, 2)
    assert (row["bytes"], row["excerpt"], row["stage"]) == (3, "one", "keep")


# 2. Determinism


def test_bytes_do_not_depend_on_workers_or_memory(tmp_path):
    corpus(tmp_path)
    one = go(config(tmp_path, "one", shard_size=1000, **TAIL))
    two = go(config(tmp_path, "two", shard_size=1000, run={"workers": 2, "memory": "9GB"}, **TAIL))
    assert len(sealed(one)) > 40
    assert sealed(one) == sealed(two)


def test_bytes_do_not_depend_on_the_order_in_which_a_folder_lists_its_files(tmp_path, monkeypatch):
    corpus(tmp_path)
    one = go(config(tmp_path, "one"))
    listed_backwards(monkeypatch)
    assert sealed(one) == sealed(go(config(tmp_path, "two")))


def test_the_order_of_sources_in_the_config_changes_nothing(tmp_path):
    corpus(tmp_path)
    sources = [
        {"jsonl": {"name": name, "path": str(tmp_path / f"{name}.jsonl"), "priority": priority}}
        for name, priority in (("a", 2), ("b", 1))
    ]
    one = go(config(tmp_path, "one", sources=sources))
    two = go(config(tmp_path, "two", sources=sources[::-1]))
    assert sealed(one) == sealed(two)
    twins = ledger_of(next(p for p in one.steps if p.name == "dedup_exact")).column("twin").to_pylist()
    assert any(t.startswith("b/") for t in twins)  # b has the smaller priority, so its documents stay


def run_process(folder: Path, workdir: str, *extra: str, **environment: str) -> subprocess.CompletedProcess:
    """A whole run in a process of its own; shards of about a fifteenth of the corpus."""
    path = folder / "config.yaml"
    stages = json.dumps(STAGES)
    size = 1000 + sum(p.stat().st_size for p in folder.glob("*.jsonl")) // 15
    text = f"sources: [{{jsonl: {{name: src, path: '{folder}/*.jsonl'}}}}]\nstages: {stages}\nshard_size: {size}\n"
    path.write_text(text + "".join(f"{k}: {json.dumps(v)}\n" for k, v in TAIL.items()))
    command = [sys.executable, "-m", "pipeline.cli", "run", str(path), "--workdir", str(folder / workdir), "-q", *extra]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def digests(workdir: Path) -> dict[str, str]:
    return {p.parent.name: json.loads(p.read_text("utf-8"))["digest"] for p in workdir.glob("*/manifest.json")}


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path):
    corpus(tmp_path)
    for seed in ("1", "2"):
        done = run_process(tmp_path, f"run{seed}", "--workers", "1", PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
    assert len(digests(tmp_path / "run1")) > 8
    assert digests(tmp_path / "run1") == digests(tmp_path / "run2")


# 3. Names are computed


def names(result) -> dict[str, str]:
    return {p.name: p.step.folder.name for p in result.steps}


def test_a_changed_limit_makes_that_step_and_those_after_it_again_and_nothing_else(tmp_path):
    corpus(tmp_path)
    first = go(config(tmp_path, **TAIL))
    stages = [{"keep": {"bounds": {"words": [3, 100000]}}} if "keep" in s else s for s in STAGES]
    second = go(config(tmp_path, stages=stages, **TAIL))
    again = [name.split("-")[-2] for name in second.made]
    assert again == ["keep", "dedup_exact", "dedup_near", "redact", "tokenizer", "encode", "packed"]
    assert go(config(tmp_path, **TAIL)).made == []  # both stand side by side
    assert names(first)["measure"] == names(second)["measure"]


def test_a_changed_input_byte_changes_every_address(tmp_path):
    corpus(tmp_path)
    first = names(go(config(tmp_path)))
    path = tmp_path / "b.jsonl"
    path.write_text(path.read_text().replace("free", "Free"))
    second = names(go(config(tmp_path)))
    assert not set(first.values()) & set(second.values())


def test_settings_of_the_run_are_part_of_no_recipe(tmp_path):
    corpus(tmp_path)
    go(config(tmp_path))
    assert go(config(tmp_path, run={"workers": 2, "memory": "5GB", "max_bad": 0.5})).made == []


# 4. All or nothing


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(after=st.integers(0, 120))
def test_a_run_that_stops_anywhere_goes_on_to_the_same_bytes(tmp_path_factory, after):
    folder = corpus(fresh(tmp_path_factory), 20)
    with stopped_at_write(after):
        go(config(folder, "broken", shard_size=2000, **TAIL))
    whole = go(config(folder, "whole", shard_size=2000, **TAIL))
    assert sealed(go(config(folder, "broken", shard_size=2000, **TAIL))) == sealed(whole)
    assert not list((folder / "broken").rglob(".tmp-*"))


def test_a_finished_shard_is_not_made_again(tmp_path, monkeypatch):
    corpus(tmp_path)
    config_ = config(tmp_path, stages=["normalize"], shard_size=1000)
    real, made = files.write_table, []

    def write(path, *args, **more):
        if len(made) == 7 and "stop" not in made:
            made.append("stop")
            raise Killed
        made.append(path)
        return real(path, *args, **more)

    for module in ("pipeline.steps.source", "pipeline.steps.rows"):
        monkeypatch.setattr(f"{module}.write_table", write)
    with pytest.raises(Killed):
        go(config_)
    go(config_)
    layers = [p for p in made if p != "stop"]
    assert len(layers) == len(set(layers)) > 10


# 5. Bounded memory


def big(folder: Path, megabytes: int) -> Path:
    chance = random.Random(3)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]
    with (folder / "a.jsonl").open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            lines = [" ".join(chance.choices(words, k=40)) for _ in range(10)]
            file.write(json.dumps({"text": "\n".join(["a line that stands everywhere", *lines])}) + "\n")
    return folder


def peaks(workdir: Path) -> dict[str, int]:
    return {
        p.parent.name: json.loads(p.read_text("utf-8"))["run"]["peak_memory"] for p in workdir.glob("*/manifest.json")
    }


def test_four_times_the_corpus_takes_the_same_memory_and_less_than_was_given(tmp_path_factory):
    most = []
    for megabytes in (8, 32):
        folder = big(fresh(tmp_path_factory), megabytes)
        sources = [{"jsonl": {"name": "src", "path": str(folder / "*.jsonl"), "max_document": "1MB"}}]
        raw = {"sources": sources, "stages": STAGES, "shard_size": "1MB"}
        (folder / "memory.yaml").write_text(json.dumps(raw))
        command = [sys.executable, "-m", "pipeline.cli", "run", str(folder / "memory.yaml"), "-q", "--workers", "2"]
        command += ["--memory", "1500MB", "--workdir", str(folder / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        most.append(max(peaks(folder / "run").values()))
    assert 100_000_000 < most[1] < 1_500_000_000  # more than nothing was measured
    assert most[1] < 1.25 * most[0] + 50_000_000


def test_a_task_that_cannot_fit_is_refused_before_it_starts(tmp_path):
    corpus(tmp_path)
    done = run_process(tmp_path, "run", "--memory", "200MB")
    assert done.returncode == 1
    assert "run.memory is 200.0 MB" in done.stderr and "hint: set run.memory to" in done.stderr


# 6. Write once


def test_a_judgement_costs_masks_and_ledger_and_never_a_copy_of_the_corpus(tmp_path):
    chance = random.Random(1)
    write_jsonl(tmp_path / "a.jsonl", [" ".join(chance.choices(REAL, k=40)) + f" {i}" for i in range(100)])
    result = go(config(tmp_path, stages=["measure", {"keep": {"bounds": {"words": [2, None]}}}, "dedup_exact"]))
    size = {p.name: sum(f.stat().st_size for f in p.step.folder.rglob("*.arrow")) for p in result.steps}
    assert size["source.src"] > 300_000
    for name in ("measure", "keep", "dedup_exact"):
        assert size[name] < size["source.src"] / 10, name


def test_a_text_that_did_not_change_is_not_stored_again(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [REAL[0] * 50] * 20 + ["with\ttab  and  blanks " * 20])
    result = go(config(tmp_path, stages=["normalize"]))
    layer = next((result.steps[-1].step.folder / "layers").glob("*.arrow"))
    texts = files.read_table(layer).column("text")
    assert texts.null_count == 20 and pc.sum(pc.is_valid(texts)).as_py() == 1


# 7. Measure, then judge


def test_moving_a_limit_never_repeats_a_measure(tmp_path):
    corpus(tmp_path)
    go(config(tmp_path, stages=["measure", {"keep": {"bounds": {"words": [2, None]}}}]))
    again = go(config(tmp_path, stages=["measure", {"keep": {"bounds": {"words": [9, None]}}}]))
    assert [name.split("-")[1] for name in again.made] == ["keep"]


@FEW
@given(texts=TEXTS, low=st.integers(0, 10), more=st.integers(0, 10))
def test_a_tighter_bound_never_keeps_more(tmp_path_factory, texts, low, more):
    folder = fresh(tmp_path_factory)
    write_jsonl(folder / "a.jsonl", texts)
    kept = []
    for bound in (low, low + more):
        result = go(config(folder, stages=["measure", {"keep": {"bounds": {"words": [bound, None]}}}]))
        kept.append(set(kept_after(result, 2).column("id").to_pylist()))
    assert kept[1] <= kept[0]
