"""Web archives: each page that was fetched well is a document; every other record is told with its reason.

    warc: {name: crawl, path: "crawl/*.warc.gz"}
    -> Record(row=17, "Watu wote...", "text", None, '{"url":"https://...","date":"2024-05-18T01:58:10Z",...}')

`row` is the number of the record in its file, the broken ones counted, so that a document's name stays when files are
added. A broken record goes to the ledger with the byte at which it begins in the file as it lies, and the next is
looked for. Never holds more than one record and its page.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.sources.base import Bad, InputFile, Record, Unwell
from pipeline.sources.listing import open_bytes
from pipeline.sources.warc_records import Broken, WarcRecord, records
from pipeline.sources.web import OF_PAGES, Names, WebPages, meta_of, no_document

TYPES = ("text/html", "application/xhtml+xml", "text/plain")
# what stands between the first `<!--` and the last `-->` may be several comments: a group for each would double the
# ways to match with each of them
HTML = re.compile(rb"[\xef\xbb\xbf\s]*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
SNIFFED = 1024  # bytes
TOLD = ("url", "date", "record_id", "content_type", "status", *OF_PAGES, "truncated")
KINDS = ("warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation")


class Warc(WebPages):
    """Web archives (.warc, .arc; plain, .gz or .zst): one document a page that was fetched well."""

    type: ClassVar[str] = "warc"
    version: ClassVar[int] = 4  # 4: what a wrong length does to the records behind it
    known: ClassVar[tuple[str, ...]] = TOLD

    meta: Names | None = meta_of(*TOLD)
    records: tuple[Literal["response", "resource"], ...] = Field(("response",), description="kinds of records to read")
    types: tuple[str, ...] = Field(TYPES, description="media types to take; `text/plain` is taken as it stands")
    statuses: tuple[int, ...] = Field((200,), description="HTTP statuses to take")
    digests: bool = Field(False, description="check each document against the digest in its record (sha1)")

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each record of the archive, from the one numbered `skip` on."""
        lang = self.lang_of_file(file)
        with open_bytes(file.url) as raw:
            for row, one in enumerate(records(raw, file.path, self.max_document)):
                if row >= skip:
                    yield bad(row, one) if isinstance(one, Broken) else self._judged(row, one, lang)

    def _judged(self, row: int, record: WarcRecord, lang: str | None) -> Record | Bad:
        url = address(record)
        if record.type not in self.records:
            return no_document(row, record.offset, record.type if record.type in KINDS else "record_type", url)
        try:
            return self._document(row, record, lang)
        except Unwell as why:
            detail = f"{why.detail} {url}"
            return Bad(row, why.reason, record.offset, detail, value=why.value, limit=why.limit)

    def _document(self, row: int, record: WarcRecord, lang: str | None) -> Record | Bad:
        # here, since what it imports need not be installed where no source needs it
        from pipeline.sources.http_message import plain_body

        got, url = answer(record), address(record)
        if got.status not in self.statuses:
            return no_document(row, record.offset, "status", f"{got.status} {url}", float(got.status))
        kind = got.type or record.headers.get("warc-identified-payload-type", "").lower()
        kind = kind or ("text/html" if HTML.match(got.body, 0, SNIFFED) else "")
        if kind not in self.types:
            return no_document(row, record.offset, "content_type", f"{kind or 'no content type'} {url}")
        if not record.whole:
            raise Unwell("too_large", f"a record of {record.size} bytes", float(record.size), float(self.max_document))
        if self.digests:
            _check_digest(record)
        body = plain_body(got, self.max_document)
        told = {
            "url": url,
            "date": record.headers.get("warc-date"),
            "record_id": record.headers.get("warc-record-id", "").strip("<>"),
            "content_type": kind,
            "status": got.status,
            "truncated": record.headers.get("warc-truncated"),
        }
        text, more = self._text(body, kind, got.charset)
        lang = lang or (more.get("html_lang") if self.lang_from else None)
        return self.document(row, record.offset, text, lang, {**told, **more})

    def _text(self, body: bytes, kind: str, charset: str | None) -> tuple[str, dict[str, Any]]:
        from pipeline.sources.page import readable

        if kind == "text/plain":
            plain = readable(body, charset, markup=False)
            return plain.text, {"encoding": plain.codec, "replaced": plain.replaced}
        return self.page(body, charset)


def address(record: WarcRecord) -> str:
    """The URL that was fetched; some crawlers put it in angle brackets."""
    return record.headers.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")


def answer(record: WarcRecord) -> Any:
    """The record's block as an HTTP response; a `resource` has none around it. Raises Unwell where it is broken."""
    from pipeline.sources.http_message import Response, response

    if record.headers.get("content-type", "").startswith("application/http"):
        return response(record.block)
    if record.type == "response":
        return response(record.block)
    return Response(200, {"content-type": record.headers.get("content-type", "")}, record.block)


def bad(row: int, broken: Broken) -> Bad:
    value, limit = broken.value, broken.limit
    return Bad(row, broken.reason, broken.offset, broken.detail, value=value, limit=limit, breaks_off=broken.last)


def _check_digest(record: WarcRecord) -> None:
    """Raises Unwell where the block has another sha1 than its record tells; other digests are not looked at."""
    name, _, told = record.headers.get("warc-block-digest", "").partition(":")
    found = hashlib.sha1(record.block, usedforsecurity=False).digest()
    spellings = (base64.b32encode(found).decode(), found.hex().upper(), base64.b64encode(found).decode())
    if name.lower() == "sha1" and told not in spellings and told.upper() not in spellings[:2]:
        raise Unwell("digest", f"its sha1 is {spellings[0]}, its record says {told[:60]}")
