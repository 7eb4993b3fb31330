"""When a step was skipped: what is to blame, and when it is enough.

    StepResult with `skipped`  ->  a line in skips.jsonl with rows and documents; RunError where it cannot go on

A run stops where the weights themselves are not finite (no row can be blamed, and no step will mend them), and where
more than `train.skips.most` of the last `window` steps were skipped. Rows are judged by their loss at the weights of
the moment when the skip is known, a step later on a GPU: what they tell is a hint, and no number of the run.
"""

from __future__ import annotations

import json
import math
from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed
from torch import Tensor, nn

from pretrain.errors import RunError
from pretrain.hooks import Run, StepCallback
from pretrain.module import Pretraining, StepResult
from pretrain.parallel import all_or_none, everywhere
from pretrain.seam import Shards

_NAMED = 8  # rows, at most
_SUSPECTS = 3  # rows of the highest loss, where each is finite


class Skips(StepCallback):
    """Stands first among the callbacks of a step: what it stops is neither logged nor saved."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._shards: dict[str, Shards] = {}

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        if not result.skipped:
            return
        _check_weights(module.model, result, trainer.world_size)
        suspects = self._suspects(result, module)
        with all_or_none("naming the documents of a skipped step"):
            mine = [self._named(*suspect) for suspect in suspects]
        rows = _together(mine, trainer, module.device)
        rows = sorted(rows, key=lambda row: -_rank_of(row["loss"]))[:_NAMED]
        line = {"step": result.step, "samples": result.samples, "why": result.skipped, "rows": rows}
        told = f"step {result.step} was skipped: {result.skipped}"
        if trainer.is_global_zero:
            self.run.dir.log("skips.jsonl", line)
            self.run.say(f"{told}; its rows are in {self.run.dir.path / 'skips.jsonl'}")
        self._check_count(told, rows, module, result.step)

    def _suspects(self, result: StepResult, module: Pretraining) -> list[tuple[float, tuple[str, int]]]:
        """(loss, row) of this rank's rows whose loss is not finite; else of the few of the highest. All ranks call."""
        assert result.data is not None
        judged = list(zip(module.row_losses(result.data), result.data["rows"], strict=True))
        guilty = [row for row in judged if not math.isfinite(row[0])]
        guilty = guilty or sorted(judged, key=lambda row: -row[0])[:_SUSPECTS]
        return guilty[:_NAMED]

    def _named(self, loss: float, place: tuple[str, int]) -> dict[str, Any]:
        language, row = place
        if language not in self._shards:
            self._shards[language] = self.run.seam.shards("train", language)
        documents = self._shards[language].documents(row)
        return {"language": language, "row": row, "loss": loss if math.isfinite(loss) else None, "documents": documents}

    def _check_count(self, told: str, rows: list[dict[str, Any]], module: Pretraining, step: int) -> None:
        skips = self.run.config.train.skips
        recent = sum(step - skips.window < skipped <= step for skipped in module.skipped_steps)
        if recent <= skips.most:
            return
        names = [f"{row['language']} row {row['row']}: {', '.join(row['documents'])}" for row in rows]
        raise RunError(
            "\n  ".join(
                [
                    f"{recent} of the last {skips.window} steps were skipped, and train.skips.most is {skips.most}",
                    f"{told}, with these rows and documents:",
                    *names,
                ]
            ),
            hint="nothing was learned from them and the last checkpoint is sound: lower train.lr, look at these "
            "documents, or raise train.skips.most and run again",
        )


def _check_weights(model: nn.Module, result: StepResult, world: int) -> None:
    """Raises RunError if a weight is not finite, on this rank or on another: then no row is to blame."""
    named = list(model.named_parameters())
    found = torch.stack([everywhere((~p.isfinite()).sum()) for _, p in named])
    if world > 1:  # under DDP each rank has weights of its own, but all must stop: the others would wait for its rows
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    counts = [(name, count, p.numel()) for (name, p), count in zip(named, found.tolist(), strict=True)]
    wrong = [f"{name}: {count:,} of {size:,} values" for name, count, size in counts if count]
    if not wrong:
        return
    names = wrong[:_NAMED]
    if len(wrong) > _NAMED:
        names.append(f"and {len(wrong) - _NAMED} more")
    raise RunError(
        "\n  ".join(
            [f"step {result.step}: {result.skipped}, because weights are not finite; no row is to blame:", *names]
        ),
        hint="run the same command again: it goes on from the last checkpoint. If it comes back, test this machine's "
        "memory, or move the newest checkpoint away to go on from the one before",
    )


def _rank_of(loss: float | None) -> float:
    return math.inf if loss is None else loss


def _together(rows: list[dict[str, Any]], trainer: pl.Trainer, device: torch.device) -> list[dict[str, Any]]:
    """The rows of all ranks, in the order of ranks; as JSON, as no rank reads another one's pickle."""
    if trainer.world_size == 1:
        return rows
    text = torch.frombuffer(bytearray(json.dumps(rows).encode()), dtype=torch.uint8).to(device)
    sizes = _gathered(torch.tensor([len(text)], device=device), trainer.world_size)
    longest = int(max(sizes))
    texts = _gathered(nn.functional.pad(text, (0, longest - len(text))), trainer.world_size)
    parts = [bytes(part[: int(size)].cpu().numpy()) for part, size in zip(texts, sizes, strict=True)]
    found = [row for part in parts for row in json.loads(part)]
    return list({(row["language"], row["row"]): row for row in found}.values())  # some ranks read the same rows


def _gathered(value: Tensor, world: int) -> list[Tensor]:
    parts = [torch.empty_like(value) for _ in range(world)]
    torch.distributed.all_gather(parts, value)
    return parts
