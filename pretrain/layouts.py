"""How a model may be spread over a cluster, and what each way costs: memory of a device, seconds of a step.

    ModelConfig, Cluster, Job  ->  [Cost(layout, bytes, seconds), ...], the fastest that fits first

Paper only: a simple model, stated in docs/planning.md, with one guess in it (the share of the peak that kernels
reach). It knows no network contention, no stragglers, no small kernels. Never builds a model, never touches a device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from pretrain.errors import ConfigError
from pretrain.hardware import Cluster
from pretrain.model import ModelConfig
from pretrain.plan import activation_bytes, flops_per_token, loss_bytes

Shard = Literal["none", "optimizer", "all"]  # over the data-parallel devices: DDP, ZeRO-1, FSDP
SHARDS: tuple[Shard, ...] = get_args(Shard)
MICRO_BATCHES = (1, 2, 4, 8, 16, 32, 64)
ROOM = 0.9  # of a device's memory: the rest is for what no plan sees
_WIRE = 0.8  # of a link's bandwidth is reached by collectives
_NARROW, _WIDE = 2, 4  # bytes of bf16 and of fp32


@dataclass(frozen=True)
class Job:
    """What is to be done in a step, whichever way."""

    global_batch: int  # sequences
    seq_len: int


@dataclass(frozen=True)
class Layout:
    """One way to spread a model: tensor * pipeline * data devices."""

    tensor: int  # devices that share every matrix
    pipeline: int  # stages that the blocks are cut into
    data: int  # copies of the model, each with its share of the batch
    micro_batch: int  # sequences of a copy at once
    recompute: bool  # keep the inputs of the blocks only, and compute the rest again in the backward pass
    shard: Shard  # what the copies keep a part of, instead of the whole

    def __str__(self) -> str:
        again = ", recompute" if self.recompute else ""
        parts = {"none": "", "optimizer": ", ZeRO-1", "all": ", FSDP"}[self.shard]
        return f"TP {self.tensor} x PP {self.pipeline} x DP {self.data}{parts}, micro-batch {self.micro_batch}{again}"


@dataclass(frozen=True)
class Cost:
    """Bytes of the device that holds most, seconds of one step."""

    layout: Layout
    weights: float
    gradients: float
    optimizer: float
    activations: float
    loss: float
    compute: float  # seconds: matrix products of all micro-batches on the slowest stage
    tensor: float  # seconds: sums over the tensor-parallel devices
    bubble: float  # seconds: stages that wait for the first and the last micro-batch
    data: float  # seconds: gradients (and FSDP's weights) that travel while nothing is computed
    device_memory: float
    flops: float  # of a step on all devices, what is computed twice counted once
    hardware_flops: float  # counted twice

    @property
    def memory(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations + self.loss

    @property
    def fits(self) -> bool:
        return self.memory <= ROOM * self.device_memory

    @property
    def seconds(self) -> float:
        return self.compute + self.tensor + self.bubble + self.data

    @property
    def parts(self) -> dict[str, float]:
        """Bytes, by what takes them."""
        return {name: getattr(self, name) for name in ("weights", "gradients", "optimizer", "activations", "loss")}


def costs(config: ModelConfig, cluster: Cluster, job: Job, efficiency: float | None = None) -> list[Cost]:
    """Of every layout: those that fit, the fastest first, then those that do not, the nearest to fitting first.

    Raises ConfigError where the batch cannot be shared out in any.
    """
    found = [cost(config, cluster, job, layout, efficiency) for layout in layouts(config, cluster, job)]
    if not found:
        raise ConfigError(
            f"plan: {job.global_batch} sequences cannot be shared among {cluster}",
            hint="take a number of devices that divides train.global_batch, times those that may share a model",
        )
    return sorted(found, key=_rank)


def _rank(cost: Cost) -> tuple[float, ...]:
    """Steps within a hundredth of each other take as long: then what is simplest to run goes first."""
    if not cost.fits:
        return (1, cost.memory)
    layout = cost.layout
    simple = (layout.tensor * layout.pipeline, SHARDS.index(layout.shard), layout.recompute)
    return (0, round(100 * math.log(cost.seconds)), *simple, -layout.micro_batch)  # large matrix products are efficient


def layouts(config: ModelConfig, cluster: Cluster, job: Job) -> Iterator[Layout]:
    """Tensor parallel within a node, over a divisor of the heads; pipeline stages that take all blocks."""
    for tensor in _divisors(cluster.devices):
        if tensor > cluster.device.node or config.num_heads % tensor:
            continue
        for pipeline in _divisors(cluster.devices // tensor):
            if blocks_of_stages(config.num_layers, pipeline) is not None:
                yield from _ways(tensor, pipeline, cluster.devices // tensor // pipeline, job.global_batch)


def _ways(tensor: int, pipeline: int, data: int, global_batch: int) -> Iterator[Layout]:
    for shard in SHARDS:
        if shard != "none" and data == 1:
            continue
        if shard == "all" and pipeline > 1:  # its weights would be gathered again for every micro-batch of every stage
            continue
        for micro in MICRO_BATCHES:
            if global_batch % (data * micro) == 0:
                yield from (Layout(tensor, pipeline, data, micro, again, shard) for again in (False, True))


def cost(config: ModelConfig, cluster: Cluster, job: Job, layout: Layout, efficiency: float | None = None) -> Cost:
    """What one layout takes, in bf16 with fp32 weights, gradients and moments."""
    cuts = blocks_of_stages(config.num_layers, layout.pipeline)
    assert cuts is not None, f"{layout} cuts {config.num_layers} blocks"
    way = _Way(config, cluster, job, layout, cuts, efficiency or cluster.device.efficiency)
    tokens = job.global_batch * job.seq_len
    blocks, logits = way.flops
    return Cost(
        layout=layout,
        **max(map(way.memory, way.stages), key=lambda parts: sum(parts.values())),
        **way.seconds(),
        device_memory=cluster.device.memory,
        flops=tokens * (blocks + logits),
        hardware_flops=tokens * (blocks * way.passes + logits),
    )


def blocks_of_stages(layers: int, stages: int) -> tuple[int, int, int] | None:
    """Blocks of the first, of a middle and of the last stage; embedding and head count as one. None: no such cut.

    BLOOM: 70 blocks on 12 stages are 5, ten times 6, and 5 (Megatron-DeepSpeed, partition by transformer|embedding).
    """
    if stages == 1:
        return layers, 0, 0
    each = -(-(layers + 2) // stages)
    last = layers - (each - 1) - (stages - 2) * each
    return (each - 1, each, last) if each > 1 and last >= 1 else None


@dataclass(frozen=True)
class _Way:
    """One layout being reckoned. A stage is told by its number: 0 is the first."""

    config: ModelConfig
    cluster: Cluster
    job: Job
    layout: Layout
    cuts: tuple[int, int, int]
    efficiency: float

    @property
    def stages(self) -> list[int]:
        """Those that differ: the first (most micro-batches under way), the one after it, the last (the head)."""
        last = self.layout.pipeline - 1
        return sorted({0, min(1, last), last})

    @property
    def tokens(self) -> int:
        """Of a micro-batch."""
        return self.layout.micro_batch * self.job.seq_len

    @property
    def micro_batches(self) -> int:
        return self.job.global_batch // (self.layout.data * self.layout.micro_batch)

    @property
    def flops(self) -> tuple[float, float]:
        """(blocks, logits) of a token, each matrix product once."""
        blocks, attention, logits = flops_per_token(self.config, self.job.seq_len)
        return blocks + attention, logits

    @property
    def passes(self) -> float:
        """Forward and backward are three forward passes' work; the forward pass again makes it four."""
        return 4 / 3 if self.layout.recompute else 1.0

    def blocks(self, stage: int) -> int:
        return self.cuts[0] if stage == 0 else self.cuts[2] if self.is_last(stage) else self.cuts[1]

    def is_last(self, stage: int) -> bool:
        return stage == self.layout.pipeline - 1

    def parameters(self, stage: int) -> float:
        """Of one device. Biases and LayerNorms, which tensor parallelism repeats, are counted as shared."""
        c = self.config.hidden_size
        ends = stage == 0 or self.is_last(stage)  # tied: the last stage has a copy of the embedding of its own
        rows = self.config.vocab_size * c + 4 * c if ends else 0
        return (self.blocks(stage) * (12 * c * c + 13 * c) + rows) / self.layout.tensor

    def memory(self, stage: int) -> dict[str, float]:
        weights, gradients, optimizer = self._state(stage)
        loss = loss_bytes(self.config, self.tokens, "gpu", "bf16-mixed", compiled=True) / self.layout.tensor
        return {
            "weights": weights,
            "gradients": gradients,
            "optimizer": optimizer,
            "activations": self._activations(stage),
            "loss": loss if self.is_last(stage) else 0.0,
        }

    def _state(self, stage: int) -> tuple[float, float, float]:
        """Bytes of weights (fp32, and bf16 to compute with), gradients (fp32) and the two moments (fp32)."""
        n, c, data = self.parameters(stage), self.config.hidden_size, self.layout.data
        if self.layout.shard == "none":
            return n * (_WIDE + _NARROW), n * _WIDE, n * 2 * _WIDE
        if self.layout.shard == "optimizer":
            return n * (_NARROW + _WIDE / data), n * _WIDE, n * 2 * _WIDE / data
        whole = (24 * c * c + self.config.vocab_size * c) / self.layout.tensor  # two blocks, the embedding: gathered
        weights = n * _WIDE / data + whole * _WIDE + n * _NARROW  # gathered in fp32; backward keeps what it was cast to
        return weights, n * _WIDE / data + whole * _WIDE, n * 2 * _WIDE / data

    def _activations(self, stage: int) -> float:
        """Of the blocks of a stage, for the micro-batches whose backward pass is still to come."""
        whole = activation_bytes(self.config, self.job.seq_len, "bf16-mixed") / self.config.num_layers
        width = self.tokens * self.config.hidden_size
        kept = width * 2 * (_WIDE + _NARROW)  # x and LN(x), twice: every tensor-parallel device has them
        block = kept + (whole * self.layout.micro_batch - kept) / self.layout.tensor
        under_way = min(self.layout.pipeline - stage, self.micro_batches)
        if self.layout.recompute:
            return under_way * self.blocks(stage) * width * _WIDE + block
        return under_way * self.blocks(stage) * block

    def seconds(self) -> dict[str, float]:
        """Of a step, by what it is spent on."""
        compute, tensor, wait = max(map(self._micro_batch, self.stages), key=sum)
        return {
            "compute": self.micro_batches * compute,
            "tensor": self.micro_batches * tensor,
            "bubble": (self.layout.pipeline - 1) * (compute + tensor + wait),
            # gradients travel while the last micro-batch's backward pass, two thirds of its time, is computed
            "data": self.micro_batches * wait + max(0.0, self._gradients_travel() - compute * 2 / 3),
        }

    def _micro_batch(self, stage: int) -> tuple[float, float, float]:
        """Forward and backward on a stage: seconds of computing, of sums over tensor, of waiting for FSDP."""
        blocks, logits = self.flops
        share = self.blocks(stage) / self.config.num_layers
        flops = self.tokens * (blocks * share * self.passes + logits * self.is_last(stage))
        device, parts = self.cluster.device, self.layout.tensor
        compute = flops / parts / (device.peak * self.efficiency)
        # two sums of (tokens, C) in bf16 forward, two backward, and two more where the forward pass is done again
        sums = self.blocks(stage) * (6 if self.layout.recompute else 4)
        traffic = sums * 2 * (parts - 1) / parts * self.tokens * self.config.hidden_size * _NARROW
        tensor = traffic / (device.link * _WIRE)
        if self.layout.shard != "all":
            return compute, tensor, 0.0
        # weights are gathered forward and backward, gradients scattered, all of it fp32 and behind the computing
        return compute, tensor, max(0.0, 3 * _WIDE * self._ring(stage) - compute - tensor)

    def _gradients_travel(self) -> float:
        """Seconds, once a step: fp32 gradients are summed; with ZeRO-1 scattered, and bf16 weights gathered."""
        size = {"none": 2 * _WIDE, "optimizer": _WIDE + _NARROW, "all": 0}[self.layout.shard]
        return size * max(map(self._ring, self.stages))

    def _ring(self, stage: int) -> float:
        """Seconds for a byte of each parameter to go round the copies, which is as fast as the slowest link."""
        device, data = self.cluster.device, self.layout.data
        link = device.link if self.layout.tensor * data <= device.node else device.network
        return (data - 1) / data * self.parameters(stage) / (link * _WIRE)


def _divisors(number: int) -> list[int]:
    return [d for d in range(1, number + 1) if number % d == 0]
