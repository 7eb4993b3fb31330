"""Token lists to rows of one length: which documents are held out, in what order they stand, how rows are cut.

    holdout_bins({0: 900, 7: 50, 9: 3000}, quota=40) -> [0]      bins of the coin, least first, until the quota is met
    lay_rows(["a", "b"], [[5, 6, 2], [7, 8, 9, 2]], seq_len=4, pad=3) ->

        tokens            starts    doc_ids  doc_offsets
        5 6 2 7 8         0 3       a b      0 0
        8 9 2 3 3         0 3       b        1              8 once more; padding begins at 3

Rows are windows of seq_len + 1 tokens that overlap by one, as Megatron cut them for BLOOM, so that each token but the
first of a shard is predicted once. Only the last row of a shard may end in padding: no token of a small language is
lost. Pure: tables in, tables out, and no chance but coins that the caller tossed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from pipeline.units import Share

BIN_BITS = 16  # of the holdout's coin: a language of 65,536 documents or more is split to within 1/65,536 of the quota
PARTITION_TOKENS = 8_000_000  # 32 MB, which one task brings together and sorts
LEAST_PART = 10  # a small language gives at most a tenth for the sake of `holdout_tokens`


class PackConfig(BaseModel):
    """Rows of `seq_len` + 1 tokens, and a holdout of whole documents (of whole clusters, where they are known)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "pack"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()

    seq_len: int = Field(512, ge=1, le=2**20, description="tokens a row is trained on; a row holds one more")
    mode: Literal["concat"] = Field("concat", description="documents end to end, cut into rows, as BLOOM was trained")
    holdout: Share = Field(0.01, le=0.5, description="share of each language's tokens that is kept from training")
    holdout_tokens: int = Field(2000, ge=0, description="at least so many, but of a small language a tenth is enough")
    seed: int = Field(0, ge=0, lt=2**63, description="of the coins that order and choose documents")

    def parameters(self) -> dict[str, Any]:
        """What the rows depend on, for the recipe."""
        return self.model_dump()

    def quota(self, tokens: int) -> float:
        """Tokens to hold out of a language that has `tokens`."""
        return max(self.holdout * tokens, min(self.holdout_tokens, tokens / LEAST_PART))


def holdout_bins(tokens: Mapping[int, int], quota: float) -> list[int]:
    """Bins of the holdout's coin to hold out, from the least on until the quota is reached; `tokens` of each bin.

    A bin that would bring the holdout above half of the language is passed over: its only document is trained on."""
    half = sum(tokens.values()) / 2
    taken, held = [], 0
    for bin_, count in sorted(tokens.items()):
        if held >= quota:
            break
        if held + count <= half:
            taken.append(bin_)
            held += count
    return taken


def partition_bits(tokens: int) -> int:
    """By how many bits of the coin a language is parted, so that a part holds about PARTITION_TOKENS or less."""
    parts = -(-tokens // PARTITION_TOKENS)
    return max(parts - 1, 0).bit_length()


def top_bits(coins: np.ndarray, bits: int) -> np.ndarray:
    """(n,) uint64 coins -> (n,) int64 in [0, 2^bits)."""
    return (coins >> np.uint64(63 - bits) >> np.uint64(1)).astype(np.int64)  # a shift by 64 is undefined


def lay_rows(ids: pa.Array, tokens: pa.ListArray, seq_len: int, pad: int) -> pa.Table:
    """n documents in their order, each of one token or more -> rows, and what stands where (the top of the file)."""
    lengths = tokens.value_lengths().to_numpy().astype(np.int64)
    edges = np.concatenate([[0], np.cumsum(lengths)])  # document d is stream[edges[d]:edges[d + 1]]
    total = int(edges[-1])
    if total == 0:
        return row_schema(seq_len).empty_table()
    begins = np.arange(row_count(total, seq_len), dtype=np.int64) * seq_len  # of rows in the stream
    first = np.searchsorted(edges, begins, side="right") - 1  # document of each row's first token, and of its last
    last = np.searchsorted(edges, np.minimum(begins + seq_len, total - 1), side="right") - 1
    pieces = last - first + 1
    row = np.repeat(np.arange(len(begins)), pieces)
    doc = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + first[row]
    starts, offsets = np.maximum(edges[doc] - begins[row], 0), np.maximum(begins[row] - edges[doc], 0)
    end = total - begins[-1]  # tokens in the last row
    padded = end < seq_len + 1
    return pa.table(
        [
            _windows(tokens.flatten().to_numpy(), begins, seq_len, pad),
            _lists(np.append(starts, end) if padded else starts, np.append(pieces[:-1], pieces[-1] + padded)),
            _lists(ids.take(pa.array(doc)), pieces),
            _lists(offsets, pieces),
        ],
        schema=row_schema(seq_len),
    )


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


def _windows(stream: np.ndarray, begins: np.ndarray, seq_len: int, pad: int) -> pa.FixedSizeListArray:
    rows = np.full((len(begins), seq_len + 1), pad, np.int32)
    whole = (len(stream) - 1) // seq_len  # rows without padding
    if whole:
        rows[:whole] = np.lib.stride_tricks.sliding_window_view(stream, seq_len + 1)[::seq_len][:whole]
    if whole < len(begins):
        rest = stream[begins[-1] :]
        rows[-1, : len(rest)] = rest
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), seq_len + 1)


def _lists(values: np.ndarray | pa.Array, lengths: np.ndarray) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = values if isinstance(values, pa.Array) else pa.array(values, pa.int32())
    return pa.ListArray.from_arrays(pa.array(offsets), values)
