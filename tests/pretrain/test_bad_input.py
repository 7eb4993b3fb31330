"""What cannot be trained on, or with, is told in words that say what to do."""

import json

import pytest
import torch

from pretrain.config import Config
from pretrain.errors import ConfigError, InputError, RunError
from pretrain.fit import fit
from pretrain.model import Bloom
from tests.pretrain import seam as builder


def run(folder, data, told=None, **train):
    settings = builder.config(folder, data, **({"steps": 2, "decay_samples": 48} | train))
    return fit(Config.model_validate(settings), (told if told is not None else []).append)


def test_a_corpus_of_another_tokenizer_is_refused_with_what_is_other_in_it(packed, tmp_path):
    run(tmp_path / "r", packed)
    other = builder.build(tmp_path / "packed", {"en": 24, "py": 7, "sw": 13}, seq_len=8)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    (other / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1))
    manifest = json.loads((other / "manifest.json").read_text())
    builder.seal(other, manifest["splits"], 8, vocab_size=261)
    with pytest.raises(ConfigError) as refused:
        run(tmp_path / "r", other, steps=4)
    for words in (
        "data: packed with another tokenizer",
        "data.vocab_size: 260 in the checkpoint, 261 now",
        "data.seq_len: 16 in the checkpoint, 8 now",
        "data: other numbers of rows of sw",
        "put these back to go on",
    ):
        assert words in str(refused.value)


def test_a_run_whose_copy_of_the_manifest_is_lost_is_refused_all_the_same(packed, tmp_path):
    run(tmp_path / "r", packed)
    (tmp_path / "r/data.json").write_text("{")
    with pytest.raises(ConfigError, match=r"data: packed corpus \w{16} in the checkpoint, \w{16} now\n  hint"):
        run(tmp_path / "r", builder.build(tmp_path / "packed", {"en": 30}), steps=4)


def test_more_tokens_than_the_model_has_rows_are_refused_before_anything_is_written(packed, tmp_path):
    settings = builder.config(tmp_path / "r", packed)
    settings["data"]["pad_vocab_to"] = 256
    with pytest.raises(ConfigError, match=r"pad_vocab_to is 256, but the tokenizer .* has 260 tokens"):
        fit(Config.model_validate(settings), lambda _: None)
    assert not (tmp_path / "r/ckpt").exists()


def test_a_corpus_of_a_newer_format_is_refused(packed, tmp_path):
    folder = builder.build(tmp_path / "packed")
    manifest = json.loads((folder / "manifest.json").read_text())
    builder.seal(folder, manifest["splits"], 16, format_version=2)
    with pytest.raises(InputError, match=r"has format version 2; this seedbed reads 1\n.*update seedbed"):
        run(tmp_path / "r", folder)


def test_a_corpus_without_validation_rows_trains_and_says_so(tmp_path):
    told, folder = [], builder.build(tmp_path / "packed", valid_rows=0)
    assert run(tmp_path / "r", folder, told).done
    assert any("has no validation rows: no held-out loss" in line for line in told)
    assert not (tmp_path / "r/validation.jsonl").exists()


def gpu_is_full(*_):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7.66 GiB.\nGPU 0 has a total capacity of ...")


def cpu_is_full(*_):
    torch.empty(1 << 58, dtype=torch.uint8)


@pytest.mark.parametrize("full", [gpu_is_full, cpu_is_full])
@pytest.mark.parametrize(("size", "deed"), [(3, "set train.micro_batch to 1 (it is 3)"), (1, "take a smaller model")])
def test_too_little_memory_is_told_with_what_to_change(packed, tmp_path, monkeypatch, full, size, deed):
    monkeypatch.setattr(Bloom, "loss", full)
    with pytest.raises(RunError, match=r"needs more memory than there is: .*allocate") as told:
        run(tmp_path / "r", packed, micro_batch=size)
    assert deed in str(told.value) and "pretrain plan" in str(told.value) and "capacity" not in str(told.value)


def test_another_error_of_torch_stays_what_it_is(packed, tmp_path, monkeypatch):
    def wrong(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Bloom, "loss", wrong)
    with pytest.raises(RuntimeError, match="cannot be multiplied") as told:
        run(tmp_path / "r", packed)
    assert not isinstance(told.value, RunError)
