"""Small tables of documents for tests of stages."""

from typing import Any

import pyarrow as pa

from pipeline.document import DOCUMENT


def docs(texts: list[str], kind: str = "text", lang: str | list[str] = "und", **columns: list[Any]) -> pa.Table:
    """One document a text; `columns` replace or add columns."""
    n = len(texts)
    made = {
        "id": [f"src/f#{i}" for i in range(n)],
        "source": ["src"] * n,
        "kind": [kind] * n,
        "lang_declared": [None] * n,
        "lang": [lang] * n if isinstance(lang, str) else lang,
        "text": texts,
        "meta": [None] * n,
    }
    table = pa.table({name: columns.pop(name, values) for name, values in made.items()}, schema=DOCUMENT)
    for name, values in columns.items():
        table = table.append_column(name, values if isinstance(values, pa.Array) else pa.array(values))
    return table


def texts_after(stage: Any, table: pa.Table) -> list[str]:
    """The texts as they are after the stage: null in its column means unchanged."""
    new = stage.apply(table).columns["text"].to_pylist()
    return [o if n is None else n for o, n in zip(table.column("text").to_pylist(), new, strict=True)]
