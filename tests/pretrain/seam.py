"""A small packed corpus for tests: three languages with patterns that a small model learns in a few steps.

    build(folder, rows={"en": 24, "sw": 12}, seq_len=16)  ->  folder, sealed like the real one

Every token is a byte of text. Also here: a config that trains on it in a second, and the command line.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

PAD, EOS = 3, 2
PHRASES = {"en": "all human beings are born free ", "sw": "watu wote wamezaliwa huru ", "py": "def f(x): return x "}


def tokenizer() -> Tokenizer:
    """Bytes as tokens, after the four special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", "<pad>", *alphabet])}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    made.add_special_tokens(["<unk>", "<s>", "</s>", "<pad>"])
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return made


def build(
    folder: Path,
    rows: dict[str, int] | None = None,
    valid_rows: int = 3,
    seq_len: int = 16,
    padded: bool = True,  # the last row of each shard ends in padding
    batch_rows: int = 5,  # rows of an Arrow batch
) -> Path:
    rows = rows or {"en": 24, "py": 7, "sw": 12}
    folder.mkdir(parents=True)
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    splits: dict[str, Any] = {"train": {}, "valid": {}}
    for split in splits:
        for language, count in rows.items():
            wanted = count if split == "train" else valid_rows
            splits[split][language] = _shard(folder, split, language, wanted, seq_len, padded, batch_rows)
    return seal(folder, splits, seq_len)


def _shard(
    folder: Path, split: str, language: str, rows: int, seq_len: int, padded: bool, batch_rows: int
) -> dict[str, Any]:
    width, padding = seq_len + 1, seq_len // 2 if padded else 0
    total = rows * seq_len + 1 - padding
    stream, documents = [], 0
    while len(stream) < total:
        text = PHRASES.get(language, f"{language} ") * (1 + documents % 3)
        stream += [*tokenizer().encode(text).ids, EOS]
        documents += 1
    stream = [*stream[: total - 1], EOS] + [PAD] * padding
    table: dict[str, list[Any]] = {"tokens": [], "starts": [], "doc_ids": [], "doc_offsets": []}
    for row in range(rows):
        table["tokens"].append(stream[row * seq_len : row * seq_len + width])
        end = [width - padding] if padded and row == rows - 1 else []
        table["starts"].append([0, *end])
        table["doc_ids"].append([f"test/{split}/{language}#{row}"])
        table["doc_offsets"].append([0])
    name = f"{split}/{language}/00000.arrow"
    write_arrow(folder / name, table, width, batch_rows)
    numbers = {"rows": rows, "documents": documents, "tokens": total, "padding": padding}
    return numbers | {"bytes": total, "words": total, "files": [name]}


def write_arrow(path: Path, table: dict[str, list[Any]], width: int, batch_rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        {
            "tokens": pa.list_(pa.int32(), width),
            "starts": pa.list_(pa.int32()),
            "doc_ids": pa.list_(pa.string()),
            "doc_offsets": pa.list_(pa.int32()),
        }
    )
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.table(table, schema), max_chunksize=batch_rows)


def seal(folder: Path, splits: dict[str, Any], seq_len: int, **changes: Any) -> Path:
    """Write the manifest, with `changes` to it sealed in."""
    names = [name for split in splits.values() for numbers in split.values() for name in numbers["files"]]
    rows = {numbers["files"][0]: numbers["rows"] for split in splits.values() for numbers in split.values()}
    names += ["tokenizer.json", "tokenizer_config.json"]
    files = {name: _entry(folder / name, rows.get(name)) for name in names}
    manifest = {
        "format": "seedbed-packed",
        "format_version": 1,
        "address": "0" * 16,
        "recipe": {},
        "seq_len": seq_len,
        "vocab_size": 260,
        "special_ids": {"unk": 0, "bos": 1, "eos": EOS, "pad": PAD},
        "splits": splits,
        "files": files,
    } | changes
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    manifest |= {"digest": hashlib.sha256(text.encode()).hexdigest(), "run": {"seconds": 1.5}}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return folder


def _entry(path: Path, rows: int | None) -> dict[str, Any]:
    entry = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    return entry | ({"rows": rows} if rows is not None else {})


def config(run_dir: Path, data: Path, **train: Any) -> dict[str, Any]:
    """A config that trains in a second or two."""
    return {
        "run": {"dir": str(run_dir), "threads": 1, "loggers": [], "log_every": 1},
        "data": {"path": str(data)},
        "model": {"hidden_size": 16, "num_layers": 1, "num_heads": 2},
        "train": {
            "steps": 12,
            "global_batch": 4,
            "micro_batch": 3,
            "lr": 1e-2,
            "warmup_samples": 4,
            "checkpoint_every": 2,
            "validate_every": 4,
            "sample_tokens": 4,
        }
        | train,
    }


def write_config(path: Path, settings: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


def pretrain(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=quiet_env(), timeout=120, **options)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pretrain.cli", *map(str, arguments)]


def quiet_env() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "100"}
