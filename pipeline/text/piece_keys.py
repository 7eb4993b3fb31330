"""64-bit keys of pieces of bytes, to part them by: equal pieces have equal keys, whatever they stand among.

In: edges (n + 1,) int64 and data uint8; piece i is `data[edges[i]:edges[i + 1]]`. Out: (n,) uint64, spread evenly.
Two pieces may share a key (among m, with a chance of about m^2 / 2^65), so whoever groups by keys compares the bytes.
"""

import numpy as np

from pipeline.text.compiling import kernel
from pipeline.text.hashing import mix
from pipeline.text.lines import bytes_hash


def piece_keys(edges: np.ndarray, data: np.ndarray) -> np.ndarray:
    """(n,) uint64. Linear in the bytes."""
    return _piece_keys(edges, data)


@kernel
def _piece_keys(edges, data):  # type: ignore[no-untyped-def]
    out = np.empty(len(edges) - 1, np.uint64)
    for i in range(len(out)):
        out[i] = mix(bytes_hash(data, edges[i], edges[i + 1]))
    return out
