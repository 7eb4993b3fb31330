"""Take lines out of texts that hold certain strings (code, templates), or that stood above in the same text.

docs -> Outcome(columns: {text: large_string, null where unchanged; dropped_lines: int64}, dropped: emptied documents).
Never looks at other documents: that is `dedup_lines`. What a line is stands in `pipeline/text/lines.py`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.editing import bytes_out, edited, prose
from pipeline.text.lines import holding, line_starts, repeated, without

CODE_IN_PROSE = ("<script", "[if", "{", "}")  # ROOTS, clean.py: remove_lines_with_code; sorted, as a config's are


class DropLines(RowStage):
    """Takes out lines that hold one of some strings; by default those of ROOTS that betray code among prose.

    A line is what stands between line feeds. It goes if one of `holding` stands in it, byte by byte, letter case
    counting. With `repeated`, a line also goes if it stood above in its document, blanks at both ends aside, and has
    `min_chars` characters or more; empty lines stay. Code is not touched. A document of which nothing is left is
    dropped: reason `emptied`.

        - drop_lines                                                     # ROOTS' lines with code: { } [if <script
        - drop_lines: {holding: ["<span", "</span>", "<div", "</div>", "<a", "</a>", "br>"]}    # its remove_html_spans
        - drop_lines: {holding: [], repeated: true}                      # its pseudo-crawl, within a document

    Writes: `text` where it changed, and `dropped_lines`, how many were taken out of each document. Counts `lines`,
    `repeated` lines among them, and `bytes`.
    """

    name: ClassVar[str] = "drop_lines"
    unicode_tables: ClassVar[bool] = True

    holding: tuple[str, ...] = Field(CODE_IN_PROSE, description="strings; a line that holds one goes")
    repeated: bool = Field(False, description="a line that stood above in its document goes")
    min_chars: int = Field(1, ge=1, description="characters of a line from which on it counts as repeated")

    @field_validator("holding")
    @classmethod
    def _strings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for string in value:
            if not string or "\n" in string:
                raise ValueError(f"{string!r} stands in every line or in none; give strings of one character or more")
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _does_something(self) -> DropLines:
        if not self.holding and not self.repeated:
            raise ValueError('drops nothing; give it holding: ["{"], or repeated: true')
        return self

    @property
    def writes(self) -> tuple[str, ...]:
        return ("dropped_lines",)

    @property
    def bytes_per_text_byte(self) -> float:
        return 4.0 + 60 * self.repeated / (self.min_chars + 1)

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["{\na\na"], pa.large_string()), "kind": ["text"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        texts = prose(docs)
        marked = np.zeros(line_starts(texts)[-1], bool)
        if self.holding:
            marked |= holding(texts, self.holding)
        held = int(marked.sum())
        if self.repeated:
            marked |= repeated(texts, self.min_chars)
        new, counts = without(texts, marked)
        lines = int(counts.sum())
        tallies = {"lines": lines, "repeated": lines - held, "bytes": bytes_out(texts, new)}
        return edited(new, counts, "dropped_lines", tallies)
