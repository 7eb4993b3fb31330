"""One spelling for the same text: Unicode form, line ends, controls, blanks.

docs -> Outcome(columns: {text: large_string, null where a text stays as it was}). Drops nothing. What the layout rules
do exactly stands in `pipeline/text/fold.py`, what `ftfy` does in `repair.py`. Applied twice it changes nothing more,
unless `ftfy` does.
"""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline.document import CODE
from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.repair import repaired
from pipeline.text.fold import ALL_LINES, BLANKS, CHANGED, CONTROLS, FORM, LINES, LOOK, fold


class Normalize(RowStage):
    """Gives the same text one spelling, so that what looks the same is the same; do it first.

    Text: characters in composed form (NFC); every kind of line end becomes a line feed; control characters and byte
    order marks go; a run of blanks becomes one (a tab if there is one in it, else a space), none at the end of a line;
    at most two empty lines in a row, none at either end. Identifying languages and finding duplicates rely on it.

    Code keeps its layout and its characters: CR LF and CR become a line feed and control characters go, nothing else.

    With `ftfy: encoding` mojibake is repaired first, line by line (`itâ€™s` becomes `it’s`). With `ftfy: text` all is
    done that `ftfy.fix_text` does, in form NFC, as SlimPajama did: curly quotes become straight, ligatures and
    full-width letters are taken apart, entities unescaped. Only texts that ftfy could change are shown to it.

    Writes: `text` where it changed. Drops nothing. Counts `changed`, `composed` for those that were not in NFC, and
    `repaired` where ftfy is on.

        - normalize
        - normalize: {ftfy: encoding}
          where: {source: "crawl_*"}
    """

    name: ClassVar[str] = "normalize"
    unicode_tables: ClassVar[bool] = True

    form: bool = Field(True, description="characters in form NFC; never for code")
    controls: bool = Field(True, description="control characters and byte order marks are taken out")
    lines: bool = Field(True, description="every kind of line end becomes a line feed")
    blanks: bool = Field(True, description="runs of blanks and of empty lines are folded; never for code")
    ftfy: Literal[False, "encoding", "text"] = Field(
        False,
        description="damaged Unicode is repaired first: mojibake alone, or all that ftfy.fix_text does; never for code",
    )

    @field_validator("ftfy", mode="before")
    @classmethod
    def _true_is_encoding(cls, value: Any) -> Any:
        return "encoding" if value is True else value

    @property
    def packages(self) -> tuple[str, ...]:
        return ("ftfy",) if self.ftfy else ()

    @property
    def bytes_per_text_byte(self) -> float:
        return 11.0  # for a shard that is one long text to compose: Python takes four bytes a character, twice

    def warm(self) -> None:
        texts = pa.array([" "], pa.large_string())
        fold(texts, np.array([BLANKS], np.uint8))
        if self.ftfy:
            repaired(texts, np.zeros(1, np.int64), self.ftfy)

    def apply(self, docs: pa.Table) -> Outcome:
        texts = docs.column("text").combine_chunks()
        code = pc.equal(docs.column("kind"), CODE).to_numpy()
        changes = {}  # row -> the text it has now, for the few that Python had to look at
        if self.ftfy:
            changes = repaired(texts, np.flatnonzero(~code), self.ftfy)
            texts = _replace(texts, changes)
        folded, answers = fold(texts, self._rules(code))
        composed = _composed(texts, folded, np.flatnonzero(answers & LOOK))
        changed = answers & CHANGED != 0
        changed[[*changes, *composed]] = True
        new = folded  # null where a text stays as it is
        if changes:
            new = pc.if_else(pa.array(changed), pc.coalesce(folded, texts), None)
        return Outcome(
            columns={"text": _replace(new, composed)},
            tallies={"changed": int(changed.sum()), "composed": len(composed)}
            | ({"repaired": len(changes)} if self.ftfy else {}),
        )

    def _rules(self, code: np.ndarray) -> np.ndarray:
        both = LINES * self.lines | CONTROLS * self.controls
        prose = both | ALL_LINES * self.lines | BLANKS * self.blanks | FORM * self.form
        return np.where(code, both, prose).astype(np.uint8)


def _composed(texts: pa.Array, folded: pa.Array, rows: np.ndarray) -> dict[int, str]:
    """Those of these rows that are not in NFC once folded: what folding takes out may bring two characters together."""
    out = {}
    for row in rows.tolist():
        text = (folded[row] if folded[row].is_valid else texts[row]).as_py()
        if (composed := unicodedata.normalize("NFC", text)) != text:
            out[row] = composed
    return out


def _replace(texts: pa.Array, changes: dict[int, str]) -> pa.Array:
    if not changes:
        return texts
    mask = np.zeros(len(texts), bool)
    mask[list(changes)] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array([changes[row] for row in sorted(changes)], texts.type))
