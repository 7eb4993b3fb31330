"""Hugging Face datasets: a data set of the hub at one commit, or a local folder of one.

    hub: {name: c4, dataset: owner/name, config: sw, split: train, revision: 1588ec454efa1a09f29cd18ddd04fe05fc8653a2}
    hub: {name: mine, dataset: data/saved, split: train}       a folder of data files, or one made by `save_to_disk`

A name on the hub needs the full hash of a commit, because a branch moves and the recipe would not tell the bytes. No
code of a data set is ever run. Rows come as Arrow tables, 256 at a time; the row is its number in its shard (hub) or
in the split (folder).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from pipeline.digest import digest
from pipeline.errors import ConfigError, InputError
from pipeline.sources.base import Bad, InputFile, Record, Source
from pipeline.sources.listing import absolute
from pipeline.sources.tables import Columns, Unreadable, check, records, tried

BATCH_ROWS = 256
COMMIT = re.compile(r"[0-9a-f]{40}")


class Hub(Source):
    """A Hugging Face data set, of the hub or of a local folder: one document a row."""

    type: ClassVar[str] = "hub"

    dataset: str = Field(min_length=1, description="name on the hub (`owner/name`), or a local folder")
    revision: str | None = Field(None, description="full commit hash (40 hex digits); needed for a name on the hub")
    config: str | None = Field(None, description="configuration of the data set, often a language")
    split: str = Field("train", pattern=r"^[\w.-]+$", description="which split")
    streaming: bool = Field(True, description="read as it comes, without a copy in the cache")
    text_field: str = Field("text", min_length=1, description="column of the text; dots go into a struct: `body.text`")
    lang_field: str | None = Field(None, description="column of the language; by default `lang`, else `meta.lang`")
    kind: Literal["text", "code"] = Field("text", description="what the documents are")

    @property
    def place(self) -> frozenset[str]:
        """The name of a local folder is where it lies, and its files are told by their bytes; one on the hub, which is
        pinned, is what it is."""
        pinned = COMMIT.fullmatch(self.revision or "")
        local = not pinned or Path(absolute(self.dataset)).is_dir()
        return super().place | ({"dataset"} if local else set())

    @property
    def _folder(self) -> Path | None:
        """The local folder; None for a name on the hub. Raises ConfigError for what is neither."""
        folder = Path(absolute(self.dataset))
        if folder.is_dir():
            return folder
        if self.dataset.startswith((".", "/", "~")) or self.dataset.count("/") > 1:
            raise ConfigError(f"there is no folder {self.dataset!r}", "mend `dataset`, or name one of the hub")
        if not COMMIT.fullmatch(self.revision or ""):
            raise ConfigError(
                f"{self.dataset!r} is not pinned: "
                + (f"its revision is {self.revision!r}" if self.revision else "it has no `revision`"),
                "set `revision` to the full commit hash, from 'Files and versions' on the data set's page",
            )
        return None

    @property
    def _columns(self) -> Columns:
        return Columns(self.text_field, self.lang_field, self.lang, self.kind, self.max_document)

    def files(self) -> list[InputFile]:
        """One file for a local folder's split, one a shard for the hub's. Raises ConfigError where there is no such
        data set, split or text column."""
        folder, data = self._folder, self._load()
        if data.features:
            check(data.features.arrow_schema, self._columns, self.dataset)
        if folder:
            return [InputFile(self.split, str(folder), sum(file.size for file in _files_in(folder)))]
        url = f"hf://datasets/{self.dataset}@{self.revision}"
        if not self.streaming:
            return [InputFile(self.split, url, 0)]
        return [InputFile(f"{self.split}/{i:05d}", url, 0) for i in range(data.num_shards)]

    def identity(self, digests: Any) -> Any:
        """The commit; of a local folder the digest over its files."""
        folder = self._folder
        if not folder:
            return {"dataset": self.dataset, "revision": self.revision}
        files = _files_in(folder)
        return {"files": len(files), "sha256": digest([[file.path, digests(file)] for file in files])}

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each row of a shard, from row `skip` on; what is broken ends the shard with a Bad.
        Raises ConfigError where there is no such text column."""
        data = self._load()
        if "/" in file.path:
            data = data.shard(data.num_shards, int(file.path.rpartition("/")[2]))
        row = skip
        for size in (BATCH_ROWS, 1):  # a batch with a break in it is lost whole, so what stands before it comes singly
            try:
                for table in _tables(file.url, data, row, size):
                    check(table.schema, self._columns, self.dataset)
                    yield from records(table, row, self._columns)
                    row += table.num_rows
                return
            except Unreadable as error:
                problem = str(error)
        yield Bad(row, "unreadable", None, f"the shard breaks off: {problem}", breaks_off=True)

    def _load(self) -> Any:
        """A Dataset or IterableDataset of the split. Raises ConfigError where it cannot be had as asked for, InputError
        where the network fails."""
        import datasets  # a second and more, and only this source needs it

        folder = self._folder
        try:
            if folder and (folder / "dataset_dict.json").is_file():
                return _split_of(datasets.load_from_disk(str(folder)), self.split)
            if folder and (folder / "state.json").is_file():
                return datasets.load_from_disk(str(folder))
            name, revision = (str(folder), None) if folder else (self.dataset, self.revision)
            return datasets.load_dataset(
                name, self.config, split=self.split, revision=revision, streaming=self.streaming
            )
        except (ValueError, FileNotFoundError) as error:
            raise ConfigError(f"{self.dataset!r} cannot be loaded: {error}", "mend the config") from error
        except OSError as error:
            raise InputError(f"{self.dataset!r} cannot be had: {error}", "check the network") from error


def _tables(url: str, data: Any, row: int, size: int) -> Iterator[pa.Table]:
    """The rows from `row` on, `size` at a time. Raises Unreadable where they break off."""
    if hasattr(data, "__len__") and row >= len(data):
        return
    tables = data.skip(row).with_format("arrow").iter(size)
    while table := tried(url, partial(next, tables, None)):
        yield table


def _split_of(data: Any, split: str) -> Any:
    if split not in data:
        raise ConfigError(f"there is no split {split!r}", f"set `split` to one of: {', '.join(data)}")
    return data[split]


def _files_in(folder: Path) -> list[InputFile]:
    """All files below a folder but hidden ones, sorted by path."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return [
        InputFile(name, str(named[name]), named[name].stat().st_size)
        for name in sorted(named)
        if not name.startswith(".") and "/." not in name
    ]
