"""Documents that hold what a model will be asked: drop them, cut it out of them, or mark them.

docs -> the n-grams of evaluation items that stand in each (text/contamination.py) -> whose they are -> Outcome

Each document is judged alone. How often an n-gram stands in the whole corpus is not known here, so it cannot count.
The only files it opens are the evaluation sets, which are part of the recipe by their digests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.errors import SeedbedError
from pipeline.stages.base import Outcome, RowStage, dropped_table
from pipeline.stages.editing import EMPTIED
from pipeline.stages.evaluation_sets import Evaluation, EvaluationSet, evaluation
from pipeline.text.contamination import LONGEST, Index, Rule, hits, hits_in
from pipeline.text.stretches import stretches
from pipeline.units import Share

CONTAMINATED, PIECES = "contaminated", "pieces"  # reasons
SHARE, ITEM, CUTS = "contamination", "contaminated_by", "contamination_cuts"  # columns
ITEMS, SETS = "item/", "set/"  # begin the names of tallies; the report reads them
BLANKS = " \t\r\n"
BETWEEN = "\n\n"  # what stands between two pieces that were not neighbours


class Decontaminate(RowStage):
    """Drops documents that hold text of evaluation sets: a run of 13 words that an item has, too.

    `against` names the sets, each as a source, with the `fields` of a record that are looked for (joined in this order;
    by default the source's text). Case, punctuation and layout do not count; each character of a script without spaces
    is a word of its own, and an item that is mostly of such characters is compared by runs of `n_characters`. An item
    of fewer than n words is compared as a whole, down to `shortest` words; shorter ones are not looked for, they would
    be found anywhere. N-grams that more than `common` items hold (the wording of a task) are no item's.

    A document is contaminated if it holds at least `share` of the different n-grams of one item; by default, any.

    `action: drop` drops it: reason `contaminated`, `twin` the item that most of is found, `value` how much, `limit` the
    share. `action: cut` takes out the n-grams with `around` characters on both sides, and what is left in pieces of
    under `min_piece` characters; a document that falls into more than `max_pieces` pieces is dropped (reason `pieces`,
    `value` how many), so is one of which nothing is left (`emptied`). Pieces are joined by a blank line. 13 words, 200
    characters, 10 pieces are those of GPT-3. `action: mark` changes nothing: look before you decide.

    Writes: `contamination` (in [0, 1], the largest share of an item that is found, 0 for none) and `contaminated_by`
    (that item, `<set>/<file>#<row>`); with `cut`, `contamination_cuts` and `text` where it changed. Counts the
    documents of each set (`set/<set>`) and of each item (`item/<item>`). A hit is told by 64-bit hashes: docs/dedup.md
    says how sure. Memory: 130 bytes an n-gram of the sets, 230 while they are read.

        - decontaminate:
            against:
              - jsonl: {name: xnli, path: "eval/xnli/*.jsonl"}
                fields: [premise, hypothesis]
              - parquet: {name: mmlu, path: "eval/mmlu/*.parquet"}
                fields: [question, choices]
    """

    name: ClassVar[str] = "decontaminate"
    in_words: ClassVar[frozenset[str]] = frozenset({ITEM})

    against: tuple[EvaluationSet, ...] = Field(description="evaluation sets: sources, with the `fields` to look for")
    action: Literal["drop", "cut", "mark"] = Field("drop", description="what happens to what is found")
    share: Share = Field(0, description="of an item's n-grams from which on it counts as found; 0: a single one")
    n: int = Field(13, ge=2, le=LONGEST, description="words in a row")
    n_characters: int = Field(26, ge=2, le=LONGEST, description="the same, for scripts without spaces")
    shortest: int = Field(8, ge=1, description="words of an item of fewer than n that is looked for as a whole")
    shortest_characters: int = Field(16, ge=1, description="the same, for scripts without spaces")
    common: int = Field(10, ge=1, description="items from more than which on an n-gram belongs to none")
    around: int = Field(200, ge=0, description="cut: characters that go on both sides of an n-gram")
    min_piece: int = Field(200, ge=1, description="cut: characters of the shortest piece that stays")
    max_pieces: int = Field(10, ge=1, description="cut: pieces from more than which on the document is dropped")

    @field_validator("against")
    @classmethod
    def _named_once(cls, value: tuple[EvaluationSet, ...]) -> tuple[EvaluationSet, ...]:
        names = [one.source.name for one in value]
        if not names:
            raise ValueError("names no set: [{jsonl: {name: xnli, path: eval/xnli.jsonl}}]")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two sets are named {twice[0]!r}; what is found is told by name, so name each once")
        return value

    @model_validator(mode="after")
    def _read(self) -> Decontaminate:
        try:
            self._evaluation()
        except SeedbedError as error:
            raise ValueError(f"{error.message}; {error.hint}") from error
        return self

    def _evaluation(self) -> Evaluation:
        rule = Rule(self.n, self.n_characters, self.shortest, self.shortest_characters, self.common)
        return evaluation(self.against, rule)

    @property
    def files(self) -> dict[str, Path | str]:
        return {name: url for one in self.against for name, url in one.files.items()}

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(sorted({name for one in self.against for name in one.source.packages}))

    def recipe_parameters(self) -> dict[str, Any]:
        made = self._evaluation()
        told = [{**one.parameters(), "looked_for": made.about(i)} for i, one in enumerate(self.against)]
        return {**self.model_dump(mode="json", exclude={"against"}), "against": told}

    @property
    def writes(self) -> tuple[str, ...]:
        return (SHARE, ITEM, CUTS) if self.action == "cut" else (SHARE, ITEM)

    @property
    def bytes_per_text_byte(self) -> float:
        return 24.0  # a shard that is one text of one-letter words, each of them a hit

    def memory(self, text_bytes: int, documents: int) -> int:
        made = self._evaluation()
        to_make_it = 100 * int(made.index.grams.sum())
        return super().memory(text_bytes, documents) + made.nbytes + to_make_it

    def warm(self) -> None:
        index = self._evaluation().index
        text = pa.array(["a"], pa.large_string())
        hits_in(text, index, int(hits(text, index)[0]))
        stretches(text, np.zeros(1, np.int64), np.zeros(1, np.int64), 1)

    def apply(self, docs: pa.Table) -> Outcome:
        made = self._evaluation()
        texts = docs.column("text").combine_chunks()
        counts = hits(texts, made.index)
        rows = np.flatnonzero(counts)
        findings = [_found(texts.slice(row, 1), made.index, int(counts[row]), self.share) for row in rows.tolist()]
        columns = {
            SHARE: _column(len(texts), rows, [f.value for f in findings], pa.float64(), 0.0),
            ITEM: _column(len(texts), rows, [made.names[f.item].as_py() for f in findings], pa.string()),
        }
        guilty = [(row, found) for row, found in zip(rows.tolist(), findings, strict=True) if len(found.items)]
        tallies = _tallies(made, [name.source.name for name in self.against], [found for _, found in guilty])
        if self.action == "mark":
            return Outcome(columns, tallies=tallies)
        if self.action == "drop":
            at, values = [row for row, _ in guilty], [found.value for _, found in guilty]
            twins = made.names.take(pa.array([found.item for _, found in guilty], pa.int64()))
            limits = [float(self.share)] * len(guilty)
            return Outcome(columns, dropped_table(at, CONTAMINATED, value=values, limit=limits, twin=twins), tallies)
        return self._cut(texts, made, guilty, columns, tallies)

    def _cut(
        self,
        texts: pa.Array,
        made: Evaluation,
        guilty: list[tuple[int, Found]],
        columns: dict[str, pa.Array],
        tallies: dict[str, int],
    ) -> Outcome:
        cuts = [_pieces(texts.slice(row, 1), *found.runs, self.around) for row, found in guilty]
        rows = [row for row, _ in guilty]
        kept = [_joined(pieces, self.min_piece) for pieces, _ in cuts]
        gone = [_verdict(len(pieces), text, self.max_pieces) for (pieces, _), text in zip(cuts, kept, strict=True)]
        stays = [i for i, reason in enumerate(gone) if reason is None]
        new = _column(len(texts), [rows[i] for i in stays], [kept[i] for i in stays], pa.large_string())
        dropped = [i for i, reason in enumerate(gone) if reason is not None]
        table = dropped_table(
            [rows[i] for i in dropped],
            pa.array([gone[i] for i in dropped], pa.string()),
            value=[float(len(cuts[i][0]) if gone[i] == PIECES else cuts[i][1]) for i in dropped],
            limit=[float(self.max_pieces) if gone[i] == PIECES else None for i in dropped],
            twin=made.names.take(pa.array([guilty[i][1].item for i in dropped], pa.int64())),
        )
        columns[CUTS] = _column(len(texts), rows, [n for _, n in cuts], pa.int64(), 0)
        return Outcome({**columns, "text": new}, table, {**tallies, "cuts": sum(n for _, n in cuts)})


@dataclass(frozen=True)
class Found:
    """What one document holds: the item that most of is found, how much of it, and all items found from `share` on,
    with the runs of words that are theirs: firsts and lasts, (k,) int64 each."""

    item: int
    value: float
    items: np.ndarray
    runs: tuple[np.ndarray, np.ndarray]


def _found(text: pa.Array, index: Index, count: int, share: float) -> Found:
    places, entries = hits_in(text, index, count)
    different = np.unique(entries)
    holders, of_entry = _holders(index, different)
    items, found = np.unique(holders, return_counts=True)
    shares = found / index.grams[items]
    best = int(np.argmax(shares))  # of equals, the first item
    over = items[shares >= share]
    counts = different[np.unique(of_entry[np.isin(holders, over)])]
    theirs = np.isin(entries, counts)
    return Found(int(items[best]), float(shares[best]), over, _runs(places[theirs], index.sizes[entries[theirs]]))


def _holders(index: Index, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The items that hold each of these entries, and beside each which of the entries it is."""
    begins, many = index.starts[entries], np.diff(index.starts)[entries]
    of_entry = np.repeat(np.arange(len(entries)), many)
    within = np.arange(len(of_entry)) - np.repeat(np.cumsum(many) - many, many)
    return index.items[np.repeat(begins, many) + within], of_entry


def _runs(places: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last words of runs, joined where they overlap or follow each other; `places` rise."""
    if not len(places):
        return places, places
    ends = np.maximum.accumulate(places + sizes)  # behind the last word
    begins = np.append(True, places[1:] > ends[:-1])
    return places[begins], ends[np.append(begins[1:], True)] - 1


def _pieces(text: pa.Array, firsts: np.ndarray, lasts: np.ndarray, around: int) -> tuple[list[bytes], int]:
    """What stands between the stretches that are cut out, without what is nothing, and how many these are."""
    data = text[0].as_buffer().to_pybytes()
    begins, ends = stretches(text, firsts, lasts, around)
    bounds = zip([0, *ends.tolist()], [*begins.tolist(), len(data)], strict=True)
    return [data[begin:end] for begin, end in bounds if end > begin], len(begins)


def _joined(pieces: list[bytes], least: int) -> str:
    """The pieces of `least` characters or more."""
    return BETWEEN.join(piece for piece in map(bytes.decode, pieces) if len(piece) >= least)


def _verdict(pieces: int, text: str, most: int) -> str | None:
    if pieces > most:
        return PIECES
    return None if text.strip(BLANKS) else EMPTIED


def _column(length: int, rows: Any, values: list[Any], kind: pa.DataType, other: Any = None) -> pa.Array:
    """(length,) `values` at `rows`, `other` elsewhere."""
    where = np.full(length, len(values), np.int64)
    where[rows] = np.arange(len(values))
    return pa.array([*values, other], kind).take(pa.array(where))


def _tallies(made: Evaluation, names: list[str], findings: list[Found]) -> dict[str, int]:
    """In how many documents each item was found, and each set."""
    items, sets = Counter[int](), Counter[int]()
    for found in findings:
        items.update(found.items.tolist())
        sets.update(np.unique(made.sets[found.items]).tolist())
    told = {f"{ITEMS}{made.names[item].as_py()}": n for item, n in items.items()}
    return {"documents": len(findings), **{f"{SETS}{names[one]}": n for one, n in sets.items()}, **told}
