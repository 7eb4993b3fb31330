"""The commands: data on stdout, talk on stderr, 0 done, 1 the work failed, 2 you asked wrongly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.pipeline.making import TAIL, write_jsonl

EN = "All human beings are born free and equal in dignity and rights, and are endowed with reason. "


@pytest.fixture
def corpus(tmp_path):
    texts = [EN * 2 + f"number {i} of many" for i in range(12)] + [EN * 2 + "number 0 of many", "x"]
    write_jsonl(tmp_path / "a.jsonl", texts, lang="en")
    config = {
        "run": {"workdir": str(tmp_path / "run"), "workers": 1},
        "sources": [{"jsonl": {"name": "src", "path": str(tmp_path / "a.jsonl")}}],
        "stages": ["normalize", "measure", {"keep": {"bounds": {"words": [5, None]}}}, "dedup_exact"],
        **TAIL,
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    return tmp_path


@pytest.fixture
def command(corpus, monkeypatch, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(
            sys, "argv", ["pipeline", *(w.replace("CONFIG", str(corpus / "config.yaml")) for w in words)]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return call


def test_run_says_where_the_report_and_the_rows_are_on_stdout(command, corpus):
    code, out, err = command("run", "CONFIG")
    assert code == 0
    assert out.splitlines() == [f"report  {corpus}/run/report.html", f"packed  {corpus}/run/packed"]
    assert "made 8 of 8 steps" in err
    code, out, err = command("run", "CONFIG", "--json")
    assert json.loads(out)["made"] == [] and err == ""


def test_a_run_that_leaves_nothing_says_so_even_when_quiet(command, corpus):
    text = (corpus / "config.yaml").read_text().replace("[5, null]", "[5000, null]")
    (corpus / "config.yaml").write_text(text)
    code, out, err = command("run", "CONFIG", "-q")
    assert code == 1 and not out and "Nothing is left of 14 records: keep dropped 14 of them (words)" in err
    assert "There is nothing to encode" in err and not list((corpus / "run").glob("*-tokenizer-*"))
    told = json.loads(text)
    del told["tokenizer"], told["pack"]
    (corpus / "config.yaml").write_text(json.dumps(told))
    for how in ("-q", "--json"):
        code, _, err = command("run", "CONFIG", how)
        assert code == 0 and err == "error: Nothing is left of 14 records: keep dropped 14 of them (words).\n"
    (corpus / "a.jsonl").write_text("")
    code, _, err = command("run", "CONFIG", "-q")
    assert code == 0 and err == "error: Nothing is left: the sources hold no document.\n"


def test_ctrl_c_while_libraries_are_imported_leaves_no_traceback(tmp_path):
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.__main__ import main; main()"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_a_run_of_records_without_the_field_says_which_fields_there_are(command, corpus):
    (corpus / "a.jsonl").write_text('{"content": "some text", "id": "1"}\n')
    code, _, err = command("run", "CONFIG", "-q")
    assert (
        code == 1 and "hint: there is no text in 'text'; its fields are: content, id; set `text_field: content`" in err
    )


def test_init_names_the_file_that_was_asked_for_and_knows_a_pattern_without_quotes(command, corpus):
    (corpus / "recipe.yaml").write_text("sources: []\nstages: [normalize]\n")
    recipe, mine = str(corpus / "recipe.yaml"), str(corpus / "mine.yaml")
    code, _, err = command("init", recipe, mine, "--input", str(corpus / "nowhere-*.jsonl"))
    assert code == 2 and f"{mine} has a mistake" in err and ".tmp-" not in err
    code, _, err = command("init", recipe, mine, "--input", "a.jsonl", "b.jsonl", "c.jsonl")
    assert code == 2 and "2 names too many: b.jsonl, c.jsonl" in err and "pattern in quotes" in err


def test_plan_runs_nothing_and_says_what_stands(command, corpus):
    code, out, _ = command("plan", "CONFIG", "--json")
    assert code == 0 and {s["state"] for s in json.loads(out)["steps"]} == {"to do"}
    assert not list((corpus / "run").glob("*-*"))
    command("run", "CONFIG", "-q")
    _, out, _ = command("plan", "CONFIG")
    assert "0 of 8 steps to make" in out


def test_trace_tells_the_life_of_a_kept_a_dropped_and_a_duplicate_document(command):
    command("run", "CONFIG", "-q")
    _, out, _ = command("trace", "CONFIG", "src/a.jsonl#3", "--json")
    happened = [event["what"] for event in json.loads(out)["events"]]
    assert happened[0] == "read" and "encoded" in happened and happened[-1] == "packed"
    _, out, _ = command("trace", "CONFIG", "src/a.jsonl#13")
    assert "dropped" in out and "reason=words" in out and "limit=5" in out
    _, out, _ = command("trace", "CONFIG", "src/a.jsonl#12")
    assert "reason=exact_duplicate" in out and "twin=src/a.jsonl#0" in out
    code, _, err = command("trace", "CONFIG", "src/a.jsonl#99")
    assert code == 1 and "no document" in err and "hint:" in err


def test_trace_says_changed_only_where_the_document_changed(command, corpus):
    line = {"text": "it is\u00a0said\nand done\nonce and again", "lang": "en"}
    (corpus / "a.jsonl").write_text(json.dumps(line) + "\n")
    told = json.loads((corpus / "config.yaml").read_text())
    told["stages"] = ["normalize", {"dedup_lines": {"min_chars": 5, "min_count": 4}}, "measure"]
    del told["tokenizer"], told["pack"]
    (corpus / "config.yaml").write_text(json.dumps(told))
    command("run", "CONFIG", "-q")
    events = json.loads(command("trace", "CONFIG", "src/a.jsonl#0", "--json")[1])["events"]
    assert [event["what"] for event in events] == ["read", "changed", "kept", "measured"]
    assert "lines_lost" not in events[1] and events[1]["text_bytes"] == "35 -> 34"


def test_trace_of_an_id_that_is_none_tells_what_it_may_have_been(command):
    command("run", "CONFIG", "-q")
    assert "src/a.jsonl has 14 records: rows 0 to 13" in command("trace", "CONFIG", "src/a.jsonl#14")[2]
    assert "did you mean 'src/a.jsonl#3'?" in command("trace", "CONFIG", "a.jsonl#3")[2]
    assert "sources: src" in command("trace", "CONFIG", "other#3")[2]


def test_trace_shows_the_first_rows_of_a_long_document_and_counts_the_others(command, corpus):
    (corpus / "a.jsonl").write_text(json.dumps({"text": EN * 40, "lang": "en"}) + "\n")
    command("run", "CONFIG", "-q")
    rows = [e for e in json.loads(command("trace", "CONFIG", "src/a.jsonl#0", "--json")[1])["events"] if "row" in e]
    lines = command("trace", "CONFIG", "src/a.jsonl#0")[1].splitlines()
    assert len(rows) > 4 and sum("  packed" in line for line in lines) == 3
    assert f"and {len(rows) - 3} more rows" in lines[-1]


def test_verify_of_nothing_is_1(command):
    code, _, err = command("verify", "CONFIG")
    assert code == 1 and "nothing was read" in err


def test_verify_is_1_when_a_byte_has_changed_and_names_the_step(command, corpus):
    command("run", "CONFIG", "-q")
    assert command("verify", "CONFIG")[0] == 0
    layer = next((corpus / "run").glob("02-measure-*/layers/*.arrow"))
    content = bytearray(layer.read_bytes())
    content[len(content) // 2] ^= 1
    layer.write_bytes(content)
    code, out, err = command("verify", "CONFIG")
    assert code == 1 and "not those that were sealed" in out and "rm -r" in err


def test_prune_names_first_and_removes_only_when_told(command, corpus):
    command("run", "CONFIG", "-q")
    text = (corpus / "config.yaml").read_text()
    (corpus / "config.yaml").write_text(text.replace("[5, null]", "[6, null]"))
    command("run", "CONFIG", "-q")
    before = sorted((corpus / "run").glob("*-*"))
    _, out, _ = command("prune", "CONFIG")
    assert len(out.splitlines()) == 5 and sorted((corpus / "run").glob("*-*")) == before
    command("prune", "CONFIG", "--yes")
    assert len(list((corpus / "run").glob("*-*"))) == len(before) - 5
    assert "all steps stood already" in command("run", "CONFIG")[2]


def test_report_prints_the_mix_and_gives_json(command):
    code, _, err = command("report", "CONFIG")
    assert code == 1 and "no step" in err
    command("run", "CONFIG", "-q")
    assert "English" in command("report", "CONFIG")[1]
    assert json.loads(command("report", "CONFIG", "--json")[1])


def test_stages_explains_each_stage_and_source(command):
    _, out, _ = command("stages")
    assert all(name in out for name in ("jsonl", "code", "normalize", "dedup_near", "redact"))
    _, out, _ = command("stages", "keep")
    assert "bounds: {words: [20, 100000]" in out
    assert command("stages", "kep")[0] == 2
    assert "did you mean dedup_" in command("stages", "dedup")[2]


@pytest.mark.parametrize(
    "words",
    [("run",), ("run", "nowhere.yaml"), ("rum", "CONFIG"), ("run", "CONFIG", "--workers", "many"), ("run", "-x")],
)
def test_asking_wrongly_is_2_and_says_so_on_stderr_without_a_traceback(command, words):
    code, out, err = command(*words)
    assert code == 2 and err and "Traceback" not in err and not out


def test_inspect_shows_what_a_limit_would_drop_and_writes_a_page(command, corpus):
    command("run", "CONFIG", "-q")
    code, out, err = command("inspect", "CONFIG", "--measure", "words", "--lang", "eng", "--low", "19")
    assert code == 0 and "19 is the lowest that stays" in out and "lang: {en: {words: [19, null]}}" in out
    assert (corpus / "run" / "inspect-words-en.html").exists() and "inspect-words-en.html" in err
    _, out, _ = command("inspect", "CONFIG", "--measure", "words", "--json")
    assert json.loads(out)["whole"]["dropped"] == 1  # the text of one word


def test_init_writes_a_config_that_runs_and_never_over_another(command, corpus):
    recipe, mine = str(corpus / "config.yaml"), corpus / "mine.yaml"
    recipe_text = "sources: []\nstages: [normalize]\n"
    (corpus / "recipe.yaml").write_text(recipe_text)
    code, out, _ = command("init", str(corpus / "recipe.yaml"), str(mine), "--input", str(corpus / "*.jsonl"))
    assert code == 0 and out == f"config  {mine}\n"
    assert command("run", str(mine), "-q", "--workdir", str(corpus / "r"))[0] == 0
    code, _, err = command("init", recipe, str(mine), "--input", str(corpus / "*.jsonl"))
    assert code == 2 and "is there already" in err
    code, _, err = command("init", str(corpus / "recipe.yaml"), str(corpus / "b.yaml"), "--input", "nothing/*.jsonl")
    assert code == 2 and not (corpus / "b.yaml").exists()


def test_help_shows_each_example_on_a_line_of_its_own(command):
    for name, lines in (("prune", 2), ("run", 3), ("trace", 1), ("stages", 2)):
        _, out, _ = command(name, "--help")
        assert sum(line.strip().startswith(f"pipeline {name}") for line in out.splitlines()) == lines, out
