"""The life of one document: where it came from, what each step did to it, and where its tokens are, or why it is gone.

trace(planned, "udhr/zu#12") -> Life(events=[Event(step, what, detail)], text)
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.document import DOCUMENT
from pipeline.errors import InputError
from pipeline.plan import Planned
from pipeline.steps.source import shards_of
from pipeline.store.files import legible, read_table
from pipeline.store.layers import KEPT, Shard, overlay, read_shard
from pipeline.store.ledger import LEDGER

SHOWN, EXCERPT = 5, 80  # lines that an edit took out, and characters of each


@dataclass
class Life:
    """What happened to a document, step by step; `text` is what it was when it was last seen."""

    id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    text: str | None = None

    def add(self, step: Planned, what: str, **detail: Any) -> None:
        self.events.append({"step": step.step.folder.name, "what": what, **detail})


def trace(planned: Sequence[Planned], identity: str) -> Life:
    """Follows a document through all sealed steps. Raises InputError when no source holds it."""
    life = Life(identity)
    sources = [p for p in planned if p.kind == "source" and p.step.sealed]
    for source in sources:
        if identity.startswith(f"{source.settings.name}/"):
            for shard in shards_of(source.step, source.settings.name, 0):
                with legible(f"tracing {identity!r} in shard {shard.key}"):
                    if _begin(life, source, shard):
                        _follow(life, planned, shard)
                        return life
    raise InputError(f"no document {identity!r}", _hint(sources, identity))


def _hint(sources: Sequence[Planned], identity: str) -> str:
    """What the id was to be: one that ends alike, or how many records the file has, or how ids are made."""
    if "#" in identity and (like := _ending_alike(sources, identity)):
        return f"did you mean {like!r}?"
    path = identity.rpartition("#")[0]
    if path and (rows := _rows_of(sources, path)):
        return f"{path} has {rows:,} records: rows 0 to {rows - 1}"
    names = ", ".join(source.settings.name for source in sources) or "none that has been read"
    hint = f"ids are <source>/<path>#<row>; sources: {names}"
    return hint if "#" in identity else f"{hint}; try {identity}#0"


def _ids(sources: Sequence[Planned]) -> Iterator[pa.ChunkedArray]:
    """Ids of what was read and of what could not be, shard by shard."""
    for source in sources:
        for shard in shards_of(source.step, source.settings.name, 0):
            yield read_shard(shard, [], ["id"]).column("id")
            yield read_table(source.step.ledger(shard.key)).column("id")


def _ending_alike(sources: Sequence[Planned], identity: str) -> str | None:
    """The first id that is this one with more in front: a source, a folder."""
    for ids in _ids(sources):
        at = pc.index(pc.ends_with(ids, f"/{identity}"), True).as_py()
        if at >= 0:
            return str(ids[at])
    return None


def _rows_of(sources: Sequence[Planned], path: str) -> int:
    """Records of one file: one more than the last row that an id names."""
    rows = 0
    for ids in _ids(sources):
        of_path = ids.filter(pc.starts_with(ids, f"{path}#"))
        rows = max([rows, *(int(identity.rpartition("#")[2]) + 1 for identity in of_path.to_pylist())])
    return rows


def _begin(life: Life, source: Planned, shard: Shard) -> bool:
    docs = read_shard(shard, [], ["id"])
    if pc.index(docs.column("id"), life.id).as_py() >= 0:
        row = _row(read_shard(shard, []), life.id)
        life.text = row.pop("text")
        life.add(
            source,
            "read",
            bytes=len(life.text.encode()),
            **{k: row[k] for k in ("kind", "lang_declared", "lang", "meta")},
        )
        return True
    if gone := _gone(source, shard, life.id):
        life.add(source, "unreadable", **gone)
        return True
    return False


def _gone(step: Planned, shard: Shard, identity: str) -> dict[str, Any] | None:
    """The document's row in the ledger of this step, without what says nothing."""
    ledger = read_table(step.step.ledger(shard.key))
    rows = ledger.filter(pc.equal(ledger.column("id"), identity)).to_pylist()
    return (
        {k: v for k, v in rows[0].items() if v is not None and k in LEDGER.names and k not in ("id", "source", "kind")}
        if rows
        else None
    )


def _row(docs: pa.Table, identity: str) -> dict[str, Any]:
    rows = docs.filter(pc.equal(docs.column("id"), identity)).to_pylist()
    return rows[0] if rows else {}


def _follow(life: Life, planned: Sequence[Planned], shard: Shard) -> None:
    if life.events[-1]["what"] == "unreadable":
        return
    docs = read_shard(shard, [])
    for step in takewhile(lambda p: p.step.sealed, (p for p in planned if p.kind in ("row", "corpus", "encode"))):
        layer = read_table(step.step.layer(shard.key))
        if gone := _gone(step, shard, life.id) if step.kind != "encode" else None:
            life.add(step, "dropped", **gone)
            return
        before = _row(docs, life.id)
        docs = overlay(docs, layer)
        _say_change(life, step, before, _row(docs, life.id), [n for n in layer.column_names if n != KEPT])
    for step in [p for p in planned if p.kind == "packed" and p.step.sealed]:
        _find_rows(life, step)


def _say_change(life: Life, step: Planned, before: dict[str, Any], after: dict[str, Any], names: Sequence[str]) -> None:
    if step.kind == "encode":
        life.add(step, "encoded", tokens=len(after["tokens"]))
        return
    changed = {n: after[n] for n in names if n != "text" and (n not in DOCUMENT.names or after[n] != before.get(n))}
    if after["text"] != before["text"]:
        changed = {"text_bytes": f"{len(before['text'].encode())} -> {len(after['text'].encode())}", **changed}
        changed |= _lost(before["text"].split("\n"), after["text"].split("\n"))
        life.text = after["text"]
    moved = {"text_bytes", *DOCUMENT.names} & changed.keys()
    life.add(step, "changed" if moved else "measured" if any(changed.values()) else "kept", **changed)


def _lost(before: Sequence[str], after: Sequence[str]) -> dict[str, Any]:
    """How many lines an edit took out or changed, and the beginnings of the first of them. Blanks do not count."""
    left = Counter(map(_spoken, after))
    lost = []
    for line in before:
        said = _spoken(line)
        left[said] -= 1
        if left[said] < 0 and said:
            lost.append(line[:EXCERPT])
    return {"lines_lost": len(lost), "lost": lost[:SHOWN]} if lost else {}


def _spoken(line: str) -> str:
    """A line without what `normalize` may spell in another way: kinds of blanks, compatibility forms."""
    return "".join(unicodedata.normalize("NFKC", line).split())


def _find_rows(life: Life, step: Planned) -> None:
    """The packed rows in which its tokens stand."""
    for name in step.step.manifest()["files"]:
        if not name.endswith(".arrow"):
            continue
        table = read_table(step.step.folder / name).select(["doc_ids", "starts", "doc_offsets"])
        ids = table.column("doc_ids").combine_chunks()
        if pc.index(ids.flatten(), life.id).as_py() < 0:
            continue
        for row, pieces in enumerate(ids.to_pylist()):
            for piece, identity in enumerate(pieces):
                if identity == life.id:
                    starts, offsets = table.column("starts")[row].as_py(), table.column("doc_offsets")[row].as_py()
                    life.add(step, "packed", file=name, row=row, at=starts[piece], from_token=offsets[piece])
