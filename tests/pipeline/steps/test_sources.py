"""Sources that are read together leave what each leaves alone."""

from types import SimpleNamespace

import pytest

from pipeline.errors import RunError
from pipeline.steps.sources import bundles
from tests.pipeline.making import config, go, sealed, write_jsonl


def works(*tasks):
    return [SimpleNamespace(tasks=count, source=SimpleNamespace(name=f"s{count}"), step=count) for count in tasks]


@pytest.mark.parametrize(
    ("tasks", "cut"),
    [
        ([1, 1, 1], [[1, 1, 1]]),
        ([1, 2, 1, 1], [[1, 2, 1], [1]]),  # 1 + 2 + 1 are the four
        ([9, 1, 9], [[9], [1, 9]]),
        ([0, 0], [[0, 0]]),
        ([], []),
    ],
)
def test_sources_are_read_together_until_enough_tasks_have_come(tasks, cut):
    assert [bundle.steps for bundle in bundles(works(*tasks), 4)] == cut


def test_the_progress_bar_names_a_few_sources_and_counts_many():
    few, many = (next(bundles(works(*range(count)), 1000)).title for count in (3, 4))
    assert (few, many) == ("read s0 + s1 + s2", "read 4 sources")


def two_sources(folder, names, **run):
    for name in ("a", "b"):
        write_jsonl(folder / name / "x.jsonl", [f"{name} document {i} " * 9 for i in range(30)])
    sources = [{"jsonl": {"name": name, "path": str(folder / name / "*.jsonl")}} for name in names]
    return config(folder, f"run-{names}", stages=[], sources=sources, shard_size=1000, run=run)


def test_sources_read_together_have_the_bytes_of_each_alone(tmp_path):
    alone = [sealed(go(two_sources(tmp_path, name))) for name in "ab"]
    result = go(two_sources(tmp_path, "ab", workers=2))
    about = [planned.step.manifest()["run"] for planned in result.steps]
    assert about[0]["started"] == about[1]["started"]  # else they were not read together
    assert sealed(result) == alone[0] | alone[1]


def test_each_source_tells_the_seconds_of_its_own_tasks(tmp_path):
    about = [planned.step.manifest()["run"] for planned in go(two_sources(tmp_path, "ab")).steps]
    assert all(0 < one["stage_seconds"] < one["task_seconds"]["read_group"] for one in about)


def test_what_was_read_beside_a_bad_source_is_not_read_again(tmp_path):
    made = two_sources(tmp_path, "ab", max_bad=0)
    (tmp_path / "a" / "y.jsonl").write_text("no JSON\n")
    with pytest.raises(RunError, match="cannot be read"):
        go(made)
    (layer,) = (tmp_path / "run-ab").glob("00-source.b-*/layers/*0000.arrow")
    before = layer.stat()
    (tmp_path / "a" / "y.jsonl").unlink()
    assert len(go(made).made) == 2
    assert layer.stat().st_ino == before.st_ino and layer.stat().st_mtime_ns == before.st_mtime_ns
