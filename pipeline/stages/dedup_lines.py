"""Take lines, or paragraphs, that stand in many documents out of all of them, or out of all but the first.

observe: docs -> keys (key, doc, count, source), each distinct line of a shard once, by a salted 64-bit hash
decide:  keys -> verdicts: every key that stands often enough, for each shard that holds it
apply:   docs, verdicts -> the texts without these lines; lines are found by their hashes again

Never holds all lines: a partition of their keys at most, in which a line has one row a shard. Disk: 20 bytes for each
distinct line of a shard (28 with `min_share`). `pipeline/text/lines.py` says what a line is, and how sure its hash.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.digest import coin
from pipeline.stages.base import PART_VERDICTS, Observed, Outcome, PartStage
from pipeline.stages.editing import bytes_out, edited, prose
from pipeline.text.lines import listed, observed, without
from pipeline.units import Share

KEYS = pa.schema([("key", pa.uint64()), ("doc", pa.uint64()), ("count", pa.uint32())])


class DedupLines(PartStage):
    """Takes out lines that many documents of a source hold: menus, notices, signatures. The first one stays.

    A line is what stands between line feeds; two are the same if they are equal without white space at both ends. Lines
    under `min_chars` characters never count. A line goes if `min_count` documents of the source hold it, and at least
    `min_share` of its documents. With `by: occurrences` it is counted as often as it stands, refrains and rows of a
    table within one document too, as ROOTS did. `within: corpus` counts over all sources together.

    With `unit: paragraph` all of this is about paragraphs: what blank lines part, the blank lines behind it its own.

    `keep: first` leaves the first one, in the order of the documents and within its document; `keep: none` leaves none,
    as ROOTS did. Code is not touched. A document of which nothing is left is dropped: reason `emptied`.

        - dedup_lines                                                        # ROOTS' template lines, the first kept
        - dedup_lines: {min_chars: 1, min_count: 2, keep: none, by: occurrences}    # ROOTS' newspapers
        - dedup_lines: {min_chars: 1, min_count: 11, min_share: 1%, keep: none}     # ROOTS' pseudo-crawl
          where: {source: "crawl_*"}
        - dedup_lines: {unit: paragraph, min_chars: 100, min_count: 2}

    Writes: `text` where it changed, and `template_lines` (`template_paragraphs`), how many were taken out of each
    document. Counts `lines` (`paragraphs`) and `bytes`; the manifest shows those that stood most often. `pipeline trace
    CONFIG ID` shows what a document lost.
    """

    name: ClassVar[str] = "dedup_lines"
    version: ClassVar[int] = 2  # 2: a line on just `min_share` of the documents goes, too
    unicode_tables: ClassVar[bool] = True

    unit: Literal["line", "paragraph"] = Field("line", description="what is counted and taken out")
    min_chars: int = Field(
        15, ge=1, description="characters of a line, blanks at its ends aside, from which on it counts"
    )
    min_count: int = Field(10, ge=2, description="documents (or occurrences) from which on a line goes")
    min_share: Share = Field(0, description="share of the documents from which on a line goes, as well")
    keep: Literal["first", "none"] = Field("first", description="what stays of a line that goes")
    by: Literal["documents", "occurrences"] = Field("documents", description="what is counted")
    within: Literal["source", "corpus"] = Field("source", description="where a line is counted")

    @property
    def writes(self) -> tuple[str, ...]:
        return (self._column,)

    @property
    def _column(self) -> str:
        return f"template_{self.unit}s"

    @property
    def bytes_per_text_byte(self) -> float:
        return 4.0 + 110 / (self.min_chars + 1)  # text of nothing but the shortest lines that count, all different

    def warm(self) -> None:
        docs = pa.table({"text": pa.array(["a" * 99], pa.large_string()), "kind": ["text"], "source": ["a"]})
        docs = docs.append_column("doc", pa.array([0], pa.uint64()))
        keys = self.observe(docs).keys
        self.apply(docs, pa.table([keys["key"], keys["doc"], [True], [2]], schema=PART_VERDICTS))

    def observe(self, docs: pa.Table) -> Observed:
        salts = self._salts(docs)
        keys, rows, documents, times = observed(prose(docs), salts, self.min_chars, self.unit)
        count = documents if self.by == "documents" else times
        table = pa.table(
            [keys, docs.column("doc").take(pa.array(rows)), pa.array(count.astype(np.uint32))], schema=KEYS
        )
        if self.min_share:
            table = table.append_column("source", pa.array(salts[rows]))
        return Observed(table, totals=self._documents(docs))

    def _salts(self, docs: pa.Table) -> np.ndarray:
        """(n,) uint64: equal where documents are counted together."""
        if self.within == "corpus":
            return np.zeros(docs.num_rows, np.uint64)
        codes = pc.dictionary_encode(docs.column("source").combine_chunks())
        return np.array([coin(0, name) for name in codes.dictionary.to_pylist()], np.uint64)[codes.indices.to_numpy()]

    def _documents(self, docs: pa.Table) -> dict[str, int]:
        """How many documents there are, by salt."""
        salts, counts = np.unique(self._salts(docs), return_counts=True)
        return {str(salt): count for salt, count in zip(salts.tolist(), counts.tolist(), strict=True)}

    def decide(self, keys: pa.Table, totals: dict[str, int]) -> pa.Table:
        key, doc, count = (keys.column(name).to_numpy() for name in KEYS.names)
        order = np.lexsort((doc, key))
        key, doc, count = key[order], doc[order], count[order].astype(np.int64)
        first = np.ones(len(key), bool)
        first[1:] = key[1:] != key[:-1]
        group = np.cumsum(first) - 1
        total = np.bincount(group, weights=count, minlength=0).astype(np.int64)[group]  # exact below 2^53
        goes = total >= self.min_count
        if self.min_share:
            goes &= total >= self._limits(keys.column("source").to_numpy()[order], totals)
        columns = (key, doc, first, total)
        return pa.table([pa.array(column[goes]) for column in columns], schema=PART_VERDICTS)

    def _limits(self, sources: np.ndarray, totals: dict[str, int]) -> np.ndarray:
        known = np.array(sorted(map(int, totals)), np.uint64)
        share = Fraction(str(self.min_share))  # 7 % of 100 is 7, which 0.07 * 100 is not
        limits = np.array([ceil(share * totals[str(salt)]) for salt in known.tolist()], np.int64)
        return limits[np.searchsorted(known, sources)]

    def apply(self, docs: pa.Table, verdicts: pa.Table) -> Outcome:
        texts = prose(docs)
        spared = verdicts.column("first").to_numpy() & (self.keep == "first")
        keys = verdicts.column("key").to_numpy()
        marked = listed(texts, self._salts(docs), self.min_chars, keys, spared, self.unit)
        new, counts = without(texts, marked, self.unit)
        tallies = {f"{self.unit}s": int(counts.sum()), "bytes": bytes_out(texts, new)}
        return edited(new, counts, self._column, tallies)

    def part(self, docs: pa.Table, key: int) -> str:
        text, sought = docs.column("text"), np.array([key], np.uint64)
        marked = listed(text, self._salts(docs), self.min_chars, sought, np.zeros(1, bool), self.unit)
        others = np.arange(len(marked)) != np.argmax(marked)
        alone = without(text, others, self.unit)[0][0].as_py()
        return (alone if others.any() else text[0].as_py()).strip()
