"""HTML files: each is a document, its main text taken out.

    html: {name: manual, path: site/}                   all .html, .htm and .xhtml files below the folder
    html: {name: manual, path: "site/{lang}/**/*.html.gz"}

A document's path is that of its file below the folder (or below what all patterns share). Never holds two pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pipeline.errors import ConfigError
from pipeline.sources.base import Bad, InputFile, Record, Unwell
from pipeline.sources.decompress import Damage
from pipeline.sources.listing import absolute, is_remote, path_in_source, refuse_unreadable
from pipeline.sources.text import whole
from pipeline.sources.web import OF_PAGES, Names, WebPages, meta_of

SUFFIXES = (".html", ".htm", ".xhtml")


class Html(WebPages):
    """HTML files, or all of them below a folder (plain, .gz, .zst, .xz, .bz2): one document a file."""

    type: ClassVar[str] = "html"
    known: ClassVar[tuple[str, ...]] = OF_PAGES

    meta: Names | None = meta_of(*OF_PAGES)

    def listed(self) -> list[InputFile]:
        """All matching files; of a folder those named as HTML."""
        folders = [path for path in self.path if not is_remote(path) and Path(absolute(path)).is_dir()]
        if not folders:
            return super().listed()
        if len(self.path) > 1:
            raise ConfigError(f"{folders[0]!r} is a folder among other paths", "make it a source of its own")
        root = Path(absolute(folders[0]))
        found = [path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and not path.is_dir()]
        if not found:
            raise ConfigError(
                f"{folders[0]!r} holds no file named {', '.join(SUFFIXES)}", "name its files by a pattern"
            )
        for path in found:
            refuse_unreadable(str(path))
        files = [InputFile(path_in_source(p.relative_to(root).as_posix()), str(p), p.stat().st_size) for p in found]
        return sorted(files, key=lambda file: file.path)

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """The file's Record, or a Bad; nothing where `skip` is beyond it."""
        if skip:
            return
        try:
            ((_, _, data),) = whole(self.blocks(file), self.max_document)
        except Damage as damage:
            yield Bad(0, damage.reason, damage.offset, damage.detail, breaks_off=True)
            return
        yield self.too_large(0, 0, data) if isinstance(data, int) else self._document(file, data)

    def _document(self, file: InputFile, data: bytes) -> Record | Bad:
        try:
            text, told = self.page(data, None)
        except Unwell as why:
            return Bad(0, why.reason, 0, why.detail, value=why.value, limit=why.limit)
        lang = self.lang_of_file(file) or (told["html_lang"] if self.lang_from else None)
        return self.document(0, 0, text, lang, told)
