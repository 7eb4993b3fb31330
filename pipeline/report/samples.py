"""Samples of what was dropped, for a human to look through: the same ones each time, whatever the shards.

    step folder, 12 -> {reason: [{id, source, lang, bytes, value, limit, twin, …, excerpt}, at most 12]}

Chance is a coin of the document's id. For each reason the languages take turns, each with its smallest coins, so that
a large language does not hide the small ones. One ledger file is in memory at a time, and of it only ids, reasons and
languages; whole rows are read of the files that hold a sample. It must never hold all ledgers at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.digest import coins
from pipeline.store.files import read_table
from pipeline.store.ledger import LEDGER
from pipeline.store.step import Step

SEED = 0
BY_LANGUAGE = 3  # of one language and reason, at most
SHOWN = [name for name in LEDGER.names if name not in ("stage", "reason", "kind")]

Place = tuple[int, str, str, int]  # coin, id, ledger file, row


def sample(step: Step, files: Iterable[str], most: int) -> dict[str, list[dict[str, Any]]]:
    """At most `most` samples a reason from the ledgers of a step. `files` are the names in its manifest.

    Raises InputError where a ledger is damaged or gone."""
    smallest: dict[tuple[str, str], list[Place]] = {}
    for name in sorted(f for f in files if f.startswith("ledger/")):
        for key, places in _smallest(step.folder / name, name, most).items():
            smallest[key] = sorted(smallest.get(key, []) + places)[: _enough(key[1], most)]
    chosen = {reason: _take_turns(places, most) for reason, places in _by_reason(smallest).items()}
    rows = _rows(step, [place for places in chosen.values() for place in places])
    return {reason: [rows[place[2:]] for place in places] for reason, places in sorted(chosen.items())}


def _enough(lang: str, most: int) -> int:
    """Samples of one reason and language; what could not be read has no language and takes no turns."""
    return BY_LANGUAGE if lang else most


def _smallest(path: Path, name: str, most: int) -> dict[tuple[str, str], list[Place]]:
    """The smallest coins of each (reason, language) of one ledger."""
    table = read_table(path, ["id", "reason", "lang"])
    ids = table.column("id").to_pylist()
    tosses = coins(SEED, ids)
    reasons, langs = (
        pc.fill_null(table.column(n), "").combine_chunks().dictionary_encode() for n in ("reason", "lang")
    )
    codes = reasons.indices.to_numpy().astype(np.int64) * (len(langs.dictionary) + 1) + langs.indices.to_numpy()
    order = np.lexsort((tosses, codes))
    begins = np.flatnonzero(np.diff(codes[order], prepend=-1))
    out = {}
    for begin, end in pairwise([*begins.tolist(), len(order)]):
        first = order[begin]
        key = (reasons[first].as_py(), langs[first].as_py())
        rows = order[begin : min(end, begin + _enough(key[1], most))].tolist()
        out[key] = [(int(tosses[row]), ids[row], name, row) for row in rows]
    return out


def _by_reason(smallest: dict[tuple[str, str], list[Place]]) -> dict[str, list[list[Place]]]:
    """reason -> one list of places a language, smallest coin first."""
    out: dict[str, list[list[Place]]] = {}
    for (reason, _), places in sorted(smallest.items()):
        out.setdefault(reason, []).append(places)
    return out


def _take_turns(languages: list[list[Place]], most: int) -> list[Place]:
    """The first of each language, then the second of each, …; within a turn the smallest coin first."""
    turns = [(turn, place) for places in languages for turn, place in enumerate(places)]
    return [place for _, place in sorted(turns)[:most]]


def _rows(step: Step, places: list[Place]) -> dict[tuple[str, int], dict[str, Any]]:
    """(file, row) -> what the ledger says there."""
    out: dict[tuple[str, int], dict[str, Any]] = {}
    for name in sorted({place[2] for place in places}):
        rows = sorted({place[3] for place in places if place[2] == name})
        table = read_table(step.folder / name).select(SHOWN).take(pa.array(rows))
        out |= {(name, row): _finite(found) for row, found in zip(rows, table.to_pylist(), strict=True)}
    return out


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
