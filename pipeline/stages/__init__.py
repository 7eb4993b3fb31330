"""The table of all stages: their names in a config."""

from __future__ import annotations

from pipeline.stages.base import Stage
from pipeline.stages.c4_lines import C4Lines
from pipeline.stages.decontaminate import Decontaminate
from pipeline.stages.dedup_exact import DedupExact
from pipeline.stages.dedup_lines import DedupLines
from pipeline.stages.dedup_near import DedupNear
from pipeline.stages.dedup_simhash import DedupSimhash
from pipeline.stages.dedup_substrings import DedupSubstrings
from pipeline.stages.dedup_url import DedupUrl
from pipeline.stages.drop_lines import DropLines
from pipeline.stages.drop_trailer import DropTrailer
from pipeline.stages.drop_words import DropWords
from pipeline.stages.html_leftovers import HtmlLeftovers
from pipeline.stages.identify import Identify
from pipeline.stages.keep import Keep
from pipeline.stages.measure import Measure
from pipeline.stages.normalize import Normalize
from pipeline.stages.perplexity import Perplexity
from pipeline.stages.redact import Redact

_ROW_WISE = (
    Normalize,
    Identify,
    Measure,
    Perplexity,
    Keep,
    HtmlLeftovers,
    C4Lines,
    DropLines,
    DropWords,
    DropTrailer,
    Redact,
    Decontaminate,
)
_CORPUS_WISE = (DedupUrl, DedupLines, DedupSubstrings, DedupExact, DedupNear, DedupSimhash)
STAGES: dict[str, type[Stage]] = {stage.name: stage for stage in (*_ROW_WISE, *_CORPUS_WISE)}
