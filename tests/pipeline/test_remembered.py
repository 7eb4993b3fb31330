"""The last run of each config is remembered: a source that changed or was put away does not make it unreachable."""

import json
import sys

import pytest

from pipeline.cli import main
from tests.pipeline.making import write_jsonl


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Two sources, three steps, one config."""
    for name in ("news", "docs"):
        write_jsonl(tmp_path / f"{name}.jsonl", [f"{name} has a text, and this is number {i}" for i in range(9)])
    write_config(tmp_path, "mine.yaml")

    def call(*words: str) -> tuple[int, str, str]:
        told = [word if not word.endswith(".yaml") else str(tmp_path / word) for word in words]
        monkeypatch.setattr(sys, "argv", ["pipeline", *told])
        with pytest.raises(SystemExit) as ended:
            main()
        read = capsys.readouterr()
        return int(ended.value.code or 0), read.out, read.err

    return call


def write_config(folder, name, words=1, workdir="run"):
    config = {
        "run": {"workdir": str(folder / workdir), "workers": 1},
        "sources": [{"jsonl": {"name": name, "path": str(folder / f"{name}.jsonl")}} for name in ("news", "docs")],
        "stages": ["measure", {"keep": {"bounds": {"words": [words, None]}}}, "dedup_exact"],
    }
    (folder / name).write_text(json.dumps(config))


def append(path):
    path.write_text(path.read_text() + json.dumps({"text": "one line more than there was"}) + "\n")


def test_one_line_more_leaves_the_last_run_within_reach_and_says_what_changed(command, tmp_path):
    command("run", "mine.yaml", "-q")
    report = (tmp_path / "run" / "report.html").read_bytes()
    append(tmp_path / "docs.jsonl")
    told = "source docs has changed since: 4 of 5 steps do not stand for it as it is now"
    code, out, err = command("trace", "mine.yaml", "docs/docs.jsonl#3")
    assert code == 0 and told in err and out.count("docs") and "kept" in out
    code, out, err = command("verify", "mine.yaml")
    assert code == 0 and told in err and len(out.splitlines()) == 5
    code, _, err = command("report", "mine.yaml", "--json")
    assert code == 0 and told in err and (tmp_path / "run" / "report.html").read_bytes() == report
    code, out, err = command("prune", "mine.yaml")
    assert code == 0 and not out
    assert len(command("prune", "mine.yaml", "--all")[1].splitlines()) == 4
    assert "made 4 of 5 steps" in command("run", "mine.yaml")[2]
    assert len(command("prune", "mine.yaml")[1].splitlines()) == 4  # now nobody needs them


def test_what_was_made_can_be_read_when_the_raw_files_are_put_away(command, tmp_path):
    command("run", "mine.yaml", "-q")
    for name in ("news", "docs"):
        (tmp_path / f"{name}.jsonl").rename(tmp_path / f"{name}.away")
    for words in (("verify",), ("report",), ("prune",), ("inspect", "--measure", "words")):
        code, _, err = command(words[0], "mine.yaml", *words[1:])
        assert code == 0 and "source docs cannot be read any more" in err, words
    code, out, _ = command("trace", "mine.yaml", "news/news.jsonl#3")
    assert code == 0 and out.startswith("00-source.news")
    assert command("run", "mine.yaml")[0] == 2  # a run wants to read


def test_files_that_never_were_are_still_a_mistake(command, tmp_path):
    (tmp_path / "docs.jsonl").unlink()
    code, _, err = command("verify", "mine.yaml")
    assert code == 2 and "matches no file" in err


def test_a_report_of_a_part_does_not_take_the_place_of_a_whole_one(command, tmp_path):
    command("run", "mine.yaml", "-q")
    before = (tmp_path / "run" / "report.html").read_bytes()
    write_config(tmp_path, "mine.yaml", words=3)
    code, _, err = command("report", "mine.yaml")
    assert code == 0 and "2 of 5 steps do not stand" in err and "stays as it is" in err
    assert (tmp_path / "run" / "report.html").read_bytes() == before
    code, out, err = command("prune", "mine.yaml")
    assert not out and "kept     2 steps of the last run of mine.yaml" in err


def test_a_second_config_in_a_workdir_is_told_and_neither_prunes_the_other(command, tmp_path):
    command("run", "mine.yaml", "-q")
    write_config(tmp_path, "other.yaml", words=4)
    assert "holds the corpus of mine.yaml too" in command("run", "other.yaml")[2]
    for own, other in (("mine.yaml", "other.yaml"), ("other.yaml", "mine.yaml")):
        code, out, err = command("prune", own)
        assert code == 0 and not out and f"kept     2 steps of {other}" in err
    code, out, _ = command("prune", "other.yaml", "--all", "--yes")
    assert code == 0 and len(out.splitlines()) == 2
    assert "holds the corpus" not in command("run", "other.yaml")[2]


def test_a_folder_and_its_config_may_move_together(command, tmp_path):
    write_config(tmp_path, "mine.yaml")
    command("run", "mine.yaml", "-q")
    (remembered,) = [json.loads(p.read_text()) for p in (tmp_path / "run" / ".runs").iterdir()]
    assert remembered["config"] == "../mine.yaml" and len(remembered["finished"]) == 5
    assert str(tmp_path) not in json.dumps(remembered)


def test_what_cannot_be_read_of_former_runs_says_nothing(command, tmp_path):
    command("run", "mine.yaml", "-q")
    for path in (tmp_path / "run" / ".runs").iterdir():
        path.write_text("{")
    assert "all steps stood already" in command("run", "mine.yaml")[2]
    assert command("verify", "mine.yaml")[0] == 0
