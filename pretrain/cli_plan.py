"""`pretrain plan`: what a config costs before anything is built, and how to spread it over a cluster.

The table goes to stdout, talk to stderr. Never builds a model.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pretrain.cli_words import ConfigPath, Json, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pretrain.config import Config
    from pretrain.hardware import Cluster
    from pretrain.layouts import Cost, Job
    from pretrain.mixture import MixturePlan
    from pretrain.model import ModelConfig
    from pretrain.plan import Plan

_FLAGS = {"tensor": "--tp", "pipeline": "--pp", "micro_batch": "--micro-batch", "network": "--network"}


def plan(
    config: ConfigPath,
    hardware: Annotated[
        str | None, typer.Option(help="The device, if --gpus does not name it: H100, or cpu where run.accelerator is.")
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="A cluster, as 384xA100-80G or 8: how to spread the model over it.")
    ] = None,
    seq_len: Annotated[int | None, typer.Option(min=1, help="Else the corpus's, or 2,048 if it is not there.")] = None,
    mfu: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="Share of the peak while it computes; else the device's.")
    ] = None,
    tp: Annotated[int | None, typer.Option(min=1, help="With --gpus: only so many devices a matrix.")] = None,
    pp: Annotated[int | None, typer.Option(min=1, help="With --gpus: only so many pipeline stages.")] = None,
    micro_batch: Annotated[int | None, typer.Option(min=1, help="With --gpus: only so many sequences at once.")] = None,
    network: Annotated[
        float | None, typer.Option(min=0.1, help="Gbit/s of one device to other nodes; else its maker's server.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Parameters, FLOPs, memory and time of a config, and what its mixture makes of each language.

    Nothing is built for it. The mixture is told where the packed corpus is there. With --gpus, every way to spread the
    model: `pretrain plan bloom-176b --gpus 384xA100-80G` (docs/planning.md).
    """
    from pretrain import mixture_table
    from pretrain.config import load_config
    from pretrain.hardware import cluster
    from pretrain.layouts import Job
    from pretrain.plan import plan as reckon

    settings = load_config(config)
    mixture = _mixture(settings)
    shape, length = _shape(settings, seq_len)
    device = hardware or ("cpu" if settings.run.accelerator == "cpu" and not gpus else "H100")
    where = cluster(gpus or device, settings.run.all_devices, device)
    numbers = reckon(
        shape,
        where.device,
        devices=where.devices,
        seq_len=length,
        micro_batch=settings.train.micro_batch,
        global_batch=settings.train.global_batch,
        tokens=settings.train.total_samples * length,
        mfu=mfu,
        precision=settings.run.precision if where.device.gpu else None,
        compiled=settings.run.compile,
    )
    job = Job(settings.train.global_batch, length)
    only = {"tensor": tp, "pipeline": pp, "micro_batch": micro_batch}
    spread = gpus is not None and where.device.gpu
    if not spread:
        _refuse_idle(only | {"network": network})
    ways = _ways(shape, _wired(where, network), job, mfu, only) if spread else None
    if as_json:
        _print_json(numbers, mixture, ways)
        return
    Console().print(numbers.table(memory=ways is None))
    if ways is not None:
        _print_ways(ways, job, where, numbers.steps)
    elif not numbers.fits:
        say(f"it does not fit: `pretrain plan {config} --gpus {where.devices}x{device}` tells how to spread it")
    if hardware is None and gpus is None and where.device.gpu:
        say(f"reckoned for {where}: name another device with --hardware, such as A100 or cpu")
    if mixture:
        print(mixture_table.told(mixture))


def _wired(where: Cluster, network: float | None) -> Cluster:
    """With another network than that of the maker's server, given in Gbit/s."""
    return where if network is None else replace(where, device=replace(where.device, network=network * 1e9 / 8))


def _refuse_idle(given: Mapping[str, float | None]) -> None:
    """Raises ConfigError for a flag that only layouts look at, where none are reckoned."""
    from pretrain.errors import ConfigError

    if idle := [_FLAGS[name] for name, value in given.items() if value is not None]:
        said = f"plan: {', '.join(idle)} says nothing without a cluster of GPUs"
        raise ConfigError(said, hint="name one, as --gpus 384xA100-80G, or leave it out")


def _ways(shape: ModelConfig, where: Cluster, job: Job, mfu: float | None, only: dict[str, int | None]) -> list[Cost]:
    """The layouts that were asked for. Raises ConfigError if there is none."""
    from pretrain.errors import ConfigError
    from pretrain.layouts import costs

    wanted = {name: value for name, value in only.items() if value is not None}
    found = costs(shape, where, job, mfu)
    kept = [cost for cost in found if all(getattr(cost.layout, name) == value for name, value in wanted.items())]
    if not kept:
        there = ", ".join(f"{_FLAGS[name]} {sorted({getattr(c.layout, name) for c in found})}" for name in wanted)
        raise ConfigError(f"plan: no layout of {where} is as asked for", hint=f"there are: {there}")
    return kept


def _print_ways(ways: list[Cost], job: Job, where: Cluster, steps: int) -> None:
    from pretrain import layout_table

    console = Console()
    console.print(layout_table.table(ways, job, where))
    for line in layout_table.told(ways, steps):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_json(numbers: Plan, mixture: MixturePlan | None, ways: list[Cost] | None) -> None:
    from pretrain import layout_table, mixture_table

    whole = json.loads(numbers.to_json()) | {"mixture": mixture and mixture_table.as_json(mixture)}
    if ways is not None:
        whole["layouts"] = layout_table.as_json(ways)
    print(json.dumps(whole, ensure_ascii=False, indent=2))


def _shape(settings: Config, seq_len: int | None) -> tuple[ModelConfig, int]:
    """The model and its sequence length: from the packed corpus where it is there, else BLOOM's."""
    from pretrain.fit import model_config
    from pretrain.model import ModelConfig, padded_vocab
    from pretrain.seam import Seam

    if (settings.data.path / "manifest.json").is_file():
        seam = Seam.open(settings.data.path)
        return model_config(settings, seam), seq_len or seam.seq_len
    rows = settings.data.pad_vocab_to or padded_vocab(250_680, 512)
    length = seq_len or 2048
    say(f"{settings.data.path} is not there yet: reckoning with {rows:,} embedding rows and {length:,} tokens a row")
    return ModelConfig(vocab_size=rows, **settings.model.model_dump()), length


def _mixture(settings: Config) -> MixturePlan | None:
    """What the mixture makes of the packed corpus, where that is there."""
    from pretrain.mixture import plan_mixture
    from pretrain.mixture_table import corpus_of
    from pretrain.seam import Seam

    if not (settings.data.path / "manifest.json").is_file():
        return None
    return plan_mixture(settings.data.mixture, corpus_of(Seam.open(settings.data.path)), settings.train.total_samples)
