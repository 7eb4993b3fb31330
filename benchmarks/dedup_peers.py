"""One run of one peer of dedup.py, in a process and an environment of its own.

    python dedup_peers.py WHO WORK INPUT.jsonl OUT.json     # a line of JSON on stdout: seconds, peak_mb, version

INPUT has a text a line, in memory before the clock starts; imports and compilation are not timed. WORK is `signatures`
(128 permutations, from text) or `whole` (signatures, 16 bands of 8, candidates, verification at 0.8, clusters); of the
latter OUT gets each document's cluster. What each peer is asked for is what its own documentation shows, in its fastest
documented form; shingles of five words are made in Python where a peer has no shingling of its own.
"""

import contextlib
import gc
import json
import os
import re
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path

PERMUTATIONS, BANDS, ROWS, THRESHOLD, SIZE = 128, 16, 8, 0.8, 5
WORD = re.compile(r"\w+")

Texts = Iterator[str]


def grams(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return [" ".join(words[i : i + SIZE]) for i in range(len(words) - SIZE + 1)] or [" ".join(words)]


class Clusters:
    """A union-find in Python, for peers that bring none."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def root(self, x: int) -> int:
        while self.parent[x] != x:
            self.parent[x] = self.parent[self.parent[x]]
            x = self.parent[x]
        return x

    def join(self, x: int, y: int) -> None:
        x, y = self.root(x), self.root(y)
        self.parent[max(x, y)] = min(x, y)

    def labels(self) -> list[int]:
        return [self.root(x) for x in range(len(self.parent))]


def seedbed(texts: Texts, work: str) -> Callable[[], list[int] | None]:
    import pyarrow as pa

    ours(pa.array(["one two three four five six"] * 2, pa.large_string()), work)()  # compile
    return ours(arrow(texts), work)


def arrow(texts: Texts):  # type: ignore[no-untyped-def]
    """One Arrow array, made without all the Python strings at once."""
    import pyarrow as pa

    parts = iter(lambda: pa.array(islice(texts, 1000), pa.large_string()), pa.array([], pa.large_string()))
    return pa.concat_arrays(parts)


def ours(texts, work: str) -> Callable[[], list[int] | None]:  # type: ignore[no-untyped-def]
    """`texts` is an Arrow array; work may also be `whole_exact`: verified by shingles, not by signatures."""
    import numpy as np

    from pipeline.text.jaccard import estimated, exact, in_bytes
    from pipeline.text.lsh import band_keys, linked
    from pipeline.text.minhash import signatures
    from pipeline.text.shingles import shingles
    from pipeline.text.unionfind import components

    def whole() -> list[int]:
        made, counts = signatures(texts, PERMUTATIONS, SIZE)
        worded = counts > 0
        docs = np.arange(len(made))
        keys = band_keys(made, BANDS, ROWS)[worded].ravel()
        kept = in_bytes(made)
        least = THRESHOLD if work == "whole" else THRESHOLD - 0.1
        a, b, *_ = linked(keys, np.repeat(docs[worded], BANDS), lambda a, b: estimated(kept, a, b), least)
        if work == "whole_exact":
            wanted, where = np.unique(np.concatenate([a, b]), return_inverse=True)
            true = exact(*shingles(texts.take(wanted), SIZE), where[: len(a)], where[len(a) :]) >= THRESHOLD
            a, b = a[true], b[true]
        members, labels = components(a, b)
        docs[members] = labels
        return docs.tolist()

    def sign() -> None:
        signatures(texts, PERMUTATIONS, SIZE)

    return sign if work == "signatures" else whole


def floor(texts: Texts, work: str) -> Callable[[], None]:
    """What no signature can do without. `words`: split and hash each word once; `memcpy`: copy the text."""
    import numpy as np
    from numba import njit

    from pipeline.text.buffers import buffers
    from pipeline.text.letters import tables
    from pipeline.text.shingles import AT, HELD, STOP, _hash_words, _split, open_stream, workspace

    @njit
    def hash_words(offsets, data, classes, folded):  # type: ignore[no-untyped-def]
        stream, words, hashes, _ = workspace(np.uint64(SIZE))
        for t in range(len(offsets) - 1):
            open_stream(stream, np.uint64(offsets[t]), np.uint64(offsets[t + 1]))
            while stream[AT] < stream[STOP]:
                stream[AT], end = _split(data, stream[AT], stream[STOP], words, stream[HELD], classes, folded)
                if stream[AT] == stream[STOP]:
                    words[end : end + np.uint64(8)] = 0
                    end += np.uint64(8)
                _hash_words(words, end, stream, hashes, np.uint64(0))

    offsets, data = buffers(arrow(texts))
    if work == "memcpy":
        target = np.zeros_like(data)
        return lambda: np.copyto(target, data)
    hash_words(offsets[:2], data, *tables("auto"))
    return lambda: hash_words(offsets, data, *tables("auto"))


def rensa(given: Texts, work: str) -> Callable[[], list[int] | None]:
    from rensa import RMinHash, RMinHashLSH

    texts = list(given)

    def whole() -> list[int]:
        made = RMinHash.from_token_sets((grams(text) for text in texts), num_perm=PERMUTATIONS, seed=42)
        index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=BANDS)
        index.insert_many(made)
        clusters = Clusters(len(texts))
        for doc, candidates in enumerate(index.query_all(made)):
            for other in candidates:
                if other < doc and made[doc].jaccard(made[other]) >= THRESHOLD:
                    clusters.join(doc, other)
        return clusters.labels()

    def sign() -> None:
        RMinHash.digest_matrix_from_token_sets((grams(text) for text in texts), num_perm=PERMUTATIONS, seed=42)

    return whole if work == "whole" else sign


def datasketch(given: Texts, work: str) -> Callable[[], list[int] | None]:
    import xxhash
    from datasketch import MinHash, MinHashLSH

    texts = list(given)

    def sketches() -> Iterable[MinHash]:
        sets = ([gram.encode() for gram in grams(text)] for text in texts)
        return MinHash.generator(sets, num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)

    def whole() -> list[int]:
        made = list(sketches())
        index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, params=(BANDS, ROWS))
        clusters = Clusters(len(texts))
        for doc, sketch in enumerate(made):
            for other in index.query(sketch):
                if made[other].jaccard(sketch) >= THRESHOLD:
                    clusters.join(doc, other)
            index.insert(doc, sketch)
        return clusters.labels()

    return whole if work == "whole" else lambda: sum(1 for _ in sketches()) and None


def datatrove(given: Texts, work: str) -> Callable[[], list[int] | None]:
    """Its four steps, called one after the other in this process without its executor; it verifies no candidates."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from loguru import logger

    texts = list(given)
    logger.remove()
    folder = Path(tempfile.mkdtemp())
    config = MinhashConfig(n_grams=SIZE, num_buckets=BANDS, hashes_per_bucket=ROWS)
    first = MinhashDedupSignature(str(folder / "signatures"), config=config)
    MinhashDedupSignature(str(folder / "warm"), config=config).run(iter(documents(Document, texts[:2])), 0, 1)

    def sign() -> None:
        first.run(iter(documents(Document, texts)), 0, 1)

    def whole() -> list[int]:
        sign()
        second = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)
        for bucket in range(BANDS):
            second.run(None, bucket, BANDS)
        third = MinhashDedupCluster(
            str(folder / "buckets"), str(folder / "removed"), config=config, save_cluster_id=True
        )
        third.run(None, 0, 1)
        kept = MinhashDedupFilter(str(folder / "removed")).run(iter(documents(Document, texts)), 0, 1)
        sum(1 for _ in kept)
        labels = [-1 - doc for doc in range(len(texts))]  # alone, until a cluster says otherwise
        for doc, cluster in struct.iter_unpack("<2I", (folder / "removed" / "000000.clusters").read_bytes()):
            labels[doc] = cluster
        return labels

    return whole if work == "whole" else sign


def textdedup(given: Texts, work: str) -> Callable[[], list[int] | None]:
    """Its own command, called in this process with one worker; 32-bit hashes by xxh3, its fastest; none verified."""
    import datasets
    import numpy as np
    from text_dedup import minhash

    texts = list(given)
    folder = Path(tempfile.mkdtemp())
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": texts}).save_to_disk(str(folder / "in"))
    prime = np.uint32((1 << 32) - 5)
    pairs = (np.arange(1, PERMUTATIONS + 1, dtype=np.uint32), np.arange(PERMUTATIONS, dtype=np.uint32))
    like_its_own = {
        "num_perm": PERMUTATIONS, "ngram_size": SIZE, "min_length": 0, "permutations": pairs, "dtype": np.uint32,
        "hashranges": [(i * ROWS, (i + 1) * ROWS) for i in range(BANDS)], "hash_func": minhash.xxh3_32hash,
        "max_hash": np.uint32(0xFFFFFFFF), "modulo_prime": prime,
    }  # fmt: skip

    def sign() -> None:
        for doc, text in enumerate(texts):
            minhash.embed_func(text, doc, **like_its_own)

    def whole() -> list[int]:
        settings = {"path": folder / "in", "output": folder / "out", "cache_dir": folder, "column": "text"}
        settings |= {"ngram": SIZE, "min_length": 0, "num_perm": PERMUTATIONS, "b": BANDS, "r": ROWS, "num_proc": 1}
        settings |= {"hash_func": "xxh3", "hash_bits": 32, "batch_size": 10_000}
        said = [str(part) for name, value in settings.items() for part in (f"--{name}", value)]
        minhash.main.main([*said, "--local"], standalone_mode=False)
        return [minhash.uf.find(doc) for doc in range(len(texts))]

    return whole if work == "whole" else sign


def daft(given: Texts, work: str) -> Callable[[], None]:
    """Signatures alone; it hashes what stands between spaces, after its own normalising."""
    import daft
    from daft.functions import minhash, normalize

    assert work == "signatures"
    frame = daft.from_pydict({"text": list(given)}).collect()
    plain = normalize(daft.col("text"), remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    signed = minhash(plain, num_hashes=PERMUTATIONS, ngram_size=SIZE, hash_function="xxhash")
    return lambda: frame.select(signed).collect() and None


def documents(document: type, texts: list[str]) -> Iterable[object]:
    return (document(text=text, id=str(i)) for i, text in enumerate(texts))


def cpu_seconds() -> float:
    """Of this process and of those it started that have ended."""
    return time.process_time() + os.times().children_user + os.times().children_system


def peak_mb() -> float:
    """Most resident memory of the run, texts and imports included. (`ru_maxrss` would count the parent too.)"""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


PEERS = {peer.__name__: peer for peer in (seedbed, floor, rensa, datasketch, datatrove, textdedup, daft)}
NAMES = {"textdedup": "text-dedup"}  # of a distribution, where it is not the peer's


def main() -> None:
    who, work, source, out = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with Path(source).open(encoding="utf-8") as file:
        run = PEERS[who]((json.loads(line) for line in file), work)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
    start, clock = cpu_seconds(), time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        labels = run()
    seconds, clock = cpu_seconds() - start, time.perf_counter() - clock
    if labels is not None:
        Path(out).write_text(json.dumps(labels))
    name = "" if who in ("seedbed", "floor") else version(NAMES.get(who, who))
    print(json.dumps({"seconds": seconds, "wall": clock, "peak_mb": peak_mb(), "version": name}))


if __name__ == "__main__":
    main()
