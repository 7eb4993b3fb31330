"""A training run from its config to its last checkpoint, going on where one stands.

    Config  ->  Outcome(step, done, checkpoint)

Reads like a table of contents: the data, what was there, the model, the Trainer. `callbacks` and `loggers` are the
user's own, added to ours. Raises ConfigError, InputError, RunError. Never prints: `say` tells.
"""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from pretrain import checkpoint, seal
from pretrain import loggers as numbers
from pretrain.attention import check_backend, check_length
from pretrain.begin import Beginning, beginning
from pretrain.callbacks import callbacks
from pretrain.checkpoint import Checkpoint
from pretrain.config import Config
from pretrain.data import PackedData
from pretrain.errors import ConfigError, RunError
from pretrain.hooks import Run
from pretrain.mixture import plan_mixture
from pretrain.mixture_table import corpus_of, told
from pretrain.model import Bloom, ModelConfig, padded_vocab
from pretrain.module import Pretraining
from pretrain.order import Order, Stage
from pretrain.parallel import check_split
from pretrain.rundir import Outcome, RunDir, finished
from pretrain.seam import Seam

Say = Callable[[str], None]
_SHOWN = 10  # languages of the mixture that are told when a run begins; `pretrain plan` tells all


def fit(
    config: Config, say: Say, *, extra_callbacks: Sequence[pl.Callback] = (), loggers: Sequence[Logger] = ()
) -> Outcome:
    """Train until the config's end or until asked to stop; at once if the run is finished."""
    seam = Seam.open(config.data.path, config.data.verify)
    if outcome := finished(config, seam):  # also refuses a folder of another run
        return outcome
    check_length(seam.seq_len, torch.bfloat16 if config.run.precision == "bf16-mixed" else torch.float32)
    numbers.names(config)  # refuses what is not installed
    trainer = _trainer(config, extra_callbacks)  # before the folder is touched; on several nodes it sets the rank
    check_backend(config.run.attention, trainer.strategy.root_device)
    run_dir = RunDir(config.run.dir)
    if _rank() != 0:
        say = _silent
    owned = run_dir.owned() if _rank() == 0 else nullcontext()  # the ranks of one run share its folder
    with owned:
        return _fit(config, seam, run_dir, say, trainer, loggers)


def _fit(
    config: Config, seam: Seam, run_dir: RunDir, say: Say, trainer: pl.Trainer, loggers: Sequence[Logger]
) -> Outcome:
    total = config.train.total_steps
    shape = model_config(config, seam)
    begin = beginning(config, seam, shape, say)
    resume, step = begin.checkpoint, begin.step
    order = _order(config, seam, resume if begin.own else None, say)  # that cannot be is told before a file is touched
    if _rank() == 0:
        for folder in seal.set_aside(run_dir.checkpoints, step):
            say(f"kept for you to look at, and counted no more: {folder}")
        run_dir.prepare(config, seam)
        run_dir.rewind(begin.done)
    set_threads(config.run.threads)
    check_split(shape, config.run.tensor_parallel)
    state = _fixed_state(config, seam, order, shape, begin)
    if resume:
        _tell_resume(begin, state, say)
    run = Run(config, run_dir, seam, state, say)
    if not seam.languages("valid"):
        say(f"{seam.folder} has no validation rows: no held-out loss will be measured (pack.holdout makes some)")
    with _within_memory(config):
        module = _module(run, order, shape, begin, trainer.strategy.root_device.type == "cuda")
    asked = {"ignore": config.train.ignore_ids, "starts": config.train.document_mask}
    data = PackedData(seam, order, config.train.batches(), (step, total), config.run.workers, **asked)
    say(_told_model(config, module.model, trainer.strategy.root_device))
    trainer.callbacks[:0] = callbacks(run)  # type: ignore[attr-defined]  # Lightning sets it from a connector
    trainer.loggers = [*numbers.loggers(config, begin.done), *loggers]
    with _within_memory(config):
        trainer.fit(module, datamodule=data)
    newest = seal.newest(run_dir.checkpoints, say, read=False)
    return Outcome(module.step, total, newest, trained=True)


def model_config(config: Config, seam: Seam) -> ModelConfig:
    """The shape of the model: the config's, with as many embedding rows as the corpus's tokenizer needs."""
    rows = config.data.pad_vocab_to or padded_vocab(seam.vocab_size)
    if rows < seam.vocab_size:
        raise ConfigError(
            f"data.pad_vocab_to is {rows}, but the tokenizer of {seam.folder} has {seam.vocab_size} tokens",
            hint=f"leave it out, or give {padded_vocab(seam.vocab_size)} or more",
        )
    return ModelConfig(vocab_size=rows, **config.model.model_dump())


def set_threads(threads: int | None) -> int:
    """Let torch use that many threads on the CPU, or as many as this process may run on. Returns how many."""
    # ALiBi drives the probabilities of far keys below 1e-38, where a CPU computes many times slower. Threads inherit
    # this when they start, so it comes first: bit for bit the same needs all of them alike.
    torch.set_flush_denormal(True)
    count = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    return count


def _told_model(config: Config, model: Bloom, device: torch.device) -> str:
    """What is trained, and on what."""
    shape, run = model.config, config.run
    size = f"{shape.num_parameters:,} parameters ({shape.num_layers} x {shape.hidden_size}, {shape.num_heads} heads, "
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    many = f"{run.all_devices} x " if run.all_devices > 1 else ""
    return f"model: {size}{shape.vocab_size:,} embedding rows), {run.precision} on {many}{kind}"


def _rank() -> int:
    """This process's place among the ranks, known before any Trainer is."""
    return getattr(rank_zero_only, "rank", 0)


def _silent(_: str) -> None:
    """What a rank other than 0 says."""


def _order(config: Config, seam: Seam, resume: Checkpoint | None, say: Say) -> Order:
    if resume is None:
        plan = plan_mixture(config.data.mixture, corpus_of(seam), config.train.total_samples)
        say(told(plan, _SHOWN))
        return plan.order(config.train.seed)
    # the numbers themselves: another machine's `pow` may differ in the last bit
    stages = resume.state.get("stages") or [{"begin": 0, "weights": resume.state["weights"]}]
    return Order(seam.rows("train"), [Stage(**stage) for stage in stages], config.train.seed)


def _module(run: Run, order: Order, shape: ModelConfig, begin: Beginning, on_gpu: bool) -> Pretraining:
    config, seed = run.config, run.config.train.seed
    compiles = on_gpu if config.run.compile is None else config.run.compile
    random.seed(seed)
    np.random.seed(seed % (1 << 32))  # this and Python's: what users' callbacks may draw from
    torch.manual_seed(seed)
    model = Bloom(shape, torch.Generator().manual_seed(seed), config.run.attention)
    if compiles:
        model.compile_blocks()
    resume = begin.checkpoint
    if begin.weights is not None:
        model.load_state_dict(begin.weights)
    if resume:
        model.load_state_dict(resume.model())
        checkpoint.restore_random_states(resume.state["random"])
    return Pretraining(model, config.train, list(order.rows), resume, run.exact_at)


def _fixed_state(config: Config, seam: Seam, order: Order, shape: ModelConfig, begin: Beginning) -> dict[str, Any]:
    """What every checkpoint of this run says: what it depends on, and how it was computed."""
    return ({"begun_with": begin.origin} if begin.origin else {}) | {
        "config": config.identity(),
        "data": seam.digest,
        "stages": [asdict(stage) for stage in order.stages],
        "model": asdict(shape),
        "how": {
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "precision": config.run.precision,
            "attention": config.run.attention,
            "devices": config.run.all_devices,
            "micro_batch": config.train.micro_batch,
        },
    }


@contextmanager
def _within_memory(config: Config) -> Iterator[None]:
    """Raises RunError that says what to change, where a device or this machine has too little memory."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise RunError(*_too_large(config, error)) from error
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):  # what torch raises on a CPU has no class of its own
            raise
        raise RunError(*_too_large(config, error)) from error


def _too_large(config: Config, error: Exception) -> tuple[str, str]:
    size, told = config.train.micro_batch, str(error).strip().splitlines() or ["out of memory"]
    deed = f"set train.micro_batch to {size // 2} (it is {size}), which changes no sample and no rate"
    if size == 1:
        deed = "take a smaller model, or pack shorter rows (train.micro_batch is 1 already)"
    what = f"this run needs more memory than there is: {told[0]}"
    return what, f"{deed}; `pretrain plan` tells what a run takes"


def _tell_resume(begin: Beginning, state: dict[str, Any], say: Say) -> None:
    assert begin.checkpoint is not None
    was = begin.checkpoint.state
    if begin.own:
        say(f"going on from {begin.checkpoint.folder} (step {was['step']}, {was['consumed_samples']:,} samples)")
    before, now = was["how"], state["how"]
    if changed := [f"{key} {before.get(key)} -> {now[key]}" for key in now if before.get(key) != now[key]]:
        say(f"computed otherwise than before ({', '.join(changed)}): same samples, but sums may round differently")


def _trainer(config: Config, hooks: Sequence[pl.Callback]) -> pl.Trainer:
    """Raises ConfigError where this machine has not what `run` asks for."""
    run = config.run
    _quiet()
    try:
        trainer = pl.Trainer(
            accelerator=run.accelerator,
            devices=run.devices,
            num_nodes=run.nodes,
            strategy=_strategy(config),
            precision=run.precision,
            max_epochs=1,  # the loader knows where the end is
            callbacks=list(hooks),
            logger=False,
            default_root_dir=run.dir,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,  # our callbacks choose; else it warns of runs that are shorter than its own interval
        )
        # Lightning asks rank 0 before each batch whether it was told to stop, and waits for the device to hear it; our
        # own signals travel with the step
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
        return trainer
    except (MisconfigurationException, ValueError) as error:
        asked = f"accelerator {run.accelerator}, devices {run.devices}, nodes {run.nodes}, strategy {run.strategy}"
        raise ConfigError(
            f"run: this machine cannot train with {asked}: {error}", hint="give those that this machine has"
        ) from error


def _strategy(config: Config) -> str | ModelParallelStrategy:
    if config.run.strategy != "fsdp":
        return config.run.strategy
    return ModelParallelStrategy(config.run.data_parallel, config.run.tensor_parallel)


def _quiet() -> None:
    """Lightning's chatter and its advice that does not apply (one loader process is enough for mapped files)."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    for text in ("does not have many workers", "isinstance\\(treespec, LeafSpec\\)", "GPU available but not used"):
        warnings.filterwarnings("ignore", message=f".*{text}.*")
