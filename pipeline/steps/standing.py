"""Who comes first: how a corpus-wise stage numbers documents, so that of each cluster the smallest stays.

    documents of indexes (`against`)  <  of sources that may not go (`drop_from`)  <  those that may go

Within each part they stand as in the corpus: by priority of the source, source, path, row. So a cluster with a document
that may not go has its smallest such document as its label, whatever else is in it, and no phase has to look for one.
A document's number here is no more than that: it is never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.stages.base import CorpusStage
from pipeline.steps.base import Corpus
from pipeline.steps.keys import KeyFiles
from pipeline.store.files import read_json
from pipeline.store.index import Old, count, find_index, old_shards
from pipeline.store.layers import Shard
from pipeline.store.numbered import NumberedRows
from pipeline.store.place import place
from pipeline.store.step import Step

CORPUS = "corpus.json"


@dataclass(frozen=True)
class Standing:
    """What stands before the documents that may go."""

    old: tuple[Old, ...] = ()
    protected: int = 0  # documents that may not go, those of indexes included

    @property
    def new(self) -> int:
        """Number of the first document that is of no index."""
        return count(self.old)

    def to_json(self) -> dict[str, Any]:
        return {"old": [shard.to_json() for shard in self.old], "protected": self.protected}

    def keys(self, step: Step, shards: Sequence[Shard]) -> KeyFiles:
        """The keys of all documents, those of indexes included."""
        files = [shard.file("keys") for shard in self.old]
        files += [step.scratch(f"keys/{shard.key}.arrow") for shard in shards]
        return KeyFiles(files, [*(shard.base for shard in self.old), *(0 for _ in shards)])

    @contextmanager
    def notes(self, step: Step, shards: Sequence[Shard], kind: str) -> Iterator[NumberedRows | None]:
        """Notes or details of all documents, closed on leaving; None where the stage has none."""
        files = [step.scratch(f"{kind}/{shard.key}.arrow") for shard in shards]
        if not files or not files[0].exists():
            yield None
            return
        files = [*(shard.file(kind) for shard in self.old), *files]
        with NumberedRows([*self._as_shards(), *shards], files) as rows:
            yield rows

    def ids(self, shards: Sequence[Shard]) -> NumberedRows:
        """The ids of all documents."""
        files = [shard.file("ids") for shard in self.old]
        files += [Step(place(shard.source)).layer(shard.key) for shard in shards]
        return NumberedRows([*self._as_shards(), *shards], files, ["id"])

    def _as_shards(self) -> list[Shard]:
        return [Shard(shard.key, shard.folder, shard.base, shard.rows, 0) for shard in self.old]


def stand(corpus: Corpus, stage: CorpusStage) -> tuple[Corpus, Standing]:
    """The corpus as the stage numbers it. Raises ConfigError where `against` names no index that fits."""
    old = tuple(old_shards(find_index(path, stage.index_settings) for path in stage.against))
    shards = corpus.shards
    if stage.drop_from is not None:
        may_go = {folder: stage.may_go(_source(folder)) for folder in {shard.source for shard in shards}}
        shards = tuple(sorted(shards, key=lambda shard: may_go[shard.source]))  # stable
        safe = sum(shard.rows for shard in shards if not may_go[shard.source])
    else:
        safe = 0
    bases = np.cumsum([count(old), *(shard.rows for shard in shards)]).tolist()
    shards = tuple(replace(shard, base=base) for shard, base in zip(shards, bases, strict=False))
    return replace(corpus, shards=shards), Standing(old, count(old) + safe)


def _source(folder: str) -> str:
    """The name of the source that a step holds."""
    return str(Step(place(folder)).manifest()["name"]).removeprefix("source.")


def standing_of(step: Step) -> Standing:
    """What the work wrote down for its tasks."""
    told = read_json(step.scratch(CORPUS))
    return Standing(tuple(Old(**shard) for shard in told["old"]), told["protected"])


def with_new(keys: pa.Table, new: int) -> pa.Table:
    """Keys, sorted by (key, doc), without those that only documents before `new` have; the last may go on: it stays."""
    key, doc = keys.column("key").to_numpy(), keys.column("doc").to_numpy()
    ends = np.flatnonzero(np.append(key[1:] != key[:-1], True)[: len(key)])
    wanted = doc[ends] >= new
    wanted[-1:] = True
    return keys.filter(pa.array(np.repeat(wanted, np.diff(ends, prepend=-1))))
