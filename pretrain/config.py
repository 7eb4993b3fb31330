"""The config of a run: what a YAML file may say, checked whole before anything starts.

    configs/bloom-tiny.yaml  ->  Config(run, data, model, train)

`run` is speed, place and talk: it changes no sample order. Sizes are counted in samples (packed rows), as BLOOM did.
seq_len and vocab_size are never typed here: they stand in the packed corpus. Every mistake is told in one go, with its
place. Imports no torch, so that a mistake is told at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationError, model_validator

from pretrain.complaints import complain
from pretrain.errors import ConfigError
from pretrain.fields import Block, Count, NotNegative, Positive, Share
from pretrain.rules import Mixture
from pretrain.schedule import Batches, LearningRate, Ramp, Shape
from pretrain.yaml_file import read_yaml

LoggerName = Literal["tensorboard", "csv", "wandb", "wandb-online"]


class Run(Block):
    """Where and how fast; two runs that differ here only see the same samples in the same order."""

    dir: Path  # checkpoints, metrics and curves; relative to where you stand
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Count = 1  # on each node
    nodes: Count = 1  # machines; the command runs on each of them, and they share `dir`
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"  # fsdp: each device holds a part of weights and moments
    tensor_parallel: Count = 1  # devices that compute one row together; they take `fsdp`
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    attention: Literal["auto", "sdpa", "eager", "flex"] = "auto"  # docs/training.md
    compile: bool | None = None  # torch.compile of each block; None: on a GPU
    threads: Count | None = None  # of torch on the CPU; None: as many as the process may use
    workers: NotNegative = 0  # processes that read ahead
    async_save: bool = False  # write checkpoints beside the training, from a copy in this machine's memory
    log_every: Count = 20  # steps between two lines where there is no terminal
    watch_every: Count | None = 100  # steps between two looks at the gradients of layers and the tokens of languages
    loggers: tuple[LoggerName, ...] | None = None  # besides the run's own files; None: tensorboard, if it is installed

    @property
    def all_devices(self) -> int:
        return self.nodes * self.devices

    @property
    def data_parallel(self) -> int:
        """Among how many the rows of a batch are shared."""
        return self.all_devices // self.tensor_parallel

    @model_validator(mode="after")
    def _devices_divide(self) -> Self:
        if self.all_devices % self.tensor_parallel:
            raise ValueError(f"tensor_parallel {self.tensor_parallel} does not divide the {self.all_devices} devices")
        if self.tensor_parallel > 1 and self.strategy != "fsdp":
            raise ValueError(f"tensor_parallel {self.tensor_parallel} needs strategy: fsdp, not {self.strategy}")
        return self


class Data(Block):
    """The packed corpus."""

    path: Path  # the folder with manifest.json
    mixture: Mixture = Mixture()
    pad_vocab_to: Count | None = None  # rows of the embedding; None: the next multiple of 64
    verify: bool = False  # read every byte before training: is its sha256 right, is every id a token


class Model(Block):
    """The shape of the BLOOM."""

    hidden_size: Count
    num_layers: Count
    num_heads: Count
    init_std: Positive = 0.0048
    layer_norm_epsilon: Positive = 1e-5

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not divisible by num_heads {self.num_heads}")
        return self


class BatchRamp(Block):
    """From `start` to global_batch by `increment`, over the first `samples` samples."""

    start: Count
    increment: Count
    samples: Count


class Skips(Block):
    """Which steps teach nothing: their samples are consumed, the weights stay as they are."""

    window: Annotated[int, Strict(), Field(ge=4)] = 128  # steps that a loss and a gradient's norm are compared with
    sigma: Positive | None = 6.0  # standard deviations above their mean; null: only what is not finite is skipped
    most: NotNegative = 10  # of the last `window` steps; one more stops the run


class Train(Block):
    """What is learned from what, and how often we look."""

    steps: Count | None = None  # optimizer steps, or
    samples: Count | None = None  # packed rows; exactly one of the two
    global_batch: Count = 32  # samples an optimizer step
    batch_ramp: BatchRamp | None = None
    micro_batch: Count = 8  # samples at once on a device
    lr: Positive
    min_lr: Annotated[float, Strict(), Field(ge=0)] = 0.0
    schedule: Shape = "cosine"
    warmup_samples: NotNegative = 0
    decay_samples: Count | None = None  # where min_lr is reached; None: at the end
    cooldown_samples: Count | None = None  # wsd: how long it falls; None: the last fifth
    weight_decay: Annotated[float, Strict(), Field(ge=0)] = 0.1
    betas: tuple[Share, Share] = (0.9, 0.95)
    eps: Positive = 1e-8
    clip: Positive | None = 1.0  # largest norm of the gradient
    skips: Skips = Skips()
    document_mask: bool = False  # a document does not see what stands before it in its row
    z_loss: Annotated[float, Strict(), Field(ge=0)] = 0.0  # times log(Z)^2, added to each target's loss; 1e-4 is usual
    ignore_ids: tuple[NotNegative, ...] = ()  # token ids that are no targets
    seed: NotNegative = 42
    begin_with: Path | None = None  # another run's checkpoint, or an exported model; docs/training-run.md
    checkpoint_every: Count = 1000  # steps
    keep_every: Count | None = None  # steps: these checkpoints are kept for good
    keep_last: Annotated[int, Strict(), Field(ge=2)] = 2  # checkpoints; the one before is what saves you
    validate_every: Count | None = None  # steps; None: at the end only
    validate_rows: Count | None = 64  # of each language, at intervals; None: all. `eval` takes all
    sample_every: Count | None = None  # steps; None: at the end only
    sample_prompts: tuple[str, ...] = ("",)  # an empty one starts a document
    sample_tokens: Count = 40

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if wrong := list(_contradictions(self)):
            raise ValueError("; ".join(wrong))
        return self

    def batches(self) -> Batches:
        ramp = Ramp(**self.batch_ramp.model_dump()) if self.batch_ramp else None
        return Batches(self.global_batch, ramp)

    @property
    def total_steps(self) -> int:
        return self.steps or self.batches().steps(self.samples or 0)

    @property
    def total_samples(self) -> int:
        """What is really consumed: whole batches, so it may pass `samples` by less than one."""
        return self.batches().first_sample(self.total_steps)

    def learning_rate(self) -> LearningRate:
        end = self.decay_samples or self.total_samples
        cooldown = self.cooldown_samples or max(1, end // 5)
        return LearningRate(self.lr, self.min_lr, self.warmup_samples, end, cooldown, self.schedule)


class Config(Block):
    """A whole config."""

    run: Run
    data: Data
    model: Model
    train: Train

    @model_validator(mode="after")
    def _a_row_for_each_device(self) -> Self:
        smallest = self.train.batches().size(0)
        if smallest < self.run.data_parallel:
            what = "run.devices" if self.run.nodes == 1 else "run.nodes * run.devices"
            what += " / run.tensor_parallel" if self.run.tensor_parallel > 1 else ""
            raise ValueError(f"{what} is {self.run.data_parallel}, but a batch has {smallest} samples")
        return self

    def identity(self) -> dict[str, Any]:
        """What a checkpoint depends on, resolved: a run goes on only where this is the same.

        How long to train, how often to look, and how the work is cut (micro_batch, devices) are free to change.
        """
        train = self.train.model_dump(mode="json", exclude=_FREE)
        rate = self.train.learning_rate()
        train |= {"decay_samples": rate.decay_samples, "cooldown_samples": rate.cooldown_samples}
        if self.train.schedule == "constant":  # what it does not use cannot differ
            train |= {"decay_samples": None, "cooldown_samples": None}
        for name in _LATER:  # checkpoints from before there were these say nothing of them
            if not train[name]:
                del train[name]
        data = self.data.model_dump(mode="json", include={"mixture", "pad_vocab_to"})
        data["mixture"]["over_samples"] = self.data.mixture.over(self.train.total_samples)
        return {"data": data, "model": self.model.model_dump(mode="json"), "train": train}


_RECIPES = Path(__file__).parent / "recipes"  # the project's folder configs/; in an installed package its files

_FREE: dict[str, Any] = {"skips": {"most"}} | dict.fromkeys(
    ["steps", "samples", "micro_batch", "checkpoint_every", "keep_last", "keep_every"]
    + [name for name in Train.model_fields if name.startswith(("validate_", "sample_"))],
    True,
)
_LATER = ("document_mask", "z_loss", "ignore_ids", "begin_with")


def shipped(path: Path) -> Path:
    """A config by its path, or by the name of one that comes with the package: `bloom-560m`.

    A path that leads nowhere and is no such name comes back as it is.
    """
    return path if path.exists() or path.parent != Path() else _shipped().get(path.name.removesuffix(".yaml"), path)


def _shipped() -> dict[str, Path]:
    return {file.stem: file for file in sorted(_RECIPES.glob("bloom-*.yaml"))}


def load_config(path: Path) -> Config:
    """A YAML file, or the name of a config that ships. Raises ConfigError, with every mistake of the file in it."""
    path = shipped(path)
    data, lines = read_yaml(path, _shipped())
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(*complain(error, Config, str(path), lines)) from None


def _contradictions(train: Train) -> list[str]:
    wrong = []
    if (train.steps is None) == (train.samples is None):
        wrong.append("give steps or samples, one of the two")
    if train.min_lr > train.lr:
        wrong.append(f"min_lr {train.min_lr} is above lr {train.lr}")
    if ramp := train.batch_ramp:
        rise = train.global_batch - ramp.start
        if rise <= 0 or rise % ramp.increment:
            wrong.append(f"batch_ramp: {ramp.start} + n * {ramp.increment} never is global_batch {train.global_batch}")
    if train.keep_every and train.keep_every % train.checkpoint_every:
        wrong.append(f"keep_every {train.keep_every} is no multiple of checkpoint_every {train.checkpoint_every}")
    wrong += [f"{key} says nothing where the schedule is {train.schedule}: leave it out" for key in _idle(train)]
    if not wrong and train.schedule != "constant":
        rate = train.learning_rate()
        end = rate.decay_samples
        if train.warmup_samples >= end:
            wrong.append(f"warmup_samples {train.warmup_samples} is not before the end of the decay at {end}")
        elif train.schedule == "wsd" and rate.cooldown_samples > end - train.warmup_samples:
            told = f"cooldown_samples {rate.cooldown_samples} is longer than the {end - train.warmup_samples} samples"
            wrong.append(f"{told} between the warmup and the end of the decay")
    return wrong


def _idle(train: Train) -> list[str]:
    """Keys that were stated and that the schedule does not look at."""
    unused = {"constant": ("min_lr", "decay_samples", "cooldown_samples"), "cosine": ("cooldown_samples",), "wsd": ()}
    return [key for key in unused[train.schedule] if key in train.model_fields_set and getattr(train, key) is not None]
