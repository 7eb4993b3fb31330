"""Take out spans that stood before, in any document: exact, whatever their borders, the first one kept.

A window is `length` units (bytes or words) of one document. It is repeated if the same stands before it: in an earlier
document, or earlier in its own. What goes is

    the units of all repeated windows, less the units of windows that are the first of repeated ones,

less what of a character is not all in it. So of each content that stands twice the first place stays whole, and each
byte that goes is part of a window that stays whole elsewhere. Bytes are compared with bytes: hashes only say
where to look (`text/winnow.py` has the proof that they overlook nothing, `text/windows.py` compares).

observe   docs -> keys (key, times)                   runs of windows by winnowing, each key once a shard
suspect   keys -> suspects (key, shard, hot)          keys of which there are two
gather    docs, suspects -> contents, copies          the runs under these keys with their text, each text once a shard
match     contents -> spans                           windows of one key that are equal
cuts      docs, spans -> (row, begin, end)            what goes of each text

A key that stands HOT times or more would bring too much into one partition (a line of dashes): its windows are
told one by one, under the hash of all their bytes, so that no key has more rows than there are shards.

Memory: one shard with its runs, at most what `bytes_per_text_byte` says (20 bytes a byte of text at 50 bytes, if all of
it stands elsewhere), or one partition. Disk: 12 bytes for each key of a shard, and 13 if it is suspect; then, for runs
under suspects, each content once a shard, 40 bytes and the content, about 1.25 * `length`. There are some 4 / `length`
runs a byte. docs/dedup.md has measurements.
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from pipeline.stages.base import CUTS, SPANS, Gathered, Matched, Outcome, Place, SpanStage, dropped_table
from pipeline.stages.editing import EMPTIED, prose
from pipeline.text.buffers import buffers
from pipeline.text.cuts import less, sorted_spans, union, whole_characters
from pipeline.text.lines import blank
from pipeline.text.placed_words import Words, placed_words
from pipeline.text.spans import replaced
from pipeline.text.windows import content_hashes, contents, first_copies, first_of_each, found, occurrences, stretches
from pipeline.text.winnow import gram, runs

HOT = 50_000  # places of a key from which on its windows are told one by one
MOST, ENOUGH = 20, 1000  # places that a partition tells of the windows that stand most often, out of so many or more
KEYS = pa.schema([("key", pa.uint64()), ("times", pa.uint32())])
CONTENTS = pa.schema(
    [
        pa.field("key", pa.uint64()),
        pa.field("doc", pa.uint64()),
        pa.field("begin", pa.int64()),  # in units of the document
        pa.field("count", pa.int64()),  # how often it stands in the shard
        pa.field("content", pa.large_binary()),
    ]
)


class DedupSubstrings(SpanStage):
    """Takes out spans that stand somewhere before, in another document or in the same one. The first one stays.

    A span counts from `length` on: so many bytes of UTF-8 (`unit: bytes`), or so many words (`unit: words`, without
    regard to case, punctuation and layout; a character of a script without spaces is a word). Every window of that
    length is compared with every other, bytes with bytes: nothing is taken out that does not stand, whole, before it. A
    span never reaches over the border of a document, and no character is cut in two.

    `action: mask` writes `mask` in its place. Code is not touched. A document of which nothing is left is dropped with
    the reason `emptied`; one of which something went, and less than `min_left` bytes are left, with `repeated`.

        - dedup_substrings                                  # ROOTS: 50 bytes
        - dedup_substrings: {length: 100, min_left: 200}    # near the 50 tokens of Lee et al. 2022
        - dedup_substrings: {unit: words, length: 30, action: mask, mask: " "}

    Writes: `text` where it changed, and `repeated_spans`, how many were taken out of each document. Counts `spans` and
    `bytes`; the manifest shows the spans that stood most often, and the longest that went. `pipeline trace CONFIG ID`
    shows what a document lost.
    """

    name: ClassVar[str] = "dedup_substrings"

    length: int = Field(50, ge=2, le=100_000, description="units of a span from which on it counts")
    unit: Literal["bytes", "words"] = Field("bytes", description="what is counted and compared")
    action: Literal["remove", "mask"] = Field("remove", description="what becomes of a span")
    mask: str = Field("", description="what stands in place of a span, if it is masked")
    min_left: int = Field(0, ge=0, description="bytes of a document that must be left, if something went")

    @model_validator(mode="after")
    def _a_mask_where_one_is_meant(self) -> DedupSubstrings:
        if (self.action == "mask") != bool(self.mask):
            raise ValueError('`action: mask` and `mask: "..."` go together')
        return self

    @property
    def writes(self) -> tuple[str, ...]:
        return ("repeated_spans",)

    @property
    def bytes_per_text_byte(self) -> float:
        # a text of which all stands elsewhere: 170 bytes a run and 1.3 of its content (measured), beside text and words
        beyond, width, units = (2, 1, 1.0) if self.unit == "bytes" else (10, 8, 0.5)  # the shortest words: "a b c d"
        windows = self.length - gram(self.length) + 1
        return beyond + units * 2 / (windows + 1) * (170 + 1.3 * width * (self.length + windows / 2))

    def warm(self) -> None:
        text = "".join(chr(97 + i * i % 26) for i in range(99)) + " a" * self.length
        docs = pa.table({"text": pa.array([text, text], pa.large_string()), "kind": ["text"] * 2})
        docs = docs.append_column("doc", pa.array([0, 1], pa.uint64()))
        observed = self.observe(docs)
        shards = pa.array(np.zeros(observed.num_rows), pa.uint32())
        gathered = self.gather(docs, self.suspect(observed.append_column("shard", shards)))
        spans = pa.concat_tables([gathered.copies, self.match(gathered.contents).spans])
        self.apply(docs, self.cuts(docs, spans))

    def observe(self, docs: pa.Table) -> pa.Table:
        values, offsets = self._units(prose(docs))
        _, _, keys, times = runs(values, offsets, self.length)
        order = np.argsort(keys)
        first, total = _summed(keys[order], times[order])
        return pa.table([keys[order][first], np.minimum(total, 2**32 - 1).astype(np.uint32)], schema=KEYS)

    def suspect(self, keys: pa.Table) -> pa.Table:
        key, times, shard = (keys.column(name).to_numpy() for name in ("key", "times", "shard"))
        order = np.argsort(key, kind="stable")
        key = key[order]
        first, total = _summed(key, times[order])
        total = total[np.cumsum(first) - 1]
        twice = total >= 2
        return pa.table({"key": key[twice], "shard": shard[order][twice], "hot": pa.array(total[twice] >= HOT)})

    def gather(self, docs: pa.Table, suspects: pa.Table) -> Gathered:
        values, offsets = self._units(prose(docs))
        begins, windows, keys, hot = self._suspected(values, offsets, suspects)
        told = self._told_once(values, begins, begins + windows + self.length - 1, np.ones(len(begins), np.int64))
        cold, warm = (told.first[state[told.first]] for state in (~hot, hot))
        single = _places(begins[warm], windows[warm])
        ones = self._told_once(values, single, single + self.length, np.repeat(told.counts[warm], windows[warm]))
        single, counts = single[ones.first], ones.counts[ones.first]
        width = values.itemsize
        hashes = content_hashes(values.view(np.uint8), single * width, (single + self.length) * width)
        columns = (
            np.concatenate([keys[cold], hashes]),
            np.concatenate([begins[cold], single]),
            np.concatenate([windows[cold], np.ones(len(single), np.int32)]),
            np.concatenate([told.counts[cold], counts]),
        )
        doc = docs.column("doc").to_numpy()
        copies = self._placed(np.concatenate([told.copies, ones.copies]), offsets, doc)
        return Gathered(self._contents(values, offsets, doc, columns), copies)

    def _suspected(self, values: np.ndarray, offsets: np.ndarray, suspects: pa.Table) -> tuple[np.ndarray, ...]:
        """Of the runs under suspects: (m,) where each begins, its windows, its key, and whether that is hot."""
        begins, windows, keys, _ = runs(values, offsets, self.length)
        at = found(keys, suspects.column("key").to_numpy())
        known = at >= 0
        hot = suspects.column("hot").to_numpy(zero_copy_only=False)[at[known]]
        return begins[known], windows[known], keys[known], hot

    def _contents(
        self, values: np.ndarray, offsets: np.ndarray, doc: np.ndarray, columns: tuple[np.ndarray, ...]
    ) -> pa.Table:
        """Runs (their keys, begins, windows and counts) as a table of CONTENTS."""
        order = np.argsort(columns[0], kind="stable")  # equal ones stand in the order of the text
        key, begin, windows, count = (column[order] for column in columns)
        rows = np.searchsorted(offsets, begin, side="right") - 1
        width = values.itemsize
        content = contents(values.view(np.uint8), begin * width, (begin + windows + self.length - 1) * width)
        return pa.table([key, doc[rows], begin - offsets[rows], count, content], schema=CONTENTS)

    def _told_once(self, values: np.ndarray, begins: np.ndarray, ends: np.ndarray, counts: np.ndarray) -> _Told:
        width = values.itemsize
        first = first_copies(values.view(np.uint8), begins * width, ends * width)
        own = first == np.arange(len(first))
        total = np.zeros(len(first), np.int64)
        np.add.at(total, first, counts)
        return _Told(np.flatnonzero(own), total, np.stack([begins[~own], ends[~own]], axis=1))

    def _placed(self, spans: np.ndarray, offsets: np.ndarray, doc: np.ndarray) -> pa.Table:
        """Spans (m, 2) of units of all texts, as SPANS that go; those that touch are one."""
        rows = np.searchsorted(offsets, spans[:, 0], side="right") - 1
        whole = union(sorted_spans(rows, spans[:, 0] - offsets[rows], spans[:, 1] - offsets[rows]))
        return pa.table([doc[whole[:, 0]], whole[:, 1], whole[:, 2], np.ones(len(whole), bool)], schema=SPANS)

    def match(self, contents: pa.Table) -> Matched:
        contents = contents.take(pa.array(np.argsort(contents.column("key").to_numpy(), kind="stable")))
        key, doc, begin, count = (contents.column(name).to_numpy() for name in CONTENTS.names[:4])
        starts, data = buffers(contents.column("content"))
        width = 1 if self.unit == "bytes" else 8
        totals = occurrences(data, starts, key, count, self.length, width)
        windows = (starts - starts[0]) // width - np.arange(len(starts)) * (self.length - 1)
        row, first, last, goes = stretches(totals, windows, begin, self.length)
        spans = pa.table([doc[row], first, last, goes], schema=SPANS)
        return Matched(spans, _most(totals, windows, doc, begin))

    def cuts(self, docs: pa.Table, spans: pa.Table) -> pa.Table:
        texts = prose(docs)
        rows = np.searchsorted(docs.column("doc").to_numpy(), spans.column("doc").to_numpy())
        begin, end = (spans.column(name).to_numpy() for name in ("begin", "end"))
        goes = spans.column("goes").to_numpy(zero_copy_only=False)
        going, staying = (union(sorted_spans(rows[which], begin[which], end[which])) for which in (goes, ~goes))
        gone = less(going, staying)
        gone = whole_characters(texts, gone) if self.unit == "bytes" else _in_bytes(gone, placed_words(texts))
        return pa.table([gone[:, 0], gone[:, 1], gone[:, 2]], schema=CUTS)

    def apply(self, docs: pa.Table, cuts: pa.Table) -> Outcome:
        texts = prose(docs)
        spans = np.stack([*(column.to_numpy() for column in cuts.columns), np.zeros(cuts.num_rows, np.int64)], axis=1)
        bare = replaced(texts, spans, [b""])
        new = replaced(texts, spans, [self.mask.encode()]) if self.mask else bare
        counts = np.bincount(spans[:, 0], minlength=len(texts))
        gone, dropped = self._dropped(bare, counts)
        columns = {
            "text": pc.if_else(pa.array(gone), pa.scalar(None, new.type), new),
            "repeated_spans": pa.array(counts, pa.int64()),
        }
        tallies = {"spans": len(spans), "bytes": int((spans[:, 2] - spans[:, 1]).sum())}
        return Outcome(columns, dropped, tallies)

    def _dropped(self, bare: pa.Array, counts: np.ndarray) -> tuple[np.ndarray, pa.Table]:
        """(n,) bool and the lines of the ledger, from what is left of texts and how many spans each lost."""
        left = pc.binary_length(bare).fill_null(0).to_numpy()
        emptied = (counts > 0) & blank(bare)
        gone = emptied | (counts > 0) & (left < self.min_left)
        rows = np.flatnonzero(gone)
        nothing = emptied[rows]
        reason = pa.array(np.where(nothing, EMPTIED, "repeated"), pa.string())
        value = np.where(nothing, counts[rows], left[rows]).astype(np.float64)
        limit = pa.array(np.full(len(rows), self.min_left, np.float64), mask=nothing)
        return gone, dropped_table(rows, reason, value=pa.array(value), limit=limit)

    def window(self, docs: pa.Table, begin: int) -> tuple[int, int]:
        if self.unit == "bytes":
            return begin, begin + self.length
        (_, first, last), *_ = _in_bytes(np.array([[0, begin, begin + self.length]]), placed_words(docs.column("text")))
        return int(first), int(last)

    def _units(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """(m,) uint8 or uint64, what is compared of all texts, and (n + 1,) int64 where each begins in it."""
        if self.unit == "bytes":
            offsets, data = buffers(texts)
            return data, offsets
        words = placed_words(texts)
        return words.hashes, words.offsets


class _Told(NamedTuple):
    """Of m contents: which are told (the first of equal ones), how often these stand, where the others stand."""

    first: np.ndarray  # (t,) int64
    counts: np.ndarray  # (m,) int64; 0 of those that are not told
    copies: np.ndarray  # (m - t, 2) int64


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of sorted keys: (m,) bool, the first of each, and (distinct,) int64, the sum of its counts."""
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(first)
    return first, np.add.reduceat(counts.astype(np.int64), starts) if len(starts) else np.zeros(0, np.int64)


def _places(begins: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """begins[0], begins[0] + 1, ... counts[0] of them, then begins[1] and so on."""
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(begins - (ends - counts), counts)


def _most(totals: np.ndarray, windows: np.ndarray, doc: np.ndarray, begin: np.ndarray) -> list[Place]:
    """Windows that stand most often, of each document one for each number; of equals, those of the first documents."""
    rows, places = first_of_each(totals, windows)
    total = totals[windows[rows] + places]
    if len(total) > ENOUGH:  # to sort all of them would take longer than to find them
        often = np.flatnonzero(total >= np.partition(total, -ENOUGH)[-ENOUGH])
        most = _distinct(total[often], doc[rows[often]], (begin[rows] + places)[often])
        if len(most) == MOST:
            return most
    return _distinct(total, doc[rows], begin[rows] + places)


def _distinct(total: np.ndarray, doc: np.ndarray, place: np.ndarray) -> list[Place]:
    order = np.lexsort((place, doc, -total))
    total, doc, place = total[order], doc[order], place[order]
    told = np.ones(len(total), bool)
    told[1:] = (total[1:] != total[:-1]) | (doc[1:] != doc[:-1])
    columns = (column[told][:MOST].tolist() for column in (-total, doc, place))
    return list(zip(*columns, strict=True))


def _in_bytes(spans: np.ndarray, words: Words) -> np.ndarray:
    """Spans of words as spans of bytes: from the first byte of the first to the last of the last."""
    firsts = words.offsets[spans[:, 0]]
    begins, ends = words.begins[firsts + spans[:, 1]], words.ends[firsts + spans[:, 2] - 1]
    return np.stack([spans[:, 0], begins, ends], axis=1).astype(np.int64)
