"""What the terminal and the page say alike: the headline, numbers, and the limits as a config would write them."""

from __future__ import annotations

import math
from collections import Counter

from pipeline.inspection.inspected import Inspected, Limits, Spread
from pipeline.report.wording import count, plural, say_bytes, share
from pipeline.yamlsafe import spelled


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
    """The limits as lines of a config, to take over; without any, the 1st and the 99th percentile.

    Limits that most languages share stand under `bounds`, the others under `lang`."""
    spreads = found.languages
    if not any(spread.limits for spread in spreads):
        own = {spread.lang: Limits(*_ends(found.whole)) for spread in spreads}
    else:
        own = {spread.lang: spread.limits for spread in spreads}
    common, times = Counter(own.values()).most_common(1)[0]
    rest = {lang: limits for lang, limits in sorted(own.items()) if limits != common or len(own) == 1}
    lines = [f"    bounds: {_bound(found.measure, common)}"] if len(own) > 1 and times > 1 else []
    if len(own) > 1 and times == 1:
        rest = dict(sorted(own.items()))
    if rest:
        each = (f"{spelled(lang)}: {_bound(found.measure, limits)}" for lang, limits in rest.items())
        lines.append(f"    lang: {{{', '.join(each)}}}")
    where = "".join(f"\n  where: {{{name}: {spelled(told)}}}" for name, told in found.judges.items())
    return "\n".join(["- keep:", *lines]) + where


def _bound(measure: str, limits: Limits) -> str:
    return f"{{{measure}: [{_exact(limits.low)}, {_exact(limits.high)}]}}"


def _exact(limit: float | None) -> str:
    """As YAML spells it: `null`, 20, 0.123456."""
    return "null" if limit is None else repr(int(limit)) if limit == int(limit) else repr(limit)


def _ends(whole: Spread) -> tuple[float | None, float | None]:
    """The 1st and the 99th percentile."""
    return (whole.quantiles[0], whole.quantiles[-1]) if whole.quantiles else (None, None)
