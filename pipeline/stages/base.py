"""What a stage is: a frozen, validated config object that turns tables into an outcome.

    docs: Table (n rows; the columns of `document.py` and the measures so far)
      -> Outcome(columns: {name: Array of n}, dropped: Table (one line a dropped row), tallies: {what: count})

A stage is pure: it opens no file, reads no clock, draws no random number. Its docstring is its help text, its
fields are its part of the config, and both go into the recipe of its step. Kept documents are those not in
`dropped`, so a stage cannot lose one in silence. `where` is applied by the runner: a stage sees only its rows.

Four kinds. **Row-wise** stages (`RowStage`) judge each document alone:  apply(docs) -> Outcome.
**Corpus-wise** stages (`CorpusStage`) need to see keys of all documents:

    observe(docs)               -> Observed(keys, notes)    each shard; docs has `doc` (uint64), the document's number
    resolve(keys, notes)        -> Resolved(edges, leaders) some keys, all rows of each, sorted by (key, doc)
    examine(docs)               -> details                  optional: only documents that have an edge
    confirm(edges, details)     -> edges                    optional: verified edges, some at a time
    about(clusters)             -> JSON                     once: what the report is told
    apply(docs, verdicts)       -> Outcome                  each shard; verdicts of its documents

Between `resolve` (or `confirm`) and `about` the runner joins the edges to clusters: of each, the document with the
smallest number stays and the others get a verdict. No phase has all keys, all edges or all verdicts in one process.
Documents that may not go (of an index, or of sources outside `drop_from`) have smaller numbers than all others.

**Part-wise** stages (`PartStage`) need keys of the parts of all documents (their lines). There are far more parts than
documents and a part may stand in millions of them, so nothing is ever held for all of them in one place:

    observe(docs)               -> Observed(keys, totals)  each shard; a key once, with the first document that has it
    decide(keys, totals)        -> verdicts                each partition: which keys of which shards' parts go
    apply(docs, verdicts)       -> Outcome                 each shard; the verdicts on keys that it observed

A shard tells each key once, however often it holds it, so a key has no more rows than there are shards, and partitions
stay even. A verdict goes back to the shard of the document that it names, which looks for the part by its key again.
There is no phase in which one process has all edges, or all verdicts.

**Span-wise** stages (`SpanStage`) compare what may begin and end anywhere, so there are about as many candidates as
bytes. Two rounds of keys keep them few: only what has a key that stands twice is told with its content.

    observe(docs)               -> keys                    each shard; a key once, with how often
    suspect(keys)               -> suspects                each partition of the keys: those that stand twice, by shard
    gather(docs, suspects)      -> Gathered(contents, copies)   each shard; each content once, and spans that repeat it
    match(contents)             -> Matched(spans, most)    each partition of the contents' keys
    cuts(docs, spans)           -> (row, begin, end)       each shard; bytes that go
    apply(docs, cuts)           -> Outcome
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from pipeline.stages.choices import Choices
from pipeline.stages.where import Where as Where

# What a stage says about each document it drops; the runner adds id, source, kind, lang, bytes, stage and an excerpt.
# A stage may leave out the nullable columns: `dropped_table` fills them.
DROPPED = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # row of `docs`
        pa.field("reason", pa.string(), nullable=False),  # one word of the stage's own: `words`, `exact_duplicate`
        pa.field("value", pa.float64()),  # the number that was measured
        pa.field("limit", pa.float64()),  # the limit that it broke
        pa.field("twin", pa.string()),  # id of the document that stayed
        pa.field("neighbour", pa.string()),  # id of the document it was matched with
        pa.field("similarity", pa.float64()),  # Jaccard with that neighbour
    ]
)

CLUSTER = "cluster"  # the column of `action: mark`: id of the first document of the cluster; null outside clusters

# What a part-wise stage decides about a key, one row for each shard that holds it.
PART_VERDICTS = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("doc", pa.uint64(), nullable=False),  # the first document of the shard that has it
        pa.field("first", pa.bool_(), nullable=False),  # it is the first document of all
        pa.field("total", pa.int64(), nullable=False),  # how often it stands in all documents, as the stage counts
    ]
)

# What a span-wise stage finds: units of a document's text, as the stage counts them, from `begin` up to `end`.
SPANS = pa.schema(
    [
        pa.field("doc", pa.uint64(), nullable=False),
        pa.field("begin", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("goes", pa.bool_(), nullable=False),  # it stood before; else it is the first of some, and stays
    ]
)
CUTS = pa.schema([("row", pa.int64()), ("begin", pa.int64()), ("end", pa.int64())])  # bytes of the text of a row
Place = tuple[int, int, int]  # minus how often, document, unit


def dropped_table(row: Any, reason: Any, **columns: Any) -> pa.Table:
    """A table of schema DROPPED from arrays or lists; `reason` may be one word for all rows."""
    row = pa.array(row, pa.int64())
    if isinstance(reason, str):
        reason = pa.array([reason] * len(row), pa.string())
    columns = {"row": row, "reason": reason, **columns}
    return pa.table(
        [_column(columns.get(f.name), f.type, len(row)) for f in DROPPED],
        schema=DROPPED,
    )


def _column(values: Any, kind: pa.DataType, length: int) -> Any:
    if values is None:
        return pa.nulls(length, kind)
    return values.cast(kind) if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, kind)


@dataclass(frozen=True)
class Outcome:
    """What a stage made of `docs`: new or replaced columns (n rows each), the dropped rows, counts of things done."""

    columns: dict[str, pa.Array] = field(default_factory=dict)
    dropped: pa.Table = field(default_factory=DROPPED.empty_table)
    tallies: dict[str, int] = field(default_factory=dict)  # summed over shards into the manifest: {"email": 12}


class Stage(BaseModel):
    """Common to all stages: a name in the config, a version of its meaning, and the columns it needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int] = 1  # raised when the same parameters would give other bytes
    unicode_tables: ClassVar[bool] = False  # Python's Unicode version goes into the recipe
    in_words: ClassVar[frozenset[str]] = frozenset()  # of the columns that it writes, those that hold no numbers
    where: Where | None = Field(None, description="beside the stage: only documents of this source, lang, kind, ...")

    def recipe_parameters(self) -> dict[str, Any]:
        """What the bytes depend on, for the recipe; a stage that holds much tells its digest."""
        return self.model_dump(mode="json")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What follows from its settings and should be said before it starts."""
        return ()

    @property
    def files(self) -> Mapping[str, Path | str]:
        """Files (or URLs) that it reads while it works, each under a name: the recipe has their digests, not their
        places."""
        return {}

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions whose version goes into the recipe, because the bytes depend on them."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns beyond a document's own that an earlier stage must have written."""
        return ()

    @property
    def writes(self) -> tuple[str, ...]:
        """Columns beyond a document's own that this stage writes."""
        return ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those of them that hold numbers: what a bound can judge."""
        return tuple(name for name in self.writes if name not in self.in_words)

    @property
    def bytes_per_text_byte(self) -> float:
        """Memory that `apply` needs at once, in bytes for each byte of the shard's text, the shard included."""
        return 4.0

    @property
    def bytes_per_document(self) -> int:
        """Memory that it needs at once for each document beside that, however short: what counts in a flood of them."""
        return 300

    def memory(self, text_bytes: int, documents: int) -> int:
        """Bytes that this stage needs for a shard of so much text in so many documents."""
        return int(self.bytes_per_text_byte * text_bytes) + self.bytes_per_document * documents

    def warm(self) -> None:
        """Compile what has to be compiled; called once in the parent before workers start."""


class RowStage(Stage):
    """A stage that judges each document alone."""

    def apply(self, docs: pa.Table) -> Outcome:
        raise NotImplementedError


@dataclass(frozen=True)
class Observed:
    """Of one shard: `keys` (columns `key` uint64 and `doc` uint64, more if wanted) and `notes`, one row a document in
    the order of `docs`, that later phases may look up by document number (a signature); None if there are none.

    `totals` are counts that `decide` of a part-wise stage gets summed over all shards."""

    keys: pa.Table
    notes: pa.Table | None = None
    totals: dict[str, int] = field(default_factory=dict)


class Notes(Protocol):
    """The notes of all shards, looked up by document number."""

    def take(self, docs: np.ndarray) -> pa.Table:
        """Notes of these documents (m,) uint64, in this order; m rows."""
        ...


@dataclass(frozen=True)
class Resolved:
    """`edges`: columns `a` and `b` (uint64), two documents each, and `similarity` (float64) if the stage measures it.

    `leaders`: rows of `keys` that are to stand before those still to come, if the last key has more of them: the
    documents that these are to be compared with. Their number must not grow with the number of rows."""

    edges: pa.Table
    leaders: pa.Table


@dataclass(frozen=True)
class Clusters:
    """What became of the edges, for `about`. Documents are numbers here; the runner writes their ids and excerpts."""

    edges: int  # a pair counts once for each lot of keys that it was found in
    sizes: list[list[int]]  # [[documents of a cluster, clusters], ...], rising
    largest: list[tuple[int, list[int]]]  # [(documents, some of them, the first ones), ...], the largest first

    @property
    def count(self) -> int:
        return sum(number for _, number in self.sizes)

    @property
    def documents(self) -> int:
        return sum(size * number for size, number in self.sizes)


class CorpusStage(Choices, Stage):
    """A stage that needs keys of all documents. See the top of this file for the phases."""

    reason: ClassVar[str]  # of every document it drops
    in_words: ClassVar[frozenset[str]] = frozenset({CLUSTER})

    def recipe_parameters(self) -> dict[str, Any]:
        return {name: value for name, value in super().recipe_parameters().items() if name not in self.PLACE}

    @property
    def index_settings(self) -> dict[str, Any]:
        """What keys and notes depend on: an index is of use to stages that agree on it."""
        chosen = {name: value for name, value in self.recipe_parameters().items() if name not in self.CHOICE}
        return {"stage": self.name, "version": self.version, **chosen}

    @property
    def bytes_to_resolve(self) -> int:
        """Memory that `resolve` and `confirm` need beside the rows and the details they are given."""
        return 0

    def observe(self, docs: pa.Table) -> Observed:
        raise NotImplementedError

    def resolve(self, keys: pa.Table, notes: Notes | None) -> Resolved:
        """Edges among documents that share a key. Rows of `keys` are sorted by (key, doc), and all rows of a key are
        there, unless they are too many for once: then the leaders of the call before stand first."""
        raise NotImplementedError

    @property
    def wants_examination(self) -> bool:
        """Whether the texts of documents with an edge are to be read again."""
        return False

    def examine(self, docs: pa.Table) -> pa.Table:
        """Details of these documents: the column `doc`, and columns of numbers or lists of them."""
        raise NotImplementedError

    def confirm(self, edges: pa.Table, details: Notes) -> pa.Table:
        """Those of some edges that hold; the details of all their documents may be in memory at once."""
        raise NotImplementedError

    def about(self, clusters: Clusters) -> dict[str, Any]:
        """For the manifest and the report; lists of documents under "clusters" are written out by the runner."""
        raise NotImplementedError

    @property
    def writes(self) -> tuple[str, ...]:
        return (CLUSTER,) if self.action == "mark" else ()

    def apply(self, docs: pa.Table, verdicts: pa.Table) -> Outcome:
        """Drops or marks the documents of `verdicts` (columns row, twin, neighbour, similarity; twins are ids by now).

        To be marked are all that are in a cluster, its first one included, which is its own twin."""
        if self.action == "mark":
            return Outcome({CLUSTER: _clusters(docs, verdicts)}, tallies={"marked": verdicts.num_rows})
        return Outcome(
            dropped=dropped_table(reason=self.reason, **{n: verdicts.column(n) for n in verdicts.column_names})
        )


def _clusters(docs: pa.Table, verdicts: pa.Table) -> pa.Array:
    """(n,) string: the twin of each document told of; others keep what a stage before said."""
    back = np.full(docs.num_rows, -1, np.int64)
    back[verdicts.column("row").to_numpy()] = np.arange(verdicts.num_rows)
    found = verdicts.column("twin").combine_chunks().cast(pa.string()).take(pa.array(back, mask=back < 0))
    if CLUSTER not in docs.column_names:
        return found
    return pc.coalesce(found, docs.column(CLUSTER).combine_chunks())


class PartStage(Stage):
    """A stage that needs keys of the parts of all documents. See the top of this file for the phases."""

    def observe(self, docs: pa.Table) -> Observed:
        """Keys of the parts, each once, sorted by `key`; `doc` is the first document that has it."""
        raise NotImplementedError

    def decide(self, keys: pa.Table, totals: dict[str, int]) -> pa.Table:
        """Verdicts (schema PART_VERDICTS) on one partition of the keys; rows of `keys` come in any order."""
        raise NotImplementedError

    def apply(self, docs: pa.Table, verdicts: pa.Table) -> Outcome:
        raise NotImplementedError

    def part(self, docs: pa.Table, key: int) -> str:
        """The part with this key in a table of one document, for the report."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gathered:
    """Of one shard: `contents` (columns `key` uint64, sorted, and what `match` needs), each content once, and `copies`
    (schema SPANS): spans that go because the shard itself holds their content before them."""

    contents: pa.Table
    copies: pa.Table


@dataclass(frozen=True)
class Matched:
    """Of one partition: `spans` (schema SPANS), and some places of what stands most often, for the report."""

    spans: pa.Table
    most: list[Place] = field(default_factory=list)


class SpanStage(Stage):
    """A stage that compares spans of all documents. See the top of this file for the phases."""

    def observe(self, docs: pa.Table) -> pa.Table:
        """Columns `key` (uint64, sorted, each once) and more."""
        raise NotImplementedError

    def suspect(self, keys: pa.Table) -> pa.Table:
        """Columns `key`, `shard` and more, from one partition of the keys with their `shard` (uint32); in any order."""
        raise NotImplementedError

    def gather(self, docs: pa.Table, suspects: pa.Table) -> Gathered:
        """`suspects` are those of this shard."""
        raise NotImplementedError

    def match(self, contents: pa.Table) -> Matched:
        """From one partition of the contents: those of a shard behind those of the shard before."""
        raise NotImplementedError

    def cuts(self, docs: pa.Table, spans: pa.Table) -> pa.Table:
        """What goes (schema CUTS, in order, disjoint), from all `spans` of these documents, in any order."""
        raise NotImplementedError

    def apply(self, docs: pa.Table, cuts: pa.Table) -> Outcome:
        raise NotImplementedError

    def window(self, docs: pa.Table, begin: int) -> tuple[int, int]:
        """The bytes of the window from a unit on, in a table of one document, for the report."""
        raise NotImplementedError
