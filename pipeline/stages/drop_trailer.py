"""Take the lines at the end of a text that are no running text: references, addresses, credits.

docs -> Outcome(columns: {text: large_string, null where unchanged; trailer_lines: int64}). Drops nothing: what stands
before a trailer is running text. What a trailer is stands in `pipeline/text/trailer.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.editing import bytes_out, edited, prose
from pipeline.text.languages import canonical
from pipeline.text.lines import without
from pipeline.text.stoplists import StopLists
from pipeline.text.trailer import trailers
from pipeline.units import Share


class DropTrailer(RowStage):
    """Takes the end off a text where it is no running text any more: references, addresses, credits.

    Running text is full of stop words (the, of, and). The trailer is all that stands behind the last line of which more
    than `share` of the words are stop words, if that is `min_lines` lines or more; empty lines do not count. Words and
    stop words are those of `measure`. A text without any line of running text keeps all of them, as do texts in
    languages without a stop list. Meant for papers and reports: a poem, a list or a table at the end looks the same.

    `lang` has shares of their own for some languages. ROOTS' shares (0.3 for English, 0.4 for Spanish) belong to its
    own long lists. Code is not touched.

        - drop_trailer
          where: {source: papers}
        - drop_trailer: {share: 0.15, min_lines: 3, lang: {fr: 0.2}}

    Writes: `text` where it changed, and `trailer_lines`, how many were taken off each document. Drops nothing. Counts
    `lines` and `bytes`.
    """

    name: ClassVar[str] = "drop_trailer"
    unicode_tables: ClassVar[bool] = True

    share: Share = Field(0.1, description="of a line's words, the share of stop words that running text passes")
    min_lines: int = Field(1, ge=1, description="lines with words that a trailer has at least")
    lang: tuple[tuple[str, Share], ...] = Field((), description="language: a share of its own")

    @field_validator("lang", mode="before")
    @classmethod
    def _by_language(cls, value: Any) -> Any:
        pairs = list(value.items()) if isinstance(value, Mapping) else value
        if not isinstance(pairs, list | tuple):
            return value
        return sorted((canonical(str(lang)), share) for lang, share in pairs)

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
        limits = np.array([shares.get(lang, self.share) for lang in langs], np.float64)
        new, counts = without(texts, trailers(texts, limits, self.min_lines, langs, StopLists.all()))
        return edited(new, counts, "trailer_lines", {"lines": int(counts.sum()), "bytes": bytes_out(texts, new)})
