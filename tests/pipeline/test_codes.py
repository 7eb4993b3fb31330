"""Language codes in configs are checked when they are read; those that rows declare are told."""

import pytest
from pydantic import ValidationError

from pipeline.codes import STRANGE, checked, checked_pattern, strange
from pipeline.document import DOCUMENT
from pipeline.report.warn import warnings
from pipeline.sources.jsonl import Jsonl
from pipeline.stages.base import Where
from pipeline.stages.keep import Keep
from pipeline.steps.source import CODES_SHOWN, read_group
from pipeline.store.files import read_table
from pipeline.store.step import Step


def test_what_a_config_names_is_spelled_as_the_project_does():
    assert [checked(code) for code in ("eng", "zh-CN", "python", "und", "ger")] == [
        "en",
        "zh-hans",
        "python",
        "und",
        "de",
    ]
    assert checked_pattern("zh-*") == "zh-*"


@pytest.mark.parametrize("code", ["englsh", "xx", "", "Cyrl", "en us", "c#"])
def test_what_is_no_code_is_refused(code):
    assert strange(code)
    with pytest.raises(ValueError, match="no language code known here: "):
        checked(code)


def test_the_nearest_code_is_told_with_its_name():
    with pytest.raises(ValueError, match=r"'swaa' .* did you mean 'sw' \(Swahili"):
        checked("swaa")
    with pytest.raises(ValueError, match="did you mean 'python'"):
        checked("pythn")


@pytest.mark.parametrize(
    "made",
    [
        lambda code: Where(lang=code),
        lambda code: Keep(languages=[code]),
        lambda code: Keep(lang={code: {"words": [1, 2]}}),
        lambda code: Jsonl(name="a", path="a.jsonl", lang=code),
    ],
)
def test_each_place_of_a_config_checks_its_codes(made):
    made("eng")
    with pytest.raises(ValidationError, match="did you mean 'en'"):
        made("englsh")


def test_a_where_in_another_spelling_finds_the_same_documents():
    assert Where(lang="eng") == Where(lang=["en"])


def read(tmp_path, *codes):
    """The step of a source whose documents declare these codes: its table and the tallies of its shard."""
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f'{{"text": "x", "lang": "{code}"}}\n' for code in codes))
    settings = Jsonl(name="a", path=str(file)).model_dump(mode="json")
    read_group(str(tmp_path), "jsonl", settings, [["a.jsonl", str(file), file.stat().st_size]], 0, 1_000_000)
    step = Step(tmp_path)
    return read_table(step.layer("a-00000-0000")), step.marked("shard-a-00000-0000")["tallies"]


def test_a_document_that_declares_no_code_is_kept_and_counted(tmp_path):
    docs, tallies = read(tmp_path, "eng", "englsh", "englsh", "zh_TW", "go")
    assert docs.column("lang_declared").to_pylist() == ["eng", "englsh", "englsh", "zh_TW", "go"]
    assert docs.column("lang").to_pylist() == ["en", "englsh", "englsh", "zh-hant", "go"]
    assert docs.schema.equals(DOCUMENT)
    assert tallies == {STRANGE + "englsh": 2}


def test_each_shard_counts_its_own(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "x", "lang": "englsh"}\n' * 3)
    settings = Jsonl(name="a", path=str(file)).model_dump(mode="json")
    read_group(str(tmp_path), "jsonl", settings, [["a.jsonl", str(file), file.stat().st_size]], 0, 1)
    marks = [Step(tmp_path).marked(f"shard-a-00000-{i:04d}") for i in range(3)]
    assert [mark["tallies"] for mark in marks] == [{STRANGE + "englsh": 1}] * 3


def test_a_flood_of_codes_does_not_flood_the_manifest(tmp_path):
    _, tallies = read(tmp_path, *(f"no-code-{i}-{'x' * 100}" for i in range(CODES_SHOWN + 5)))
    assert len(tallies) == CODES_SHOWN + 1
    assert tallies[STRANGE + "..."] == 5
    assert max(map(len, tallies)) < 60


def test_the_report_tells_codes_that_are_none():
    source = {"name": "news", "documents_in": 2000, "bad": 0, "strange": {"englsh": 1200, "...": 3}}
    (told,) = warnings([], [], [source], None)
    assert told["level"] == "warning"
    assert (
        "1,203 documents of the source news declared as no language known here: 'englsh' (1,200: did you mean 'en'"
        in told["text"]
    )
