"""What a config may say, and how it is told what it may not."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pretrain.config import load_config
from pretrain.errors import ConfigError

GOOD = """
run: {dir: runs/x}
data: {path: runs/packed}
model: {hidden_size: 16, num_layers: 1, num_heads: 2}
train: {steps: 10, lr: 1e-3}
"""
CONFIGS = Path(__file__).parents[2] / "configs"


def load(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return load_config(path)


def refused(tmp_path, text) -> str:
    with pytest.raises(ConfigError) as told:
        load(tmp_path, text)
    assert told.value.exit_code == 2 and told.value.hint
    return str(told.value)


def test_a_small_config_is_enough(tmp_path):
    config = load(tmp_path, GOOD)
    assert config.train.lr == 0.001  # YAML 1.1 would read the text "1e-3"
    assert (config.train.total_steps, config.train.total_samples) == (10, 320)


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path):
    told = refused(
        tmp_path,
        """run: {dir: runs/x, devices: true}
data: {path: runs/p, mixtur: {}}
model: {hidden_size: 100, num_layers: "4", num_heads: 8}
train:
  step: 10
  steps: 1e2
  lr: -1
""",
    )
    assert told.splitlines()[0].endswith("c.yaml: 6 mistakes")
    for line in (
        "line 1, run.devices: is True",
        "line 2, data.mixtur: no such key; did you mean `mixture`?",
        "line 3, model.num_layers: is '4'",
        "line 5, train.step: no such key; did you mean `steps`?",
        "line 6, train.steps: is 100.0",
        "line 7, train.lr: is -1",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("steps: 10, samples: 5, lr: 1", "give steps or samples, one of the two"),
        ("lr: 1", "give steps or samples, one of the two"),
        ("steps: 10, lr: 1, min_lr: 2", "min_lr 2.0 is above lr 1.0"),
        ("steps: 10, lr: 1, warmup_samples: 320", "warmup_samples 320 is not before the end of the decay at 320"),
        ("steps: 9, lr: 1, batch_ramp: {start: 5, increment: 2, samples: 9}", "never is global_batch 32"),
        ("steps: 9, lr: .nan", "is nan"),
        ("steps: 9, lr: 1, cooldown_samples: 5", "cooldown_samples says nothing where the schedule is cosine"),
        ("steps: 9, lr: 1, schedule: constant, min_lr: 0.5", "min_lr says nothing where the schedule is constant"),
        ("steps: 9, lr: 1, schedule: constant, decay_samples: 5", "decay_samples says nothing where"),
        # 10 steps of 32 end at 320: after a warmup of 20 there are 300
        ("steps: 10, lr: 1, schedule: wsd, warmup_samples: 20, cooldown_samples: 301", "longer than the 300 samples"),
        ("steps: 9, lr: 1, keep_last: 1", "train.keep_last: is 1"),
    ],
)
def test_a_contradiction_is_told_with_its_values(tmp_path, wrong, words):
    assert words in refused(tmp_path, GOOD.replace("steps: 10, lr: 1e-3", wrong))


def test_a_key_of_a_stage_of_the_mixture_is_told_with_the_nearest(tmp_path):
    mixture = "path: runs/packed, mixture: {stages: [{until: 5, temprature: 3}, {}]}"
    told = refused(tmp_path, GOOD.replace("path: runs/packed", mixture))
    assert "data.mixture.stages.0.temprature: no such key; did you mean `temperature`?" in told


def test_a_key_of_another_framework_is_told_by_our_name(tmp_path):
    wrong = GOOD.replace("lr: 1e-3", "lr: 1e-3, learning_rte: 1, max_grad_norm: 1").replace("num_layers", "n_layer")
    told = refused(tmp_path, wrong)
    for words in ("learning_rte: no such key; did you mean `lr`", "you mean `clip`", "you mean `num_layers`"):
        assert words in told


def test_heads_that_do_not_divide_and_batches_without_a_row_for_each_device_are_refused(tmp_path):
    assert "hidden_size 16 is not divisible by num_heads 3" in refused(tmp_path, GOOD.replace("heads: 2", "heads: 3"))
    assert "a batch has 32 samples" in refused(tmp_path, GOOD.replace("dir: runs/x", "dir: runs/x, devices: 64"))
    told = refused(tmp_path, GOOD.replace("dir: runs/x", "dir: runs/x, devices: 8, nodes: 5"))
    assert "run.nodes * run.devices is 40, but a batch has 32 samples" in told


def test_devices_that_compute_a_row_together_must_divide_all_and_be_sharded(tmp_path):
    split = GOOD.replace("dir: runs/x", "dir: runs/x, devices: 4, strategy: fsdp, tensor_parallel: 3")
    assert "tensor_parallel 3 does not divide the 4 devices" in refused(tmp_path, split)
    split = GOOD.replace("dir: runs/x", "dir: runs/x, devices: 4, strategy: ddp, tensor_parallel: 2")
    assert "tensor_parallel 2 needs strategy: fsdp, not ddp" in refused(tmp_path, split)
    path = tmp_path / "split.yaml"
    path.write_text(GOOD.replace("dir: runs/x", "dir: runs/x, devices: 64, strategy: fsdp, tensor_parallel: 4"))
    assert load_config(path).run.data_parallel == 16  # who share the 32 samples of a batch


def test_a_cooldown_that_fills_the_time_after_the_warmup_is_taken(tmp_path):
    train = "steps: 10, lr: 1, schedule: wsd, warmup_samples: 20, cooldown_samples: 300"
    assert load(tmp_path, GOOD.replace("steps: 10, lr: 1e-3", train)).train.learning_rate().at(20) == 1.0


@pytest.mark.parametrize(("name", "devices"), [("560m", 8), ("1b1", 8), ("1b7", 16), ("3b", 32), ("7b1", 64)])
def test_a_node_of_bloom_has_eight_devices(name, devices):
    run = load_config(CONFIGS / f"bloom-{name}.yaml").run
    assert (run.devices, run.all_devices) == (8, devices)


def test_an_alias_bomb_is_refused(tmp_path):
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijk"))
    assert "line 1: an alias (*) points here" in refused(tmp_path, bomb)


def test_a_key_given_twice_is_refused(tmp_path):
    told = refused(tmp_path, GOOD.replace("steps: 10", "lr: 2, steps: 10"))
    assert "train.lr stands twice" in told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2]",
        "words",
        "a: [",
        "\t- x",
        "a: !!python/object/apply:os.getcwd []",
        "[" * 5000,
        "a: \x07",
        "? [a]\n: 1",
    ],
)
def test_what_is_no_config_is_refused_in_words(tmp_path, text):
    assert "c.yaml" in refused(tmp_path, text)


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path):
    (tmp_path / "other.yaml").write_text(GOOD)
    (tmp_path / "raw.yaml").write_bytes(b"\xff\xfe\x00")
    for name, words in (("c.yaml", "other.yaml"), ("raw.yaml", "UTF-8"), ("no/c.yaml", "give one of bloom-176b")):
        with pytest.raises(ConfigError, match=words):
            load_config(tmp_path / name)


@given(st.text())
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("x") / "c.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError):
        load_config(path)


def identity(tmp_path, **changes):
    settings = yaml.safe_load(GOOD.replace("1e-3", "0.001"))
    for place, value in changes.items():
        block, key = place.split("__")
        settings[block][key] = value
    return load(tmp_path, yaml.safe_dump(settings)).identity()


@pytest.mark.parametrize(
    "changes",
    [
        {"run__compile": True},
        {"run__attention": "eager"},
        {"run__threads": 1},
        {"run__dir": "y"},
        {"train__keep_last": 5},
        {"train__micro_batch": 2},
        {"data__path": "z"},
    ],
)
def test_speed_place_and_looks_are_no_part_of_a_run(tmp_path, changes):
    assert identity(tmp_path, **changes) == identity(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"train__lr": 0.002}, {"train__seed": 1}, {"train__global_batch": 8}, {"model__num_layers": 2},
     {"data__mixture": {"temperature": 2.0}}, {"data__pad_vocab_to": 512}, {"train__steps": 11},
     {"train__document_mask": True}, {"train__z_loss": 1e-4}, {"train__ignore_ids": [2]}],
)  # fmt: skip
def test_what_moves_a_weight_is_part_of_a_run(tmp_path, changes):
    assert identity(tmp_path, **changes) != identity(tmp_path)  # steps: the end of the decay moves with them


def test_training_longer_is_the_same_run_where_the_decay_is_stated(tmp_path):
    assert identity(tmp_path, train__decay_samples=320, train__steps=99) == identity(tmp_path)


def test_checkpoints_from_before_an_option_was_there_are_of_the_same_run(tmp_path):
    off = {"train__document_mask": False, "train__z_loss": 0.0, "train__ignore_ids": []}
    assert not {"document_mask", "z_loss", "ignore_ids"} & identity(tmp_path, **off)["train"].keys()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("bloom-*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_come_with_the_project_load(path):
    assert load_config(path).train.total_steps > 0


def test_a_config_that_ships_is_found_by_its_name_and_a_file_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("bloom-560m", "bloom-560m.yaml"):
        assert load_config(Path(name)).model.hidden_size == 1024
    Path("bloom-560m.yaml").write_text(GOOD)
    assert load_config(Path("bloom-560m.yaml")).model.hidden_size == 16
    with pytest.raises(ConfigError, match=r"bloom-9b does not exist\n.*bloom-560m.yaml, bloom-176b, bloom-1b1"):
        load_config(Path("bloom-9b"))
    with pytest.raises(ConfigError, match="elsewhere/bloom-560m does not exist"):
        load_config(Path("elsewhere/bloom-560m"))


def test_bloom_560m_counts_as_bloom_did():
    train = load_config(CONFIGS / "bloom-560m.yaml").train
    assert train.batches().size(0) == 192 and train.total_samples >= 220_000_000
    assert train.learning_rate().at(183_105) == 3e-4
