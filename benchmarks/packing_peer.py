"""One run of one peer of packing.py, in a process of its own.

    python packing_peer.py WHO FOLDER     # a line of JSON on stdout: seconds of CPU, rows a second at random, version

FOLDER holds tokens.npy (all documents end to end, int32), edges.npy (where each ends) and gets what the peer writes.

- datatrove          its own TokenizedFile and DocumentTokenizerContextShuffler: documents written as bytes, copied in a
                     shuffled order, then windows shuffled; what is left of the last window is dropped
- Megatron's method  written here after megatron/core/datasets (it wants torch and a compiled helper): documents to one
                     .bin, orders of documents and samples as three arrays; a row is put together when it is read

Imports are not timed, nor is the reading of the input.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

WIDTH, SEED, READS = 2049, 0, 20_000

Read = Callable[[int], np.ndarray]


def documents(folder: Path) -> Iterator[np.ndarray]:
    tokens = np.load(folder / "tokens.npy", mmap_mode="r")
    start = 0
    for end in np.load(folder / "edges.npy").tolist():
        yield tokens[start:end]
        start = end


def datatrove(folder: Path) -> tuple[float, int, Read]:
    from datatrove.io import get_datafolder
    from datatrove.pipeline.tokens.context_shuffler import DocumentTokenizerContextShuffler
    from datatrove.pipeline.tokens.tokenizer import TokenizedFile
    from datatrove.utils.logging import logger

    logger.remove()
    plain, shuffled, windows = (get_datafolder(str(folder / name)) for name in ("plain", "shuffled", "windows"))
    came = list(documents(folder))
    begin = time.process_time()
    file = TokenizedFile(plain, "a.ds", token_size=4)
    for tokens in came:
        file.write_bytes(tokens.tobytes())
    file.tokens_file.close()
    order = np.random.default_rng(SEED).permutation(len(came))
    made = file.copy("", order, shuffled, rank=0)
    DocumentTokenizerContextShuffler(shuffled, windows, WIDTH, SEED, token_size=4).run()
    seconds = time.process_time() - begin
    handle = (folder / "windows" / made.filename).open("rb")

    def read(row: int) -> np.ndarray:
        handle.seek(row * WIDTH * 4)
        return np.frombuffer(handle.read(WIDTH * 4), np.uint32).astype(np.int64)  # as its dataset reads

    return seconds, made.write_idx // WIDTH, read


def megatron(folder: Path) -> tuple[float, int, Read]:
    came = list(documents(folder))
    begin = time.process_time()
    with (folder / "megatron.bin").open("wb") as out:
        for tokens in came:
            out.write(tokens.tobytes())
    sizes = np.array([len(tokens) for tokens in came], np.int32)
    pointers = np.append(0, np.cumsum(sizes, dtype=np.int64)[:-1])
    np.savez(folder / "megatron.idx.npz", sizes=sizes, pointers=pointers)
    rng = np.random.RandomState(SEED)
    order = np.arange(len(came), dtype=np.int32)
    rng.shuffle(order)
    ends = np.cumsum(sizes[order], dtype=np.int64)
    rows = int(ends[-1] - 1) // (WIDTH - 1)
    begins = np.arange(rows + 1, dtype=np.int64) * (WIDTH - 1)
    first = np.searchsorted(ends, begins, side="right")
    samples = np.stack([first, begins - (ends[first] - sizes[order][first])], 1)
    shuffle = np.arange(rows, dtype=np.uint32)
    rng.shuffle(shuffle)
    np.savez(folder / "megatron.orders.npz", order=order, samples=samples, shuffle=shuffle)
    seconds = time.process_time() - begin
    tokens = np.memmap(folder / "megatron.bin", np.int32, "r")

    def read(row: int) -> np.ndarray:
        sample = shuffle[row]
        (a, skip), (b, stop) = samples[sample], samples[sample + 1]
        if a == b:
            start = pointers[order[a]]
            return np.concatenate([tokens[start + skip : start + stop + 1]], dtype=np.int64)
        parts = []
        for i in range(a, b + 1):
            start, size = pointers[order[i]], sizes[order[i]]
            parts.append(tokens[start + (skip if i == a else 0) : start + (stop + 1 if i == b else size)])
        return np.concatenate(parts, dtype=np.int64)

    return seconds, rows, read


def rate(rows: int, read: Read) -> float:
    """Rows a second, at random; the first round brings the pages in."""
    chosen = np.random.default_rng(SEED).integers(0, rows, READS).tolist()
    for _ in range(2):
        begin = time.process_time()
        total = sum(len(read(row)) for row in chosen)
        seconds = time.process_time() - begin
    assert total == READS * WIDTH
    return READS / seconds


def main() -> None:
    who, folder = sys.argv[1], Path(sys.argv[2])
    seconds, rows, read = {"datatrove": datatrove, "megatron": megatron}[who](folder)
    said = version("datatrove") if who == "datatrove" else ""
    print(json.dumps({"seconds": seconds, "rows": rows, "random": rate(rows, read), "version": said}))


if __name__ == "__main__":
    main()
