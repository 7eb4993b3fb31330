"""The report in numbers: everything that the page, the card and the terminal show, from manifests and ledgers alone.

    [source steps…, stage steps…, tokenizer, encode, packed] -> Report -> report.json

The order of the steps is the order of the work; those that have not run yet may be missing. Nothing of the corpus is
read but the ledgers, one file at a time, and the token ids of documents, which are counted. Two reports of the same
steps are equal. It must never read the clock, nor write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from pipeline.codes import STRANGE
from pipeline.report.contamination import contamination, plain_tallies
from pipeline.report.languages import rows
from pipeline.report.levels import SOURCE, STAGES, Level, Manifest, drops, labels, levels, naming_level
from pipeline.report.samples import sample
from pipeline.report.tokenizer import usage
from pipeline.report.warn import warnings
from pipeline.store.step import Step

FORMAT, FORMAT_VERSION = "seedbed-report", 1
SAMPLES = 12  # of each reason
BAD_SAMPLES = 40  # of each reason for which a source could not read something


@dataclass(frozen=True)
class Report:
    """JSON all through. Lists are in the order in which they are shown."""

    totals: dict[str, Any]  # documents_in, bytes_in, documents, bytes, tokens, languages, code_languages, dropped, …
    warnings: list[dict[str, Any]]  # warn.py
    languages: list[dict[str, Any]]  # languages.py
    funnel: list[Level]  # levels.py
    named_at: str  # label of the level from which on languages stay as they are
    drops: list[dict[str, Any]]  # levels.py, with `samples` (samples.py)
    duplicates: list[dict[str, Any]]  # label, address and what the step says about its clusters
    contamination: list[dict[str, Any]]  # contamination.py
    tokenizer: dict[str, Any] | None  # vocab_size, asked, sample by language, usage (tokenizer.py)
    packed: dict[str, Any] | None  # folder, address, seq_len, vocab_size, mode, splits: totals of each
    sources: list[dict[str, Any]]
    steps: list[dict[str, Any]]  # label, folder, address, kind, recipe, times, peak_memory, disk
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """What stands in report.json."""
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}


def gather(steps: Sequence[Step], samples: int = SAMPLES) -> Report:
    """Reads the manifests of sealed steps and samples their ledgers.

    Raises InputError where a manifest or a ledger is damaged or gone."""
    manifests = [_manifest(step) for step in steps]
    funnel = levels(manifests)
    languages = rows(funnel, manifests)
    found = _sampled(steps, manifests, samples)
    sources, dropped = _sources(manifests, found), drops(manifests)
    tokenizer, packed = _tokenizer(steps, manifests), _packed(steps, manifests)
    return Report(
        totals=_totals(funnel, languages, sources, packed),
        warnings=warnings(funnel, languages, sources, tokenizer, dropped),
        languages=languages,
        funnel=funnel,
        named_at=funnel[naming_level(funnel)]["label"] if funnel else "",
        drops=[{**drop, "samples": _of_stage(found, drop, funnel)} for drop in dropped],
        duplicates=_duplicates(manifests),
        contamination=contamination(manifests),
        tokenizer=tokenizer,
        packed=packed,
        sources=sources,
        steps=_steps(steps, manifests, funnel),
        versions=_versions(manifests),
    )


def _manifest(step: Step) -> Manifest:
    """With what the packed folder's manifest leaves unsaid."""
    manifest = step.manifest()
    if manifest["format"] == "seedbed-packed":
        return {"name": "pack", "kind": "packed", **manifest}
    return manifest


def _sampled(
    steps: Sequence[Step], manifests: Sequence[Manifest], samples: int
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """address -> reason -> samples."""
    out = {}
    for step, manifest in zip(steps, manifests, strict=True):
        most = max(samples, BAD_SAMPLES) if manifest["kind"] == SOURCE else samples
        out[manifest["address"]] = sample(step, manifest["files"], most) if manifest.get("dropped") else {}
    return out


def _of_stage(
    found: dict[str, dict[str, list[dict[str, Any]]]], drop: dict[str, Any], funnel: Sequence[Level]
) -> list[dict[str, Any]]:
    """Samples of a stage's reason; those of a source stand with the source."""
    of_stages = {level["address"] for level in funnel[1:]}
    return found[drop["address"]].get(drop["reason"], []) if drop["address"] in of_stages else []


def _totals(
    funnel: Sequence[Level],
    languages: Sequence[dict[str, Any]],
    sources: Sequence[dict[str, Any]],
    packed: dict[str, Any] | None,
) -> dict[str, Any]:
    first, last = (funnel[0], funnel[-1]) if funnel else (None, None)
    kept = [row for row in languages if row["documents"]]
    return {
        "documents_in": sum(s["documents_in"] for s in sources),
        "bytes_in": first["bytes"] if first else 0,
        "unreadable": first["dropped"] if first else 0,
        "documents": last["documents"] if last else 0,
        "bytes": last["bytes"] if last else 0,
        "dropped": sum(level["dropped"] for level in funnel),
        "tokens": sum(row["tokens"] or 0 for row in languages) if any(row["tokens"] for row in languages) else None,
        "languages": sum(row["kind"] == "text" for row in kept),
        "code_languages": sum(row["kind"] == "code" for row in kept),
        "sources": len(sources),
        "stages": max(0, len(funnel) - 1),
        "rows": sum(split["rows"] for split in packed["splits"].values()) if packed else None,
    }


def _strange(manifest: Manifest) -> dict[str, int]:
    """Codes that documents declare and that are no language's, most often first."""
    tallies = {key: n for key, n in manifest.get("tallies", {}).items() if key.startswith(STRANGE)}
    return {key.removeprefix(STRANGE): n for key, n in sorted(tallies.items(), key=lambda one: (-one[1], one[0]))}


def _sources(manifests: Sequence[Manifest], found: dict[str, dict[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """What each source gave, what could not be read of it, and what of it stands at the end."""
    end = [m for m in manifests if m["kind"] == SOURCE or m["kind"] in STAGES]
    stages = [m for m in end if m["kind"] in STAGES]
    out = []
    for manifest in (m for m in end if m["kind"] == SOURCE):
        name = manifest["name"].removeprefix("source.")
        last = [c for c in (stages[-1] if stages else manifest)["kept"] if c["source"] == name]
        reasons: Counter[str] = Counter()
        for cell in manifest["dropped"]:
            reasons[cell["reason"]] += cell["documents"]
        harmless = manifest.get("about", {}).get("harmless", [])
        given = sum(c["documents"] for c in manifest["kept"])
        out.append(
            {
                "name": name,
                "address": manifest["address"],
                "files": manifest.get("about", {}).get("files"),
                "languages": len({c["lang"] for c in manifest["kept"]}),
                "documents_in": given + sum(reasons.values()),
                "documents_read": given,
                "bytes_read": sum(c["bytes"] for c in manifest["kept"]),
                "documents": sum(c["documents"] for c in last),
                "bytes": sum(c["bytes"] for c in last),
                "bad": sum(n for reason, n in reasons.items() if reason not in harmless),
                "harmless": harmless,
                "strange": _strange(manifest),
                "reasons": dict(sorted(reasons.items())),
                "samples": [
                    {"reason": r, **row} for r, rows in sorted(found[manifest["address"]].items()) for row in rows
                ],
            }
        )
    return out


def _duplicates(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Steps that tell of groups or clusters; `found` is the chance that a pair at the threshold is compared."""
    stages = [m for m in manifests if m["kind"] in STAGES]
    return [
        {
            "stage": label,
            "address": m["address"],
            "about": m["about"],
            "found": m["about"].get("settings", {}).get("recall"),
        }
        for label, m in zip(labels(stages), stages, strict=True)
        if m["kind"] == "corpus" and m.get("about")
    ]


def _tokenizer(steps: Sequence[Step], manifests: Sequence[Manifest]) -> dict[str, Any] | None:
    manifest = next((m for m in manifests if m["kind"] == "tokenizer"), None)
    if manifest is None:
        return None
    return {"address": manifest["address"], **manifest.get("about", {}), "usage": usage(steps, manifests)}


def _packed(steps: Sequence[Step], manifests: Sequence[Manifest]) -> dict[str, Any] | None:
    for step, manifest in zip(steps, manifests, strict=True):
        if manifest["kind"] == "packed":
            names = ("rows", "documents", "cut", "tokens", "padding", "bytes")
            splits = {
                split: {name: _sum(row.get(name) for row in languages.values()) for name in names}
                for split, languages in manifest["splits"].items()
            }
            head = {name: manifest[name] for name in ("address", "seq_len", "vocab_size")}
            head["mode"] = manifest["recipe"].get("parameters", {}).get("mode", "concat")
            return {"folder": step.folder.name, "digest": manifest["digest"], **head, "splits": splits}
    return None


def _sum(values: Iterable[int | None]) -> int | None:
    """None where one is not known: a folder packed before `cut` was counted."""
    known = list(values)
    return None if None in known else sum(n for n in known if n is not None)


def _steps(steps: Sequence[Step], manifests: Sequence[Manifest], funnel: Sequence[Level]) -> list[dict[str, Any]]:
    came = _bytes_in(manifests, funnel)
    out = []
    for step, manifest, label in zip(steps, manifests, labels(manifests), strict=True):
        run, size = manifest.get("run", {}), came[manifest["address"]]
        worked = run.get("stage_seconds") or sum(run.get("task_seconds", {}).values()) or None
        out.append(
            {
                "label": label,
                "folder": step.folder.name,
                "address": manifest["address"],
                "kind": manifest["kind"],
                "recipe": manifest.get("recipe", {}),
                "started": run.get("started"),  # equal for stages that went over the shards together
                "seconds": run.get("seconds"),
                "worker_seconds": worked,
                "bytes_in": size,
                "bytes_per_worker_second": size / worked if size and worked else None,
                "peak_memory": run.get("peak_memory"),
                "workers": run.get("workers"),
                "machine": run.get("machine"),
                "disk": sum(file["bytes"] for file in manifest["files"].values()),
                "tallies": plain_tallies(manifest.get("tallies", {})) if manifest["kind"] in STAGES else {},
            }
        )
    return out


def _bytes_in(manifests: Sequence[Manifest], funnel: Sequence[Level]) -> dict[str, int | None]:
    """Bytes of text that a step was given: of a source what it read, of a stage what the level before kept."""
    before = {level["address"]: previous["bytes"] for previous, level in pairwise(funnel)}
    last = funnel[-1]["bytes"] if funnel else None
    sources = {m["address"]: sum(c["bytes"] for c in m["kept"]) for m in manifests if m["kind"] == SOURCE}
    return {m["address"]: sources.get(m["address"], before.get(m["address"], last)) for m in manifests}


def _versions(manifests: Sequence[Manifest]) -> dict[str, str]:
    """seedbed's own, and those of the packages that recipes name."""
    out = {"seedbed": version("seedbed")}
    for manifest in manifests:
        out |= manifest.get("recipe", {}).get("packages", {})
    return out
