"""Devices as their makers describe them, and clusters of them as people write them down.

    "384xA100-80G"  ->  Cluster(384, Hardware("A100-80G", 312e12 FLOP/s, 80e9 bytes, ...))
    "NVIDIA H100 80GB HBM3"  ->  989.4e12, the peak that MFU is measured by

Peaks are dense bf16 matrix products from the data sheets (fp16 on a V100, which has no bf16), bandwidths go one way and
are those of the maker's server of eight. `efficiency` is the one guess here: the share of the peak that training's
kernels reach. Never touches a device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pretrain.errors import ConfigError


@dataclass(frozen=True)
class Hardware:
    """One device, and how it is wired to others."""

    name: str
    peak: float  # FLOP/s: dense bf16 matrix products on a GPU, fp32 on a CPU
    memory: float  # bytes
    link: float = 32e9  # bytes/s one way to the other devices of its node
    network: float = 1.25e9  # bytes/s one way to devices of other nodes, its share of the node's adapters
    node: int = 8  # devices in a node
    efficiency: float = 0.4  # share of the peak reached while it computes
    gpu: bool = True


# Efficiency: 0.55 on an A100 makes BLOOM's own run come out at its 105 s a step, and llm-foundry's models of 0.35 to
# 1.3 billion parameters reach 0.52 to 0.60 there; on an H100 they reach 0.35 to 0.46. The others are guesses.
HARDWARE = {
    "v100-32g": Hardware("V100 32 GB", 125e12, 32e9, 150e9, 6.25e9, efficiency=0.45),
    "a100-40g": Hardware("A100 40 GB", 312e12, 40e9, 300e9, 25e9, efficiency=0.55),
    "a100-80g": Hardware("A100 80 GB", 312e12, 80e9, 300e9, 25e9, efficiency=0.55),
    "l40s-48g": Hardware("L40S 48 GB", 362e12, 48e9, 32e9, 12.5e9),
    "h100-80g": Hardware("H100 SXM 80 GB", 989.4e12, 80e9, 450e9, 50e9, efficiency=0.45),
    "h200-141g": Hardware("H200 SXM 141 GB", 989.4e12, 141e9, 450e9, 50e9, efficiency=0.45),
    "b200-180g": Hardware("B200 180 GB", 2250e12, 180e9, 900e9, 50e9),
    "cpu": Hardware("two server cores, fp32", 200e9, 8e9, node=1, gpu=False),
}
_SHORT = {"v100": "v100-32g", "a100": "a100-80g", "l40s": "l40s-48g", "h100": "h100-80g"}
_SHORT |= {"h200": "h200-141g", "b200": "b200-180g"}
_CLUSTER = re.compile(r"\s*(?:(\d+)|(?:(\d+)\s*[x*×]\s*)?([^\W\d]\S*))\s*")  # 8, or 384xA100-80G, or A100
# what a driver calls a device: the first that stands in its name tells. An H100 with a PCIe plug is slower than an SXM
_PEAKS = {"GB200": 2500e12, "B200": 2250e12, "H100 PCIE": 756e12, "H100 NVL": 835e12, "H200 NVL": 835e12}
_PEAKS |= {"H200": 989.4e12, "H100": 989.4e12, "A100": 312e12, "L40S": 362e12, "V100": 125e12}


@dataclass(frozen=True)
class Cluster:
    """`devices` of one kind, filled up node by node."""

    devices: int
    device: Hardware

    def __str__(self) -> str:
        return f"{self.devices} x {self.device.name}"


def device_named(name: str) -> Hardware:
    """By its name in any case, `h100` or `H100-80G`. Raises ConfigError with the known ones."""
    key = name.lower()
    if (found := HARDWARE.get(_SHORT.get(key, key))) is None:
        known = ", ".join(sorted(name.upper() for name in HARDWARE))
        raise ConfigError(f"plan: hardware {name!r} is unknown", hint=f"take one of {known}")
    return found


def cluster(text: str, devices: int, name: str) -> Cluster:
    """`384xA100-80G`, `8` (of `name`), `A100` (`devices` of it). Raises ConfigError."""
    found = _CLUSTER.fullmatch(text)
    count = found and (found[1] or found[2])
    if found is None or (count and int(count) < 1):
        raise ConfigError(f"plan: {text!r} names no devices", hint="write 384xA100-80G, or 8, or H100")
    return Cluster(int(count or devices), device_named(found[3] or name))


def peak_of(device_name: str) -> float | None:
    """Dense bf16 FLOP/s of a GPU by the name its driver gives it; None if we do not know it."""
    name = device_name.upper()
    return next((peak for mark, peak in _PEAKS.items() if re.search(rf"{mark}(?!\d)", name)), None)  # A1000: no A100
