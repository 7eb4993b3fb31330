"""How a model lies over several devices: its parameters sharded (FSDP2), its matrices split (tensor parallel), or both.

    Bloom, mesh ("data_parallel", "tensor_parallel")  ->  the same Bloom, its parameters DTensors

The ranks along `data_parallel` read different rows and each hold a part of every parameter, which is gathered block by
block while it is needed (Zhao et al. 2023, arXiv:2304.11277). The ranks along `tensor_parallel` read the same rows and
each compute some of the heads, of the MLP's channels and of the vocabulary's rows (Shoeybi et al. 2019,
arXiv:1909.08053). The fused projection of BLOOM goes head by head, so splitting its rows splits the heads.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from pretrain.checkpoint import Tensors
from pretrain.errors import ConfigError, RunError
from pretrain.model import Bloom, ModelConfig

_FORWARDS = ("loss", "token_losses", "next_logits")  # what is called beside `forward`, and needs the parameters whole
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass(frozen=True)
class DataRanks:
    """Who shares a step's rows: this process is `rank` of `size`, and `copies` processes read the same rows."""

    rank: int
    size: int
    copies: int = 1  # the size of a tensor-parallel group

    def add_up(self, value: Tensor) -> Tensor:
        """The sum over the ranks, in place, the same bits in all processes; `value` lies on this process's device."""
        if self.size * self.copies == 1:
            return value
        torch.distributed.all_reduce(value)
        return value.div_(self.copies) if value.is_floating_point() else value.floor_divide_(self.copies)


def data_ranks(trainer: Trainer) -> DataRanks:
    if isinstance(trainer.strategy, ModelParallelStrategy):
        mesh = trainer.strategy.device_mesh
        data = mesh["data_parallel"]
        return DataRanks(data.get_local_rank(), data.size(), mesh["tensor_parallel"].size())
    return DataRanks(trainer.global_rank, trainer.world_size)


def check_split(config: ModelConfig, ways: int) -> None:
    """Raises ConfigError where the model cannot be split evenly over so many devices."""
    for name, size in {"num_heads": config.num_heads, "rows of the embedding": config.vocab_size}.items():
        if size % ways:
            raise ConfigError(
                f"run.tensor_parallel is {ways}, which does not divide the model's {size:,} {name}",
                hint=f"take a tensor_parallel that divides {math.gcd(config.num_heads, config.vocab_size)}",
            )


def distribute(model: Bloom, mesh: DeviceMesh) -> None:
    """Lay `model`, which every rank holds whole, over the mesh. Its names and its results stay what they were.

    Turns autocast's cache of cast weights off, in all of this process.
    """
    # else autocast keeps a bf16 copy of every weight that it has seen gathered, the whole model's, to the step's or the
    # look's end on every device
    torch.set_autocast_cache_enabled(False)
    split, data = mesh["tensor_parallel"], mesh["data_parallel"]
    if split.size() > 1:
        check_split(model.config, split.size())
        for block in model.h:
            parallelize_module(
                block,
                split,
                {
                    "self_attention.query_key_value": ColwiseParallel(),
                    "self_attention.dense": RowwiseParallel(),
                    "mlp.dense_h_to_4h": ColwiseParallel(),
                    "mlp.dense_4h_to_h": RowwiseParallel(),
                },
            )
        parallelize_module(model, split, {"word_embeddings": RowwiseParallel(input_layouts=Replicate())})
        model.keep_heads(split.get_local_rank(), split.size())
    # also where one rank holds all the data's share: then every parameter is a DTensor, as fused AdamW wants
    for block in model.h:
        fully_shard(block, mesh=data)
    fully_shard(model, mesh=data)
    for name in _FORWARDS:
        register_fsdp_forward_method(model, name)


def is_distributed(model: nn.Module) -> bool:
    return any(isinstance(p, DTensor) for p in model.parameters())


def gradients_travel(model: nn.Module, travel: bool) -> None:
    """Whether the next backward pass adds gradients up over the ranks: only that of a step's last micro-batch must."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(travel)


def clip_gradients(parameters: Iterable[Tensor], most: float) -> Tensor:
    """Scale the gradients so that their norm over all parameters and ranks is at most `most`; the norm before, fp32.

    torch's own function refuses parameters that lie on different meshes, as they do under tensor parallelism.
    """
    parameters = list(parameters)
    if not any(isinstance(p, DTensor) for p in parameters):
        return nn.utils.clip_grad_norm_(parameters, most)
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = total_norm(gradients)
    share = (most / (norm + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_([_local(g) for g in gradients], share)
    return norm


def total_norm(gradients: list[Tensor]) -> Tensor:
    """(): the 2-norm of all: squares of what lies here, added up over the mesh dimensions that they are cut along."""
    if not any(isinstance(g, DTensor) for g in gradients):
        return nn.utils.get_total_norm(gradients)
    squares: dict[tuple[ProcessGroup, ...], list[Tensor]] = defaultdict(list)
    for gradient in gradients:
        groups: tuple[ProcessGroup, ...] = ()
        if isinstance(gradient, DTensor):
            mesh = gradient.device_mesh
            groups = tuple(mesh.get_group(i) for i, p in enumerate(gradient.placements) if not p.is_replicate())
        squares[groups].append(_local(gradient))
    total = torch.zeros((), device=_local(gradients[0]).device)
    for groups, parts in squares.items():
        square = torch.stack(torch._foreach_norm(parts)).float().square().sum()
        for group in groups:
            torch.distributed.all_reduce(square, group=group)
        total += square
    return total.sqrt()


@contextmanager
def all_or_none(what: str) -> Iterator[None]:
    """Where one process fails in the body, which must end without a collective under way, all fail: none waits for it.

    Raises RunError in those whose own work was well."""
    well = False
    try:
        yield
        well = True
    finally:
        all_well = _all(well)
    if not all_well:
        raise RunError(f"{what} failed in another process of this run", hint="its message stands above or below this")


def check_alike(value: int, what: str, device: torch.device) -> None:
    """Raises RunError in all processes if they do not have the same `value`."""
    if not torch.distributed.is_initialized():
        return
    ends = torch.tensor([value, -value], device=device)
    torch.distributed.all_reduce(ends, torch.distributed.ReduceOp.MAX)
    if ends[0] != -ends[1]:
        raise RunError(
            f"{what} is not the same in all processes of this run",
            hint="let no other run write there meanwhile; where folders are shared by network, run again in a minute",
        )


def _all(well: bool) -> bool:
    if not torch.distributed.is_initialized():
        return well
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    value = torch.tensor(int(well), device=device)
    torch.distributed.all_reduce(value, torch.distributed.ReduceOp.MIN)
    return bool(value)


def everywhere(value: Tensor) -> Tensor:
    """A number reckoned from a sharded parameter, as if from the whole. All ranks call."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """What a checkpoint holds, gathered in rank 0's memory; nothing on the others. All ranks call."""
    if isinstance(model, FSDPModule):
        model.reshard()  # after a look at the model its last parameters are still gathered
    weights: Any = get_model_state_dict(model, options=_WHOLE)
    state: Any = get_optimizer_state_dict(model, optimizer, options=_WHOLE).get("state", {})
    return Tensors(
        weights, {f"{kind}/{name}": tensor for name, kinds in state.items() for kind, tensor in kinds.items()}
    )


def restore_whole(model: nn.Module, optimizer: torch.optim.Optimizer, moments: Mapping[str, dict[str, Tensor]]) -> None:
    """Give a fresh optimizer over a distributed model the moments that `whole_tensors` gathered. All ranks call."""
    names = {p: name for name, p in model.named_parameters()}
    groups = [
        {**{k: v for k, v in group.items() if k != "params"}, "params": [names[p] for p in group["params"]]}
        for group in optimizer.param_groups
    ]
    whole: Any = {"state": dict(moments), "param_groups": groups}
    set_optimizer_state_dict(model, optimizer, optim_state_dict=whole, options=_WHOLE)
