"""The plan's numbers: published ones, ones worked by hand, and ones counted on a real block."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from rich.console import Console
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from pretrain.errors import ConfigError
from pretrain.model import Bloom, ModelConfig
from pretrain.plan import HARDWARE, activation_bytes, flops_per_token, loss_bytes, plan

BLOOM_560M = ModelConfig(250_880, 1024, 24, 16)
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("name", "parameters", "gigaflops"),
    [
        ("560m", 559_214_592, 3.957),
        ("1b1", 1_065_314_304, 7.295),
        ("1b7", 1_722_408_960, 11.54),
        ("3b", 3_002_557_440, 19.9),
        ("7b1", 7_069_016_064, 45.4),
        ("176b", 176_247_271_424, 1082),
    ],
)
def test_the_config_of_each_bloom_is_that_bloom(name, parameters, gigaflops):
    config = yaml.safe_load((CONFIGS / f"bloom-{name}.yaml").read_text())
    p = plan(ModelConfig(config["data"]["pad_vocab_to"], **config["model"]))
    assert p.parameters == parameters
    assert p.flops / 1e9 == pytest.approx(gigaflops, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "lr", "min_lr", "batch", "increment"),
    [
        ("560m", 3e-4, 1e-5, 256, 32),
        ("1b1", 2.5e-4, 1e-5, 256, 16),
        ("1b7", 2e-4, 1e-5, 512, 16),
        ("3b", 1.6e-4, 1e-5, 512, 32),
        ("7b1", 1.2e-4, 1e-5, 512, 32),
        ("176b", 6e-5, 6e-6, 2048, 16),
    ],
)
def test_each_config_has_blooms_hyperparameters(name, lr, min_lr, batch, increment):
    train = yaml.safe_load((CONFIGS / f"bloom-{name}.yaml").read_text())["train"]
    assert (train["lr"], train["min_lr"], train["global_batch"]) == (lr, min_lr, batch)
    assert train["batch_ramp"] == {"start": 192, "increment": increment, "samples": 9_765_625}
    shared = {"samples": 220_000_000, "warmup_samples": 183_105, "decay_samples": 200_000_000, "seed": 42}
    adam = {"weight_decay": 0.1, "betas": [0.9, 0.95], "eps": 1e-8, "clip": 1.0, "schedule": "cosine"}
    assert train.items() >= (shared | {"schedule": "cosine"}).items() and train["betas"] == adam["betas"]
    assert all(train[name] == value for name, value in adam.items())


def test_flops_of_560m_are_the_worked_ones():
    # 72 * 24 * 1024^2, 12 * 24 * 2048 * 1024, 6 * 250,880 * 1024
    assert flops_per_token(BLOOM_560M, 2048) == (1_811_939_328, 603_979_776, 1_541_406_720)
    p = plan(BLOOM_560M, "h100", mfu=0.5)
    assert p.flops_causal == p.flops - 603_979_776 / 2
    assert p.tokens_per_second == pytest.approx(125_000, rel=1e-3)  # 0.5 * 989.4e12 / 3.957e9


@pytest.mark.parametrize(
    ("shape", "rows", "length"),
    [
        ((320, 64, 1, 4), 1, 16),
        ((1000, 96, 3, 6), 2, 33),
        ((250_880, 1024, 24, 16), 1, 128),  # bloom-560m
        ((64, 112 * 8, 2, 112), 3, 7),
        ((128, 80, 2, 1), 1, 1),
    ],
)
def test_the_formula_is_what_torch_counts(shape, rows, length):
    config = ModelConfig(*shape)
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:  # meta tensors that autocast takes for the CPU's
        model, ids = Bloom(config, backend="eager"), torch.zeros(rows, length, dtype=torch.int64)
        logits = model(ids)
        forward = counter.get_total_flops()
        F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    assert counter.get_total_flops() == 3 * forward == rows * length * sum(flops_per_token(config, length))


def test_time_and_steps_follow_from_speed():
    p = plan(BLOOM_560M, "a100", devices=8, tokens=1_000_000_000, global_batch=256, mfu=0.4)
    assert p.steps == 1908  # 1e9 / (256 * 2048) = 1907.3
    assert p.step_seconds == pytest.approx(256 * 2048 * p.flops / (8 * 312e12 * 0.4))
    assert p.days * 86400 == pytest.approx(1e9 / p.tokens_per_second)


def test_state_takes_sixteen_bytes_a_parameter_and_two_more_in_bf16():
    n = BLOOM_560M.num_parameters
    for precision, size in (("32-true", 16), ("bf16-mixed", 18)):
        p = plan(BLOOM_560M, precision=precision)
        assert p.bytes_weights + p.bytes_gradients + p.bytes_optimizer == size * n


def test_the_state_of_560m_is_the_published_one():
    p = plan(BLOOM_560M, precision="32-true")  # 16 bytes of 559,214,592 parameters
    assert p.bytes_weights + p.bytes_gradients + p.bytes_optimizer == pytest.approx(8.95e9, rel=1e-3)


def test_sharding_divides_the_state_and_nothing_else():
    whole, part = plan(BLOOM_560M, devices=4), plan(BLOOM_560M, devices=4, sharded=True)
    for name in ("bytes_weights", "bytes_gradients", "bytes_optimizer"):
        assert getattr(part, name) == getattr(whole, name) / 4
    assert part.bytes_activations == whole.bytes_activations
    assert not plan(ModelConfig(250_880, 4096, 30, 32), micro_batch=1).fits
    assert plan(ModelConfig(250_880, 4096, 30, 32), micro_batch=1, devices=16, sharded=True).fits


class Kept:
    """Counts the bytes that autograd keeps for the backward pass, each storage once, weights apart."""

    def __init__(self, weights) -> None:
        self.seen = {p.untyped_storage().data_ptr() for p in weights}
        self.bytes, self._alive = 0, []

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.seen:
            self.seen.add(storage.data_ptr())
            self._alive.append(tensor)  # or its address would be used again
            self.bytes += storage.nbytes()
        return tensor


def kept_by(layers: int, precision: str) -> float:
    """Bytes that a model of so many blocks keeps of one row of 256 tokens, without autocast's copies of its weights."""
    model = Bloom(ModelConfig(64, 512, layers, 8))
    kept = Kept(model.parameters())
    mixed = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed")
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda t: t), mixed:
        model.hidden(torch.zeros(1, 256, dtype=torch.int64)).sum()
    casts = 2 * sum(p.numel() for p in model.h.parameters() if p.ndim == 2) if precision == "bf16-mixed" else 0
    return kept.bytes - casts


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_activations_are_those_that_a_block_really_keeps(precision):
    block = kept_by(2, precision) - kept_by(1, precision)
    assert activation_bytes(ModelConfig(64, 512, 1, 8), 256, precision) == pytest.approx(block, rel=0.05)


def test_the_loss_holds_one_chunk_of_logits_however_many_tokens():
    few, many = (loss_bytes(BLOOM_560M, n, "h100", "32-true") for n in (8192, 65536))
    assert few == many == 2112 * 250_880 * 4 + 250_880 * 1024 * 4
    assert loss_bytes(BLOOM_560M, 100, "h100", "32-true") == 100 * 250_880 * 4 + 250_880 * 1024 * 4


def test_a_compiled_loss_takes_twice_the_rows_with_logits_and_gradient_in_bf16():
    compiled = loss_bytes(BLOOM_560M, 65536, "h100", "bf16-mixed", compiled=True)
    assert compiled == 2 * 2112 * 250_880 * 4 + 250_880 * 1024 * 6
    assert plan(BLOOM_560M, micro_batch=32).bytes_loss == compiled > plan(BLOOM_560M, compiled=False).bytes_loss


def test_json_holds_every_number_and_the_table_shows_the_parameters():
    p = plan(BLOOM_560M)
    data = json.loads(p.to_json())
    assert data["parameters"] == 559_214_592 and data["fits"] is True and data["flops"] == p.flops
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(p.table())
    assert "559,214,592" in console.export_text()


@pytest.mark.parametrize("hardware", HARDWARE)
def test_all_hardware_gives_a_plan(hardware):
    assert plan(BLOOM_560M, hardware).tokens_per_second > 0


@pytest.mark.parametrize("wrong", [{"devices": 0}, {"tokens": -1}, {"mfu": 0.0}, {"seq_len": 0}, {"global_batch": 0}])
def test_impossible_numbers_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=f"plan: {next(iter(wrong))} is"):
        plan(BLOOM_560M, **wrong)


def test_unknown_hardware_is_refused_with_the_known():
    with pytest.raises(ConfigError, match="take one of A100-40G, A100-80G, B200-180G, CPU, H100-80G"):
        plan(BLOOM_560M, "tpu")
