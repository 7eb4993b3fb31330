"""Encoding with a tokenizer of BLOOM's kind: seedbed beside tokenizers, tiktoken, kitoken and fastokens, in one call.

    python benchmarks/corpora.py runs/corpora
    python benchmarks/tokenizer.py runs/corpora/docs.jsonl sample/*.jsonl.zst --json rows.json
    python benchmarks/tokenizer.py runs/corpora/docs.jsonl runs/corpora/code.jsonl --exact --peers     # ids alone

Input is JSON lines with a field `text`. The tokenizer, 250,680 tokens, is trained once with `tokenizers` on --train-mb
of the input by lot and kept in --cache (or --tokenizer names one). Documents by lot up to --limit-mb are encoded by
all, by script (that of most of a document's letters) and together: MB of text a second of CPU time, one thread,
medians of the rounds, texts in memory, tokenizers loaded, kernels compiled. Of seedbed `new` begins with an empty
cache, as a worker does, and `again` has met the same words; `the whole input` is a worker that begins with nothing and
goes through all documents by lot. Peers run in an environment of their own, each in one process, and may remember
words too: `new` is their first round, `again` the median of the others (they meet `all together` first, so of its parts
they know all words). Each one's ids are compared with those of tokenizers, document by document; exits with 1 where
seedbed's differ. `--exact` compares all documents of the input, which takes tokenizers some 7 minutes a GB;
`--training` adds the training of tokenizers (tokenizer_training.py).
"""

import argparse
import hashlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard
from environments import python_of
from tokenizers import Tokenizer

from pipeline.encode import Encoder
from pipeline.text.token_cache import TokenCache
from pipeline.tokenizer import load, train

PEER = Path(__file__).with_name("tokenizer_peer.py")
PEERS = {"tiktoken": "0.14.0", "kitoken": "0.11.1", "fastokens": "0.3.5"}
VOCAB = 250_680
BATCH = 16_000_000  # bytes of text that are compared at once
ALL = "all together"


def documents(paths: list[Path], seed: int = 1) -> list[tuple[bool, str]]:
    """(is code, text) of every document, by lot."""
    found = [(is_code(doc), doc["text"]) for path in paths for doc in map(json.loads, lines(path))]
    random.Random(seed).shuffle(found)
    return found


def lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        plain = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        yield from io.BufferedReader(plain)  # type: ignore[arg-type]


def is_code(doc: dict) -> bool:
    return str(doc.get("lang") or doc.get("meta", {}).get("lang")).startswith("code-")


def script_of(text: str) -> str:
    names = (unicodedata.name(char, "").split(" ")[0] for char in text[:500] if char.isalpha())
    ((script, _),) = Counter(names).most_common(1) or [("", 0)]
    return script.title() or "no letters"


def some(docs: list[tuple[bool, str]], limit_mb: float) -> list[tuple[bool, str]]:
    sizes = np.cumsum([len(text.encode()) for _, text in docs])
    return docs[: int(np.searchsorted(sizes, limit_mb * 1e6)) + 1]


def tokenizer_file(args: argparse.Namespace, docs: list[tuple[bool, str]]) -> Path:
    if args.tokenizer:
        return args.tokenizer
    texts = [text for _, text in some(docs, args.train_mb)]
    name = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    path = args.cache / f"tokenizer-{VOCAB}-{name}.json"
    if not path.exists():
        print(f"training {VOCAB:,} tokens into {path}", file=sys.stderr)
        args.cache.mkdir(parents=True, exist_ok=True)
        train(texts, VOCAB).save(str(path))
    return path


class Ours:
    """Encodes with a cache that is emptied on demand."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._encoder = Encoder(tokenizer)
        assert self._encoder.by_kernel and self._encoder._words
        self._encoder.warm()

    def forget(self) -> None:
        cache: TokenCache = self._encoder._words.cache
        cache.slots[:], cache.written[0] = 0, 0

    def __call__(self, texts: pa.Array) -> pa.ListArray:
        return self._encoder.encode(texts)


def differing(ours: pa.ListArray, theirs: list[np.ndarray]) -> int:
    """Documents whose ids, less the `</s>` at the end, are not the same."""
    offsets, ids = ours.offsets.to_numpy(), ours.values.to_numpy()
    ends = pairwise(offsets)
    return sum(not np.array_equal(ids[a : b - 1], want) for (a, b), want in zip(ends, theirs, strict=True))


def oracle(tokenizer: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(encoding.ids, np.int32) for encoding in found]


def timed_here(ours: Ours, tokenizer: Tokenizer, texts: list[str], rounds: int) -> dict[str, float]:
    """Median CPU seconds of seedbed and of tokenizers, who take turns."""
    took = defaultdict(list)
    array = pa.array(texts, pa.large_string())
    for _ in range(rounds):
        ours.forget()
        for name, work in (
            ("new", lambda: ours(array)),
            ("again", lambda: ours(array)),
            ("tokenizers", lambda: tokenizer.encode_batch_fast(texts, add_special_tokens=False)),
        ):
            begin = time.process_time()
            work()
            took[name].append(time.process_time() - begin)
    return {name: statistics.median(spent) for name, spent in took.items()}


def ask_peer(name: str, args: argparse.Namespace, path: Path, groups: dict[str, list[str]], folder: Path) -> dict:
    """{group: (seconds of each round, ids of each document)} of a peer, in its own environment."""
    python = python_of("encoders", [f"{peer}=={number}" for peer, number in PEERS.items()], args.cache)
    texts = folder / "texts.json"
    texts.write_text(json.dumps(groups), "utf-8")
    command = [str(python), str(PEER), name, str(path), str(texts), str(args.rounds), str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    out, at = {}, 0
    ids = np.fromfile(folder / f"{name}.ids", np.int32)
    for group, (spent, counts) in json.loads(done.stdout.splitlines()[-1]).items():
        edges = at + np.concatenate([[0], np.cumsum(counts)]).astype(int)
        out[group] = spent, [ids[a:b] for a, b in pairwise(edges)]
        at = int(edges[-1])
    return out


def compare_all(ours: Ours, tokenizer: Tokenizer, docs: list[tuple[bool, str]]) -> tuple[int, float, float]:
    """Documents that differ, CPU seconds of seedbed, and of tokenizers."""
    bad, spent, theirs = 0, 0.0, 0.0
    batch: list[str] = []
    size = 0
    for number, (_, text) in enumerate(docs):
        batch.append(text)
        size += len(text.encode())
        if size >= BATCH or number == len(docs) - 1:
            array = pa.array(batch, pa.large_string())
            begin = time.process_time()
            found = ours(array)
            middle = time.process_time()
            bad += differing(found, oracle(tokenizer, batch))
            spent, theirs = spent + middle - begin, theirs + time.process_time() - middle
            batch, size = [], 0
    return bad, spent, theirs


def whole_input(ours: Ours, docs: list[tuple[bool, str]]) -> float:
    """CPU seconds for all documents, in shards, beginning with nothing."""
    array = pa.array([text for _, text in docs], pa.large_string())
    ours.forget()
    begin = time.process_time()
    for start in range(0, len(array), 8192):
        ours(array.slice(start, 8192))
    return time.process_time() - begin


def main() -> None:
    args = arguments()
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    docs = documents(args.corpora)
    size = sum(len(text.encode()) for _, text in docs) / 1e6
    path = tokenizer_file(args, docs)
    tokenizer = load(path)
    ours = Ours(tokenizer)
    rows: list[dict] = []
    print(f"{len(docs):,} documents, {size:.0f} MB; {tokenizer.get_vocab_size():,} tokens", file=sys.stderr)
    if args.exact:
        wrong, spent, theirs = compare_all(ours, tokenizer, docs)
        print(f"{wrong} of {len(docs):,} documents differ; {spent:.1f} s of CPU against {theirs:.1f} with comparing")
    else:
        wrong = beside_peers(args, docs, path, tokenizer, ours, rows)
        begin = [whole_input(ours, docs) for _ in range(args.rounds)]
        tell(rows, f"encoding, 1 thread, the whole input ({size:.0f} MB)", "seedbed", size / statistics.median(begin))
    if args.training:
        import tokenizer_training as training

        of_training = {
            "corpora": [str(corpus) for corpus in args.corpora],
            "sizes": training.SIZES,
            "settings": training.USUAL,
        }
        rows += training.run(argparse.Namespace(**of_training, rounds=1, alone=False))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    sys.exit(1 if wrong else 0)


def beside_peers(
    args: argparse.Namespace, docs: list, path: Path, tokenizer: Tokenizer, ours: Ours, rows: list[dict]
) -> int:
    """Times everyone on a lot of the documents, by script; returns how many of seedbed's ids are wrong."""
    groups: dict[str, list[str]] = {}
    for code, text in some(docs, args.limit_mb):
        groups.setdefault("source code" if code else script_of(text), []).append(text)
    groups = {script: texts for script, texts in groups.items() if sum(map(len, texts)) >= 100_000}
    groups = {ALL: [text for texts in groups.values() for text in texts]} | groups  # the peers meet it first
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        answers = {name: ask_peer(name, args, path, groups, Path(folder)) for name in args.peers}
        for group, texts in sorted(groups.items(), key=lambda item: -sum(map(len, item[1]))):
            size = sum(len(text.encode()) for text in texts) / 1e6
            work = f"encoding, 1 thread, {group} ({size:.1f} MB)"
            right = oracle(tokenizer, texts)
            wrong += differing(ours(pa.array(texts, pa.large_string())), right)
            took = timed_here(ours, tokenizer, texts, args.rounds)
            tell(rows, f"{work}, new", "seedbed", size / took["new"])
            tell(rows, f"{work}, again", "seedbed", size / took["again"])
            tell(rows, work, f"tokenizers {version('tokenizers')}", size / took["tokenizers"])
            for name, answer in answers.items():
                spent, ids = answer[group]
                bad = sum(not np.array_equal(a, b) for a, b in zip(ids, right, strict=True))
                said = "" if bad == 0 else f", WRONG in {bad} of {len(texts)} documents"
                for when, seconds in (("new", spent[:1]), ("again", spent[1:])):
                    if seconds:
                        rate = size / statistics.median(seconds)
                        tell(rows, f"{work}, {when}", f"{name} {PEERS[name]}{said}", rate)
    print(f"{wrong} documents of seedbed's differ from tokenizers'")
    return wrong


def tell(rows: list[dict], work: str, who: str, rate: float) -> None:
    rows.append({"work": work, "who": who, "value": round(rate, 2), "unit": "MB/s", "higher_is_better": True})
    print(f"{rate:>10.2f} MB/s  {work:<66} {who}", flush=True)


def arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("corpora", nargs="+", type=Path, help="JSON lines: {text} or {text, meta: {lang}}, also .zst")
    ask.add_argument("--limit-mb", type=float, default=25)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument(
        "--peers", nargs="*", default=list(PEERS), choices=list(PEERS), help="none: seedbed and tokenizers"
    )
    ask.add_argument("--tokenizer", type=Path, help="a tokenizer.json like BLOOM's; default: train one")
    ask.add_argument("--train-mb", type=float, default=60)
    ask.add_argument("--exact", action="store_true", help="compare the ids of all documents, time nobody else")
    ask.add_argument("--training", action="store_true", help="add the training of tokenizers")
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--json", type=Path, help="write the rows here")
    return ask.parse_args()


if __name__ == "__main__":
    main()
