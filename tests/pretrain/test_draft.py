"""A config for a packed corpus: it loads, it fits the corpus, and it trains."""

import warnings
from types import SimpleNamespace

import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger

from pretrain.config import load_config
from pretrain.draft import EPOCHS, SIZES, STEPS, draft
from pretrain.errors import ConfigError
from pretrain.fit import fit
from pretrain.seam import Seam
from tests.pretrain import seam as builder


def drafted(tmp_path, rows: dict[str, int], seq_len: int):
    seam = SimpleNamespace(rows=lambda split: rows, seq_len=seq_len)
    (tmp_path / "my.yaml").write_text(draft(seam, tmp_path / "packed", tmp_path / "my.yaml"), "utf-8")
    return load_config(tmp_path / "my.yaml")


@pytest.mark.parametrize("seq_len", [16, 512, 2048])
@pytest.mark.parametrize("rows", [1, 3, 399, 25_000, 10**7, 10**9])
def test_a_config_for_any_corpus_is_a_config(tmp_path, rows, seq_len):
    config = drafted(tmp_path, {"sw": rows, "en": 2 * rows}, seq_len)
    train = config.train
    assert EPOCHS * 3 * rows <= train.total_samples < EPOCHS * 3 * rows + train.global_batch
    assert train.global_batch % train.micro_batch == 0
    assert train.total_steps >= min(STEPS, EPOCHS * 3 * rows)
    assert config.run.dir == tmp_path / "my"


def test_the_size_grows_with_the_tokens_and_changes_where_twenty_a_parameter_are_there(tmp_path):
    # the second has 12 * 6 * 256^2 = 4,718,592 parameters, so it wants 94,371,840 tokens: 46,080 rows of 512, 4 times
    enough = drafted(tmp_path, {"sw": 46_080}, 512).model.hidden_size
    fewer = drafted(tmp_path, {"sw": 46_079}, 512).model.hidden_size
    assert (fewer, enough) == (SIZES[0].hidden_size, SIZES[1].hidden_size) == (128, 256)


def test_a_corpus_without_a_row_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no row to train on"):
        drafted(tmp_path, {}, 512)


def test_a_short_run_with_a_logger_draws_no_advice_from_lightning(packed, tmp_path):
    config = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "run", packed, steps=2))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit(load_config(config), lambda text: None, loggers=[CSVLogger(str(tmp_path / "csv"))])
    assert [str(w.message) for w in said if "log_every_n_steps" in str(w.message)] == []


def test_what_is_drafted_trains(packed, tmp_path):
    config = tmp_path / "my.yaml"
    made = builder.pretrain("init", config, "--data", packed)
    assert made.returncode == 0 and made.stdout == f"config  {config}\n"
    assert builder.pretrain("init", config, "--data", packed).returncode == 2  # never over another
    told = yaml.safe_load(config.read_text("utf-8"))
    told["run"] |= {"dir": str(tmp_path / "run"), "accelerator": "cpu", "threads": 1}
    told["train"] |= {"samples": 3 * told["train"]["global_batch"], "warmup_samples": 0}
    done = builder.pretrain("fit", builder.write_config(config, told))
    assert done.returncode == 0, done.stderr
    assert Seam.open(packed).rows("train")  # else it trained on nothing
