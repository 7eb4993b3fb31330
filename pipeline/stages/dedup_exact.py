"""Drop all but the first of the documents whose texts are the same.

observe: docs -> keys (key, key2, doc), a 128-bit fingerprint of each text
resolve: keys -> edges (doc, twin), from each document that goes to the first of its group
settle:  edges -> verdicts, the same; about = {groups, documents, largest}

Never compares texts: `pipeline/text/exact.py` says how unlikely two different texts with one fingerprint are.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.stages.base import VERDICTS, CorpusStage, Notes, Observed, Settled
from pipeline.text.exact import fingerprints

KEYS = pa.schema([("key", pa.uint64()), ("key2", pa.uint64()), ("doc", pa.uint64())])


class DedupExact(CorpusStage):
    """Drops documents whose text stood before, in the order of the sources; the first one stays.

    Texts are the same if they differ in white space only. With `ignore: nothing` every byte must be equal; with
    `ignore: whitespace_and_digits_punctuation` digits, punctuation and symbols do not count either, as in ROOTS. Case
    always counts. A text of which nothing would be left is compared byte by byte.

    Texts are compared by 128-bit fingerprints: among a billion documents, the chance that any is taken for another that
    it is not is 1.5e-21. Memory and disk: 24 bytes a document.

    The ledger names the twin that stayed. Reason: `exact_duplicate`.

        - dedup_exact
        - dedup_exact: {ignore: whitespace_and_digits_punctuation}
    """

    name: ClassVar[str] = "dedup_exact"
    reason: ClassVar[str] = "exact_duplicate"
    unicode_tables: ClassVar[bool] = True

    ignore: Literal["nothing", "whitespace", "whitespace_and_digits_punctuation"] = Field(
        "whitespace", description="what does not count"
    )

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    def warm(self) -> None:
        fingerprints(pa.array(["a"], pa.large_string()), self.ignore)

    def observe(self, docs: pa.Table) -> Observed:
        key, key2 = fingerprints(docs.column("text"), self.ignore)
        return Observed(pa.table([pa.array(key), pa.array(key2), docs.column("doc")], schema=KEYS))

    def resolve(self, keys: pa.Table, notes: Notes | None) -> pa.Table:
        key, key2, doc = (keys.column(name).to_numpy() for name in KEYS.names)
        order = np.lexsort((doc, key2, key))
        key, key2, doc = key[order], key2[order], doc[order]
        starts = np.ones(len(doc), bool)  # of groups
        starts[1:] = (key[1:] != key[:-1]) | (key2[1:] != key2[:-1])
        firsts = doc[starts][np.cumsum(starts) - 1]
        return pa.table({"doc": doc[~starts], "twin": firsts[~starts]})

    def settle(self, edges: pa.Table) -> Settled:
        edges = edges.sort_by("doc")
        _, sizes = np.unique(edges.column("twin").to_numpy(), return_counts=True)
        about = {
            "groups": len(sizes),
            "documents": int(sizes.sum() + len(sizes)),
            "largest": int(sizes.max() + 1) if len(sizes) else 0,
        }
        missing = {name: pa.nulls(edges.num_rows, VERDICTS.field(name).type) for name in ("neighbour", "similarity")}
        columns = {**{name: edges.column(name) for name in ("doc", "twin")}, **missing}
        return Settled(pa.table([columns[name] for name in VERDICTS.names], schema=VERDICTS), about)
