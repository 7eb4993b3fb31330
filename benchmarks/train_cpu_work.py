"""One piece of work of train_cpu.py, in a process of its own: settings as JSON in, one line of JSON out.

    python benchmarks/train_cpu_work.py seedbed '{"packed": "...", "shape": [8192, 128, 3, 8], "steps": 12, ...}'

`seedbed` is `fit` itself, with its logs and its checkpoint; `transformers` is the Hugging Face Trainer, with nothing
saved or reported. Both tell the seconds of each step but the first two. Imports of a contestant are in its function.
"""

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace as Settings

import torch

WARM_UP = 2  # steps


def seedbed(ask: Settings) -> dict:
    import lightning.pytorch as pl

    from pretrain.config import Config
    from pretrain.fit import fit

    class Clock(pl.Callback):
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_train_batch_end(self, *_: object) -> None:
            self.ends.append(time.perf_counter())

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        fit(Config.model_validate(config_of(ask, Path(folder))), lambda _: None, extra_callbacks=[clock])
    return {"seconds": gaps(clock.ends), "version": "seedbed", "said": said(clock.ends, ask)}


def config_of(ask: Settings, folder: Path) -> dict:
    vocab, width, layers, heads = ask.shape
    train = {"steps": ask.steps, "global_batch": ask.rows, "micro_batch": ask.rows, "lr": 1e-3, "validate_rows": 1}
    return {
        "run": {
            "dir": str(folder / "run"),
            "threads": ask.threads,
            "precision": ask.precision,
            "loggers": [],
            "compile": getattr(ask, "compile", None),
            "accelerator": "cpu",
        },
        "data": {"path": ask.packed, "pad_vocab_to": vocab},
        "model": {"hidden_size": width, "num_layers": layers, "num_heads": heads},
        "train": train | {"document_mask": getattr(ask, "document_mask", False), "sample_tokens": 1},
    }


def transformers(ask: Settings) -> dict:
    import transformers as hf

    class Clock(hf.TrainerCallback):
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: object, **__: object) -> None:
            self.ends.append(time.perf_counter())

    prepare(ask)
    clock, bf16 = Clock(), ask.precision != "32-true"
    with tempfile.TemporaryDirectory() as folder:
        settings = hf.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=ask.rows, max_steps=ask.steps, learning_rate=1e-3, bf16=bf16,
            use_cpu=True, weight_decay=0.1, adam_beta2=0.95, max_grad_norm=1.0, save_strategy="no", report_to=[],
            disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        rows = [{"input_ids": ids, "labels": ids} for ids, _ in real_rows(ask, ask.steps * ask.rows)]
        hf.Trainer(theirs(ask.shape), settings, train_dataset=rows, callbacks=[clock]).train()
    return {"seconds": gaps(clock.ends), "version": f"transformers {hf.__version__}", "said": said(clock.ends, ask)}


def theirs(shape: list[int]):
    from transformers import BloomConfig, BloomForCausalLM

    vocab, width, layers, heads = shape
    return BloomForCausalLM(
        BloomConfig(vocab_size=vocab, hidden_size=width, n_layer=layers, n_head=heads, use_cache=False)
    ).train()


def real_rows(ask: Settings, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """ids and targets (T,) of packed rows, languages in turn."""
    from pretrain.data import row_tensors
    from pretrain.seam import Seam

    seam = Seam.open(Path(ask.packed))
    shards = [seam.shards("train", language) for language in seam.languages("train")]
    made: list[tuple[torch.Tensor, torch.Tensor]] = []
    while len(made) < count:
        n, which = divmod(len(made), len(shards))
        ids, targets = row_tensors(shards[which], n % len(shards[which]))
        made.append((torch.from_numpy(ids).long(), torch.from_numpy(targets).long()))
    return made


def rates(ask: Settings) -> dict:
    """FLOPs a second of the model's own widest product, by precision: the best of many."""
    prepare(ask)
    _, width, _, _ = ask.shape
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = torch.randn(2048, 4 * width, dtype=dtype), torch.randn(4 * width, 4 * width, dtype=dtype)
        seconds = min(timed(lambda a=a, b=b: a @ b) for _ in range(30))
        found[name] = 2 * 2048 * (4 * width) ** 2 / seconds
    return found | {"said": {name: f"{rate / 1e9:.0f} GFLOP/s" for name, rate in found.items()}}


def overhead(ask: Settings) -> dict:
    """Seconds a step, medians: manual optimization of one number, under the Trainer that `fit` makes and without."""
    import lightning.pytorch as pl

    from pretrain.config import Config
    from pretrain.fit import _trainer

    steps = 400
    prepare(ask)

    class Nothing(pl.LightningModule):
        automatic_optimization = False

        def __init__(self) -> None:
            super().__init__()
            self.number = torch.nn.Parameter(torch.ones(1))
            self.ends: list[float] = []

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), fused=True)

        def training_step(self, batch: dict, batch_idx: int) -> None:
            optimizer = self.optimizers()
            self.manual_backward((self.number * batch["ids"].shape[0]).sum())
            optimizer.step()  # type: ignore[union-attr]
            optimizer.zero_grad()  # type: ignore[union-attr]
            self.ends.append(time.perf_counter())

    batches = [{"ids": torch.zeros(ask.rows, 512, dtype=torch.int32)} for _ in range(steps)]
    loader = torch.utils.data.DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        ask.shape, ask.precision, ask.steps = [64, 16, 1, 2], "32-true", steps
        trainer = _trainer(Config.model_validate(config_of(ask, Path(folder))), [])
        module = Nothing()
        trainer.fit(module, loader)
    bare = Nothing()
    optimizer = bare.configure_optimizers()
    for batch in loader:
        (bare.number * batch["ids"].shape[0]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        bare.ends.append(time.perf_counter())
    return {"lightning": statistics.median(gaps(module.ends)), "bare": statistics.median(gaps(bare.ends))}


def loss(ask: Settings) -> dict:
    """CPU seconds and bytes at the peak above the inputs, forward and backward: of the best of three if it is small."""
    prepare(ask)
    dtype = torch.float32 if ask.precision == "fp32" else torch.bfloat16
    g = torch.Generator().manual_seed(0)
    x = torch.randn(ask.tokens, ask.width, generator=g, requires_grad=True)
    w = torch.randn(ask.vocab, ask.width, generator=g).mul_(0.02).requires_grad_()  # in place: the peak starts here
    y = torch.randint(0, ask.vocab, (ask.tokens,), generator=g)
    before, seconds = peak_bytes(), []
    for _ in range(3 if ask.tokens * ask.vocab < 1 << 28 else 1):
        x.grad = w.grad = None
        start = time.process_time()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            total = losses(ask.who)(x, w, y)
        total.backward()
        seconds.append(time.process_time() - start)
    return {"seconds": min(seconds), "bytes": peak_bytes() - before, "said": f"{min(seconds):.2f} s CPU"}


def losses(who: str) -> Callable[..., torch.Tensor]:
    from torch.nn import functional as F

    from pretrain.loss import chunked_cross_entropy

    def eager(x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(F.linear(x, w).float(), y, reduction="sum")

    def linear(x: torch.Tensor, w: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=256, chunking_method=None)
        if torch.is_autocast_enabled("cpu"):
            x, w = x.bfloat16(), w.bfloat16()
        return F.linear_cross_entropy(x, w, y, reduction="sum", options=options)

    return {"eager": eager, "chunked": chunked_cross_entropy, "linear_cross_entropy": linear}[who]


def curves(ask: Settings) -> dict:
    """Both models, same first weights, rows, optimizer and rate, step by step."""
    from pretrain.model import Bloom, ModelConfig

    prepare(ask)
    ours = Bloom(ModelConfig(*ask.shape), torch.Generator().manual_seed(0))
    other = theirs(ask.shape)
    other.transformer.load_state_dict(ours.state_dict())
    rows = real_rows(ask, 64 * ask.rows)
    told: dict[str, list[float]] = {"ours": [], "theirs": []}
    both = [(ours, "ours"), (other, "theirs")]
    optimizers = [torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.95)) for model, _ in both]
    for step in range(ask.steps):
        some = [rows[(step * ask.rows + i) % len(rows)] for i in range(ask.rows)]
        ids, targets = (torch.stack(side) for side in zip(*some, strict=True))
        for (model, name), optimizer in zip(both, optimizers, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * min(1.0, (step + 1) / 20)
            loss = ours.loss(ids, targets) if model is ours else reference(other, ids, targets)
            (loss / (targets != -100).sum()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            told[name].append(loss.item() / int((targets != -100).sum()))
    apart = max(abs(a - b) for a, b in zip(*told.values(), strict=True))
    return told | {"difference": apart, "said": f"{told['ours'][0]:.3f} to {told['ours'][-1]:.3f} nats, apart {apart}"}


def reference(model, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=ids).logits.float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")


def step(ask: Settings) -> dict:
    """One step of bloom-560m: one row of 2,048 tokens, bf16 over fp32 weights, AdamW and its state."""
    from pretrain.model import Bloom, ModelConfig, decay_groups

    prepare(ask)
    model = Bloom(ModelConfig(250_880, 1024, 24, 16), torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(decay_groups(model, 0.1), 3e-4, fused=True)
    ids = torch.randint(0, 250_680, (1, 2049), generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16):
        total = model.loss(ids[:, :-1], ids[:, 1:]) / 2048
    total.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    seconds = time.perf_counter() - start
    return {"bytes": peak_bytes(), "seconds": seconds, "said": f"loss {total.item():.3f}, {peak_bytes() / 1e9:.1f} GB"}


def prepare(ask: Settings) -> None:
    torch.set_flush_denormal(True)
    torch.set_num_threads(ask.threads)
    torch.manual_seed(0)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gaps(ends: list[float]) -> list[float]:
    return [b - a for a, b in zip(ends[WARM_UP:], ends[WARM_UP + 1 :], strict=False)]


def said(ends: list[float], ask: Settings) -> str:
    return f"{ask.rows * 512 / statistics.median(gaps(ends)):,.0f} tokens/s"


@contextmanager
def talk_on_stderr() -> Iterator[None]:
    """Lightning and transformers print; stdout is for the answer."""
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout = out


if __name__ == "__main__":
    WORKS = {w.__name__: w for w in (seedbed, transformers, rates, overhead, loss, curves, step)}
    with talk_on_stderr():
        told = WORKS[sys.argv[1]](Settings(**json.loads(sys.argv[2])))
    print(json.dumps(told))
