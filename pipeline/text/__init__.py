"""Kernels over Arrow text buffers, compiled by Numba, and the language data they read. Imports nothing of ours.

Compiled kernels are kept in a folder named after the digest of every file here. Numba itself looks only at the file
that a kernel stands in, and would go on running a kernel whose helpers, inlined from another file, have changed.
"""

import hashlib
import os
from pathlib import Path

from numba import config


def _compiled() -> Path:
    here = Path(__file__).parent
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()[:16]
    return Path(os.environ.get("NUMBA_CACHE_DIR") or here / "__pycache__") / f"kernels-{digest}"


COMPILED = _compiled()
config.CACHE_DIR = str(COMPILED)  # type: ignore[attr-defined]  # where it cannot be written, Numba takes the user's cache folder
