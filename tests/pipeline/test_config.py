"""A config is checked whole before anything starts, and every mistake says where it is and what was meant."""

from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.errors import ConfigError
from tests.pipeline.making import write_jsonl

GOOD = """
run: {{workdir: {work}, memory: 2GB, workers: 2}}
sources:
  - jsonl: {{name: a, path: "{data}/*.jsonl"}}
stages:
  - normalize
  - measure
  - keep: {{bounds: {{words: [1, null]}}}}
    where: {{kind: text}}
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    write_jsonl(tmp_path / "data" / "a.jsonl", ["one two"])
    return GOOD.format(work=tmp_path / "run", data=tmp_path / "data")


def complaint(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_good_config_loads(tmp_path, good):
    (tmp_path / "config.yaml").write_text(good)
    config = load(tmp_path / "config.yaml")
    assert [stage.name for stage in config.stages] == ["normalize", "measure", "keep"]
    assert config.run.memory_bytes == 2_000_000_000
    assert config.stages[2].where.kind == ("text",)


def test_overrides_replace_settings_of_the_run(tmp_path, good):
    (tmp_path / "config.yaml").write_text(good)
    assert load(tmp_path / "config.yaml", {"workers": 7}).run.worker_count == 7


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("  - normalise", "  - normalize", "stages[0]: there is no 'normalise'; did you mean 'normalize'?"),
        ("memry: 2GB", "memory: 2GB", "run: there is no 'memry'; did you mean 'memory'?"),
        ("memory: 8,", "memory: 2GB,", "run.memory: 8 bytes are too little for anything; write the unit, such as 8GB"),
        ("words: 20", "words: [1, null]", "bounds: words must be [lowest, highest], null for none: [20, null]"),
        ("*.{language}", "*.jsonl", "only {lang} stands for a part of a name, not {language}"),
        ("memory: lots", "memory: 2GB", "run.memory: 'lots' is no size"),
        ("workers: 0", "workers: 2", "run.workers: must be 1 or more"),
        ("pathh:", "path:", "sources[0].jsonl: there is no 'pathh'; did you mean 'path'?"),
        ("kinds: text", "kind: text", "there is no 'kinds'; did you mean 'kind'?"),
        ("kind: tex", "kind: text", "stages[2].keep.where.kind: no kind matches 'tex'; did you mean 'text'?"),
        ("source: aa", "kind: text", "stages[2].keep.where.source: no source matches 'aa'; did you mean 'a'?"),
        ("source: 'crawl_*'", "kind: text", "no source matches 'crawl_*'; there are a"),
        ("wordz: [1", "words: [1", "'wordz' was never measured"),
        ("stages:\n  - normalize", "stages:\n  - normalize", ""),
    ],
)
def test_a_mistake_names_its_place_and_the_nearest_known_name(tmp_path, good, wrong, right, told):
    assert right in good
    if told:
        assert told in complaint(tmp_path, good.replace(right, wrong))


@pytest.mark.parametrize(
    ("stage", "name", "told"),
    [
        ("identify", "lang_second", "did you mean 'lang_second_share'?"),
        ("dedup_exact: {action: mark}", "cluster", "name a measure"),
    ],
)
def test_a_bound_on_words_is_refused_before_anything_runs(tmp_path, good, stage, name, told):
    text = good.replace("  - measure", f"  - measure\n  - {stage}").replace("{words:", f"{{{name}:")
    assert told in (said := complaint(tmp_path, text)) and f"{name!r} holds words, which no bound can judge" in said


def test_all_mistakes_are_told_in_one_go(tmp_path, good):
    text = good.replace("2GB", "lots").replace("- normalize", "- normalise").replace("name: a", "nam: a")
    told = complaint(tmp_path, text + "shard_sizes: 3MB\n")
    assert "mistakes" in told
    for part in ("memory", "normalise", "'nam'", "shard_sizes"):
        assert part in told


def test_two_sources_of_one_name_are_refused(tmp_path, good):
    line = good.split("sources:\n")[1].split("stages:")[0]
    assert "two are named 'a'" in complaint(tmp_path, good.replace(line, line + line))


def test_a_path_that_matches_nothing_is_told_before_the_run(tmp_path, good):
    assert "nowhere" in complaint(tmp_path, good.replace("*.jsonl", "nowhere-*.jsonl"))


def test_missing_config_is_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no config at"):
        load(tmp_path / "none.yaml")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "its aliases make"),
        ("a: &a [*a]", "an alias that holds itself"),
        ("[" * 5000, "nested too deep"),
        ("run: {}\nrun: {}\n", "'run' stands twice"),
        ("- a\n- b\n", "holds no mapping but list"),
        ("a: [", "no valid YAML"),
        ("a: !!python/object/apply:os.system [true]", "no valid YAML"),
        ("\x00", "no valid YAML"),
        ("", "holds no mapping but NoneType"),
    ],
)
def test_hostile_yaml_is_refused_at_once(tmp_path, text, told):
    assert told in complaint(tmp_path, text)


@pytest.mark.parametrize("line", ["tokenizer: false", "pack: off", "tokenizer: 8192"])
def test_switching_a_section_off_does_not_switch_it_on(tmp_path, good, line):
    assert f"{line.split(':')[0]}: is" in complaint(tmp_path, good + line + "\n")


def test_an_unused_section_of_the_wrong_kind_is_told(tmp_path, good):
    assert "stages: is str, must be a list" in complaint(tmp_path, good.split("stages:")[0] + "stages: normalize\n")
    assert "sources: is str" in complaint(tmp_path, "sources: none\n")
    assert "run" in complaint(tmp_path, good.replace("run: {", "run: [1]\nrum: {"))


def test_a_misspelt_measure_names_the_one_that_is_measured(tmp_path, good):
    assert "did you mean 'words'?" in complaint(tmp_path, good.replace("words: [1", "word: [1"))


def test_a_share_that_is_no_share_is_refused(tmp_path, good):
    assert "write 0.3 for 30 percent" in complaint(tmp_path, good.replace("words: [1, null]", "symbol_ratio: [0, 30]"))


def test_only_what_there_is_not_is_looked_up_with_pipeline_stages(tmp_path, good):
    assert "`pipeline stages`" in complaint(tmp_path, good.replace("- normalize", "- normalise"))
    assert "`pipeline stages`" not in complaint(tmp_path, good.replace("2GB", "lots"))


def test_a_folder_is_told_as_one(tmp_path):
    with pytest.raises(ConfigError, match="is a folder, not a config"):
        load(tmp_path)
