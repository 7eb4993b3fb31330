"""What the terminal and the page say alike: the headline, numbers, and the limits as a config would write them."""

from __future__ import annotations

import math

from pipeline.inspection.inspected import Inspected, Limits, Spread
from pipeline.report.wording import count, plural, say_bytes, share


def number(value: float) -> str:
    """A value of a measure: whole numbers whole, others with three digits that mean something."""
    if value == int(value) and abs(value) >= 1:
        return count(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(digits, 6)}f}"


def percent_of(spread: Spread) -> str:
    """`118 of 9,010 documents (1.3%)`."""
    of = plural(spread.documents, "document")
    return f"{count(spread.dropped)} of {of} ({share(spread.dropped / spread.documents)})"


def headline(found: Inspected) -> str:
    """One sentence: the measure, of which documents, when, and what its limits take."""
    whole = found.whole
    which = f" ({found.where})" if found.where else ""
    parts = [f"{found.measure} of {plural(whole.documents, 'document')}{which}, {say_bytes(whole.bytes)}"]
    parts.append(f"as they stand after {found.step}")
    if any(spread.limits for spread in found.languages):
        whose = f"the limits of {found.judge}" if found.judge else "these limits"
        part = share(whole.dropped / whole.documents)
        parts.append(f"{whose} break {count(whole.dropped)} of them ({part}), {say_bytes(whole.dropped_bytes)}")
    if whole.missing:
        parts.append(f"{count(whole.missing)} have no number")
    return "; ".join(parts)


def snippet(found: Inspected) -> str:
    """The limits as lines of a config, to take over; a place to begin where there are none."""
    langs = [spread.lang for spread in found.languages]
    limits = found.whole.limits or Limits(*_ends(found.whole))
    low, high = ("null" if limit is None else f"{limit:.4g}" for limit in (limits.low, limits.high))
    bound = f"{{{found.measure}: [{low}, {high}]}}"
    if len(langs) == 1:
        return f"- keep:\n    lang: {{{langs[0]}: {bound}}}"
    return f"- keep:\n    bounds: {bound}"


def _ends(whole: Spread) -> tuple[float | None, float | None]:
    """The 1st and the 99th percentile."""
    return (whole.quantiles[0], whole.quantiles[-1]) if whole.quantiles else (None, None)
