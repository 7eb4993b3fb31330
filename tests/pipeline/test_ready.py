"""A ready tokenizer: a file, or one of the hub that is pinned; what comes is what was asked for, or a clear error."""

import hashlib
import os
from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline import ready
from pipeline.encode import Encoder
from pipeline.errors import ConfigError, InputError
from pipeline.ready import BLOOM, Ready, source_of
from pipeline.tokenizer import TokenizerConfig, load, special_ids, train

COMMIT = "0123456789abcdef" * 2 + "01234567"
CONTENT = train(["a b a b"], 262).to_str().encode()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has one file, and remembers what it was asked for."""
    path, asked = tmp_path / "cached.json", []
    path.write_bytes(CONTENT)

    def download(*args: object, **more: object) -> str:
        asked.append((args, more))
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return asked


def test_a_file_is_its_digest_wherever_it_lies(tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(CONTENT)
    found = source_of(path)
    assert (found.recipe(), found.read()) == ({"sha256": SHA256}, CONTENT)
    assert source_of(path, sha256=SHA256) == found


def test_a_file_that_is_not_the_one_asked_for_is_refused(tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(CONTENT + b" ")
    with pytest.raises(InputError, match=rf"has the sha256 \w+, not {SHA256}"):
        source_of(path, sha256=SHA256)
    with pytest.raises(ConfigError, match="is a file and has no revision"):
        source_of(path, revision=COMMIT)


def test_a_file_that_changes_after_the_plan_is_not_taken(tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(CONTENT)
    found = source_of(path)
    path.write_bytes(CONTENT + b" ")
    with pytest.raises(InputError, match="has the sha256"):
        found.read()


def test_a_pinned_name_of_the_hub_is_fetched_at_its_commit(hub):
    found = source_of("owner/name", COMMIT)
    assert found.recipe() == {"hub": "owner/name", "revision": COMMIT}
    assert found.read() == CONTENT
    assert hub == [(("owner/name", "tokenizer.json"), {"revision": COMMIT})]


def test_a_digest_pins_a_name_and_is_checked(hub):
    assert source_of("owner/name", sha256=SHA256).read() == CONTENT
    assert source_of("owner/name", sha256=SHA256).recipe() == {"sha256": SHA256}
    with pytest.raises(InputError, match=rf"of owner/name has the sha256 {SHA256}, not {'0' * 64}"):
        source_of("owner/name", sha256="0" * 64).read()


def test_blooms_own_needs_no_pin_and_must_be_the_one_that_is_known(hub):
    found = source_of("bigscience/bloom-560m")
    assert found == Ready("bigscience/bloom-560m", True, None, BLOOM)
    with pytest.raises(InputError, match=f"not {BLOOM}"):
        found.read()  # the hub above has another


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:-1]])
def test_a_name_that_is_not_pinned_is_refused(revision):
    with pytest.raises(ConfigError, match="not pinned") as caught:
        source_of("owner/name", revision)
    assert "full commit hash" in caught.value.hint


@pytest.mark.parametrize("name", ["nowhere.json", "some/nowhere.json", "/nowhere", "a/b/c", "~/x", "x" * 5000])
def test_what_is_neither_a_file_nor_a_name_is_told_as_a_missing_file(name):
    with pytest.raises(ConfigError, match="there is no such file"):
        source_of(name)


@pytest.mark.parametrize(
    "error", [ConnectionError("no route\nmore"), FileNotFoundError("not cached"), ValueError("bad")]
)
def test_without_the_hub_the_error_says_what_to_do(monkeypatch, error):
    def fails(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fails)
    with pytest.raises(InputError, match=r"cannot be had from the hub: \w+") as caught:
        source_of("owner/name", COMMIT).read()
    assert "more" not in caught.value.message and "network" in caught.value.hint


def test_a_config_with_a_name_of_the_hub_asks_the_network_for_nothing(hub):
    config = TokenizerConfig(path="bigscience/bloom-560m")
    assert config.parameters() == {"sha256": BLOOM}
    assert hub == []


def test_pins_without_a_path_are_refused():
    with pytest.raises(ValidationError, match="revision tell about a ready tokenizer: set `path`"):
        TokenizerConfig(revision=COMMIT)


def own_file() -> Path | None:
    """BLOOM's own tokenizer.json, where it is at hand."""
    told = os.environ.get("BLOOM_TOKENIZER")
    found = told or huggingface_hub.try_to_load_from_cache("bigscience/bloom-560m", ready.FILE)
    return Path(found) if isinstance(found, str) else None


# Of the tests of transformers (tests/models/bloom) and of keras-hub; `</s>` is the special token there
GOLDEN = {
    "The quick brown fox</s>": [2175, 23714, 73173, 144252, 2],
    "jumps over the lazy dog</s>": [77, 132619, 3478, 368, 109586, 35433, 2],
    "The quick brown fox.": [2175, 23714, 73173, 144252, 17],
    "You are a helpful chatbot.</s>Hello!</s>": [5448, 1306, 267, 66799, 44799, 37143, 17, 2, 59414, 4, 2],
    "Nice to meet you.</s>": [229126, 427, 11890, 1152, 17, 2],
    "Hello world": [59414, 8876],
    " Hello world": [86153, 8876],
}


@pytest.mark.skipif(own_file() is None, reason="needs BLOOM's tokenizer.json: BLOOM_TOKENIZER=FILE, or the hub's cache")
def test_blooms_own_gives_the_ids_that_others_have_published():
    path = own_file()
    assert path is not None and source_of(path).recipe() == {"sha256": BLOOM}
    tokenizer = load(path)
    assert tokenizer.get_vocab_size() == 250_680
    assert special_ids(tokenizer) == {"unk": 0, "bos": 1, "eos": 2, "pad": 3}
    encoder = Encoder(tokenizer)
    assert encoder.by_kernel
    for text, ids in GOLDEN.items():
        tokenizer.encode_special_tokens = False
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids, text
        if "</s>" not in text:
            assert encoder.encode(pa.array([text])).to_pylist() == [[*ids, 2]]
