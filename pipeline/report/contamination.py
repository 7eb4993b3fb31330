"""What was found of evaluation sets: by set, with the items that most documents hold, from a step's manifest alone.

    manifests -> [{stage, action, sets: [{name, items, not_looked_for, found, documents, most: [{item, documents}]}]}]

Items are named, never shown: a report that goes public must not spread the questions. Says nothing of other stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.report.levels import STAGES, Manifest, labels

STAGE = "decontaminate"
ITEMS, SETS = "item/", "set/"  # begin the names of tallies
MOST = 20  # items of a set that are named


def contamination(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """An entry for each step that looked for evaluation sets, in order."""
    stages = [m for m in manifests if m["kind"] in STAGES]
    return [
        {"stage": label, "action": m["recipe"]["parameters"]["action"], "sets": _sets(m)}
        for label, m in zip(labels(stages), stages, strict=True)
        if m["name"] == STAGE
    ]


def plain_tallies(tallies: dict[str, int]) -> dict[str, int]:
    """Without those of single items, which are as many as an evaluation set has."""
    return {name: n for name, n in tallies.items() if not name.startswith(ITEMS)}


def _sets(manifest: Manifest) -> list[dict[str, Any]]:
    tallies = manifest["tallies"]
    out = []
    for one in manifest["recipe"]["parameters"]["against"]:
        begin = f"{ITEMS}{one['name']}/"
        found = {name.removeprefix(ITEMS): n for name, n in tallies.items() if name.startswith(begin)}
        most = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST]
        out.append(
            {
                "name": one["name"],
                "items": one["looked_for"]["items"],
                "not_looked_for": one["looked_for"]["not_looked_for"],
                "found": len(found),
                "documents": tallies.get(f"{SETS}{one['name']}", 0),
                "most": [{"item": name, "documents": n} for name, n in most],
            }
        )
    return out
