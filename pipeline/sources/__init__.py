"""The table of all sources: their names in a config."""

from __future__ import annotations

from pipeline.sources.base import Source
from pipeline.sources.code import Code
from pipeline.sources.html import Html
from pipeline.sources.hub import Hub
from pipeline.sources.jsonl import Jsonl
from pipeline.sources.parquet import Parquet
from pipeline.sources.text import Text
from pipeline.sources.warc import Warc
from pipeline.sources.wet import Wet

SOURCES: dict[str, type[Source]] = {
    source.type: source for source in (Code, Html, Hub, Jsonl, Parquet, Text, Warc, Wet)
}
