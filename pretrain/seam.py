"""The packed corpus as it stands on disk: manifest, tokenizer, and rows of token ids mapped from Arrow files.

    Seam.open("runs/demo/packed") -> .seq_len .vocab_size .pad_id .digest .languages("train")
    seam.shards("train", "sw") -> len(), .tokens(row) (seq_len + 1,) int32, .end(row), .starts(row), .goes_on(row),
                                  .documents(row), .copy(row, ids, targets)

What the manifest states is checked when it is opened, files when they are first read; `verify` reads every byte. Rows
are views of mapped files, copied by whoever changes them. Never writes, never decides an order.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pretrain.errors import ConfigError, InputError

FORMAT = "seedbed-packed"
VERSION = 1
OUTSIDE_DIGEST = ("digest", "run")


@dataclass(frozen=True)
class Seam:
    """A packed corpus whose manifest has been checked."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, verify: bool = False) -> Seam:
        """Raises ConfigError if there is no such folder; InputError if it is no packed corpus, is of a newer format, or
        was altered or cut short.

        `verify` reads every byte: a file of another sha256 is named, and the first row with an id that is no token.
        """
        manifest = _read_manifest(folder)
        _check_format(folder, manifest)
        _check_digest(folder, manifest)
        for name, entry in manifest["files"].items():
            _check_file(folder / name, entry, verify)
        seam = cls(folder, manifest)
        if verify:
            seam.check_ids()
        return seam

    @property
    def seq_len(self) -> int:
        return self.manifest["seq_len"]

    @property
    def vocab_size(self) -> int:
        """Tokens of the tokenizer; the embedding may have more rows."""
        return self.manifest["vocab_size"]

    @property
    def pad_id(self) -> int:
        return self.manifest["special_ids"]["pad"]

    @property
    def digest(self) -> str:
        return self.manifest["digest"]

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"

    def languages(self, split: str) -> list[str]:
        """Languages that have a row in this split, sorted."""
        return sorted(lang for lang, numbers in self.split(split).items() if numbers["rows"] > 0)

    def numbers(self, split: str, language: str) -> dict[str, Any]:
        """rows, documents, tokens, padding, bytes, words, as the manifest has them."""
        return self.split(split)[language]

    def rows(self, split: str) -> dict[str, int]:
        return {language: self.numbers(split, language)["rows"] for language in self.languages(split)}

    def shards(self, split: str, language: str) -> Shards:
        names = self.numbers(split, language)["files"]
        files = [(self.folder / name, self.manifest["files"][name]["rows"]) for name in names]
        return Shards(files, self.seq_len + 1, self.pad_id, self.vocab_size)

    def split(self, split: str) -> dict[str, Any]:
        """The numbers of each language, those without a row too."""
        return self.manifest["splits"].get(split, {})

    def check_ids(self) -> None:
        """Read every row. Raises InputError for the first that has an id that is no token."""
        for split in self.manifest["splits"]:
            for language in self.languages(split):
                shards = self.shards(split, language)
                for row in range(len(shards)):
                    shards.tokens(row)


class Shards:
    """The rows of one split and language, over its files in order; a file is mapped when a row of it is first read."""

    def __init__(self, files: list[tuple[Path, int]], width: int, pad_id: int, vocab_size: int) -> None:
        self._files = files
        self.width = width
        self._pad_id = pad_id
        self._vocab_size = vocab_size
        self._starts = list(accumulate((rows for _, rows in files), initial=0))
        self._open: dict[int, MappedFile] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}  # a loader's worker maps files anew, instead of being sent their bytes

    def tokens(self, row: int) -> np.ndarray:
        """(width,) int32, a view: copy before you write. Raises InputError for an id that is no token."""
        file, i = self._find(row)
        tokens = file.tokens(i)
        if not self.all_tokens(tokens):
            wrong = next(int(token) for token in tokens if not 0 <= token < self._vocab_size)
            raise InputError(
                f"{file.path}, row {i}: token id {wrong} is outside 0..{self._vocab_size - 1}",
                hint="pack the corpus again; the shard does not belong to this tokenizer",
            )
        return tokens

    def all_tokens(self, ids: np.ndarray) -> bool:
        """Whether all are ids of the tokenizer."""
        return int(ids.max()) < self._vocab_size and int(ids.min()) >= 0

    def end(self, row: int) -> int:
        """Where padding begins: width if there is none."""
        file, i = self._find(row)
        return file.end(i, self._pad_id)

    def copy(self, row: int, ids: np.ndarray, targets: np.ndarray) -> int:
        """Copy a row's tokens but the last to `ids`, but the first to `targets`, unchecked; returns its end."""
        file, i = self._find(row)
        tokens = file.tokens(i)
        ids[:], targets[:] = tokens[:-1], tokens[1:]
        return file.end(i, self._pad_id)

    def starts(self, row: int) -> np.ndarray:
        """(m,) int32, a view: where each piece of a document begins in the row; the last, where padding does."""
        file, i = self._find(row)
        return file.numbers("starts", i)

    def goes_on(self, row: int) -> np.ndarray:
        """(m,) int32: where a document goes on that began in another row, the row's first token left out.

        What stands before is of another document, and the token was predicted in the row that it is repeated from."""
        file, i = self._find(row)
        offsets = file.numbers("doc_offsets", i)
        return file.numbers("starts", i)[1 : len(offsets)][offsets[1:] > 0]

    def documents(self, row: int) -> list[str]:
        file, i = self._find(row)
        return file.cell("doc_ids", i)

    def _find(self, row: int) -> tuple[MappedFile, int]:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        which = bisect_right(self._starts, row) - 1
        if which not in self._open:
            path, rows = self._files[which]
            self._open[which] = MappedFile(path, rows, self.width)
        return self._open[which], row - self._starts[which]


class MappedFile:
    """One Arrow IPC stream, mapped: nothing is read until a row is."""

    def __init__(self, path: Path, rows: int, width: int) -> None:
        self.path = path
        try:
            with pa.memory_map(str(path)) as source:  # closing frees the descriptor; the views keep the map
                self._table = pa.ipc.open_stream(source).read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{path} is no readable Arrow file: {error}", hint="pack the corpus again") from error
        found = self._table.schema.field("tokens").type if "tokens" in self._table.column_names else None
        if not _is_row(found, width):
            wanted = pa.list_(pa.int32(), width)
            raise InputError(f"{path}: column tokens is {found}, not {wanted}", hint="pack the corpus again")
        if lacking := {"starts", "doc_ids", "doc_offsets"} - set(self._table.column_names):
            raise InputError(f"{path} lacks {', '.join(sorted(lacking))}", hint="pack the corpus again")
        if len(self._table) != rows:
            raise InputError(f"{path} has {len(self._table)} rows, the manifest says {rows}", hint="pack again")
        chunks = self._table.column("tokens").chunks
        self._batches = [chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, width) for chunk in chunks]
        self._lists: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    @cached_property
    def _batch_starts(self) -> list[int]:
        return list(accumulate((len(batch) for batch in self._batches), initial=0))

    def tokens(self, row: int) -> np.ndarray:
        which, i = self._find(row)
        return self._batches[which][i]

    def end(self, row: int, pad_id: int) -> int:
        """Where padding begins: a start more than there are pieces says so, as <pad> may stand in a document too."""
        tokens = self.tokens(row)
        if tokens[-1] != pad_id:
            return len(tokens)
        starts = self.numbers("starts", row)
        return int(starts[-1]) if len(starts) > len(self.numbers("doc_offsets", row)) else len(tokens)

    def _find(self, row: int) -> tuple[int, int]:
        which = bisect_right(self._batch_starts, row) - 1
        return which, row - self._batch_starts[which]

    def numbers(self, column: str, row: int) -> np.ndarray:
        """The list of numbers in a row of `column`: a view, where `cell` makes an object of each."""
        if column not in self._lists:
            chunks = self._table.column(column).chunks
            self._lists[column] = [(chunk.offsets.to_numpy(), chunk.values.to_numpy()) for chunk in chunks]
        which, i = self._find(row)
        offsets, values = self._lists[column][which]
        return values[offsets[i] : offsets[i + 1]]

    def cell(self, column: str, row: int) -> list[Any]:
        return self._table.column(column)[row].as_py()


def _is_row(found: pa.DataType | None, width: int) -> bool:
    """Whether it is fixed_size_list<int32>[width], whatever its writer called the items."""
    return isinstance(found, pa.FixedSizeListType) and found.list_size == width and found.value_type == pa.int32()


def manifest_digest(manifest: dict[str, Any]) -> str:
    """sha256 of the canonical JSON of what the manifest seals: everything but its own digest and the `run` block."""
    sealed = {key: value for key, value in manifest.items() if key not in OUTSIDE_DIGEST}
    text = json.dumps(sealed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        hint = "run `pipeline run` first, or give the folder that it names at its end"
        if not folder.exists():
            raise ConfigError(f"{folder} does not exist", hint=hint) from error
        raise InputError(f"{folder} is no packed corpus: it has no manifest.json", hint=hint) from error
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="pack the corpus again") from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path} holds {type(manifest).__name__}, not an object", hint="pack the corpus again")
    return manifest


def _check_format(folder: Path, manifest: dict[str, Any]) -> None:
    kind, version = manifest.get("format"), manifest.get("format_version")
    if kind != FORMAT:
        raise InputError(f"{folder} is of format {kind!r}, not {FORMAT!r}", hint="set data.path to a packed corpus")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        hint = "update seedbed, which wrote it" if newer else "pack the corpus again"
        raise InputError(f"{folder} has format version {version!r}; this seedbed reads {VERSION}", hint=hint)


def _check_digest(folder: Path, manifest: dict[str, Any]) -> None:
    required = {"seq_len", "vocab_size", "special_ids", "splits", "files", "digest"}
    if missing := sorted(required - manifest.keys()):
        raise InputError(f"{folder}/manifest.json lacks {', '.join(missing)}", hint="pack the corpus again")
    if (found := manifest_digest(manifest)) != manifest["digest"]:
        raise InputError(
            f"{folder}/manifest.json was altered: its digest is {found[:16]}, it states {str(manifest['digest'])[:16]}",
            hint="pack the corpus again; a manifest is never edited by hand",
        )


def _check_file(path: Path, entry: dict[str, Any], verify: bool) -> None:
    if not path.is_file():
        raise InputError(f"{path} is missing, but the manifest lists it", hint="pack the corpus again")
    if (size := path.stat().st_size) != entry["bytes"]:
        raise InputError(f"{path} has {size:,} bytes, the manifest says {entry['bytes']:,}", hint="pack again")
    if verify and (found := file_sha256(path)) != entry["sha256"]:
        raise InputError(f"{path} has sha256 {found[:16]}, not {entry['sha256'][:16]}", hint="pack the corpus again")
