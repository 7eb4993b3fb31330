"""Layouts: BLOOM's own run as it was, and what must hold of any layout."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.errors import ConfigError
from pretrain.hardware import cluster
from pretrain.layout_table import told
from pretrain.layouts import Job, Layout, blocks_of_stages, cost, costs, layouts
from pretrain.model import ModelConfig
from pretrain.plan import plan

BLOOM = ModelConfig(250_880, 14336, 70, 112)
JEAN_ZAY = cluster("384xA100-80G", 1, "H100")
BATCH = Job(global_batch=2048, seq_len=2048)
THEIRS = Layout(tensor=4, pipeline=12, data=8, micro_batch=2, recompute=True, shard="optimizer")
SMALL = ModelConfig(250_880, 1024, 24, 16)


def test_blooms_own_layout_fits_and_takes_its_105_seconds_at_its_150_teraflops():
    bloom = cost(BLOOM, JEAN_ZAY, BATCH, THEIRS)
    assert bloom.fits and THEIRS in {c.layout for c in costs(BLOOM, JEAN_ZAY, BATCH) if c.fits}
    assert bloom.seconds == pytest.approx(105, rel=0.1)
    assert bloom.hardware_flops / bloom.seconds / 384 == pytest.approx(150e12, rel=0.1)
    # of 2048 * 2048 tokens of 1.082e12, and a third of what the blocks cost (less the logits' 0.0216e12) again
    assert bloom.flops == pytest.approx(2048 * 2048 * 1.082e12, rel=1e-3)
    assert bloom.hardware_flops == pytest.approx(2048 * 2048 * (1.082e12 + (1.082e12 - 0.0216e12) / 3), rel=1e-3)


def test_the_seconds_of_blooms_step_worked_by_hand():
    bloom = cost(BLOOM, JEAN_ZAY, BATCH, THEIRS)
    # the last stage is the slowest: 5 of 70 blocks of 1.0603e12 FLOPs a token, four thirds of them, and the logits'
    # 0.02158e12, over 4 devices at 0.55 of 312e12; 2,048 / 8 / 2 = 128 micro-batches of 4,096 tokens
    flops = 1.0603e12 * 5 / 70 * 4 / 3 + 0.02158e12
    assert bloom.compute == pytest.approx(128 * 4096 * flops / 4 / (0.55 * 312e12), rel=1e-3)
    # 6 sums a block, each 2 * 3/4 of 4,096 * 14,336 bf16 numbers, at 0.8 of 300e9 bytes/s
    assert bloom.tensor == pytest.approx(128 * 5 * 6 * 1.5 * 4096 * 14336 * 2 / (0.8 * 300e9), rel=1e-6)
    assert bloom.bubble == pytest.approx((bloom.compute + bloom.tensor) * 11 / 128)
    # 6 bytes of 7/8 of the first stage's parameters at 0.8 of 25e9, less two thirds of a micro-batch's computing
    assert bloom.data == pytest.approx(6 * 7 / 8 * 3.9822e9 / (0.8 * 25e9) - bloom.compute / 128 * 2 / 3, rel=1e-3)


def test_fsdp_waits_for_its_weights_where_it_computes_too_little():
    where, slow = cluster("16xH100", 1, "H100"), cluster("16xH100", 1, "H100")
    slow = replace(slow, device=replace(slow.device, network=1e9))
    few = Layout(1, 1, 16, 1, False, "all")
    assert cost(SMALL, where, Job(256, 2048), replace(few, micro_batch=16)).data == 0.0
    # 12 bytes of 15/16 of the parameters at 0.8e9 bytes/s, 16 times; less what is computed meanwhile
    waits = cost(SMALL, slow, Job(256, 2048), few)
    assert waits.data + waits.compute == pytest.approx(16 * 12 * 15 / 16 * SMALL.num_parameters / 0.8e9, rel=1e-6)


def test_the_stages_of_bloom_hold_5_6_and_5_blocks():
    assert blocks_of_stages(70, 12) == (5, 6, 5)  # 5 + 10 * 6 + 5 = 70
    assert blocks_of_stages(70, 1) == (70, 0, 0)
    assert blocks_of_stages(70, 2) == (35, 36, 35)
    assert blocks_of_stages(70, 70) is None  # two blocks on a stage, and none left for the last


@given(layers=st.integers(1, 130), stages=st.integers(2, 130))
def test_the_stages_share_all_blocks(layers, stages):
    if cut := blocks_of_stages(layers, stages):
        first, middle, last = cut
        assert first + (stages - 2) * middle + last == layers
        assert min(cut) >= 1 and max(cut) == middle == max(middle, last + 1)


def test_without_any_splitting_a_layout_takes_what_the_plan_of_one_device_says():
    one = Layout(1, 1, 1, 8, False, "none")
    ours = cost(SMALL, cluster("1xH100", 1, "H100"), Job(256, 2048), one)
    theirs = plan(SMALL, "h100", micro_batch=8)
    assert ours.memory == pytest.approx(theirs.bytes_total) and ours.seconds == pytest.approx(theirs.step_seconds)
    assert ours.weights + ours.gradients + ours.optimizer == 18 * 559_214_592


def test_why_blooms_layout_needs_its_parts():
    def memory(**changes):
        return cost(BLOOM, JEAN_ZAY, BATCH, Layout(**(vars(THEIRS) | changes))).memory

    assert memory(shard="none") > 80e9 and memory(recompute=False) > 80e9  # it had neither to spare
    # worked, first stage: 5 blocks of 2,466,250,752 / 4 and 250,880 * 14,336 / 4 of the embedding are 3.982e9;
    # bf16 2, fp32 4 / 8, gradients 4, moments 8 / 8 bytes a parameter
    bloom = cost(BLOOM, JEAN_ZAY, BATCH, THEIRS)
    assert bloom.weights + bloom.gradients + bloom.optimizer == pytest.approx(3.982e9 * 7.5, rel=1e-3)
    # 12 micro-batches of 2 * 2,048 tokens, 5 inputs of 14,336 fp32 numbers each, and one whole block
    assert bloom.activations > 12 * 5 * 4096 * 14336 * 4


MODELS = st.builds(
    ModelConfig,
    vocab_size=st.just(250_880),
    hidden_size=st.sampled_from([768, 1536]),
    num_layers=st.integers(1, 12),
    num_heads=st.sampled_from([4, 12]),
)


@settings(max_examples=60, deadline=None)
@given(MODELS, st.sampled_from([1, 2, 6, 8, 16, 48]), st.sampled_from([1, 8, 96]))
def test_every_layout_uses_every_device_and_shares_out_the_batch(model, devices, batch):
    for way in layouts(model, cluster(f"{devices}xA100", 1, "A100"), Job(batch, 512)):
        assert way.tensor * way.pipeline * way.data == devices
        assert batch % (way.data * way.micro_batch) == 0 and model.num_heads % way.tensor == 0
        assert way.tensor <= 8


@settings(max_examples=60, deadline=None)
@given(MODELS, st.sampled_from([8, 16]), st.sampled_from(["A100", "H100"]))
def test_no_layout_is_faster_than_its_flops(model, devices, name):
    where = cluster(f"{devices}x{name}", 1, name)
    for c in costs(model, where, Job(96, 512)):
        assert c.seconds >= 0.999 * c.hardware_flops / (devices * where.device.peak * where.device.efficiency)
        assert min(c.parts.values()) >= 0 and c.memory > 0


@settings(max_examples=30, deadline=None)
@given(MODELS, st.sampled_from([1, 4, 8]))
def test_recomputing_and_sharding_take_less_memory_and_no_less_time(model, micro):
    where, job = cluster("16xA100", 1, "A100"), Job(256, 1024)
    plain = cost(model, where, job, Layout(2, 1, 8, micro, False, "none"))
    again = cost(model, where, job, Layout(2, 1, 8, micro, True, "none"))
    zero = cost(model, where, job, Layout(2, 1, 8, micro, False, "optimizer"))
    assert again.activations <= plain.activations * 1.01 or model.num_layers == 1
    assert again.seconds > plain.seconds
    assert zero.memory < plain.memory and zero.optimizer == pytest.approx(plain.optimizer / 8)


def test_those_that_fit_come_first_the_fastest_foremost_and_the_rest_says_what_it_needs():
    found = costs(BLOOM, JEAN_ZAY, BATCH)
    fit = [c for c in found if c.fits]
    assert 0 < len(fit) < len(found) and found[: len(fit)] == fit
    assert fit[0].seconds <= min(c.seconds for c in fit) * 1.01
    best, rest = told(found, 100)
    assert str(fit[0].layout) in best and "100 steps take" in best
    assert f"{len(found) - len(fit)} need more memory" in rest and "activations of" in rest and "nearest: TP" in rest


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(ConfigError, match="8 sequences cannot be shared among 29 x H100"):
        costs(SMALL, cluster("29xH100", 1, "H100"), Job(8, 2048))


def test_the_command_tells_blooms_layout(pretrain):
    asked = ("plan", "bloom-176b", "--gpus", "384xA100-80G", "--tp", 4, "--pp", 12, "--micro-batch", 2)
    code, out, _ = pretrain(*asked)
    assert (
        code == 0
        and "1 of 4 layouts fit in bf16-mixed" in out
        and "TP 4 x PP 12 x DP 8, ZeRO-1, micro-batch 2, recompute" in out
    )
    (first, *_) = json.loads(pretrain(*asked, "--json")[1])["layouts"]
    assert first["layout"]["data"] == 8 and first["fits"] and first["seconds"] == pytest.approx(105, rel=0.1)
    # four adapters of 100 Gbit/s for the eight devices of a node, as BLOOM had, still leave it near its time
    (slow, *_) = json.loads(pretrain(*asked, "--json", "--network", 50)[1])["layouts"]
    assert first["data"] < slow["data"] and slow["seconds"] == pytest.approx(105, rel=0.1)


def test_the_table_of_layouts_fits_80_columns(pretrain, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = pretrain("plan", "bloom-176b", "--gpus", "384xA100-80G")[1]
    table = out[: out.index("memory of the fullest")]
    assert "…" not in table and "47.9%" in table


def test_of_a_cpu_there_is_a_plan_and_no_layouts(pretrain):
    code, out, _ = pretrain("plan", "bloom-tiny", "--gpus", "2xcpu")
    assert code == 0 and "2 x two server cores" in out and "memory of one device" in out and "layouts" not in out


@pytest.mark.parametrize("where", [(), ("--gpus", "2xcpu")])
@pytest.mark.parametrize("flag", ["--tp", "--pp", "--micro-batch", "--network"])
def test_a_flag_of_layouts_is_refused_where_there_are_none(pretrain, where, flag):
    code, out, err = pretrain("plan", "bloom-tiny", *where, flag, 2)
    assert code == 2 and not out and f"plan: {flag} says nothing without a cluster of GPUs" in err


def test_a_layout_that_there_is_not_is_told_with_those_that_are(pretrain):
    code, _, err = pretrain("plan", "bloom-560m", "--gpus", "8xH100", "--tp", 3)
    assert code == 2 and "there are: --tp [1, 2, 4, 8]" in err
    code, _, err = pretrain("plan", "bloom-7b1", "--hardware", "A100")
    assert code == 0 and "it does not fit: `pretrain plan bloom-7b1 --gpus 64xA100`" in err
