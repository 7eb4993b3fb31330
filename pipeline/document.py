"""What a document is: one Arrow row, the same columns from the first step to the last.

id             string        `<source>/<path in the source>#<row>`, its name for life
source         string        name of the source in the config
kind           string        `text` or `code`
lang_declared  string        what the source says (BCP-47, or the programming language); null where it says nothing
lang           string        what was found; as declared until `identify` has run; `und` where nobody knows
text           large_string  UTF-8
meta           string        JSON as it came, null where there is none

Stages add columns of numbers (measures) beside these. Documents have one order, on which every tie is decided: by
(priority of the source, source name, path, row). A document's `doc` is its place in that order, counted before anything
was dropped; it is computed on reading, never stored.
"""

from __future__ import annotations

import pyarrow as pa

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("lang_declared", pa.string()),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("meta", pa.string()),
    ]
)

TEXT, CODE = "text", "code"  # the two kinds
UNDETERMINED = "und"


def document_id(source: str, path: str, row: int) -> str:
    """The name for life of row `row` of `path`; rows count what stands in the file, readable or not."""
    return f"{source}/{path}#{row}"
