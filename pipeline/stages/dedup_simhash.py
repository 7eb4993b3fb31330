"""Near duplicates by SimHash, as ROOTS found them: fingerprints, buckets of equal blocks, clusters; the first stays.

    observe   text           -> keys (key, doc, fingerprint, short), one row for each choice of blocks
    resolve   keys of a part -> edges (a, b, similarity): fingerprints that differ in few bits

Never reads a text twice, never compares all pairs of a bucket of equal documents: text/hamming.py.
"""

from __future__ import annotations

from math import comb
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from pipeline.codes import checked
from pipeline.stages.base import Clusters, CorpusStage, Notes, Observed, Outcome, Resolved, dropped_table
from pipeline.text.hamming import leaders, pairs
from pipeline.text.simhash import BITS, fingerprints, keys, masks

KEYS = pa.schema([("key", pa.uint64()), ("doc", pa.uint64()), ("fingerprint", pa.uint64()), ("short", pa.uint8())])
EDGES = pa.schema([("a", pa.uint64()), ("b", pa.uint64()), ("similarity", pa.float64())])
FINER = 4  # blocks on which documents of a crowded bucket must agree: 32 bits at a distance of 4
MOST_KEYS = 300  # choices of blocks, each a row of a document


class DedupSimhash(CorpusStage):
    """Drops a document whose SimHash differs in at most `distance` of 64 bits from an earlier one's, as ROOTS did.

    A fingerprint is made of all runs of `window` characters, in lower case, without punctuation; of words in the
    languages of `by_words`. SimHash sees a text as a bag of these: long texts in one language are near each other
    though they share little. So where either document is longer than `long` characters at most `long_distance` bits
    may differ, as ROOTS' authors advise; one of more than `longest` characters takes no part. `dedup_near` is surer.

    Clusters are transitive; of each, the first document in the order of the corpus stays. No pair within the distance
    is missed, unless over 4,096 different fingerprints agree on 32 bits. A text without words or characters is nobody's
    duplicate.

    The ledger names the twin that stayed and the neighbour, `value` being the bits that differ from the neighbour and
    `limit` how many may for a document of its length; `similarity` is the share of equal bits. Reason:
    `simhash_duplicate`. Disk while it runs: 25 bytes for each of the 15 keys of a document.

        - dedup_simhash
          where: {kind: text}
        - dedup_simhash: {distance: 3, blocks: 5, long: null}
    """

    name: ClassVar[str] = "dedup_simhash"
    version: ClassVar[int] = 2  # 2: marks, where it dropped all of a cluster; a long document's own limit
    reason: ClassVar[str] = "simhash_duplicate"
    unicode_tables: ClassVar[bool] = True

    distance: int = Field(4, ge=0, le=16, description="bits of 64 that may differ")
    blocks: int = Field(6, ge=1, le=BITS, description="more of them: more keys, and fewer documents with the same")
    window: int = Field(6, ge=1, le=64, description="characters (or words) in a row")
    by_words: tuple[str, ...] = Field(("en",), description="languages whose windows are of words")
    long: int | None = Field(
        1024, ge=0, description="characters from more than which on a document is long; null: none"
    )
    long_distance: int = Field(3, ge=0, le=16, description="bits that may differ where one of the two is long")
    longest: int | None = Field(None, ge=1, description="characters of the longest document that takes part")

    @field_validator("by_words")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({checked(code) for code in value}))

    @model_validator(mode="after")
    def _blocks_fit(self) -> DedupSimhash:
        if self.blocks <= self.distance:
            raise ValueError(
                f"{self.distance} bits may differ, so each of {self.blocks} blocks might hold one: "
                f"set blocks to {self.distance + 1} or more"
            )
        if (count := comb(self.blocks, self.distance)) > MOST_KEYS:
            raise ValueError(f"{self.blocks} blocks would give a document {count} keys; set blocks lower")
        return self

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    @property
    def bytes_per_document(self) -> int:
        return 300 + 60 * comb(self.blocks, self.distance)  # keys, and their copy when they are sorted

    @property
    def bytes_to_resolve(self) -> int:
        return 100_000_000  # rows in another order, and their edges

    def warm(self) -> None:
        docs = pa.table({"text": ["one two", "two"], "lang": ["en", "fr"], "doc": pa.array([0, 1], pa.uint64())})
        self.resolve(self.observe(docs).keys, None)

    def observe(self, docs: pa.Table) -> Observed:
        texts = docs.column("text")
        found, features = fingerprints(texts, _among(docs.column("lang"), self.by_words), self.window)
        length = pc.utf8_length(texts).to_numpy()
        part = features > 0
        if self.longest is not None:
            part &= length <= self.longest
        short = self._short(length)
        chosen = masks(self.blocks, self.distance)
        columns = [docs.column("doc").to_numpy()[part], found[part], short[part].astype(np.uint8)]
        repeated = [np.repeat(column, len(chosen)) for column in columns]
        return Observed(pa.table([keys(found[part], chosen).ravel(), *repeated], schema=KEYS))

    def resolve(self, keys: pa.Table, notes: Notes | None) -> Resolved:
        key, doc, fingerprint, short = (keys.column(name).to_numpy() for name in KEYS.names)
        a, b, apart = pairs(key, fingerprint, doc, short > 0, self.distance, self._sure, self._finer)
        lead = leaders(key, fingerprint, doc, short > 0)
        return Resolved(pa.table([a, b, 1 - apart / BITS], schema=EDGES), keys.take(pa.array(lead)))

    def _short(self, length: np.ndarray) -> np.ndarray:
        """(n,) bool: whether documents of so many characters are not long."""
        return np.full(len(length), True) if self.long is None else length <= self.long

    @property
    def _sure(self) -> int:
        """Bits that may differ where one of two documents is long."""
        return min(self.distance, self.long_distance)

    @property
    def _finer(self) -> np.ndarray | None:
        """Masks that part a crowded bucket."""
        too_many = comb(self.distance + FINER, FINER) > MOST_KEYS
        return None if too_many else masks(self.distance + FINER, self.distance)

    def about(self, clusters: Clusters) -> dict[str, Any]:
        return {
            "settings": {
                name: getattr(self, name) for name in ("distance", "blocks", "window", "long", "long_distance")
            },
            "edges": clusters.edges,
            "clusters_found": clusters.count,
            "documents_in_clusters": clusters.documents,
            "sizes": clusters.sizes,
            "clusters": [{"size": size, "documents": documents} for size, documents in clusters.largest],
        }

    def apply(self, docs: pa.Table, verdicts: pa.Table) -> Outcome:
        if self.action == "mark":
            return super().apply(docs, verdicts)
        told = {name: verdicts.column(name) for name in verdicts.column_names}
        apart = np.round((1 - verdicts.column("similarity").to_numpy()) * BITS)
        length = pc.utf8_length(docs.column("text")).to_numpy()[verdicts.column("row").to_numpy()]
        limit = np.where(self._short(length), self.distance, self._sure).astype(np.float64)
        return Outcome(dropped=dropped_table(reason=self.reason, **told, value=pa.array(apart), limit=pa.array(limit)))


def _among(langs: pa.ChunkedArray, wanted: tuple[str, ...]) -> np.ndarray:
    return pc.is_in(langs, pa.array(wanted, pa.string())).to_numpy(zero_copy_only=False)
