"""What an inspection found, as numbers and samples: all that the terminal, the page and JSON show.

    Inspected(measure, step, languages=[Spread], histogram, kept=[Sample], dropped=[Sample], along=[Sample])

Values are those that the measure wrote; a document without a number is counted and stands nowhere else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 48
WIDE = 30  # from here on the 99th percentile stands so far above the 1st that a plain scale would show one bar
FAR = 3  # a limit that stands further off than this many times the highest values is not on the scale


@dataclass(frozen=True)
class Limits:
    """The lowest and the highest value that stay, both allowed; None: no limit on that side."""

    low: float | None = None
    high: float | None = None

    def breaks(self, values: np.ndarray) -> np.ndarray:
        """(n,) bool. NaN breaks nothing, as in `keep`."""
        out = np.zeros(len(values), bool)
        with np.errstate(invalid="ignore"):
            if self.low is not None:
                out |= values < self.low
            if self.high is not None:
                out |= values > self.high
        return out

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None


@dataclass(frozen=True)
class Spread:
    """How the values of some documents are spread, and what their limits take. Bytes are of text."""

    lang: str  # "" for all languages together
    documents: int
    bytes: int
    missing: int  # documents without a number
    quantiles: list[float]  # at QUANTILES; empty where no document has a number
    limits: Limits
    dropped: int
    dropped_bytes: int
    counts: list[int]  # documents in each bin of the histogram

    @staticmethod
    def of(lang: str, values: np.ndarray, sizes: np.ndarray, broken: np.ndarray, limits: Limits, axis: Axis) -> Spread:
        """`values` (n,) float64, NaN for none; `sizes` (n,) bytes; `broken` (n,) bool."""
        there = values[~np.isnan(values)]
        return Spread(
            lang=lang,
            documents=len(values),
            bytes=int(sizes.sum()),
            missing=len(values) - len(there),
            quantiles=[float(q) for q in np.quantile(there, QUANTILES, method="inverted_cdf")] if len(there) else [],
            limits=limits,
            dropped=int(broken.sum()),
            dropped_bytes=int(sizes[broken].sum()),
            counts=axis.counts(there),
        )


@dataclass(frozen=True)
class Axis:
    """The scale of a histogram: BINS bins from `low` to `high`, what lies beyond in the first and the last.

    On a `log` scale places are those of log(1 + value), so that 0 has one."""

    low: float
    high: float
    log: bool = False

    @staticmethod
    def of(values: np.ndarray, limits: Limits, share: bool) -> Axis:
        """An axis on which nearly all values and the limits lie. `share`: the measure goes from 0 to 1."""
        values = values[~np.isnan(values)]
        if not len(values):
            return Axis(0.0, 1.0)
        low, high = (float(q) for q in np.quantile(values, (0.002, 0.998), method="inverted_cdf"))
        log = not share and values.min() >= 0 and np.quantile(values, 0.99) >= WIDE * (1 + np.quantile(values, 0.01))
        known = [limit for limit in (limits.low, limits.high) if limit is not None]
        low, high = min([low, *known]), max([high, *(limit for limit in known if limit <= FAR * max(high, 1e-9))])
        low = 0.0 if share or (not log and 0 <= low < 0.3 * high) else low
        return Axis(low, high if high > low else low + 1.0, bool(log))

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """Where values lie, from 0 (left) to 1 (right)."""
        low, high, at = (np.log1p(x) if self.log else np.asarray(x) for x in (self.low, self.high, values))
        return np.clip((at - low) / (high - low), 0.0, 1.0)

    def counts(self, values: np.ndarray) -> list[int]:
        """(n,) numbers -> BINS counts."""
        bins = np.minimum((self.place(values) * BINS).astype(np.int64), BINS - 1)
        return np.bincount(bins, minlength=BINS).tolist()

    def edge(self, which: float) -> float:
        """The value at the left edge of a bin; `which` may be BINS, or between two."""
        if not self.log:
            return self.low + (self.high - self.low) * which / BINS
        low, high = np.log1p(self.low), np.log1p(self.high)
        return float(np.expm1(low + (high - low) * which / BINS))


@dataclass(frozen=True)
class Sample:
    """One document to look at; `limit` is the nearest of its limits."""

    id: str
    lang: str
    value: float
    limit: float | None
    bytes: int
    excerpt: str


@dataclass(frozen=True)
class Inspected:
    """All that was found. `step` is the folder of the step after which documents were looked at."""

    measure: str
    step: str
    judge: str | None  # the step whose limits these are; None: they were asked for, or there are none
    judges: dict[str, list[str]]  # the `where` of that step: {"kind": ["text"]}
    where: str  # which documents, in words; "" for all
    axis: Axis
    whole: Spread
    languages: list[Spread]  # the largest share dropped first, then the most documents
    kept: list[Sample] = field(default_factory=list)  # nearest to a limit, inside
    dropped: list[Sample] = field(default_factory=list)  # nearest to a limit, outside
    along: list[Sample] = field(default_factory=list)  # from the lowest value to the highest

    def to_json(self) -> dict[str, Any]:
        edges = [self.axis.edge(which) for which in range(BINS + 1)]
        return {**asdict(self), "quantiles": list(QUANTILES), "edges": edges}
