"""Steps in these tests are read back at once, so nothing waits for the disk."""

import pytest

from pipeline.store import files


@pytest.fixture(autouse=True)
def _no_flush(monkeypatch):
    monkeypatch.setattr(files, "_flush", lambda path: None)
