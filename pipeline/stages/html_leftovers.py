"""Take what HTML left behind out of texts: tags, comments, scripts, styles, escaped characters.

docs -> Outcome(columns: {text: large_string, null where unchanged; html_leftovers: int64}, dropped: emptied documents).
What exactly goes stands in `pipeline/text/markup.py`. Never for whole pages: an extractor does that at the source.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.editing import bytes_out, edited, prose
from pipeline.text.markup import KINDS, without_markup


class HtmlLeftovers(RowStage):
    """Takes tags, comments, scripts and styles out of texts, and turns `&amp;` and the like into characters.

    blocks    `<!-- -->`, `<script>` and `<style>` with all that stands in them
    tags      of HTML alone: `<EMAIL>`, `List<String>` and `a < b` stay. Names that people write between angle brackets
              themselves, as `<source>` and `<title>`, are tags only with a / or an =. Where a block ends or begins
              (br, p, div, li, h1) comes a line feed, for a cell of a table a tab, unless a line begins there
    entities  named ones of HTML 5 and numbers, once (`&amp;lt;` becomes `&lt;`), if the semicolon stands

    What stands between backticks or in a fenced block stays as it is, and documents that are code are not touched.
    Plain prose about HTML loses the tags that it names: use `where`. To drop whole lines with tags in them, as ROOTS
    did, see `drop_lines`. A document of which nothing is left is dropped: reason `emptied`.

        - html_leftovers
          where: {source: "crawl_*"}
        - html_leftovers: {tags: false, blocks: false}

    Writes: `text` where it changed, and `html_leftovers`, how much was found in each document. Counts `blocks`, `tags`,
    `entities` and `bytes`. `normalize` behind it folds the blanks that are left.
    """

    name: ClassVar[str] = "html_leftovers"
    unicode_tables: ClassVar[bool] = True

    blocks: bool = Field(True, description="comments, scripts and styles, with what stands in them")
    tags: bool = Field(True, description="tags of HTML")
    entities: bool = Field(True, description="escaped characters become characters")

    @model_validator(mode="after")
    def _does_something(self) -> HtmlLeftovers:
        if not (self.blocks or self.tags or self.entities):
            raise ValueError("does nothing; leave one of blocks, tags, entities true")
        return self

    @property
    def writes(self) -> tuple[str, ...]:
        return ("html_leftovers",)

    @property
    def bytes_per_text_byte(self) -> float:
        return 4.0

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["<br>&amp;"], pa.large_string()), "kind": ["text"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        texts = prose(docs)
        new, counts = without_markup(texts, sum(1 << at for at, kind in enumerate(KINDS) if getattr(self, kind)))
        found = dict(zip(KINDS, counts.sum(axis=0).tolist(), strict=True))
        return edited(new, counts.sum(axis=1), "html_leftovers", {**found, "bytes": bytes_out(texts, new)})
