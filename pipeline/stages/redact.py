"""Take out what points at a person or opens a door, span by span, and leave everything else as it was.

docs -> Outcome(columns: {text: large_string, null where nothing was found; redacted_<kind>: int64}). Drops nothing.
What exactly is found stands in `pipeline/text/spans.py`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.document import CODE
from pipeline.stages.base import Outcome, RowStage
from pipeline.text.spans import KINDS, USER, replaced, spans

MARKS = {"email": "<EMAIL>", "user": "<USER>", "ip": "<IP>", "key": "<KEY>"}


class Redact(RowStage):
    """Replaces e-mail addresses, user names, IP addresses and keys by `<EMAIL>`, `<USER>`, `<IP>` and `<KEY>`.

    email   an address, at any domain
    user    @name, of three characters or more; not in code, where @ begins decorators
    ip      IPv4 and IPv6, unless it leads to nobody: private, loopback, documentation, multicast stay
    key     tokens of known services, private keys, and tokens that look drawn by chance: 24 to 256 characters with
            upper case, lower case and digits in quick change. Hexadecimal digests, UUIDs and paths stay

    Each span is replaced where it stands, nothing else changes. The marks say what stood there, so a model learns that
    an address comes here but none in particular; they are plain ASCII, hold none of what is searched for, and count
    alike in every language. Versions of four numbers (1.2.3.4) are taken for IP addresses: safer so.

    Writes: `text` where something was found, and `redacted_email` and so on, how many in each document. Drops nothing.
    Counts the same over all documents. Do it after finding duplicates, or name other `where`s for both.

        - redact
        - redact: {user: false}
          where: {source: "crawl_*"}
    """

    name: ClassVar[str] = "redact"
    unicode_tables: ClassVar[bool] = True

    email: bool = Field(True, description="e-mail addresses")
    ip: bool = Field(True, description="IPv4 and IPv6 addresses that may belong to someone")
    key: bool = Field(True, description="keys, tokens and passwords that look like such")
    user: bool = Field(True, description="@names; never in code")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that are looked for."""
        return tuple(kind for kind in KINDS if getattr(self, kind))

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(f"redacted_{kind}" for kind in self.kinds)

    @property
    def bytes_per_text_byte(self) -> float:
        return 16.0  # text that is nothing but short addresses

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["a@b.cd 1::"], pa.large_string()), "kind": ["text"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        texts = docs.column("text").combine_chunks()
        code = pc.equal(docs.column("kind"), CODE).to_numpy()
        asked = sum(1 << place for place, kind in enumerate(KINDS) if kind in self.kinds)
        found = spans(texts, np.where(code, asked & ~USER, asked).astype(np.uint8))
        counts = {kind: found[found[:, 3] == KINDS.index(kind), 0] for kind in self.kinds}
        columns = {"text": replaced(texts, found, [MARKS[kind].encode() for kind in KINDS])}
        for kind, rows in counts.items():
            columns[f"redacted_{kind}"] = pa.array(np.bincount(rows, minlength=len(texts)), pa.int64())
        return Outcome(columns=columns, tallies={kind: len(rows) for kind, rows in counts.items()})
