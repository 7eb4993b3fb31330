"""WET files, as Common Crawl makes them: the text of each page, taken out by the crawler.

    wet: {name: cc, path: "CC-MAIN-2024-22/*.warc.wet.gz", lang_from: crawler}
    -> Record(row=1, "Watu wote...", "text", "swa", '{"url":"https://...","date":"2024-05-18T01:58:10Z",...}')

Such text holds menus, headers and footers; from the WARC files of the same crawl `warc` takes the main text only.
`row` is the number of the record in its file. Never holds more than one record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.sources.base import Bad, InputFile, Record
from pipeline.sources.listing import open_bytes
from pipeline.sources.text import utf8_problem
from pipeline.sources.warc import KINDS, address, bad
from pipeline.sources.warc_records import Broken, WarcRecord, records
from pipeline.sources.web import Names, WebText, meta_of, no_document

IDENTIFIED = "warc-identified-content-language"  # codes of ISO 639-3, the surest first, parted by commas
TOLD = ("url", "date", "record_id", "content_type", "identified_lang", "truncated")


class Wet(WebText):
    """WET files (text taken out by the crawler; plain, .gz or .zst): one document a page."""

    type: ClassVar[str] = "wet"
    version: ClassVar[int] = 4  # 4: what a wrong length does to the records behind it
    known: ClassVar[tuple[str, ...]] = TOLD

    meta: Names | None = meta_of(*TOLD)
    lang_from: Literal["crawler"] | None = Field(
        None, description="crawler: the first language that the crawler identified is the declared one"
    )

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each record of the file, from the one numbered `skip` on."""
        lang = self.lang_of_file(file)
        with open_bytes(file.url) as raw:
            for row, one in enumerate(records(raw, file.path, self.max_document)):
                if row >= skip:
                    yield bad(row, one) if isinstance(one, Broken) else self._document(row, one, lang)

    def _document(self, row: int, record: WarcRecord, lang: str | None) -> Record | Bad:
        if record.type != "conversion":
            reason = record.type if record.type in KINDS else "record_type"
            return no_document(row, record.offset, reason, address(record))
        if record.size > self.max_document:
            return self.too_large(row, record.offset, record.size)
        if problem := utf8_problem(row, 0, record.block):
            return Bad(row, "invalid_utf8", record.offset, f"at byte {problem.offset} of it: {problem.detail}")
        told = {
            "url": address(record),
            "date": record.headers.get("warc-date"),
            "record_id": record.headers.get("warc-record-id", "").strip("<>"),
            "content_type": record.headers.get("content-type", "").partition(";")[0],
            "identified_lang": record.headers.get(IDENTIFIED),
            "truncated": record.headers.get("warc-truncated"),
        }
        if self.lang_from and not lang:
            lang = record.headers.get(IDENTIFIED, "").partition(",")[0].strip() or None
        return self.document(row, record.offset, record.block.decode(), lang, told)
