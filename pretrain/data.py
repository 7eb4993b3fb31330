"""What one optimizer step trains on: one batch of the loader is one step, this rank's share of its samples.

    step -> {"ids": (R, T) int32, "targets": (R, T) int32, "languages": (R,), "tokens": (R,), ...}

At position j a row predicts token j + 1 of a packed row; targets in the padding are -100, and so are those where a
document goes on that began in another row (docs/packing.md). Which samples a step takes follows from its number alone
(schedule.py), which row stands at a sample from (seed, stages, sample) (order.py): prefetching, workers and restarts
cannot move anything. Never shuffles, never counts what it has given out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pretrain.errors import InputError
from pretrain.loss import IGNORE
from pretrain.order import Order
from pretrain.parallel import data_ranks
from pretrain.schedule import Batches
from pretrain.seam import Seam, Shards

# R rows of this rank in a step, T positions (seq_len), K languages


class StepBatch(TypedDict):
    """Tensors move to the device; NumPy arrays and lists stay on the host."""

    ids: Tensor  # (R, T) int32
    targets: Tensor  # (R, T) int32, -100 where there is nothing to predict
    starts: NotRequired[Tensor]  # (R, T) int32: where the document of each position begins; only if asked for
    languages: np.ndarray  # (R,) int64: index into the sorted languages
    tokens: np.ndarray  # (R,) int64: targets that count
    rows: list[tuple[str, int]]  # which rows these are, for the one who asks
    step: int  # 0 is the first
    samples: int  # of all ranks, this step


def row_tensors(shards: Shards, row: int) -> tuple[np.ndarray, np.ndarray]:
    """ids (T,), targets (T,) int32 of one packed row, copied out of the mapped file."""
    tokens = shards.tokens(row)
    targets = tokens[1:].copy()
    targets[max(0, shards.end(row) - 1) :] = IGNORE  # the last token before the padding is still a target
    targets[shards.goes_on(row) - 1] = IGNORE  # else the end of another text would have to tell what stands within one
    return tokens[:-1].copy(), targets


def document_starts(shards: Shards, row: int) -> np.ndarray:
    """(T,) int32: where the document of each position of a packed row begins; in the padding, where that begins."""
    starts = shards.starts(row)
    return np.repeat(starts, np.diff(starts, append=shards.width - 1))  # the last token is a target only


class Steps(Dataset[StepBatch]):
    """Item i is step `first_step + i` of training; len() steps are left until `last_step`.

    `ignore` are token ids that are no targets; `starts` asks for where documents begin.
    """

    def __init__(
        self,
        seam: Seam,
        order: Order,
        batches: Batches,
        span: tuple[int, int],
        rank: int = 0,
        world: int = 1,
        *,
        ignore: tuple[int, ...] = (),
        starts: bool = False,
    ) -> None:
        self._order = order
        self._batches = batches
        self._first, self._last = span
        self._rank, self._world = rank, world
        self._shards = {language: seam.shards("train", language) for language in order.rows}
        self._index = {language: i for i, language in enumerate(order.rows)}
        self._seq_len = seam.seq_len
        self._ignore = np.array(ignore, np.int32)
        self._starts = starts

    def __len__(self) -> int:
        return max(0, self._last - self._first)

    def __getitem__(self, i: int) -> StepBatch:
        if not 0 <= i < len(self):
            raise IndexError(i)
        step = self._first + i
        start, stop = self._batches.first_sample(step), self._batches.first_sample(step + 1)
        rows = [self._order.row(n) for n in range(start + self._rank, stop, self._world)]
        ids, targets, tokens = self._read(rows)
        batch = StepBatch(
            ids=torch.from_numpy(ids),
            targets=torch.from_numpy(targets),
            languages=np.array([self._index[language] for language, _ in rows]),
            tokens=tokens,
            rows=rows,
            step=step,
            samples=stop - start,
        )
        if self._starts:
            found = [document_starts(self._shards[language], row) for language, row in rows]
            batch["starts"] = torch.from_numpy(np.stack(found))
        return batch

    def _read(self, rows: list[tuple[str, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """ids, targets (R, T) int32, and (R,) int64 how many targets count. Raises InputError for ids of no token."""
        length = self._seq_len
        ids, targets = np.empty((len(rows), length), np.int32), np.empty((len(rows), length), np.int32)
        ends, inside = np.empty(len(rows), np.int64), []
        for i, (language, row) in enumerate(rows):
            shards = self._shards[language]
            end = shards.copy(row, ids[i], targets[i])
            ends[i] = min(length, max(0, end - 1))  # the token before the padding counts
            inside.append(shards.goes_on(row) - 1)
        any_shards = self._shards[rows[0][0]]
        if not (any_shards.all_tokens(ids) and any_shards.all_tokens(targets[:, -1])):
            self._refuse(rows)
        for i in np.flatnonzero(ends < length).tolist():
            targets[i, ends[i] :] = IGNORE
        for i, places in enumerate(inside):
            targets[i, places] = IGNORE
        if len(self._ignore):
            targets[np.isin(targets, self._ignore)] = IGNORE
            return ids, targets, (targets != IGNORE).sum(1)
        return ids, targets, ends - np.array([len(places) for places in inside])

    def _refuse(self, rows: list[tuple[str, int]]) -> None:
        """Raises InputError for the first of these rows that has an id that is no token."""
        for language, row in rows:
            try:
                self._shards[language].tokens(row)
            except InputError as error:
                raise InputError(f"training row {row} of {language}: {error.message}", error.hint) from error
        raise AssertionError("some row has such an id")


class PackedData(pl.LightningDataModule):
    """The loader of a run from `span[0]` (what is done) to `span[1]` (the end), for whatever rank Lightning gives."""

    def __init__(
        self, seam: Seam, order: Order, batches: Batches, span: tuple[int, int], workers: int = 0, **what: Any
    ) -> None:
        """what: `ignore` and `starts` of `Steps`."""
        super().__init__()
        self._parts = (seam, order, batches, span)
        self._what = what
        self._workers = workers
        self.steps: Steps | None = None

    def train_dataloader(self) -> DataLoader[StepBatch]:
        assert self.trainer is not None
        ranks = data_ranks(self.trainer)
        self.steps = Steps(*self._parts, rank=ranks.rank, world=ranks.size, **self._what)
        return DataLoader(
            self.steps,
            batch_size=None,  # an item is a batch already
            shuffle=False,
            num_workers=self._workers,
            collate_fn=_as_is,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else each new loader draws a number from torch's own, and a resume one more
        )


def _as_is(batch: Any) -> Any:
    return batch  # torch's own would turn the host's arrays into tensors


def tokens_by_language(batch: Mapping[str, Any], languages: int) -> Tensor:
    """(K,) int64 on the CPU: targets of each language in this rank's share of the step."""
    counts = np.bincount(batch["languages"], weights=batch["tokens"], minlength=languages)
    return torch.from_numpy(counts.astype(np.int64))
