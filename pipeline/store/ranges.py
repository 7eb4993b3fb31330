"""Files whose rows are sorted by document number, read for one range of documents at a time.

    rows_between(files, low, high, most) -> tables of the rows about documents in [low, high), at most `most` each

File by file, in the order given; within a file sorted by `doc`. A file is open while a table of it is read. So what
was written by partition of the keys is found by shard, without being written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.store.layers import DOC
from pipeline.store.rows import RowFile


def rows_between(
    files: Sequence[Path], low: int, high: int, most: int, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Raises InputError where a file is damaged or gone."""
    bounds = np.array([low, high], np.uint64)
    for path in files:
        with RowFile(path, [DOC]) as docs:
            begin, end = docs.search(DOC, bounds).tolist()
        with RowFile(path, columns) as file:
            for at in range(begin, end, most):
                yield file.slice(at, min(at + most, end))
