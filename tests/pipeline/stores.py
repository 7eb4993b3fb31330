"""An S3-compatible server for tests, with one bucket, and what a run leaves there or anywhere."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator

import pytest

from pipeline.digest import digest
from pipeline.run import Result
from pipeline.store.step import OUTSIDE_DIGEST


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The address of a bucket, which processes that are started meanwhile find as well."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'seedbed[dev]'")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'seedbed[remote]'")
    pytest.importorskip("upath", reason="universal-pathlib is not installed: pip install 'seedbed[remote]'")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            bucket = f"corpora-{secrets.token_hex(4)}"  # servers of one process share what they hold
            s3fs.S3FileSystem().mkdir(bucket)
            yield f"s3://{bucket}"
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.stop()


def seals(result: Result) -> dict[str, str]:
    """{folder: digest of all that its manifest says, the sha256 of every file among it}"""
    found = {}
    for planned in result.steps:
        manifest = planned.step.manifest()
        found[planned.step.folder.name] = digest({k: v for k, v in manifest.items() if k not in OUTSIDE_DIGEST})
    return found
