import json
import shutil

import datasets
import pytest

from pipeline.config import Config, RunSettings
from pipeline.errors import ConfigError, InputError
from pipeline.plan import plan
from tests.pipeline.sources.making import read, reasons, source, texts

SHA = "0123456789abcdef0123456789abcdef01234567"
ROWS = {"text": [f"text {i}" for i in range(600)], "n": list(range(600)), "lang": ["sw"] * 600}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """saved: by save_to_disk; splits: with two splits; plain: Parquet files."""
    root = tmp_path_factory.mktemp("hub")
    data = datasets.Dataset.from_dict(ROWS)
    data.save_to_disk(root / "saved")
    datasets.DatasetDict(train=data, test=data.select(range(3))).save_to_disk(root / "splits")
    (root / "plain").mkdir()
    data.to_parquet(root / "plain" / "train.parquet")
    return root


@pytest.mark.parametrize("name", ["saved", "splits", "plain"])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_local_folder_gives_its_rows(folder, name, streaming, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path))
    found = read("hub", dataset=str(folder / name), streaming=streaming)
    assert texts(found) == ROWS["text"]
    assert [r.row for r in found] == list(range(600))
    assert (found[5].lang, json.loads(found[5].meta)) == ("sw", {"n": 5, "lang": "sw"})


@pytest.mark.parametrize("name", ["saved", "plain"])
@pytest.mark.parametrize("skip", [0, 1, 256, 599, 600, 700])
def test_skip_equals_dropping_the_first_rows(folder, name, skip):
    assert texts(read("hub", dataset=str(folder / name), skip=skip)) == ROWS["text"][skip:]


def test_another_split_is_read_by_name(folder):
    assert len(read("hub", dataset=str(folder / "splits"), split="test")) == 3


@pytest.mark.parametrize("name", ["splits", "plain"])
def test_an_unknown_split_is_told(folder, name):
    with pytest.raises(ConfigError, match="dev"):
        source("hub", dataset=str(folder / name), split="dev").files()


def test_a_missing_column_names_those_that_exist(folder):
    with pytest.raises(ConfigError, match="no column 'body'") as error:
        source("hub", dataset=str(folder / "saved"), text_field="body").files()
    assert "text (string)" in error.value.hint


def test_a_missing_or_empty_folder_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no folder"):
        source("hub", dataset=str(tmp_path / "none")).files()
    with pytest.raises(ConfigError, match="cannot be loaded"):
        source("hub", dataset=str(tmp_path)).files()


def test_a_broken_file_is_one_bad_behind_the_rows_before_it(folder, tmp_path):
    data = (folder / "plain" / "train.parquet").read_bytes()
    (tmp_path / "train-0.parquet").write_bytes(data)
    (tmp_path / "train-1.parquet").write_bytes(data[:200])
    found = read("hub", dataset=str(tmp_path))
    assert texts(found) == ROWS["text"]
    assert reasons(found) == ["unreadable"]


def test_the_identity_of_a_folder_is_that_of_its_bytes(folder, tmp_path):
    def identity():
        return source("hub", dataset=str(tmp_path)).identity(lambda file: open(file.url, "rb").read().hex())

    (tmp_path / "a.parquet").write_bytes(b"1")
    before = identity()
    (tmp_path / ".hidden").write_bytes(b"2")
    assert identity() == before
    (tmp_path / "a.parquet").write_bytes(b"3")
    assert identity() != before


@pytest.mark.parametrize("revision", [None, "main", SHA[:12], SHA.upper()])
def test_a_name_on_the_hub_without_a_commit_is_refused(revision):
    with pytest.raises(ConfigError, match="not pinned") as error:
        source("hub", dataset="owner/name", revision=revision).files()
    assert "full commit hash" in error.value.hint


@pytest.fixture
def hub(monkeypatch):
    """A hub that holds `owner/name` in three shards, and remembers what was asked."""
    asked = []

    def load_dataset(path, name=None, **settings):
        asked.append({"path": path, "name": name, **settings})
        shards = [[f"{i}-{j}" for j in range(5)] for i in range(3)]
        rows = lambda shards: ({"text": text} for shard in shards for text in shard)  # noqa: E731
        return datasets.IterableDataset.from_generator(rows, gen_kwargs={"shards": shards})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_each_shard_of_the_hub_is_a_file_at_the_pinned_commit(hub):
    made = source("hub", dataset="owner/name", revision=SHA, config="sw")
    assert [file.path for file in made.files()] == ["train/00000", "train/00001", "train/00002"]
    assert [[r.text for r in made.read(file, skip=3)] for file in made.files()] == [
        [b"0-3", b"0-4"], [b"1-3", b"1-4"], [b"2-3", b"2-4"],
    ]  # fmt: skip
    settings = {"path": "owner/name", "name": "sw", "split": "train", "revision": SHA, "streaming": True}
    assert all(asked == settings for asked in hub)  # and nothing of trust_remote_code
    assert made.identity(None) == {"dataset": "owner/name", "revision": SHA}


def test_the_recipe_knows_a_folder_by_its_files_and_a_name_on_the_hub_by_its_commit(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "plain", tmp_path / "moved")
    monkeypatch.chdir(tmp_path)

    def recipe(dataset: str, **settings) -> dict:
        made = Config.model_construct(sources=(source("hub", dataset=dataset, **settings),))
        (planned,) = plan(made.model_copy(update={"run": RunSettings(workdir=tmp_path / "run")}))
        return planned.recipe

    assert recipe(str(folder / "plain")) == recipe("moved") == recipe("./moved/")
    assert recipe("moved") != recipe("moved", split="test")
    assert recipe("owner/name", revision=SHA)["parameters"]["dataset"] == "owner/name"  # as it always was
    assert recipe("owner/name", revision=SHA) != recipe("owner/other", revision=SHA)


def test_a_network_that_fails_is_an_input_error(monkeypatch):
    def load_dataset(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match="no route"):
        source("hub", dataset="owner/name", revision=SHA).files()
