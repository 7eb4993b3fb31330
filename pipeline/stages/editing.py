"""What stages that edit text share: which texts they may touch, and what becomes of a text of which nothing is left.

    overlaid({"en": 25, "fr": 45}, {"fr": 50}) -> [("en", 25), ("fr", 50)]
    texts = prose(docs)                     (n,) large_string; code is empty here, so nothing is found in it
    edited(new, counts, column, tallies)   -> Outcome(text, column, dropped: the emptied documents)

A document of which nothing but white space is left is dropped with the reason `emptied`, `value` being how many pieces
were taken out of it. Its text stays in the layer as it was, so the ledger shows what it held. A document that was blank
before is none of the stage's business, and passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.codes import by_language
from pipeline.document import CODE
from pipeline.stages.base import Outcome, dropped_table
from pipeline.text.lines import blank

EMPTIED = "emptied"


def overlaid(defaults: Mapping[str, Any], value: Any) -> Any:
    """Pairs of a language and its limit, sorted: the defaults, and what a config says instead; None: no limit.

    Laid over the defaults once more, they are the same pairs. Raises ValueError as `by_language` does.
    """
    own = by_language(value)
    return sorted({**defaults, **dict(own)}.items()) if isinstance(own, list) else own


def prose(docs: pa.Table) -> pa.Array:
    """(n,) large_string: the texts, those of code emptied. Copies only where there are both."""
    texts = docs.column("text").combine_chunks()
    code = pc.equal(docs.column("kind"), CODE)
    if not pc.any(code).as_py():
        return texts
    if pc.all(code).as_py():
        return pa.array([""] * len(texts), texts.type)
    return pc.if_else(code.combine_chunks(), "", texts)


def edited(new: pa.Array, counts: np.ndarray, column: str, tallies: dict[str, int]) -> Outcome:
    """The outcome of an edit: `new` (n,) large_string, null where unchanged; `counts` (n,) of what was taken out."""
    emptied = new.is_valid().to_numpy(zero_copy_only=False) & blank(new)
    rows = np.flatnonzero(emptied)
    text = pc.if_else(pa.array(emptied), pa.scalar(None, new.type), new) if len(rows) else new
    return Outcome(
        columns={"text": text, column: pa.array(counts, pa.int64())},
        dropped=dropped_table(rows, EMPTIED, value=counts[rows]),
        tallies=tallies,
    )


def bytes_out(texts: pa.Array, new: pa.Array) -> int:
    """How many bytes of text an edit took out."""
    changed = new.is_valid()
    before = pc.sum(pc.binary_length(texts.filter(changed))).as_py() or 0
    return before - (pc.sum(pc.binary_length(new)).as_py() or 0)
