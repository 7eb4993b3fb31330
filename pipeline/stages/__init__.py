"""The table of all stages: their names in a config."""

from __future__ import annotations

from pipeline.stages.base import Stage
from pipeline.stages.c4_lines import C4Lines
from pipeline.stages.dedup_exact import DedupExact
from pipeline.stages.dedup_near import DedupNear
from pipeline.stages.identify import Identify
from pipeline.stages.keep import Keep
from pipeline.stages.measure import Measure
from pipeline.stages.normalize import Normalize
from pipeline.stages.redact import Redact

STAGES: dict[str, type[Stage]] = {
    stage.name: stage for stage in (Normalize, Identify, C4Lines, Measure, Keep, DedupExact, DedupNear, Redact)
}
