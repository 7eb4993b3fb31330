"""What a training run will cost, in numbers alone: parameters, FLOPs, memory and time, before anything is built.

    ModelConfig, hardware, batch sizes  ->  Plan  ->  a table for people, JSON for programs

Everything here is arithmetic on the shape. FLOPs and memory follow from the model as it stands in this package; time
rests on an assumed share of the hardware's peak (`mfu`), which is a guess until a run has measured it. Never builds the
model, never touches a device.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from rich.table import Table

from pretrain.errors import ConfigError
from pretrain.hardware import HARDWARE, Hardware, device_named
from pretrain.loss import chunk_rows
from pretrain.model import ModelConfig

__all__ = ["HARDWARE", "Hardware", "Plan", "activation_bytes", "flops_per_token", "loss_bytes", "plan"]
Precision = Literal["bf16-mixed", "32-true"]
GIB = 1 << 30


@dataclass(frozen=True)
class Plan:
    """Numbers of one run. Bytes are of one device, FLOPs of one token (forward and backward), times in seconds."""

    hardware: str
    devices: int
    precision: str
    sharded: bool  # weights, gradients and optimizer spread over the devices (FSDP); else each holds all (DDP)
    parameters: int
    seq_len: int
    micro_batch: int  # sequences a device holds at once
    global_batch: int  # sequences of one optimizer step
    tokens: int  # of the whole run
    flops_blocks: float
    flops_attention: float  # all pairs of positions; a causal kernel does half
    flops_logits: float
    bytes_weights: float
    bytes_gradients: float
    bytes_optimizer: float
    bytes_activations: float
    bytes_loss: float  # one chunk of logits, its gradient, and that of the embedding
    mfu: float  # share of the peak that is assumed
    tokens_per_second: float  # of all devices
    step_seconds: float
    device_memory: float

    @property
    def flops(self) -> float:
        """FLOPs of one token, counted in full: what MFU is measured by."""
        return self.flops_blocks + self.flops_attention + self.flops_logits

    @property
    def flops_causal(self) -> float:
        """FLOPs of one token, where attention computes only the pairs it needs."""
        return self.flops - self.flops_attention / 2

    @property
    def bytes_total(self) -> float:
        state = self.bytes_weights + self.bytes_gradients + self.bytes_optimizer
        return state + self.bytes_activations + self.bytes_loss

    @property
    def fits(self) -> bool:
        """Whether a device can hold it, with a tenth left for what no plan sees."""
        return self.bytes_total < 0.9 * self.device_memory

    @property
    def steps(self) -> int:
        return -(-self.tokens // (self.global_batch * self.seq_len))

    @property
    def days(self) -> float:
        return self.tokens / self.tokens_per_second / 86400

    def to_json(self) -> str:
        """All fields and what follows from them, as one JSON object."""
        derived = ("flops", "flops_causal", "bytes_total", "fits", "steps", "days")
        return json.dumps(asdict(self) | {name: getattr(self, name) for name in derived}, indent=2)

    def table(self, memory: bool = True) -> Table:
        """A two-column table for a terminal; without memory and time, where layouts tell them."""
        table = Table(title=f"{self.devices} x {self.hardware}, {self.precision}", show_header=False)
        table.add_column(style="bold")
        table.add_column(justify="right")
        for label, value in self._rows() if memory else self._rows()[:3]:
            table.add_row(label, value)
        return table

    def _rows(self) -> list[tuple[str, str]]:
        share = self.flops_logits / self.flops
        return [
            ("parameters", f"{self.parameters:,}"),
            ("FLOPs a token", f"{_si(self.flops)} ({_si(self.flops_causal)} causal), logits {share:.0%}"),
            ("tokens", f"{_si(self.tokens)} in {self.steps:,} steps of {self.global_batch} x {self.seq_len}"),
            ("weights", _gib(self.bytes_weights)),
            ("gradients", _gib(self.bytes_gradients)),
            ("optimizer", _gib(self.bytes_optimizer)),
            (f"activations, micro-batch {self.micro_batch}", _gib(self.bytes_activations)),
            ("loss", _gib(self.bytes_loss)),
            ("memory of one device", f"{_gib(self.bytes_total)} of {_gib(self.device_memory)}"),
            ("fits", "yes" if self.fits else "no"),
            (f"tokens/s, if {self.mfu:.0%} of the peak", f"{self.tokens_per_second:,.0f}"),
            ("a step", _duration(self.step_seconds)),
            ("the run", _duration(self.days * 86400)),
        ]


def plan(
    config: ModelConfig,
    hardware: str | Hardware = "h100",
    *,
    devices: int = 1,
    seq_len: int = 2048,
    micro_batch: int = 8,
    global_batch: int = 256,
    tokens: int = 350_000_000_000,
    mfu: float | None = None,  # share of the peak; None: what is known of the device
    precision: Precision | None = None,  # None: bf16-mixed on a GPU, 32-true on a CPU
    compiled: bool | None = None,  # None: on a GPU
    sharded: bool = False,
) -> Plan:
    """The cost of training `config` on `tokens` tokens. Raises ConfigError for what cannot be."""
    device = device_named(hardware) if isinstance(hardware, str) else hardware
    mfu = device.efficiency if mfu is None else mfu
    numbers = {"devices": devices, "seq_len": seq_len, "micro_batch": micro_batch, "tokens": tokens, "mfu": mfu}
    for name, value in (numbers | {"global_batch": global_batch}).items():
        if not value > 0:
            raise ConfigError(f"plan: {name} is {value}", hint=f"give a positive {name}")
    precision = precision or ("bf16-mixed" if device.gpu else "32-true")
    blocks, attention, logits = flops_per_token(config, seq_len)
    n, parts = config.num_parameters, devices if sharded else 1
    speed = devices * device.peak * mfu / (blocks + attention + logits)
    return Plan(
        hardware=device.name,
        devices=devices,
        precision=precision,
        sharded=sharded,
        parameters=n,
        seq_len=seq_len,
        micro_batch=micro_batch,
        global_batch=global_batch,
        tokens=tokens,
        flops_blocks=blocks,
        flops_attention=attention,
        flops_logits=logits,
        bytes_weights=(4 if precision == "32-true" else 6) * n / parts,  # fp32, and autocast's bf16 copy
        bytes_gradients=4 * n / parts,
        bytes_optimizer=8 * n / parts,  # AdamW: two moments in fp32
        bytes_activations=micro_batch * activation_bytes(config, seq_len, precision),
        bytes_loss=loss_bytes(
            config,
            micro_batch * seq_len,
            "gpu" if device.gpu else "cpu",
            precision,
            device.gpu if compiled is None else compiled,
        ),
        mfu=mfu,
        tokens_per_second=speed,
        step_seconds=global_batch * seq_len / speed,
        device_memory=device.memory,
    )


def flops_per_token(config: ModelConfig, seq_len: int) -> tuple[float, float, float]:
    """(blocks, attention, logits) of one token, forward and backward: 72 L C^2, 12 L s C, 6 V C.

    A matrix of n weights costs 2 n FLOPs forward and twice that backward. A block has 12 C^2 weights; scores and values
    cost 4 s C forward, counting all pairs; the head has V C. Exactly what torch counts of the eager model, which leaves
    out LayerNorm, softmax and GELU as we do. Worked, bloom-560m at 2,048: 1.812e9, 0.604e9, 1.541e9.
    """
    c, layers = config.hidden_size, config.num_layers
    return 72.0 * layers * c * c, 12.0 * layers * seq_len * c, 6.0 * config.vocab_size * c


def activation_bytes(config: ModelConfig, seq_len: int, precision: Precision) -> float:
    """Bytes that the blocks hold of one sequence between forward and backward (no recomputation, fused attention)."""
    narrow, wide, columns = (2, 4, 8) if precision == "bf16-mixed" else (4, 4, 4)
    c, pad = config.hidden_size, columns * config.num_heads  # ALiBi's columns widen q, k and v
    attention = 3 * (c + pad) + (c + pad) + c  # q, k, v; the kernel's output; the input of `dense`
    # x and LN(x) for two LayerNorms; 4 C before and after GELU
    per_token = wide * 2 * c + narrow * (2 * c + attention + 8 * c)
    return float(config.num_layers * seq_len * per_token)


def loss_bytes(config: ModelConfig, tokens: int, hardware: str, precision: Precision, compiled: bool = False) -> float:
    """Bytes at the peak of the chunked loss: a chunk of logits, its gradient, and the embedding's in fp32.

    Uncompiled, fp32 logits become their own gradient, with a narrow twin for the products; compiled, logits and
    gradient stand beside each other in the precision of the products, and a chunk has twice the rows on a GPU.
    """
    gpu, wide = hardware != "cpu", precision == "32-true"
    rows = chunk_rows(config.vocab_size, torch.device("cuda" if gpu else "cpu")) * (2 if compiled and gpu else 1)
    each = (8 if wide else 4) if compiled else (4 if wide else 6)
    rest = 4 if wide else 6
    return float(config.vocab_size * (min(tokens, rows) * each + config.hidden_size * rest))


def _gib(size: float) -> str:
    return f"{size / GIB:,.2f} GiB"


def _si(number: float) -> str:
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.3f} {unit}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"
