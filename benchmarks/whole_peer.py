"""datatrove's whole pipeline, from JSON lines to shuffled windows; run by whole.py in an environment of its own.

    python whole_peer.py INPUT OUTPUT tokenizer.json LANGUAGES WORKERS     # a line of JSON on stdout

INPUT holds as many *.jsonl as there are workers ({text, ...} a line); OUTPUT gets what datatrove writes; LANGUAGES is a
model of fastText's, which datatrove would download. Each part is a LocalPipelineExecutor, set up as in datatrove's own
examples/fineweb.py and examples/minhash_deduplication.py, and has its defaults. Filters judge each document and let it
go on as it was (whole_beside.py says why). The line: {seconds: {part: s}, tokens, version}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer, DocumentTokenizerContextShuffler, DocumentTokenizerMerger
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.logging import logger

WINDOW, SEED = 2049, 0
FOLDERS = ("judged", "signatures", "buckets", "removed", "plain", "merged", "rows")
NO_EDITS = {
    **dict.fromkeys(("filter_no_terminal_punct", "remove_citations", "filter_javascript", "filter_policy"), False),
    **dict.fromkeys(("min_words_per_line", "max_word_length"), -1),
}

Part = tuple[list[PipelineStep], int]


class Judged(BaseFilter):
    """Lets a filter judge a document, notes why it would go, and lets it go on as it was."""

    def __init__(self, judge: BaseFilter) -> None:
        super().__init__()
        self.judge, self.name = judge, judge.name

    def filter(self, doc: Document) -> bool:
        text = doc.text
        try:
            verdict = self.judge.filter(doc)
        except (ZeroDivisionError, IndexError):  # some texts break some of its filters
            verdict = False, "broken"
        doc.text = text
        if isinstance(verdict, tuple):
            doc.metadata.setdefault("reasons", []).append(verdict[1])
        return True


def language(model: str) -> LanguageFilter:
    made = LanguageFilter(label_only=True)
    made.model.MODEL_URL = model
    return made


def parts(source: str, out: Path, tokenizer: str, model: str, workers: int) -> dict[str, Part]:
    """{part: its steps, into how many tasks they are cut}, in the order they run."""
    at = {name: str(out / name) for name in FOLDERS}
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    judges = (GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(**NO_EDITS), FineWebQualityFilter())
    judging = [JsonlReader(source), language(model), *map(Judged, judges), JsonlWriter(at["judged"], compression=None)]
    signing = [JsonlReader(at["judged"]), MinhashDedupSignature(at["signatures"], config=config)]
    linking = MinhashDedupBuckets(at["signatures"], at["buckets"], config=config)
    clustering = MinhashDedupCluster(at["buckets"], at["removed"], config=config)
    tokens = DocumentTokenizer(at["plain"], tokenizer, eos_token="</s>", seed=SEED)
    merging = DocumentTokenizerMerger(at["plain"], at["merged"], "merged", seed=SEED, progress=False)
    shuffling = DocumentTokenizerContextShuffler(at["merged"], at["rows"], WINDOW, SEED, tokens.token_size)
    return {
        "language and filters": (judging, workers),
        "signatures": (signing, workers),
        "buckets": ([linking], config.num_buckets),
        "clusters": ([clustering], 1),
        "tokens": ([JsonlReader(at["judged"]), MinhashDedupFilter(at["removed"]), tokens], workers),
        "merge": ([merging], 1),
        "windows": ([shuffling], 1),
    }


def main() -> None:
    source, out, tokenizer, model, many = sys.argv[1:]
    os.environ["HF_ASSETS_CACHE"] = str(Path(out) / "assets")
    logger.remove()
    seconds, workers = {}, int(many)
    for name, (steps, tasks) in parts(source, Path(out), tokenizer, model, workers).items():
        begin = time.perf_counter()
        LocalPipelineExecutor(steps, tasks, min(workers, tasks), logging_dir=str(Path(out) / "logs" / name)).run()
        seconds[name] = round(time.perf_counter() - begin, 2)
    size = DocumentTokenizer(out, tokenizer).token_size
    tokens = sum(path.stat().st_size for path in (Path(out) / "rows").glob("*.ds")) // size
    print(json.dumps({"seconds": seconds, "tokens": tokens, "version": version("datatrove")}))


if __name__ == "__main__":
    main()
