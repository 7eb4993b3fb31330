"""The rows of train_560m for people: a line each, ours beside each peer, and whether the aim is reached.

Pure: rows in, text or more rows out. A row without a value says why.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
TARGET, GOOD, PEER = 125_000, 110_000, 87_000  # tokens/s: what we want, what is good, the best published at this size


def speeds(rows: list[Json]) -> list[Json]:
    return [r for r in rows if r["unit"] == "tokens/s" and r["value"]]


def largest(rows: list[Json], who: str, checkpointing: bool) -> int:
    """The largest micro-batch that a peer held, with or without gradient checkpointing."""
    return max(size(r) for r in speeds(rows) if r["who"] == who and ("checkpointing" in r["work"]) == checkpointing)


def ratios(rows: list[Json]) -> list[Json]:
    """Ours beside each peer: at its largest batch with the same batch, and each at its best."""
    ours = [r for r in speeds(rows) if r["who"] == "seedbed"]
    out = []
    for who in dict.fromkeys(r["who"] for r in speeds(rows) if r["who"] != "seedbed"):
        theirs = [r for r in speeds(rows) if r["who"] == who]
        for checkpointing in sorted({"checkpointing" in r["work"] for r in theirs}):
            n = largest(rows, who, checkpointing)
            same = [r for r in ours if size(r) == n and r["about"]["tokens_a_step"] == tokens(theirs, n)]
            name = f"{who}{', gradient checkpointing' if checkpointing else ''}"
            those = [r for r in theirs if size(r) == n and ("checkpointing" in r["work"]) == checkpointing]
            out += _ratio(f"tokens/s beside {name}, micro-batch {n}", same, those)
        out += _ratio(f"tokens/s beside {who}, each at its best", ours, theirs)
    return out


def size(row: Json) -> int:
    return int(row["about"].get("micro_batch", 0))


def tokens(rows: list[Json], micro_batch: int) -> int:
    return int(next(r["about"]["tokens_a_step"] for r in rows if size(r) == micro_batch))


def _ratio(work: str, ours: list[Json], theirs: list[Json]) -> list[Json]:
    if not ours or not theirs:
        return []
    mine, other = (max(rows, key=lambda r: r["value"]) for rows in (ours, theirs))
    about = {"ours": mine["work"], "theirs": other["work"]}
    ratio = mine["value"] / other["value"]
    return [{"work": work, "who": "seedbed", "value": ratio, "unit": "times", "higher_is_better": True, "about": about}]


def line(row: Json) -> str:
    """One line of the table."""
    about = row["about"]
    if row["value"] is None:
        return f"{row['work']:<74} {row['who'][:28]:<28} -- {about.get('failed', '')}"
    notes = [
        f"{100 * about['mfu']:.1f} % MFU" if about.get("mfu") else "",
        f"{about['milliseconds']:.1f} ms" if "milliseconds" in about else "",
        " ".join(f"{name} {ms:.1f}" for name, ms in about.get("phases", {}).items() if ms >= 0.05),
        f"{about['peak_gib']:.1f} GiB" if about.get("peak_gib") else "",
        f"{about['extra_gib']:.2f} GiB more" if about.get("extra_gib") else "",
        f"first call {about['compile_seconds']:.0f} s" if about.get("compile_seconds", 0) >= 1 else "",
        f"loss {about['losses'][0]:.3f}" if "losses" in about else "",
        f"expected {about['expected']:.1f}, floor {about['floor']:.1f}" if about.get("expected") else "",
        f"{about['share']:.1%}" if "share" in about else "",
        f"{about['launches']:.0f} launches" if "launches" in about else "",
        f"{about['useful_tflops']:.0f} TFLOP/s" if "useful_tflops" in about else "",
        f"{about['layers_microseconds_a_token']:.2f} us a token" if "layers_microseconds_a_token" in about else "",
        f"{about['microseconds_a_token']:.2f} us a token" if "microseconds_a_token" in about else "",
        f"{about['tflops']:.0f} TFLOP/s" if "tflops" in about else "",
    ]
    value = f"{row['value']:>12,.0f}" if abs(row["value"]) >= 1000 else f"{row['value']:>12,.2f}"
    return f"{row['work']:<74} {row['who'][:28]:<28} {value} {row['unit']:<9} {', '.join(filter(None, notes))}"


def verdict(rows: list[Json]) -> str:
    best = max(
        (r for r in rows if r["unit"] == "tokens/s" and r["who"] == "seedbed" and r["value"]),
        default=None,
        key=lambda r: r["value"],
    )
    if best is None:
        return "no step of ours was measured"
    speed = best["value"]
    word = "reached" if speed >= TARGET else "good, not reached" if speed >= GOOD else "missed"
    return f"best of ours: {speed:,.0f} tokens/s ({best['work']}); {TARGET:,} {word}, best published {PEER:,}"
