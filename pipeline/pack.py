"""Token lists to rows of one length: what is asked for, how large parts are, how rows are cut.

    lay_rows(["a", "b"], [[5, 6, 2], [7, 8, 9, 2]], seq_len=4, pad=3).rows ->

        tokens            starts    doc_ids  doc_offsets
        5 6 2 7 8         0 3       a b      0 0
        8 9 2 3 3         0 3       b        1              8 once more; padding begins at 3

    lay_rows(..., mode="best_fit").rows ->

        5 6 2 3 3         0 3       a        0
        7 8 9 2 3         0 4       b        0

`concat`: rows are windows of seq_len + 1 tokens of all documents end to end, which overlap by one, as Megatron cut them
for BLOOM, so that each token but the first of a file is predicted once. Only the last row of a file may end in padding:
no token of a small language is lost. `best_fit`: no document is cut that has room in a row (Ding et al. 2024,
arXiv:2404.10830); a longer one is cut to such windows of its own, and each row may end in padding. Pure: tables in,
tables out, and no chance but coins that the caller tossed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipeline.text.coins import coins
from pipeline.text.fit import best_fit, lay, pad_rows
from pipeline.units import Share

Mode = Literal["concat", "best_fit"]

LISTS = pa.list_(pa.int32())
PARTITION_TOKENS = 8_000_000  # 32 MB, which one task brings together and sorts
LEAST_PART = 10  # a small language gives at most a tenth for the sake of `holdout_tokens`


class PackConfig(BaseModel):
    """Rows of `seq_len` + 1 tokens, and a holdout of whole documents (of whole clusters, where they are known)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "pack"
    version: ClassVar[int] = (
        3  # 2: the manifest tells what was cut and padded; 3: a cluster of many languages is on one side
    )
    packages: ClassVar[tuple[str, ...]] = ()

    seq_len: int = Field(512, ge=1, le=2**20, description="tokens a row is trained on; a row holds one more")
    mode: Mode = Field("concat", description="documents end to end as BLOOM's; best_fit cuts none that fits in a row")
    holdout: Share = Field(0.01, le=0.5, description="share of each language's tokens kept from training; 0: none")
    holdout_tokens: int = Field(2000, ge=0, description="at least so many, but of a small language a tenth is enough")
    seed: int = Field(0, ge=0, lt=2**63, description="of the coins that order and choose documents")

    def parameters(self) -> dict[str, Any]:
        """What the rows depend on, for the recipe; without a holdout nothing depends on its least tokens."""
        return {**self.model_dump(), **({} if self.holdout else {"holdout_tokens": 0})}

    def quota(self, tokens: int) -> float:
        """Tokens to hold out of a language that has `tokens`."""
        if not self.holdout:
            return 0.0
        return max(self.holdout * tokens, min(self.holdout_tokens, tokens / LEAST_PART))


def partition_bits(tokens: int) -> int:
    """By how many bits of the coin a language is parted, so that a part holds about PARTITION_TOKENS or less."""
    parts = -(-tokens // PARTITION_TOKENS)
    return max(parts - 1, 0).bit_length()


def top_bits(coins: np.ndarray, bits: int) -> np.ndarray:
    """(n,) uint64 coins -> (n,) int64 in [0, 2^bits)."""
    return (coins >> np.uint64(63 - bits) >> np.uint64(1)).astype(np.int64)  # a shift by 64 is undefined


@dataclass(frozen=True)
class Lists:
    """n lists of token ids, each a run of one of several streams, in any order; they are copied once, to their rows."""

    streams: Sequence[np.ndarray]  # int32; of mapped files, mostly
    stream: np.ndarray  # (n,) int64, of each list: which stream, where in it, how many
    begins: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, parts: Sequence[pa.ListArray]) -> Lists:
        """All lists of all parts."""
        edges = [part.offsets.to_numpy().astype(np.int64) for part in parts] or [np.zeros(1, np.int64)]
        return cls(
            [part.values.to_numpy() for part in parts],
            np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
            np.concatenate([edge[:-1] for edge in edges]),
            np.concatenate([np.diff(edge) for edge in edges]),
        )

    def take(self, rows: np.ndarray) -> Lists:
        """(m,) lists in the order of `rows`."""
        return Lists(self.streams, self.stream[rows], self.begins[rows], self.lengths[rows])

    def lay(
        self, which: np.ndarray, offset: np.ndarray, length: np.ndarray, place: np.ndarray, out: np.ndarray
    ) -> None:
        """Copies lists[which][offset:offset + length] to out[place:]; (p,) int64 each. Streams are read one by one,
        each from its beginning to its end."""
        begins, of = self.begins[which] + offset, self.stream[which]
        order = np.lexsort((begins, of))
        edges = np.searchsorted(of[order], np.arange(len(self.streams) + 1))
        for stream, first, stop in zip(self.streams, edges[:-1], edges[1:], strict=True):
            some = order[first:stop]
            lay(stream, begins[some], length[some], place[some], out)

    def joined(self) -> pa.ListArray:
        """The lists end to end."""
        ends = np.append(0, np.cumsum(self.lengths))
        out = np.empty(int(ends[-1]), np.int32)
        self.lay(np.arange(len(self.lengths)), np.zeros(len(self.lengths), np.int64), self.lengths, ends[:-1], out)
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(out))


@dataclass(frozen=True)
class Laid:
    """Rows, and what it took to make them; rows * (seq_len + 1) = tokens of the documents + repeated + padding."""

    rows: pa.Table
    cut: int  # documents that stand whole in no row
    repeated: int  # tokens that stand in a second row too, so that the next one is predicted there
    padding: int


@dataclass(frozen=True)
class _Pieces:
    """Runs of a document's tokens, in the order in which they stand in the rows; (p,) int64 each."""

    doc: np.ndarray
    offset: np.ndarray  # the token of its document that it begins with
    length: np.ndarray
    row: np.ndarray  # from 0, rising, none left out


def lay_rows(ids: pa.Array, tokens: Lists, seq_len: int, pad: int, mode: Mode = "concat") -> Laid:
    """n documents in their order, each of one token or more -> rows, and what stands where (the top of the file)."""
    lengths = tokens.lengths
    if len(lengths) == 0:
        return Laid(row_schema(seq_len).empty_table(), 0, 0, 0)
    pieces = _CUT[mode](lengths, seq_len)
    whole = np.zeros(len(lengths), np.bool_)
    whole[pieces.doc[pieces.length == lengths[pieces.doc]]] = True
    rows, stood = _rows(ids, tokens, pieces, seq_len, pad), int(pieces.length.sum())
    padding = rows.num_rows * (seq_len + 1) - stood
    return Laid(rows, int((~whole).sum()), stood - int(lengths.sum()), padding)


def _concat(lengths: np.ndarray, seq_len: int) -> _Pieces:
    """Windows over all documents end to end."""
    edges = np.append(0, np.cumsum(lengths))  # document d is stream[edges[d]:edges[d + 1]]
    begins = np.arange(row_count(int(edges[-1]), seq_len), dtype=np.int64) * seq_len  # of rows in the stream
    ends = np.minimum(begins + seq_len + 1, edges[-1])
    first = np.searchsorted(edges, begins, side="right") - 1  # document of each row's first token, and of its last
    last = np.searchsorted(edges, ends - 1, side="right") - 1
    row, doc = _counted(last - first + 1)
    doc += first[row]
    begin = np.maximum(begins[row], edges[doc])
    return _Pieces(doc, begin - edges[doc], np.minimum(ends[row], edges[doc + 1]) - begin, row)


def _best_fit(lengths: np.ndarray, seq_len: int) -> _Pieces:
    """Windows over each document alone, put where they fit best; those of a row stand in the order of documents.

    A document's windows overlap by one, as rows do otherwise: the last token of one stands once more where the next
    begins, for that is what the token after it is predicted from."""
    doc, number = _counted(np.maximum(-(-(lengths - 1) // seq_len), 1))
    offset = number * seq_len
    length = np.minimum(lengths[doc] - offset, seq_len + 1)
    row, _ = best_fit(length, seq_len + 1)
    order = np.argsort(row, kind="stable")
    return _Pieces(doc[order], offset[order], length[order], row[order])


_CUT: Mapping[Mode, Callable[[np.ndarray, int], _Pieces]] = {"concat": _concat, "best_fit": _best_fit}


def _counted(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[2, 3] -> [0, 0, 1, 1, 1], [0, 1, 0, 1, 2]"""
    of = np.repeat(np.arange(len(counts)), counts)
    return of, np.arange(len(of)) - (np.cumsum(counts) - counts)[of]


def _rows(ids: pa.Array, tokens: Lists, pieces: _Pieces, seq_len: int, pad: int) -> pa.Table:
    """The columns of the rows in which the pieces stand, one behind the other; what is left of a row is padding."""
    width = seq_len + 1
    counts = np.bincount(pieces.row)
    after = np.cumsum(counts)  # the last piece of each row is the one before
    ends = np.cumsum(pieces.length)
    filled = np.diff(ends[after - 1], prepend=0)
    starts = ends - pieces.length - np.repeat(ends[after - 1] - filled, counts)
    laid = np.empty(len(counts) * width, np.int32)
    tokens.lay(pieces.doc, pieces.offset, pieces.length, pieces.row * width + starts, laid)
    pad_rows(laid, width, filled, pad)
    padded = filled < width
    return pa.table(
        [
            pa.FixedSizeListArray.from_arrays(pa.array(laid), width),
            _lists(np.insert(starts, after[padded], filled[padded]), counts + padded),
            _lists(ids.take(pa.array(pieces.doc)), counts),
            _lists(pieces.offset, counts),
        ],
        schema=row_schema(seq_len),
    )


def warm() -> None:
    """Compiles the kernels of both modes; to be called once, before workers start."""
    for mode in _CUT:
        lay_rows(pa.array(["a"]), Lists.of([pa.array([[2]], LISTS)]), 1, 3, mode)
    coins(0, pa.array(["a"]))


def row_count(tokens: int, seq_len: int) -> int:
    """Rows that so many tokens make: each takes seq_len, and one more that the next begins with."""
    return max(-(-(tokens - 1) // seq_len), 1) if tokens else 0


def row_schema(seq_len: int) -> pa.Schema:
    """The columns of packed rows."""
    return pa.schema(
        [
            pa.field("tokens", pa.list_(pa.int32(), seq_len + 1), nullable=False),
            pa.field("starts", pa.list_(pa.int32()), nullable=False),
            pa.field("doc_ids", pa.list_(pa.string()), nullable=False),
            pa.field("doc_offsets", pa.list_(pa.int32()), nullable=False),
        ]
    )


def _lists(values: np.ndarray | pa.Array, lengths: np.ndarray) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = values if isinstance(values, pa.Array) else pa.array(values, pa.int32())
    return pa.ListArray.from_arrays(pa.array(offsets), values)
