"""What packing reads: the documents of a shard with their token lists, refused where these are not what `encode` wrote.

    documents_of(shard, before, Ids(vocab_size=32768, eos=2))
        -> id, lang, tokens, text_bytes, words, length, cluster where a stage wrote it

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
from pipeline.store.layers import Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step

LISTS = pa.list_(pa.int32())
HINT = "`pipeline verify CONFIG` tells which steps are damaged; delete those and run again"


@dataclass(frozen=True)
class Ids:
    """What token lists are made of."""

    vocab_size: int
    eos: int  # ends every list


def documents_of(shard: Shard, before: list[str], known: Ids) -> pa.Table:
    """One row a document; `words` is null where nobody counted them. Raises InputError with the first document whose
    tokens are damaged; ArrowInvalid for offsets that lead astray, and for token ids that are no int32."""
    steps = [Step(place(name)) for name in before]
    docs = read_shard(shard, steps, ["id", "lang", "tokens", "text_bytes", "words", "cluster"])
    if "words" not in docs.column_names:
        docs = docs.append_column("words", pa.nulls(docs.num_rows, pa.int64()))
    docs.validate(full=True)
    tokens = docs.column("tokens").cast(LISTS)  # as it is, if these are int32 already
    docs = docs.set_column(docs.column_names.index("tokens"), "tokens", tokens)
    check_lists(docs.column("id"), tokens, known)
    return docs.append_column("length", pc.list_value_length(tokens).cast(pa.int64()))


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
        if len(inside) and not 0 <= int(inside.min()) <= int(inside.max()) < known.vocab_size:
            token = int(np.flatnonzero((inside < 0) | (inside >= known.vocab_size))[0])
            which = int(np.searchsorted(edges, edges[0] + token, side="right")) - 1
            raise _damaged(ids[at + which], f"token id {inside[token]} is outside 0..{known.vocab_size - 1}")
        if (endless := np.flatnonzero(values[edges[1:] - 1] != known.eos)).size:
            raise _damaged(ids[at + int(endless[0])], f"it does not end in {known.eos}, the end of a text")
        at += len(lists)


def _damaged(identity: pa.Scalar, what: str) -> InputError:
    return InputError(f"the tokens of document {identity.as_py()!r} are not what was encoded: {what}", hint=HINT)
