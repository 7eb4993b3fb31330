"""Edit pages as C4 does: lines that are no prose go, citation marks too.

docs -> Outcome(columns: {text: large_string, null where a text stays as it was}). Drops no document. What exactly each
rule is stands in `pipeline/text/c4.py`.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.stages.base import Outcome, RowStage
from pipeline.text.c4 import CITATIONS, ENDS, EVIDENCE, POLICIES, SCRIPTS, c4_lines


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

    Writes: `text` where it changed; an emptied document stays, for `keep` to drop. Counts lines by reason,
    `lines_kept`, `citations` and `changed` documents.

        - c4_lines: {ended: false}
          where: {kind: text}
        - measure: {names: [c4]}
        - keep: {bounds: {curly_brackets: [null, 0], lorem_ipsum: [null, 0], sentences: [5, null]}}
    """

    name: ClassVar[str] = "c4_lines"
    unicode_tables: ClassVar[bool] = True

    ended: bool = Field(True, description="lines must end in . ? ! \" or '")
    min_words: int = Field(3, ge=0, description="words of a line at least")
    max_word_length: int | None = Field(1000, ge=1, description="characters of a word at most; null: any")
    citations: bool = Field(True, description="[12], [edit] and [citation needed] are taken out")
    javascript: bool = Field(True, description="lines with the word JavaScript go")
    policy: bool = Field(True, description="lines about policies, terms of use and cookies go")
    evidence: bool = Field(True, description="lines with lorem ipsum or a curly bracket stay, to be judged by")

    @property
    def bytes_per_text_byte(self) -> float:
        return 16.0  # code points before and after, their marks, and the new bytes

    def warm(self) -> None:
        c4_lines(pa.array(["a"], pa.large_string()), self._rules)

    @property
    def _rules(self) -> int:
        on = ((CITATIONS, self.citations), (ENDS, self.ended), (SCRIPTS, self.javascript), (POLICIES, self.policy))
        return sum(bit for bit, asked in (*on, (EVIDENCE, self.evidence)) if asked)

    def apply(self, docs: pa.Table) -> Outcome:
        longest = 1 << 62 if self.max_word_length is None else self.max_word_length
        texts, tallies = c4_lines(docs.column("text"), self._rules, self.min_words, longest)
        return Outcome(columns={"text": texts}, tallies={"changed": len(texts) - texts.null_count, **tallies})
