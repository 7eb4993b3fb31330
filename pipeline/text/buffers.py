"""Arrow text as two NumPy arrays, which is the form every kernel reads.

In: an Arrow array of n texts, plain or chunked, sliced or not. Out: `offsets`, (n+1,) int64, and `data`, (m,) uint8;
text i is `data[offsets[i]:offsets[i+1]]`. Both are read-only views of Arrow's own memory wherever its layout allows.

Never assume that `offsets[0]` is 0 or that `data` ends with the last text: a slice shares the memory of the whole.
Never write to `data`: others read the same bytes.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NARROW = (pa.string(), pa.binary())
_WIDE = (pa.large_string(), pa.large_binary())


def buffers(array: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """(n+1,) int64 offsets and (m,) uint8 data of any string or binary type, views and dictionaries too.

    Null rows are empty. Copies text only to join chunks, to decode views and dictionaries, or to empty nulls that have
    bytes under them. The memory lives as long as the arrays do. Raises `TypeError` for an array that holds no text.
    """
    array = _one(array)
    offsets, data = _views(array)
    if array.null_count and np.diff(offsets)[pc.is_null(array).to_numpy(zero_copy_only=False)].any():
        # Arrow lets a null row keep bytes of its own; contiguous offsets cannot skip them
        offsets, data = _views(array.fill_null(""))
    offsets.flags.writeable = data.flags.writeable = False
    return offsets, data


def _one(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array with offsets of 32 bits (as it came) or 64 (whatever had to be copied)."""
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    if len(chunks) == 1 and array.type in _NARROW + _WIDE:
        return chunks[0]
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if not any(kind in types for types in (_NARROW, _WIDE, (pa.string_view(), pa.binary_view()))):
        raise TypeError(f"expected an Arrow array of text, got {array.type}")
    # chunks that are joined may pass the 2 GB that 32-bit offsets can count
    wide = pa.large_binary() if "binary" in str(kind) else pa.large_string()
    return pa.concat_arrays([chunk.cast(wide) for chunk in chunks] or [pa.array([], wide)])


def _views(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    _, offsets, data = array.buffers()
    if not len(array) or offsets is None:
        return np.zeros(len(array) + 1, np.int64), np.zeros(0, np.uint8)
    width = np.int64 if array.type in _WIDE else np.int32
    ends = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1]
    texts = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return ends.astype(np.int64, copy=False), texts
