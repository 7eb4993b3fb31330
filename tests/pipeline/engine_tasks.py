"""Tasks for the tests of the engine."""

import os
import signal
import time
from pathlib import Path

from pipeline.errors import InputError


def double(x: int, nap: float = 0) -> dict:
    time.sleep(nap)
    return {"twice": 2 * x, "pid": os.getpid()}


def die() -> dict:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def complain() -> dict:
    raise InputError("the file is broken", hint="mend it")


def threads() -> dict:
    import pyarrow as pa

    return {"arrow": pa.cpu_count(), "reading": pa.io_thread_count(), "rayon": os.environ.get("RAYON_NUM_THREADS")}


def die_once(mark: str) -> dict:
    path = Path(mark)
    if not path.exists():
        path.touch()
        die()
    return {"alive": True}


def node() -> dict:
    import ray

    return {"node": ray.get_runtime_context().get_node_id()}
