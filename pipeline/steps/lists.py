"""What packing reads: the documents of a shard with their token lists, refused where these are not what `encode` wrote.

    documents_of(shard, before, Ids(vocab_size=32768, eos=2))
        -> id, lang, text_bytes, words, begin, length, cluster where a stage wrote it
    stream_of(step of the token ids, shard)  -> (t,) int32: a document's tokens are stream[begin:begin + length]

Files are mapped, so nobody has read their bytes before: an offset that points out of its file would end the process,
and a token id of no vocabulary would be trained on. A byte that turns one token into another of the same vocabulary is
found by `pipeline verify` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import InputError
from pipeline.pack import LISTS
from pipeline.store.files import read_table
from pipeline.store.layers import KEPT, Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step

HINT = "`pipeline verify CONFIG` tells which steps are damaged; delete those and run again"


@dataclass(frozen=True)
class Ids:
    """What token lists are made of."""

    vocab_size: int
    eos: int  # ends every list


def documents_of(shard: Shard, before: list[str], known: Ids) -> pa.Table:
    """One row a document; `words` is null where nobody counted them; `begin` (int64) is where its tokens begin in those
    of `tokens_of`. Raises InputError with the first document whose tokens are damaged; ArrowInvalid for offsets that
    lead astray, and for token ids that are no int32."""
    docs = _read(shard, before, ["id", "lang", "tokens", "text_bytes", "words", "cluster"])
    if "words" not in docs.column_names:
        docs = docs.append_column("words", pa.nulls(docs.num_rows, pa.int64()))
    tokens = docs.column("tokens").cast(LISTS)  # as it is, if these are int32 already
    check_lists(docs.column("id"), tokens, known)
    begins = np.concatenate([np.zeros(0, np.int32), *(lists.offsets.to_numpy()[:-1] for lists in tokens.chunks)])
    docs = docs.drop_columns("tokens").append_column("begin", pa.array(begins, pa.int64()))
    return docs.append_column("length", pc.list_value_length(tokens).cast(pa.int64()))


def tokens_of(shard: Shard, before: list[str]) -> list[pa.ListArray]:
    """The token lists of all documents that `documents_of` tells of, and has looked at before."""
    chunks: list[pa.ListArray] = _read(shard, before, ["tokens"]).column("tokens").cast(LISTS).chunks
    return chunks


def _read(shard: Shard, before: list[str], columns: list[str]) -> pa.Table:
    docs = read_shard(shard, [Step(place(name)) for name in before], columns)
    docs.validate(full=True)
    return docs


def stream_of(step: Step, shard: str) -> np.ndarray | None:
    """(t,) int32: the tokens of a shard end to end, mapped; None if the layer is not as `encode` writes it, so that
    `begin` would be another place."""
    layer = read_table(step.layer(shard))
    if KEPT in layer.column_names or "tokens" not in layer.column_names:
        return None
    tokens = layer.column("tokens")
    return tokens.chunk(0).values.to_numpy() if tokens.type == LISTS and tokens.num_chunks == 1 else None


def check_lists(ids: pa.ChunkedArray, tokens: pa.ChunkedArray, known: Ids) -> None:
    """Raises InputError with the first document whose list is empty, or has an id that is no token, or does not end in
    `eos`."""
    at = 0
    for lists in tokens.chunks:
        edges, values = lists.offsets.to_numpy(), lists.values.to_numpy()
        if lists.null_count or (np.diff(edges) == 0).any():
            empty = int(np.argmax(np.diff(edges) == 0)) if not lists.null_count else lists.is_null().index(True).as_py()
            raise _damaged(ids[at + empty], "it has no tokens, and every text has at least its end")
        inside = values[edges[0] : edges[-1]]
        if len(inside) and int(inside.view(np.uint32).max()) >= known.vocab_size:  # what is below 0 is large there
            token = int(np.flatnonzero((inside < 0) | (inside >= known.vocab_size))[0])
            which = int(np.searchsorted(edges, edges[0] + token, side="right")) - 1
            raise _damaged(ids[at + which], f"token id {inside[token]} is outside 0..{known.vocab_size - 1}")
        if (endless := np.flatnonzero(values[edges[1:] - 1] != known.eos)).size:
            raise _damaged(ids[at + int(endless[0])], f"it does not end in {known.eos}, the end of a text")
        at += len(lists)


def _damaged(identity: pa.Scalar, what: str) -> InputError:
    return InputError(f"the tokens of document {identity.as_py()!r} are not what was encoded: {what}", hint=HINT)
