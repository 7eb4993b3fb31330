"""What the sources of web pages share: what of a page is text, which texts are documents, what stands beside them.

    warc: {name: crawl, path: "*.warc.gz", extract: main, min_chars: 200, lang_from: html, meta: [url, date]}

What is sound but no document (another kind of record, a page that was not found, a text too short) is told with its
reason and does no damage: it does not count towards `max_bad`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator

from pipeline.errors import ConfigError
from pipeline.sources.base import Bad, InputFile, Record
from pipeline.sources.files import FileSource
from pipeline.sources.jsonl import dump
from pipeline.units import Size

Known = Literal[
    "url", "date", "record_id", "content_type", "status", "title", "html_lang", "identified_lang", "encoding",
    "replaced", "truncated",
]  # fmt: skip
FIELDS: tuple[str, ...] = get_args(Known)
EXTRACTION = {"resiliparse": "resiliparse", "brotli": "brotli"}  # a module: what installs it


def _named(value: Any) -> Any:
    """A list of fields as a mapping of each to itself."""
    if not isinstance(value, list | tuple):
        return value
    if strange := [name for name in value if not isinstance(name, str)]:
        raise ValueError(f"{strange[0]!r} is no name of a field")
    return {name: name for name in value}


OF_PAGES = ("title", "html_lang", "encoding", "replaced")  # what a page tells by itself


def meta_of(*known: str) -> Any:
    """The field `meta` of a source that knows these of FIELDS."""
    return Field(
        None, description="fields to keep in `meta`, or {field: name to keep it under}; null: all: " + ", ".join(known)
    )


Names = Annotated[dict[Known, Annotated[str, Field(min_length=1)]], BeforeValidator(_named)]


class WebText(FileSource):
    """Common to sources whose texts come from the web, whoever took them out of their pages."""

    max_document: Size = Field(8_000_000, description="bytes of a page; a larger one goes to the ledger")
    min_chars: int = Field(1, ge=0, description="characters; a shorter text is no document and goes to the ledger")
    meta: Names | None = None
    known: ClassVar[tuple[str, ...]] = FIELDS  # a source's own, where it has fewer

    @field_validator("meta")
    @classmethod
    def _told(cls, meta: Names | None) -> Names | None:
        if strange := sorted(set(meta or ()) - set(cls.known)):
            raise ValueError(f"a `{cls.type}` source knows no {strange[0]!r} of a page; it has {', '.join(cls.known)}")
        return meta

    def document(self, row: int, offset: int, text: str, lang: str | None, told: dict[str, Any]) -> Record | Bad:
        """The record of a text, or why it is too short; `told` is what is known of it, by field."""
        if len(text) < self.min_chars:
            detail = f"{len(text)} characters of text {told.get('url') or ''}".rstrip()
            return no_document(row, offset, "min_chars", detail, float(len(text)), float(self.min_chars))
        names = (
            dict(zip(FIELDS, FIELDS, strict=True)) if self.meta is None else {str(k): v for k, v in self.meta.items()}
        )
        kept = {names[name]: told[name] for name in FIELDS if name in names and told.get(name)}
        return Record(row, text, self.kind, lang, dump(kept) if kept else None)


class WebPages(WebText):
    """Common to sources of HTML: how text is taken out of a page."""

    packages: ClassVar[tuple[str, ...]] = ("orjson", "resiliparse")
    memory: ClassVar[int] = 400_000_000  # the tree of a page with as many nodes as may be (measured)

    extract: Literal["main", "all"] = Field("main", description="main: without menus, headers, footers; all: with them")
    tables: bool = Field(True, description="keep tables, their cells parted by tabs")
    lists: bool = Field(True, description="keep lists")
    links: bool = Field(False, description="keep the targets of links, in parentheses behind what is linked")
    comments: bool = Field(False, description="keep readers' comments, where a page marks them as such")
    lang_from: Literal["html"] | None = Field(
        None, description="html: a page's <html lang> is its declared language (it is often wrong)"
    )

    def files(self) -> list[InputFile]:
        """All input files. Raises ConfigError where there are none, or what reads them is not installed."""
        missing = sorted(package for module, package in EXTRACTION.items() if find_spec(module) is None)
        if missing:
            raise ConfigError(
                f"a `{self.type}` source needs {' and '.join(missing)}, which this Python does not have",
                "pip install 'seedbed[web]'",
            )
        return self.listed()

    def listed(self) -> list[InputFile]:
        """All input files, sorted by path."""
        return super().files()

    def page(self, data: bytes, charset: str | None) -> tuple[str, dict[str, Any]]:
        """The text of a page and what is known of it, by field. Raises Unwell where it cannot be read."""
        # here, since what it imports need not be installed where no source needs it
        from pipeline.sources.page import Wanted, read_page

        wanted = Wanted(self.extract == "main", self.tables, self.lists, self.links, self.comments)
        page = read_page(data, charset, wanted)
        told = {"title": page.title, "html_lang": page.lang, "encoding": page.codec, "replaced": page.replaced}
        return page.text, told


def no_document(
    row: int, offset: int, reason: str, detail: str, value: float | None = None, limit: float | None = None
) -> Bad:
    """Something sound that is not asked for."""
    return Bad(row, reason, offset, detail, value=value, limit=limit, counts=False)
