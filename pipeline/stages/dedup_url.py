"""Drop all but the first of the documents that come from the same address.

observe: docs -> keys (key, key2, doc), a 128-bit fingerprint of each address; none for documents without one
resolve, settle: in `first_stays.py`

Reads `meta` alone, never the text. What one address is stands in `pipeline/text/urls.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.stages.base import Observed
from pipeline.stages.first_stays import KEYS, FirstStays
from pipeline.text.exact import fingerprints
from pipeline.text.urls import one_spelling

FIELDS = ("url", "source_url", "URL", "warc_url", "WARC-Target-URI", "canonical_url", "link")


class DedupUrl(FirstStays):
    """Drops documents that come from an address that stood before, in the order of the sources; the first one stays.

    The address is a text in `meta`: `field` names it, with dots into objects (`crawl.url`); by default the first there
    is of url, source_url, URL, warc_url, WARC-Target-URI, canonical_url, link. A document without one passes,
    and so does one whose address names no host (`mailto:`, `data:`).

    Two addresses are one if they differ in scheme (http, https), `www.`, letter case of the host, the scheme's port,
    slashes at the end, fragment or query. Where a query tells pages apart (`index.php?id=7`), name what counts of it
    with `parameters: [id]`, or let all of it count with `query: true`.

    The ledger names the twin that stayed. Reason: `same_url`. Memory and disk: 24 bytes a document.

        - dedup_url
        - dedup_url: {field: WARC-Target-URI, parameters: [id]}
          where: {source: "crawl_*"}
    """

    name: ClassVar[str] = "dedup_url"
    version: ClassVar[int] = 2  # 2: mailto: and its like are no addresses
    reason: ClassVar[str] = "same_url"
    unicode_tables: ClassVar[bool] = True  # hosts in any script are folded

    field: str | None = Field(
        None, description="where in `meta` the address stands; default: the first there is of a few"
    )
    query: bool = Field(False, description="the query counts")
    parameters: tuple[str, ...] = Field((), description="parameters of the query that count")

    @field_validator("parameters")
    @classmethod
    def _sorted(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _one_rule(self) -> DedupUrl:
        if self.query and self.parameters:
            raise ValueError("query: all of it counts, so `parameters` would do nothing; leave one of them out")
        return self

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    @property
    def bytes_per_document(self) -> int:
        return 4000  # `meta` and what it is as Python objects; longer ones are read one by one

    def warm(self) -> None:
        fingerprints(pa.array(["a"], pa.large_string()), "nothing")

    def observe(self, docs: pa.Table) -> Observed:
        found = [self.address(meta) for meta in docs.column("meta").to_pylist()]
        rows = np.array([row for row, address in enumerate(found) if address], np.int64)
        addresses = pa.array([address for address in found if address], pa.large_string())
        key, key2 = fingerprints(addresses, "nothing")
        return Observed(pa.table([key, key2, docs.column("doc").take(pa.array(rows))], schema=KEYS))

    def address(self, meta: str | None) -> str | None:
        """The one spelling of the address in a document's `meta`; None or empty where there is none."""
        value = _parsed(meta)
        names = FIELDS if self.field is None else (self.field,)
        found = next((url for name in names if isinstance(url := _at(value, name), str) and url.strip()), None)
        return one_spelling(found, None if self.query else self.parameters) if found is not None else None


def _parsed(meta: str | None) -> Any:
    try:
        return orjson.loads(meta) if meta else None
    except orjson.JSONDecodeError:
        return None  # a foreign table may hold anything in its column `meta`


def _at(value: Any, name: str) -> Any:
    """`value[name]`, or `value[a][b]` where the name is `a.b`; None where there is no such thing."""
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    head, _, rest = name.partition(".")
    return _at(value.get(head), rest) if rest else None
