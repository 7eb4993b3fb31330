"""An S3-compatible server for tests, with one bucket; runs on it, and the sealed bytes of a run wherever it lies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.place import place, sizes, store_of
from pipeline.store.step import MANIFEST, OUTSIDE_DIGEST
from tests.pipeline.making import digest_of

BUCKET = "corpora"


def s3(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket on a server that lives as long as the test; found by the processes it starts, too."""
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'seedbed[dev]'")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'seedbed[remote]'")
    pytest.importorskip("upath", reason="universal-pathlib is not installed: pip install 'seedbed[remote]'")
