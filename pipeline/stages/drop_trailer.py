"""Take the lines at the end of a text that are no running text: references, addresses, credits.

docs -> Outcome(columns: {text: large_string, null where unchanged; trailer_lines: int64}). Drops nothing: what stands
before a trailer is running text. What a trailer is stands in `pipeline/text/trailer.py`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.editing import bytes_out, edited, overlaid, prose
from pipeline.text.lines import without
from pipeline.text.stoplists import StopLists
from pipeline.text.trailer import trailers
from pipeline.units import Share

# By a rule, from text of each language (docs/editing.md): 0.1 where 95 % of the lines of ten words or more pass that;
# 0, any stop word at all, where 95 % hold one. In the others our lists are too short, or words too long, to tell.
_TENTH = (
    *("ak", "bm", "bn", "ca", "en", "es", "fon", "fr", "gu", "hi", "id", "ig", "lg", "ln", "ne", "nso", "ny", "pa"),
    *("pt", "rn", "sn", "st", "sw", "tn", "ts", "tw", "wo", "yo", "zh-hans", "zh-hant"),
)
_ANY = ("as", "eu", "kn", "mr", "or", "rw", "ta", "te", "ur", "vi")
SHARES = dict.fromkeys(_TENTH, 0.1) | dict.fromkeys(_ANY, 0.0)


class DropTrailer(RowStage):
    """Takes the end off a text where it is no running text any more: references, addresses, credits.

    Running text is full of stop words (the, of, and). The trailer is all that stands behind the last line of which more
    than a share of the words are stop words, if that is `min_lines` lines or more; empty lines do not count. Words are
    those of `measure`, stop words its own lists, too, but for three things: initials are none, an entry of several
    words is met nowhere, nor is in Chinese one of more than one character. A text without any line of running text
    keeps all of them. Meant for papers and reports: a poem, a list or a table at the end looks the same.

    The share is that of the document's language under `lang`, or `share` for languages that have none there; documents
    for which there is neither, or no stop-word list, stay as they are. What you write under `lang` is laid over the
    default shares: languages that you do not name keep theirs, `null` switches one off; to edit few languages, name
    them in `where`. The default shares belong to our lists, ROOTS' (0.3 for English) to its own long ones; it took off
    trailers of one line, too. Code is not touched.

        - drop_trailer
          where: {source: papers}
        - drop_trailer: {min_lines: 1, lang: {en: 0.15, fr: 0.2}}

    Writes: `text` where it changed, and `trailer_lines`, how many were taken off each document. Drops nothing. Counts
    `lines` and `bytes`.
    """

    name: ClassVar[str] = "drop_trailer"
    unicode_tables: ClassVar[bool] = True

    share: Share | None = Field(
        None, description="of a line's words, the stop words that running text passes elsewhere"
    )
    min_lines: int = Field(3, ge=1, description="lines with words that a trailer has at least")
    lang: tuple[tuple[str, Share | None], ...] = Field(
        tuple(sorted(SHARES.items())), description="language: its share; null: its documents stay as they are"
    )

    @field_validator("lang", mode="before")
    @classmethod
    def _by_language(cls, value: Any) -> Any:
        return overlaid(SHARES, value)

    @property
    def writes(self) -> tuple[str, ...]:
        return ("trailer_lines",)

    @property
    def bytes_per_text_byte(self) -> float:
        return 4.0

    def warm(self) -> None:
        texts = pa.array(["the end\nx"], pa.large_string())
        self.apply(pa.table({"text": texts, "kind": ["text"], "lang": ["en"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        texts, shares, langs = prose(docs), dict(self.lang), docs.column("lang").to_pylist()
        own = [shares.get(lang, self.share) for lang in langs]
        limits = np.array([1.0 if share is None else share for share in own])  # no line passes 1: nothing is a trailer
        new, counts = without(texts, trailers(texts, limits, self.min_lines, langs, StopLists.all()))
        return edited(new, counts, "trailer_lines", {"lines": int(counts.sum()), "bytes": bytes_out(texts, new)})
