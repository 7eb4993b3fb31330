"""Near duplicates: signatures, buckets, verified edges, clusters; of each cluster the first document stays.

    observe   text           -> keys (key, doc), one row a band; notes (signature), one row a document, a byte a column
    resolve   keys of a part -> edges (a, b, similarity), a < b, of documents that share a bucket and look alike
    examine   text           -> details (doc, shingles), only of documents with an edge, only for `verify: exact`
    confirm   edges          -> those whose shingle sets overlap enough
    about     clusters       -> settings, curve, sizes, the largest clusters

Disk: a document takes 8 + permutations bytes of notes and 16 * bands of keys until the step is sealed. A document
without words has no keys: it is nobody's duplicate here. Never compare all pairs of a bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.stages.base import Clusters, CorpusStage, Notes, Observed, Resolved
from pipeline.stages.near_settings import MOST_PERMUTATIONS, PERMUTATIONS, RECALL, THRESHOLD, filled
from pipeline.text.jaccard import estimated, exact, in_bytes
from pipeline.text.lsh import ROUNDS, band_keys, candidate_probability, choose_bands, linked
from pipeline.text.minhash import EMPTY, signatures
from pipeline.text.shingles import shingles

EDGES = pa.schema([("a", pa.uint64()), ("b", pa.uint64()), ("similarity", pa.float64())])
CHUNK = 131_072  # edges whose signatures are in memory at once: 32 MB at 128 permutations, each document its own

Similarity = Callable[[pa.Table, np.ndarray, np.ndarray], np.ndarray]  # rows of a table, and pairs of its rows


class Shingle(BaseModel):
    """What is compared: runs of `size` units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["auto", "words", "chars"] = Field(
        default="auto",
        description="auto: words, but characters in scripts without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar)",
    )
    size: int = Field(default=5, ge=1, le=64, description="units in a shingle; a shorter document is one shingle")


class DedupNear(CorpusStage):
    """Drop a document that is nearly another one: their sets of word 5-grams overlap by `threshold` (Jaccard) or more.

    Candidates come from MinHash signatures cut into `bands` of `rows`: a pair of similarity J is found with probability
    1 - (1 - J^rows)^bands. Clusters are transitive; of each, the first document in the order of the corpus stays: by
    priority of its source, source, path, row.

    How many bands: give `bands` and `rows` (or both as `lsh: {bands: 20, rows: 10}`), or a `recall`, the chance that a
    pair right at `threshold` is found: the most selective bands that reach it are taken. Or say whose settings:

        like         shingle        bands x rows  of    a pair at 0.7   0.8   0.9  is found with a chance of
        (none)       5 words        16 x 8        128              0.61  0.95  1.00  verified by its signature
        fineweb      5 words        14 x 8        112              0.56  0.92  1.00  not verified
        bigcode      5 words        25 x 10       256              0.51  0.94  1.00  not verified
        nemo         24 characters  20 x 13       260              0.18  0.68  1.00  not verified
        slimpajama   13 characters   9 x 13       128              0.08  0.40  0.93  not verified

    What is written beside `like` goes before it. What we do otherwise than they: case, punctuation and layout never
    count (their 13 and 24 characters have spaces among them, ours letters, digits and marks alone; datatrove also folds
    digits and accents), hashes and permutations are our own, and the document that stays is the first, not just any.

    `action: mark` drops nothing and writes the column `cluster`, by which the packer holds out whole clusters.
    `drop_from: {source: "crawl_*"}` protects all other sources: documents of a cluster with a protected one go, and
    the twin is the first protected one; among themselves they are compared too, unless `among: false`.
    `keep_index: true` keeps signatures, keys and ids of the documents that stay (a byte a permutation, 16 a band, and
    the id); `against: runs/last_month` compares with those of a run before, without reading its text. Its documents
    always stay. What it had dropped is not there: a document that is only like a dropped one stays.

        - dedup_near: {threshold: 0.85}
        - dedup_near: {like: slimpajama, verify: estimate}
        - dedup_near: {recall: 0.99, threshold: 0.8, permutations: 256}
        - dedup_near: {drop_from: {source: "crawl_*"}, against: [runs/july, runs/august], keep_index: true}
    """

    name: ClassVar[str] = "dedup_near"
    version: ClassVar[int] = 2  # 2: notes hold a byte of each column
    reason: ClassVar[str] = "near_duplicate"
    CHOICE: ClassVar[frozenset[str]] = CorpusStage.CHOICE | {"threshold", "verify"}

    like: Literal["slimpajama", "fineweb", "nemo", "bigcode"] | None = Field(
        None, description="settings by name; those written beside it go before"
    )
    threshold: float = Field(
        THRESHOLD, gt=0, le=1, description="Jaccard similarity from which on documents count as duplicates"
    )
    recall: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=f"chance to find a pair at threshold; {RECALL:g} where nothing says how many bands",
    )
    permutations: int = Field(
        PERMUTATIONS,
        ge=16,
        le=MOST_PERMUTATIONS,
        description="columns of a signature, a byte each on disk; if not given, as many as bands or recall take",
    )
    bands: int | None = Field(None, ge=1, description="the more, the more pairs are found, and needless candidates")
    rows: int | None = Field(None, ge=1, description="columns of a band; bands * rows may not pass permutations")
    verify: Literal["estimate", "exact", "none"] = Field(
        "estimate", description="candidates by their signatures, by their shingles (text is read again), or not at all"
    )
    shingle: Shingle = Shingle()
    engine: Literal["kernel", "datasketch"] = Field(
        "kernel", description="what makes the signatures: our compiled kernel, or datasketch, many times slower"
    )

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return filled(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _bands_fit(self) -> DedupNear:
        if (self.bands is None) != (self.rows is None):
            raise ValueError("bands and rows go together: give both or neither")
        bands, rows = self.cut
        if bands * rows > self.permutations:
            raise ValueError(
                f"{bands} bands of {rows} rows take {bands * rows} columns, a signature has {self.permutations}: "
                f"raise permutations to {bands * rows}, or lower one of the others"
            )
        if self.recall is not None and candidate_probability(self.threshold, bands, rows) < self.recall:
            raise ValueError(
                f"{self.permutations} permutations find no {self.recall:g} of the pairs at {self.threshold:g}: raise "
                "permutations, or lower recall"
            )
        if self.against and self.verify == "exact":
            raise ValueError(
                "an index has signatures, no shingles: with `against` write `verify: estimate`, or run over all texts"
            )
        return self

    @property
    def cut(self) -> tuple[int, int]:
        """(bands, rows) as given or as chosen."""
        if self.bands is None or self.rows is None:
            return choose_bands(self.permutations, self.threshold, self.recall or RECALL)
        return self.bands, self.rows

    @property
    def remarks(self) -> tuple[str, ...]:
        if self.recall is None:
            return ()
        bands, rows = self.cut
        found = candidate_probability(self.threshold, bands, rows)
        return (
            f"{bands} bands of {rows} rows, of {self.permutations} permutations, find {found:.1%} of the pairs at "
            f"{self.threshold:g}",
        )

    def recipe_parameters(self) -> dict[str, Any]:
        """The numbers, whatever name or recall they come from."""
        bands, rows = self.cut
        said = {name: value for name, value in super().recipe_parameters().items() if name not in ("like", "recall")}
        return {**said, "bands": bands, "rows": rows}

    @property
    def packages(self) -> tuple[str, ...]:
        return ("datasketch",) if self.engine == "datasketch" else ()

    @property
    def bytes_per_text_byte(self) -> float:
        return 10.0 if self.verify == "exact" else 6.0  # signatures and keys of documents of 500 bytes; shingles

    @property
    def bytes_per_document(self) -> int:
        bands, _ = self.cut
        return 8 * self.permutations + 32 * bands  # signature and its copy as a note; keys, and their copy when sorted

    @property
    def wants_examination(self) -> bool:
        return self.verify == "exact"

    def warm(self) -> None:
        docs = pa.table({"text": pa.array(["one two three four five six"] * 2, pa.large_string()), "doc": [0, 1]})
        docs = docs.set_column(1, "doc", docs.column("doc").cast(pa.uint64()))
        observed = self.observe(docs)
        assert observed.notes is not None
        edges = self.resolve(observed.keys, _Rows(observed.notes)).edges
        if self.wants_examination:
            self.confirm(edges, _Rows(self.examine(docs)))

    def observe(self, docs: pa.Table) -> Observed:
        made, counts = self._signatures(docs.column("text"))
        bands, rows = self.cut
        with_words = counts > 0
        keys = band_keys(made, bands, rows)[with_words]
        numbers = np.repeat(docs.column("doc").to_numpy()[with_words], bands)
        width = pa.binary(self.permutations)
        notes = pa.FixedSizeBinaryArray.from_buffers(width, len(made), [None, pa.py_buffer(in_bytes(made))])
        return Observed(pa.table({"key": keys.ravel(), "doc": numbers}), pa.table({"signature": notes}))

    def _signatures(self, texts: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        make = signatures if self.engine == "kernel" else _datasketch_signatures
        return make(texts, self.permutations, self.shingle.size, self.shingle.unit)

    @property
    def bytes_to_resolve(self) -> int:
        return 8 * CHUNK * self.permutations  # signatures of both ends, as they are read and as they are compared

    def resolve(self, keys: pa.Table, notes: Notes | None) -> Resolved:
        assert notes is not None
        key, doc = keys.column("key").to_numpy(), keys.column("doc").to_numpy()
        rounds = 1 if self.verify == "none" else ROUNDS
        found = linked(key, doc, lambda a, b: _estimates(a, b, notes), self._least_estimate(), rounds)
        last = np.full(len(found.leaders), key.max(initial=0))
        edges = pa.table([found.a, found.b, found.similarity], schema=EDGES)
        return Resolved(edges, pa.table({"key": last, "doc": found.leaders}))

    def _least_estimate(self) -> float:
        """Of a candidate; where shingles decide, three standard deviations below the threshold."""
        if self.verify == "exact":
            return self.threshold - 3 * (self.threshold * (1 - self.threshold) / self.permutations) ** 0.5
        return self.threshold if self.verify == "estimate" else 0

    def examine(self, docs: pa.Table) -> pa.Table:
        offsets, hashes = shingles(docs.column("text"), self.shingle.size, self.shingle.unit)
        return pa.table({"doc": docs.column("doc"), "shingles": pa.LargeListArray.from_arrays(offsets, hashes)})

    def confirm(self, edges: pa.Table, details: Notes) -> pa.Table:
        a, b = edges.column("a").to_numpy(), edges.column("b").to_numpy()
        similarity = _by_chunks(a, b, details, _shingle_jaccard, max(1, len(a)))
        return pa.table([a, b, similarity], schema=EDGES).filter(pa.array(similarity >= self.threshold))

    def about(self, clusters: Clusters) -> dict[str, Any]:
        bands, rows = self.cut
        curve = [(j / 50, float(candidate_probability(j / 50, bands, rows))) for j in range(51)]
        return {
            "settings": {
                "threshold": self.threshold,
                "permutations": self.permutations,
                "bands": bands,
                "rows": rows,
                "verify": self.verify,
                "recall": round(float(candidate_probability(self.threshold, bands, rows)), 4),
            },
            "curve": [[j, round(p, 6)] for j, p in curve],
            "edges": clusters.edges,
            "clusters_found": clusters.count,
            "documents_in_clusters": clusters.documents,
            "sizes": clusters.sizes,
            "clusters": [{"size": size, "documents": documents} for size, documents in clusters.largest],
        }


class _Rows:
    """Notes of a table that is in memory whole, its rows numbered from 0."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def take(self, docs: np.ndarray) -> pa.Table:
        return self.table.take(pa.array(docs.astype(np.int64)))


def _by_chunks(a: np.ndarray, b: np.ndarray, notes: Notes, similarity: Similarity, chunk: int) -> np.ndarray:
    """(m,) float64 similarity of documents a and b, with the notes of one chunk of edges in memory at a time."""
    out = np.zeros(len(a), np.float64)
    for start in range(0, len(a), chunk):
        pair = np.concatenate([a[start : start + chunk], b[start : start + chunk]])
        docs, rows = np.unique(pair, return_inverse=True)
        half = len(pair) // 2
        out[start : start + chunk] = similarity(notes.take(docs).combine_chunks(), rows[:half], rows[half:])
    return out


def _estimates(a: np.ndarray, b: np.ndarray, notes: Notes) -> np.ndarray:
    return _by_chunks(a, b, notes, _signature_jaccard, CHUNK)


def _signature_jaccard(notes: pa.Table, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    column = notes.column("signature").chunk(0)
    width = column.type.byte_width
    made = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width :][: len(column) * width]
    return estimated(made.reshape(len(column), width), a, b)


def _shingle_jaccard(details: pa.Table, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lists = details.column("shingles").chunk(0)
    return exact(lists.offsets.to_numpy(), lists.values.to_numpy(), a, b)


def _datasketch_signatures(
    texts: pa.ChunkedArray, permutations: int, size: int, unit: str
) -> tuple[np.ndarray, np.ndarray]:
    """As `minhash.signatures`, of the same shingles, by datasketch; counts are of distinct shingles."""
    from datasketch import MinHash  # here: it takes more than a second to import, and few ask for it

    offsets, hashes = shingles(texts, size, unit)
    out = np.full((len(texts), permutations), EMPTY, np.uint32)
    blank = MinHash(permutations, hashfunc=int)
    for row, (start, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        sketch = blank.copy()
        sketch.update_batch((hashes[start:stop] >> np.uint64(32)).tolist())
        out[row] = sketch.hashvalues
    return out, np.diff(offsets)
