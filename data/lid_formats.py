"""What text stands in the files of lid_sources.py: pages, stories, messages, and the table of Bibles' licences.

    paragraphs("<h1>A</h1><p>b</p>") -> ["A", "b"]    plain("See [[Help|the help]], $1") -> "See the help ,"

Never: opens a file by itself but a message's.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
import zipfile
from html.parser import HTMLParser
from pathlib import Path

TONES = str.maketrans("", "", "\u0300\u0301\u0302\u0304\u030c")


def without_tones(text: str) -> str:
    """A line as people write it whose language marks tones in dictionaries only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).translate(TONES))


class _Paragraphs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._in = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2", "h3", "p"):
            self._in = True
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = self._in and tag not in ("h1", "h2", "h3", "p")

    def handle_data(self, data: str) -> None:
        if self._in:
            self.lines[-1] += data


def paragraphs(page: str) -> list[str]:
    parser = _Paragraphs()
    parser.feed(page)
    return parser.lines


def story_pages(text: str) -> list[str]:
    """Pages of a story: lines between `##` marks belong together, the credits at the end do not belong at all."""
    pages = re.split(r"^#+", text, flags=re.MULTILINE)
    pages = [" ".join(page.split()) for page in pages if not page.lstrip().startswith("* License")]
    return [page for page in pages if page]


def ebible_licences(table: bytes) -> dict[str, str]:
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    found = {}
    with zipfile.ZipFile(io.BytesIO(table)) as book:
        parts = [e for _, e in ElementTree.iterparse(book.open("xl/sharedStrings.xml")) if e.tag == space + "si"]  # noqa: S314
        words = ["".join(t.text or "" for t in part.iter(space + "t")) for part in parts]
        for _, row in ElementTree.iterparse(book.open("xl/worksheets/sheet1.xml")):  # noqa: S314
            if row.tag != space + "row":
                continue
            cells = {}
            for cell in row:
                value = cell.find(space + "v")
                if value is not None and value.text:
                    text = words[int(value.text)] if cell.get("t") == "s" else value.text
                    cells[cell.get("r", "").rstrip("0123456789")] = text
            found[cells.get("B", "")] = ebible_licence(cells.get("AM", ""))
            row.clear()
    return {translation: licence for translation, licence in found.items() if licence}


def ebible_licence(url: str) -> str:
    if url == "Public Domain" or "publicdomain" in url:
        return "PD"
    return {"by": "CC-BY-4.0", "by4.0": "CC-BY-4.0", "by-sa": "CC-BY-SA-4.0"}.get("".join(url.split("/")[4:5]), "")


def messages(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {key: text for key, text in json.loads(path.read_text("utf-8-sig")).items() if isinstance(text, str)}


def plain(text: str) -> str:
    """A message without markup, links' targets, templates and names of variables."""
    text = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]]*)\]\]|\[(?:https?:)?//\S+ ([^\]]*)\]", r" \1\2 ", text)
    text = re.sub(
        r"\{\{[^{}]*\}\}|\{\{[^{}]*\}\}|<[^>]*>|%\w+%?|%\d*\$?[sd]|\$\w+|&\w+;|https?://\S+|['_~=]{2,}|[{}|\[\]\\]",
        " ",
        text,
    )
    return " ".join(text.split())
