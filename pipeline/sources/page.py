"""A page's bytes as the text that a reader sees, its title and the language it claims.

    read_page(b"<html lang=sw><title>Habari</title><p>Watu wote...", charset=None, wanted=Wanted())
    -> Page(text="Watu wote...", title="Habari", lang="sw", codec="utf-8", replaced=0)

Parsing and extraction are resiliparse's (docs/web.md has why, with figures). A page that would cost its parser more
than linear time or memory is refused before it is parsed. Opens nothing, follows no link, runs no script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.sources.base import Unwell
from pipeline.sources.charset import Decoded, decoded
from pipeline.text.html_shape import ATTRIBUTES, DEPTH, NODES, WORK, html_cost

LONGEST_TITLE = 1000  # characters
LANG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
# What a page may cost (docs/web.md has what real ones do: depth 49, 37,217 nodes and 70 attributes were the most)
LIMITS = (
    (DEPTH, 512, "too_deep", "elements within each other"),
    (ATTRIBUTES, 512, "too_many_attributes", "attributes on one tag"),
    (NODES, 1_000_000, "too_many_nodes", "nodes"),  # 300 bytes each while the page is parsed
    (WORK, 500_000_000, "too_deep", "bytes of text, counted once for each element around them"),  # some 4 s
)
REPLACED_AT_MOST = 0.001  # of the characters, and one more for a page that was cut within a character


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a page is text."""

    main: bool = True  # else menus, headers and footers too
    tables: bool = True
    lists: bool = True
    links: bool = False  # targets, in parentheses behind what is linked
    comments: bool = False  # of readers, as far as they are marked as such

    @property
    def skipped(self) -> list[str]:
        """CSS selectors of what is left out."""
        return ["table"] * (not self.tables) + ["ul", "ol", "dl"] * (not self.lists)


@dataclass(frozen=True, slots=True)
class Page:
    """What became of a page."""

    text: str
    title: str | None
    lang: str | None  # as its <html> element says: a hint that is often wrong
    codec: str
    replaced: int


def read_page(data: bytes, charset: str | None, wanted: Wanted) -> Page:
    """Raises Unwell for a page that cannot be decoded or that no parser should be given."""
    page = readable(data, charset)
    _check_cost(page.text)
    tree = HTMLTree.parse(page.text)
    text = extract_plain_text(
        tree,
        main_content=wanted.main,
        links=wanted.links,
        alt_texts=False,
        comments=wanted.comments or not wanted.main,
        post_meta=not wanted.main,  # dates and bylines: F1 .934 without them, .927 with (docs/web.md)
        skip_elements=wanted.skipped,
    )
    title = " ".join((tree.title or "").split())[:LONGEST_TITLE]
    return Page(_clean(text), _clean(title) or None, _lang(tree), page.codec, page.replaced)


def _check_cost(page: str) -> None:
    """Raises Unwell for a page beyond one of the limits."""
    cost = html_cost(np.frombuffer(page.encode(), np.uint8))
    for what, limit, reason, said in LIMITS:
        if cost[what] > limit:
            raise Unwell(reason, f"its markup has more than {limit} {said}", float(cost[what]), float(limit))


def readable(data: bytes, charset: str | None, markup: bool = True) -> Decoded:
    """The decoded text. Raises Unwell where too much of it is no text in any encoding."""
    page = decoded(data, charset, markup)
    if page.replaced > 1 + REPLACED_AT_MOST * len(page.text):
        detail = f"{page.replaced} of {len(page.text)} characters are none in {page.codec}, nor in any other encoding"
        share = page.replaced / len(page.text)
        raise Unwell("invalid_encoding", detail, round(share, 6), REPLACED_AT_MOST)
    return page


def _clean(text: str) -> str:
    """Without NUL, which the parser lets through and no reader sees."""
    return text.replace("\0", "") if "\0" in text else text


def _lang(tree: HTMLTree) -> str | None:
    html: Any = tree.body.parent if tree.body else None
    said = (html.getattr("lang") or html.getattr("xml:lang") or "").strip() if html else ""
    return said if LANG.fullmatch(said) else None
