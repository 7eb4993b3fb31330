"""Take out what points at a person or opens a door, span by span, and leave everything else as it was.

docs -> Outcome(columns: {text: large_string, null where nothing was found; redacted_<kind>: int64}). Drops nothing.
What exactly is found stands in `pipeline/text/spans.py` and, with its rules and figures, in docs/redaction.md.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline.document import CODE
from pipeline.stages.base import Outcome, RowStage
from pipeline.text.spans import KINDS, USER, replaced, spans

MARKS = {kind: f"<{kind.upper()}>" for kind in KINDS}
LONGEST_MARK = 24  # bytes


class Redact(RowStage):
    """Replaces e-mail addresses, user names, IP addresses and keys by `<EMAIL>`, `<USER>`, `<IP>` and `<KEY>`; if asked
    to, phone numbers, bank accounts and payment cards by `<PHONE>`, `<IBAN>` and `<CARD>`.

    email   an address at any domain, `ana@example.com`, `ana＠例.jp` in full width, `ana (at) example dot com`;
            no shell prompts, git@host, Message-IDs, icon@2x.png
    user    @name, of three characters or more; not in code, where @ begins decorators, nor the known words behind an @
            (@param, @media, @override)
    ip      IPv4 and IPv6, unless it leads to nobody (private, loopback, documentation, multicast, a whole network), or
            it is a version or a section by what stands around it
    key     tokens of some 90 forms of known services, JSON Web Tokens, private keys, tokens that look drawn by chance,
            and what is called a secret. Digests, UUIDs, certificates, base64 and paths stay
    phone   +254 722 123456, (212) 555-0123, 020 7946 0958, Tel. 12 34 56 78: in international form, in national forms
            that are nothing else, or behind a word for a phone. Off unless asked for
    iban    with its country's length and its check digits. Off unless asked for
    card    with its issuer's range and its check digit. Off unless asked for

    Each span is replaced where it stands, nothing else changes, and doing it twice changes nothing more. The marks say
    what stood there, so a model learns that an address comes here but none in particular. ROOTS wrote `PI:EMAIL`.

    Writes: `text` where something was found, and `redacted_email` and so on, how many in each document. Drops nothing.
    Counts the same over all documents. Do it after finding duplicates, or name other `where`s for both.

        - redact
        - redact: {user: false, phone: true, marks: {email: "PI:EMAIL"}}
          where: {source: "crawl_*"}
    """

    name: ClassVar[str] = "redact"
    version: ClassVar[int] = 2
    unicode_tables: ClassVar[bool] = True

    email: bool = Field(True, description="e-mail addresses")
    ip: bool = Field(True, description="IPv4 and IPv6 addresses that may belong to someone")
    key: bool = Field(True, description="keys, tokens and passwords that look like such")
    user: bool = Field(True, description="@names; never in code")
    phone: bool = Field(False, description="phone numbers, international and national")
    iban: bool = Field(False, description="bank accounts, checked modulo 97")
    card: bool = Field(False, description="payment cards, checked by Luhn's digit")
    marks: dict[str, str] = Field({}, description='other marks than `<EMAIL>` and so on: {email: "[mail]"}')

    @field_validator("marks")
    @classmethod
    def _harmless(cls, marks: dict[str, str]) -> dict[str, str]:
        for kind, mark in marks.items():
            if kind not in KINDS:
                raise ValueError(f"{kind!r} is nothing that redact finds: name one of {', '.join(KINDS)}")
            if not 1 <= len(mark.encode()) <= LONGEST_MARK or not mark.isprintable():
                raise ValueError(f"{mark!r} for {kind}: give 1 to {LONGEST_MARK} bytes of printable characters")
            if any(c.isdigit() or c in "@＠" for c in mark):
                raise ValueError(f"{mark!r} for {kind} would itself be searched: leave out digits and @")
        return dict(sorted(marks.items()))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that are looked for."""
        return tuple(kind for kind in KINDS if getattr(self, kind))

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(f"redacted_{kind}" for kind in self.kinds)

    @property
    def bytes_per_text_byte(self) -> float:
        return 24.0  # text that is nothing but short names, and the longest marks

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["a@b.cd 1::"], pa.large_string()), "kind": ["text"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        texts = docs.column("text").combine_chunks()
        code = pc.equal(docs.column("kind"), CODE).to_numpy()
        asked = sum(1 << place for place, kind in enumerate(KINDS) if kind in self.kinds)
        found = spans(texts, np.where(code, asked & ~USER, asked).astype(np.uint8))
        counts = {kind: found[found[:, 3] == KINDS.index(kind), 0] for kind in self.kinds}
        marks = {**MARKS, **self.marks}
        columns = {"text": replaced(texts, found, [marks[kind].encode() for kind in KINDS])}
        for kind, rows in counts.items():
            columns[f"redacted_{kind}"] = pa.array(np.bincount(rows, minlength=len(texts)), pa.int64())
        return Outcome(columns=columns, tallies={kind: len(rows) for kind, rows in counts.items()})
