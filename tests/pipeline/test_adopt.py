"""A recipe over files of one's own: its stages stay to the letter, its sources and its workdir are new."""

from pathlib import Path

import pytest
import yaml

from pipeline.adopt import adopt, shipped
from pipeline.errors import ConfigError
from pipeline.sources.jsonl import Jsonl
from tests.pipeline.making import write_jsonl

CONFIGS = Path(__file__).parent.parent.parent / "configs"


@pytest.mark.parametrize("recipe", sorted(CONFIGS.glob("[!b]*.yaml")), ids=lambda path: path.stem)
def test_every_config_keeps_all_but_its_sources_and_its_workdir(recipe):
    before = yaml.safe_load(recipe.read_text("utf-8"))
    made = adopt(recipe, ["data/*.jsonl.zst"], Path("mine.yaml"))
    after = yaml.safe_load(made)
    assert after.pop("sources") == [{"jsonl": {"name": "data", "path": "data/*.jsonl.zst"}}]
    assert after.pop("run") == {"workdir": "runs/mine"}
    assert after == {name: part for name, part in before.items() if name not in ("sources", "run")}
    comments = [line for line in recipe.read_text("utf-8").splitlines() if line.startswith("#")]
    assert all(line in made for line in comments)


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("crawl/part-*.parquet", {"parquet": {"name": "part", "path": "crawl/part-*.parquet"}}),
        ("book.txt.gz", {"text": {"name": "book", "path": "book.txt.gz"}}),
        ("code:src/lib/", {"code": {"name": "lib", "path": "src/lib/"}}),
        ("jsonl:x/*", {"jsonl": {"name": "x", "path": "x/*"}}),
        ("ü: {}.jsonl", {"jsonl": {"name": "source", "path": "ü: {}.jsonl"}}),
    ],
)
def test_the_kind_of_a_source_is_told_by_its_ending_or_the_word_in_front(given, source):
    made = adopt(CONFIGS / "demo.yaml", [given], Path("m.yaml"))
    assert yaml.safe_load(made)["sources"] == [source]


def adopted(tmp_path, text, *inputs):
    """(text, what it says) of a config after `text`, over `inputs`."""
    (tmp_path / "recipe.yaml").write_text(text, "utf-8")
    made = adopt(tmp_path / "recipe.yaml", inputs, Path("m.yaml"))
    return made, yaml.safe_load(made)


def test_the_languages_of_the_recipe_for_code_are_kept_and_the_demo_s_bound_is_not():
    before = yaml.safe_load((CONFIGS / "code.yaml").read_text("utf-8"))["sources"][0]["code"]
    made = yaml.safe_load(adopt(CONFIGS / "code.yaml", ["code:mine/", "b/*.parquet"], Path("m.yaml")))
    code = {"name": "mine", "path": "mine/", "languages": before["languages"]}
    assert "max_bytes" in before and len(code["languages"]) == 13
    assert made["sources"] == [{"code": code}, {"parquet": {"name": "b", "path": "b/*.parquet"}}]


def test_settings_of_one_source_are_kept_and_of_two_none(tmp_path):
    one = '  - jsonl: {name: a, path: x, lang: "no", text_field: body.text, priority: 2}\n'
    kept = {"lang": "no", "text_field": "body.text", "priority": 2}
    _, said = adopted(tmp_path, f"sources:\n{one}stages: [normalize]\n", "b.jsonl", "c.txt")
    other = {"text": {"name": "c", "path": "c.txt"}}
    assert said["sources"] == [{"jsonl": {"name": "b", "path": "b.jsonl", **kept}}, other]
    _, said = adopted(tmp_path, f"sources:\n{one}{one}stages: [normalize]\n", "b.jsonl")
    assert said["sources"] == [{"jsonl": {"name": "b", "path": "b.jsonl"}}]


def test_a_pattern_that_tells_the_language_goes_before_the_recipe_s(tmp_path):
    recipe = "sources: [text: {name: a, path: x, lang: sw, kind: text}]\n"
    (one, other) = adopted(tmp_path, recipe, "{lang}/b.txt", "c.txt")[1]["sources"]
    assert one == {"text": {"name": "b", "path": "{lang}/b.txt", "kind": "text"}} and other["text"]["lang"] == "sw"


def test_the_field_of_the_text_is_that_of_the_files_and_not_the_recipe_s(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"content": "some text", "id": "1"}\n')
    recipe = "sources: [jsonl: {name: a, path: x, text_field: body}]\n"
    _, said = adopted(tmp_path, recipe, str(tmp_path / "a.jsonl"))
    assert said["sources"][0]["jsonl"]["text_field"] == "content"
    (tmp_path / "a.jsonl").write_text('{"text": "some text"}\n')
    assert adopted(tmp_path, recipe, str(tmp_path / "a.jsonl"))[1]["sources"][0]["jsonl"]["text_field"] == "text"


OLD, OLDER = "- jsonl: {name: old, path: x}", "- jsonl: {name: older, path: y}"
STAND = [  # sources and run as they may stand in a recipe, line by line
    ["# top", "sources:", f"  {OLD}", "# between", f"  {OLDER}", "# below", "stages: [normalize]", "run: {workdir: w}"],
    ["# top", "run:", "", "sources:", "- jsonl:", "    name: old", "# between", "", "    path: |", "      x", "# below",
     "stages: [normalize]", ""],
    ["# top", "stages: [normalize]", "# below", "sources:", "# between", OLD, "", "# between", OLDER],
    ["# top", "# below", "stages: [normalize]", "'run':", "  workdir:", "# between", "    w", '"sources": [',
     "  jsonl: {name: old, path: x},", "# between", "]"],
    ["# top", "# below", "stages: [normalize]", "sources:", "run:"],
    ["# top", "# below", "stages: [normalize]", ""],
]  # fmt: skip


@pytest.mark.parametrize("lines", STAND, ids=range(len(STAND)))
def test_nothing_of_the_old_sources_stays_wherever_comments_stand(tmp_path, lines):
    made, said = adopted(tmp_path, "\n".join(lines), "new.jsonl")
    sources = [{"jsonl": {"name": "new", "path": "new.jsonl"}}]
    assert said == {"sources": sources, "run": {"workdir": "runs/m"}, "stages": ["normalize"]}
    assert "# top" in made and "# below" in made and "between" not in made and "old" not in made


@pytest.mark.parametrize(
    "text", ["{sources: [], stages: [normalize]}\n", "sources: [&a {jsonl: {name: a, path: x}}]\nshard_size: *a\n"]
)
def test_a_recipe_that_cannot_be_rewritten_by_blocks_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="cannot be written anew") as told:
        adopted(tmp_path, text, "new.jsonl")
    assert "begin a line" in told.value.hint


def test_sources_of_one_name_are_numbered():
    made = yaml.safe_load(adopt(CONFIGS / "demo.yaml", ["a/x.jsonl", "b/x.jsonl", "c/x.jsonl"], Path("m.yaml")))
    assert [source["jsonl"]["name"] for source in made["sources"]] == ["x", "x-2", "x-3"]


def test_an_ending_that_tells_nothing_is_refused_with_what_to_write():
    with pytest.raises(ConfigError, match=r"'things.bin': its ending does not tell") as told:
        adopt(CONFIGS / "demo.yaml", ["things.bin"], Path("m.yaml"))
    assert told.value.hint.endswith("text:things.bin")


@pytest.mark.parametrize("name", ["table.csv", "book.PDF", "sheet.xlsx"])
def test_what_is_not_read_here_is_told_as_that(name):
    with pytest.raises(ConfigError, match="is not read here") as told:
        adopt(CONFIGS / "demo.yaml", [name], Path("m.yaml"))
    assert "JSON lines" in told.value.hint


def test_a_folder_is_told_by_its_files(tmp_path):
    write_jsonl(tmp_path / "data" / "deep" / "a.jsonl", ["x"])
    write_jsonl(tmp_path / "data" / "b.part.jsonl", ["x"])
    made = yaml.safe_load(adopt(CONFIGS / "demo.yaml", [str(tmp_path / "data")], Path("m.yaml")))
    (path,) = [source["jsonl"]["path"] for source in made["sources"]]
    assert path == f"{tmp_path}/data/**/*.jsonl" and len(Jsonl(name="a", path=path).files()) == 2
    (tmp_path / "data" / "c.txt").write_text("x")
    with pytest.raises(ConfigError, match="several endings") as told:
        adopt(CONFIGS / "demo.yaml", [str(tmp_path / "data")], Path("m.yaml"))
    assert "data/**/*.jsonl'" in told.value.hint and "data/**/*.txt'" in told.value.hint


def test_the_field_of_the_text_is_found_and_an_array_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"content": "some text", "id": "1"}\n')
    made = yaml.safe_load(adopt(CONFIGS / "demo.yaml", [str(tmp_path / "a.jsonl")], Path("m.yaml")))
    assert made["sources"][0]["jsonl"]["text_field"] == "content"
    (tmp_path / "a.jsonl").write_text('[{"text": "x"}]')
    with pytest.raises(ConfigError, match="cannot be read as JSON lines") as told:
        adopt(CONFIGS / "demo.yaml", [str(tmp_path / "a.jsonl")], Path("m.yaml"))
    assert "one array" in told.value.hint


def test_a_recipe_that_ships_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("roots", "roots.yaml", "configs/roots.yaml"):
        assert shipped(Path(name)).read_bytes() == (CONFIGS / "roots.yaml").read_bytes()
    Path("roots").write_text("mine")
    assert shipped(Path("roots")) == Path("roots")  # a file that is there comes first
    with pytest.raises(ConfigError, match="no recipe of that name") as told:
        shipped(Path("finweb.yaml"))
    assert told.value.hint == "did you mean 'fineweb'?"
    for name in ("elsewhere/roots.yaml", "bloom-tiny"):
        with pytest.raises(ConfigError):
            shipped(Path(name))
