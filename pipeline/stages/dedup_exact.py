"""Drop all but the first of the documents whose texts are the same.

observe: docs -> keys (key, key2, doc), a 128-bit fingerprint of each text
resolve, settle: in `first_stays.py`

Never compares texts: `pipeline/text/exact.py` says how unlikely two different texts with one fingerprint are.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from pipeline.stages.base import Observed
from pipeline.stages.first_stays import KEYS, FirstStays
from pipeline.text.exact import fingerprints


class DedupExact(FirstStays):
    """Drops documents whose text stood before, in the order of the sources; the first one stays.

    Texts are the same if they differ in white space only. With `ignore: nothing` every byte must be equal; with
    `ignore: whitespace_and_digits_punctuation` digits, punctuation and symbols do not count either, as in ROOTS. Case
    always counts. A text of which nothing would be left is compared byte by byte.

    Texts are compared by 128-bit fingerprints: among a billion documents, the chance that any is taken for another that
    it is not is 1.5e-21. Memory and disk: 24 bytes a document.

    The ledger names the twin that stayed. Reason: `exact_duplicate`.

        - dedup_exact
        - dedup_exact: {ignore: whitespace_and_digits_punctuation}
    """

    name: ClassVar[str] = "dedup_exact"
    reason: ClassVar[str] = "exact_duplicate"
    unicode_tables: ClassVar[bool] = True

    ignore: Literal["nothing", "whitespace", "whitespace_and_digits_punctuation"] = Field(
        "whitespace", description="what does not count"
    )

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    def warm(self) -> None:
        fingerprints(pa.array(["a"], pa.large_string()), self.ignore)

    def observe(self, docs: pa.Table) -> Observed:
        key, key2 = fingerprints(docs.column("text"), self.ignore)
        return Observed(pa.table([pa.array(key), pa.array(key2), docs.column("doc")], schema=KEYS))
