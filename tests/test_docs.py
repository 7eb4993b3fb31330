"""The documents say what is so: commands exist, links lead somewhere, tables name the columns of the code.

Reads README.md, docs/, data/README.md and the like; runs nothing longer than `--help`.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import Config, RunSettings, load
from pipeline.document import DOCUMENT
from pipeline.pack import PackConfig, row_schema
from pipeline.progress import talk
from pipeline.run import run
from pipeline.sources.jsonl import Jsonl
from pipeline.steps.pack import COUNTS, FORMAT, SPLITS
from pipeline.store.ledger import LEDGER
from pipeline.tokenizer import SPECIALS, TokenizerConfig

ROOT = Path(__file__).parent.parent
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
SHIPPED = [*PAPERS, *(ROOT / name for name in ("Makefile", ".ci/run", "constraints.txt", "pyproject.toml"))]
SHIPPED += sorted([*ROOT.glob("configs/*.yaml"), *ROOT.glob("benchmarks/*.py")])


def commands_in(text: str) -> set[tuple[str, str]]:
    """(program, command) of every `pipeline x` or `pretrain y` in code: in backticks or in a fenced block."""
    code = [part.split("#")[0] for part in re.findall(r"`([^`\n]+)`", text)]
    code += [line.split("#")[0] for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.split("\n")]
    words = [line.replace(".venv/bin/", "").split() for line in code]
    return {(w[0], w[1]) for w in words if len(w) > 1 and w[0] in ("pipeline", "pretrain") and w[1].islower()}


def table_after(heading: str, text: str) -> list[str]:
    """Names in the first column of the first table under a heading."""
    section = text.split(f"\n## {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    rows = re.findall(r"^\| (.+?) \|", table[0], re.MULTILINE)
    return [name for row in rows[1:] for name in re.findall(r"`(\w+)`", row)]


def test_every_command_in_the_papers_exists():
    found = set().union(*(commands_in(paper.read_text("utf-8")) for paper in PAPERS))
    assert {program for program, _ in found} == {"pipeline", "pretrain"}
    for program in ("pipeline", "pretrain"):
        help_text = subprocess.run(
            [sys.executable, "-m", f"{program}.cli", "--help"], capture_output=True, text=True, cwd=ROOT, timeout=60
        ).stdout
        missing = {command for p, command in found if p == program and not re.search(rf"\b{command}\b", help_text)}
        assert not missing, f"{program} has no {missing}"


def test_the_readme_shows_the_commands_of_make_demo():
    readme = (ROOT / "README.md").read_text("utf-8")
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndemo:", 1)[1].split("\n\n", 1)[0].split("\n")[1:]
    shown = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe if not line.strip().startswith("@")]
    assert shown
    assert [line for line in shown if line not in readme] == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(paper):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", paper.read_text("utf-8"))
    targets = [t for t in targets if not t.startswith("http")]
    assert [t for t in targets if not (paper.parent / t).exists()] == []


@pytest.mark.parametrize("paper", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_paper_names_a_path_of_one_machine_or_a_registry(paper):
    text = paper.read_text("utf-8")
    assert not re.search(r"(?<![\w.~<>-])/(?:work|home|root|Users|tmp|opt)/", text)
    assert not re.search(r"pypi\.org|registry\.npmjs|files\.pythonhosted|crates\.io|deb\.debian", text)


def test_format_names_every_column_of_a_document_and_a_ledger():
    text = (ROOT / "docs/format.md").read_text("utf-8")
    assert table_after("Document", text) == DOCUMENT.names
    assert table_after("Ledger", text) == LEDGER.names


def test_format_names_every_column_and_every_count_of_the_seam():
    text = (ROOT / "docs/format.md").read_text("utf-8")
    assert table_after("The seam", text) == row_schema(8).names
    seam = text.split("## The seam", 1)[1]
    assert all(f'"{name}"' in seam for name in (*COUNTS, *SPLITS, *SPECIALS, FORMAT, "files"))


def test_format_names_every_key_of_the_manifests_and_every_file_of_a_run(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one two three"}\n' * 3, "utf-8")
    jsonl = Jsonl(name="a", path=str(tmp_path / "a.jsonl"))
    tokenizer, pack = TokenizerConfig(vocab_size=260), PackConfig(seq_len=4)
    settings = RunSettings(workdir=tmp_path / "run", workers=1)
    result = run(Config(run=settings, sources=(jsonl,), tokenizer=tokenizer, pack=pack), talk(quiet=True))
    text = (ROOT / "docs/format.md").read_text("utf-8")
    manifests = [planned.step.manifest() for planned in result.steps]
    assert {key for manifest in manifests for key in manifest} - set(re.findall(r"`(\w+)`", text)) == set()
    layout = (
        re.search(r"```\nruns/demo/(.*?)```", text, re.DOTALL)[1].replace("<name>", "a").replace("<stage>", "tokenizer")
    )
    made = {re.sub("-[0-9a-f]{16}$", "-<address>", path.name) for path in (tmp_path / "run").iterdir()}
    assert {name for name in made if re.sub(r"^\d\d-(?!source)", "NN-", name) not in layout} == set()


def test_ci_runs_make_test_and_make_installs_what_is_pinned():
    lines = [line for line in (ROOT / ".ci/run").read_text("utf-8").split("\n") if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
    dry = subprocess.run(["make", "-n", "-B", "install"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert ".venv/bin/pip install -c constraints.txt -e '.[dev]'" in dry.split("\n")


def test_constraints_pin_every_package_once_and_torch_without_a_local_version():
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").split("\n") if line and line[0] != "#"]
    names = [line.split("==")[0].lower() for line in lines]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert len(names) == len(set(names))
    assert "torch==2.13.0" in lines


def test_the_readme_config_is_a_config(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)[1]
    (tmp_path / "news").mkdir()
    (tmp_path / "news" / "sw.jsonl.zst").write_bytes(b"")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "a.py").write_text("a = 1\n")
    (tmp_path / "mine.yaml").write_text(text.replace("data/", f"{tmp_path}/"))
    assert len(load(tmp_path / "mine.yaml").stages) == 7
