"""What came from where: tables of what make_lid_corpus.py wrote, read from its files alone.

    python data/lid_table.py OUT        Markdown on stdout: sources with licences and sizes, and the 46 languages

Never: shows a text.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import zstandard


def rows(folder: Path) -> Iterator[dict]:
    for path in sorted(folder.glob("*.jsonl.zst")):
        for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines():
            yield json.loads(line)


def sources(out: Path) -> Iterator[str]:
    sizes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    languages: dict[tuple[str, str], set[str]] = defaultdict(set)
    licences: dict[str, set[str]] = defaultdict(set)
    for folder in ("train", "other", "dev", "dev_other", "code/train", "code/dev"):
        for row in rows(out / folder):
            meta = row["meta"]
            key = (folder, meta["source"])
            sizes[key]["bytes"] += len(row["text"].encode())
            sizes[key]["documents"] += 1
            languages[key].add(meta["lang"])
            licences[meta["source"]] |= set(meta.get("license", "").split(", "))
    yield "| part | source | licence | languages | documents | MB |\n|---|---|---|---:|---:|---:|"
    for (folder, source), count in sorted(sizes.items()):
        licence = ", ".join(sorted(licences[source] - {""}))
        mb = f"{count['bytes'] / 1e6:.2f}"
        yield f"| {folder} | {source} | {licence} | {len(languages[folder, source])} | {count['documents']:,} | {mb} |"


def languages(out: Path) -> Iterator[str]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows(out / "train"):
        found[row["meta"]["lang"]][row["meta"]["source"]] += len(row["text"].encode())
    yield "| language | kB | of these sources |\n|---|---:|---|"
    for lang, count in sorted(found.items(), key=lambda one: sum(one[1].values())):
        parts = ", ".join(f"{source} {size / 1e3:.0f}" for source, size in count.most_common())
        yield f"| {lang} | {sum(count.values()) / 1e3:,.0f} | {parts} |"


def main(out: Path) -> None:
    print("\n".join([*sources(out), "", *languages(out)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
