"""Edit pages as C4 does: lines that are no prose go, citation marks too.

docs -> Outcome(columns: {text: large_string, null where unchanged; c4_lines: int64}, dropped: emptied documents). What
exactly each rule is stands in `pipeline/text/c4.py`. Never touches code.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.editing import bytes_out, edited, prose
from pipeline.text.c4 import CITATIONS, ENDS, EVIDENCE, POLICIES, SCRIPTS, c4_lines
from pipeline.text.lines import blank


class C4Lines(RowStage):
    """Takes out the lines that C4 takes for menus, notices and code, and the citation marks of the others.

    A line goes, for the first of these reasons that holds, if
      long_word    a word in it has more than `max_word_length` characters
      unended      it does not end in . ? ! " or ' (or ends in ...): off in FineWeb, and for scripts with other marks
      few_words    it has fewer than `min_words` words between white space: set 0 for scripts without
      javascript   it speaks of JavaScript
      policy       it speaks of terms of use, a privacy or cookie policy, the use of cookies
    and [12], [edit], [citation needed] are taken out. White space goes from both ends of lines and of the text.

    C4 drops a page with lorem ipsum or a curly bracket in a line that would have stayed. So such a line stays here
    (`evidence`), and the document is judged behind: `measure` counts both, and the sentences, in the text as edited.

    Code is not touched. A document of which nothing is left is dropped: reason `emptied`. Writes: `text` where it
    changed, and `c4_lines`, how many lines and marks were taken out of each document. Counts lines by reason,
    `citations` and `bytes`.

        - c4_lines
        - c4_lines: {ended: false}
        - measure: {names: [c4]}
        - keep: {bounds: {curly_brackets: [null, 0], lorem_ipsum: [null, 0], sentences: [5, null]}}
    """

    name: ClassVar[str] = "c4_lines"
    version: ClassVar[int] = 2  # 2: code stays, emptied documents are dropped
    unicode_tables: ClassVar[bool] = True

    ended: bool = Field(True, description="lines must end in . ? ! \" or '")
    min_words: int = Field(3, ge=0, description="words of a line at least")
    max_word_length: int | None = Field(1000, ge=1, description="characters of a word at most; null: any")
    citations: bool = Field(True, description="[12], [edit] and [citation needed] are taken out")
    javascript: bool = Field(True, description="lines with the word JavaScript go")
    policy: bool = Field(True, description="lines about policies, terms of use and cookies go")
    evidence: bool = Field(True, description="lines with lorem ipsum or a curly bracket stay, to be judged by")

    @model_validator(mode="after")
    def _edits(self) -> C4Lines:
        if not (self._rules & ~EVIDENCE or self.min_words or self.max_word_length is not None):
            raise ValueError("every rule is off, so nothing is edited; leave one on, or take the stage out")
        return self

    @property
    def writes(self) -> tuple[str, ...]:
        return ("c4_lines",)

    @property
    def bytes_per_text_byte(self) -> float:
        return 16.0  # code points before and after, their marks, and the new bytes

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["a"], pa.large_string()), "kind": ["text"]}))

    @property
    def _rules(self) -> int:
        on = ((CITATIONS, self.citations), (ENDS, self.ended), (SCRIPTS, self.javascript), (POLICIES, self.policy))
        return sum(bit for bit, asked in (*on, (EVIDENCE, self.evidence)) if asked)

    def apply(self, docs: pa.Table) -> Outcome:
        longest = 1 << 62 if self.max_word_length is None else self.max_word_length
        texts = prose(docs)
        if (empty := blank(texts)).any():  # white space alone is no line of a page, and would be trimmed away
            texts = pc.if_else(pa.array(empty), "", texts)
        new, counts, tallies = c4_lines(texts, self._rules, self.min_words, longest)
        del tallies["lines_kept"]  # here tallies count what went
        return edited(new, counts, "c4_lines", {**tallies, "bytes": bytes_out(texts, new)})
