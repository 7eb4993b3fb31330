"""What a run begins with: its own newest checkpoint, another run's, the weights of an export, or nothing.

    Config, RunDir  ->  Beginning(checkpoint, weights, own)

A checkpoint of its own is gone on from. `train.begin_with` is looked at where there is none: a checkpoint of another
run gives weights, moments, step and samples, so that one long run may end in many ways (a cooldown here, other data
there); an exported folder, ours or one of BLOOM's on the hub, gives weights only, and training begins at step 0.
Never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pretrain import checkpoint, seal
from pretrain.checkpoint import Checkpoint
from pretrain.config import Config
from pretrain.errors import ConfigError, InputError
from pretrain.export import load_transformers
from pretrain.loading import TOKENIZER, check_tokenizer
from pretrain.model import ModelConfig
from pretrain.rundir import STATE, RunDir, apart
from pretrain.seam import Seam, file_sha256

Say = Callable[[str], None]
_GIVE = "give run.dir of another run, one of its checkpoints, or an exported folder"


@dataclass(frozen=True)
class Beginning:
    """`checkpoint`: gone on from, the run's `own` or another's. `weights`: those to begin with at step 0."""

    checkpoint: Checkpoint | None = None
    weights: Mapping[str, Tensor] | None = None
    own: bool = False
    origin: Mapping[str, Any] | None = None  # what it began with that is not its own: for the record

    @property
    def step(self) -> int:
        return self.checkpoint.state["step"] if self.checkpoint else 0

    @property
    def done(self) -> int:
        """Steps that this run's own logs may tell of."""
        return self.step if self.own else 0


def beginning(config: Config, seam: Seam, shape: ModelConfig, say: Say) -> Beginning:
    """Raises InputError where checkpoints are there and none is whole; ConfigError where `begin_with` does not fit."""
    if found := _own(RunDir(config.run.dir), say):
        return Beginning(found, own=True, origin=found.state.get("begun_with"))
    path = config.train.begin_with
    if path is None:
        return Beginning()
    if not path.exists():
        raise ConfigError(f"train.begin_with: {path} does not exist", hint=_GIVE)
    if (path / "run.json").is_file() or (path / STATE).is_file():
        found = _of_another(path, config, seam, shape, say)
        manifest = found.folder / "manifest.json"
        origin = {"path": str(path), "step": found.state["step"], "sha256": file_sha256(manifest)}
        return Beginning(found, origin=origin | {"before": found.state.get("begun_with")})
    if not (path / "config.json").is_file():
        raise ConfigError(f"train.begin_with: {path} holds no model", hint=_GIVE)
    told, weights = load_transformers(path)
    _refuse_shape(path, asdict(told), shape)
    if (path / TOKENIZER).is_file():
        check_tokenizer(path, None, seam)
    else:
        say(f"{path} has no {TOKENIZER}: that the corpus is packed with the model's own is for you to know")
    say(f"beginning with the weights of {path}, at step 0")
    files = sorted(path.glob("*.safetensors"))
    return Beginning(
        weights=weights, origin={"path": str(path), "step": None, "sha256": {f.name: file_sha256(f) for f in files}}
    )


def _own(run_dir: RunDir, say: Say) -> Checkpoint | None:
    folder = seal.newest(run_dir.checkpoints, say)
    if folder is None:
        if seal.names(run_dir.checkpoints):
            raise InputError(
                f"no checkpoint in {run_dir.checkpoints} is whole, so there is nothing to go on from",
                hint="put back a copy of one; or, to start from the beginning, move the run's folder away",
            )
        return None
    return checkpoint.load(folder)


def _of_another(path: Path, config: Config, seam: Seam, shape: ModelConfig, say: Say) -> Checkpoint:
    folder: Path | None = path
    if (path / "run.json").is_file() and (folder := seal.newest(RunDir(path).checkpoints, say)) is None:
        raise ConfigError(f"train.begin_with: {path} has no whole checkpoint yet", hint=_GIVE)
    assert folder is not None
    found = checkpoint.load(folder)
    run = RunDir(folder.resolve().parent.parent)
    _refuse_shape(folder, found.state["model"], shape)
    if manifest := run.data():
        check_tokenizer(run.path, manifest, seam)
    elif found.state["data"] != seam.digest:
        raise InputError(
            f"train.begin_with: {folder} is outside of its run, so nothing tells which tokenizer it was trained with",
            hint="give it within its run's folder, or export it there and begin with that",
        )
    _refuse_place(folder, found.state, config)
    say(f"beginning with {folder} (step {found.state['step']}, {found.state['consumed_samples']:,} samples)")
    differences = [f"{key}: {was!r} there, {now!r} here" for key, was, now in apart(found.state["config"], config)]
    if found.state["data"] != seam.digest:
        differences.append(f"data: packed corpus {found.state['data'][:16]} there, {seam.digest[:16]} here")
    for line in differences:
        if not line.startswith("train.begin_with"):
            say(f"  {line}")
    return found


def _refuse_shape(folder: Path, theirs: Mapping[str, Any], shape: ModelConfig) -> None:
    """Raises ConfigError that lists what differs; how weights are drawn at random does not matter here."""
    ours = asdict(shape)
    wrong = [f"{key} {theirs[key]} there, {ours[key]} here" for key in ours if theirs[key] != ours[key]]
    if wrong := [text for text in wrong if not text.startswith("init_std")]:
        hint = "give the config's `model` those of the model" + (
            f", and data.pad_vocab_to: {theirs['vocab_size']}" if theirs["vocab_size"] != ours["vocab_size"] else ""
        )
        raise ConfigError(f"train.begin_with: {folder} is another model: {', '.join(wrong)}", hint=hint)


def _refuse_place(folder: Path, state: Mapping[str, Any], config: Config) -> None:
    """Raises ConfigError where this run does not pass through the checkpoint's place, or ends before it."""
    step, samples, train = state["step"], state["consumed_samples"], config.train
    if (here := train.batches().first_sample(step)) != samples:
        raise ConfigError(
            f"train.begin_with: {folder} had {samples:,} samples at step {step}, this run has {here:,}",
            hint="keep global_batch and batch_ramp; or export it and begin with its weights alone, at step 0",
        )
    if train.total_steps <= step:
        raise ConfigError(
            f"train.begin_with: {folder} is at step {step}, where this run of {train.total_steps} steps ends",
            hint=f"{'steps' if train.steps else 'samples'} count from the beginning of that run: raise them",
        )
