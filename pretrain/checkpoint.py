"""All that a run needs to go on as if nothing had happened, in one sealed folder without a pickle in it.

    ckpt/step_000123/  model.safetensors      weights by the names of transformers' BloomModel, fp32
                       optimizer.safetensors  exp_avg/<name>, exp_avg_sq/<name>, step/<name>
                       state.json             step, samples and tokens consumed, config, data, random states
                       manifest.json          sha256 of the others

Nothing of the clock or the machine's name is in it: the same training gives the same bytes. Knows nothing of Lightning.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pretrain import seal
from pretrain.errors import InputError
from pretrain.rundir import STATE, read_state

_MODEL = "model.safetensors"
_OPTIMIZER = "optimizer.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A sealed folder: its state, and its tensors when they are asked for."""

    folder: Path
    state: dict[str, Any]

    def model(self) -> dict[str, Tensor]:
        return _load(self.folder / _MODEL)

    def optimizer(self) -> dict[str, dict[str, Tensor]]:
        """Parameter name -> {"exp_avg": ..., "exp_avg_sq": ..., "step": ...}."""
        moments: dict[str, dict[str, Tensor]] = {}
        for key, tensor in _load(self.folder / _OPTIMIZER).items():
            kind, name = key.split("/", 1)
            moments.setdefault(name, {})[kind] = tensor
        return moments


@dataclass(frozen=True)
class Tensors:
    """What a checkpoint holds of the model and of its optimizer, by the names of its files' entries."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]

    def copied(self, into: Tensors | None) -> Tensors:
        """A copy on the CPU that training does not change, in the memory of a former one if there is one."""
        into = into or Tensors(_room(self.model), _room(self.optimizer))
        for ours, theirs in ((self.model, into.model), (self.optimizer, into.optimizer)):
            if ours.keys() != theirs.keys():  # a parameter had its first gradient since
                theirs.clear()
                theirs.update(_room(ours))
            for name, tensor in ours.items():
                theirs[name].copy_(tensor, non_blocking=True)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return into


def tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """Those of a model and its optimizer, where they are: no copies."""
    return Tensors(
        {name: tensor.detach() for name, tensor in model.state_dict().items()}, optimizer_tensors(model, optimizer)
    )


def save(root: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> Path:
    """Write ckpt/step_<state.step>, whole or not at all. Raises RunError on a full disk."""
    return write(root, tensors(model, optimizer), state)


def write(root: Path, held: Tensors, state: Mapping[str, Any]) -> Path:
    """Write ckpt/step_<state.step>, whole or not at all. Raises RunError on a full disk."""

    def fill(folder: Path) -> None:
        try:
            save_file(_cpu(held.model), folder / _MODEL, {"format": "pt"})
            save_file(_cpu(held.optimizer), folder / _OPTIMIZER, {"format": "pt"})
        except SafetensorError as error:  # the library's own wrapping of "no space left on device"
            raise OSError(str(error)) from error
        seal.write_text(folder / STATE, json.dumps(state, ensure_ascii=False, indent=1, sort_keys=True))

    return seal.write(root, f"step_{state['step']:06d}", fill)


def load(folder: Path) -> Checkpoint:
    """The checkpoint in a sealed folder. Raises InputError if its seal is broken."""
    try:
        seal.check(folder)
    except seal.NotWholeError as error:
        raise InputError(f"checkpoint {folder} is not whole: {error}", hint="give the one before it") from error
    return Checkpoint(folder, read_state(folder))


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{kind}/{names[parameter]}": tensor
        for parameter, moments in optimizer.state.items()
        for kind, tensor in moments.items()
    }


def restore_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, moments: Mapping[str, dict[str, Tensor]]
) -> None:
    """Give a fresh optimizer over `model` the moments of a checkpoint; a parameter without any had no gradient yet."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    blank = optimizer.state_dict()
    order = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    blank["state"] = {i: moments[names[p]] for i, p in enumerate(order) if names[p] in moments}
    optimizer.load_state_dict(blank)


def random_states() -> dict[str, Any]:
    """States of the generators of Python, NumPy and torch as JSON. Training draws from none; a user's callback may."""
    version, numbers, gauss = random.getstate()
    numpy: Any = np.random.get_state(legacy=True)  # typed as a dict or a tuple
    name, keys, position, has_gauss, cached = numpy
    return {
        "python": {"version": version, "numbers": _text(np.array(numbers, np.uint64)), "gauss": gauss},
        "numpy": {"name": name, "keys": _text(keys), "rest": [int(position), int(has_gauss), float(cached)]},
        "torch": _text(torch.get_rng_state().numpy()),
        "cuda": [_text(state.numpy()) for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
    }


def restore_random_states(states: Mapping[str, Any]) -> None:
    python, numpy = states["python"], states["numpy"]
    numbers = tuple(int(n) for n in _array(python["numbers"], np.uint64))
    random.setstate((python["version"], numbers, python["gauss"]))
    np.random.set_state((numpy["name"], _array(numpy["keys"], np.uint32), *numpy["rest"]))
    torch.set_rng_state(torch.from_numpy(_array(states["torch"], np.uint8)))
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([torch.from_numpy(_array(text, np.uint8)) for text in states["cuda"]])


def guard_text(window: Tensor) -> str:
    """The (2, W) fp32 window of the guard as text, to the last bit."""
    return _text(window.numpy())


def guard_window(text: str) -> Tensor:
    return torch.from_numpy(_array(text, np.float32)).view(2, -1)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _array(text: str, dtype: type) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype).copy()


def _cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _room(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Memory for a copy of each; pinned where that makes copies from a GPU fast."""
    pinned = torch.cuda.is_available()
    return {name: torch.empty_like(tensor, device="cpu", pin_memory=pinned) for name, tensor in tensors.items()}


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="give the checkpoint before it") from error
