"""Tasks on a Ray cluster. Ray schedules, places and retries; the files between tasks are ours, where all nodes reach.

    ray start --head …; pipeline run CONFIG --engine ray --address auto

A task goes out as JSON and its result comes back as JSON: no object of ours is pickled. Each asks for one core and for
the memory it states, so a node never gets more than it holds. A task whose worker or node is lost runs again elsewhere,
and writes the same bytes. Before its first task a worker sees to it that it has the driver's code and packages and
reaches the work folder: otherwise the bytes could be others, or go astray.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import socket
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline import errors
from pipeline.engine import Task, perform
from pipeline.engine.local import ONE_THREAD, WORKER_BASE, one_thread
from pipeline.errors import ConfigError, RunError, SeedbedError
from pipeline.monitor import PeakMemory
from pipeline.store.files import TEMPORARY, write_bytes
from pipeline.store.place import is_local, place, remote_errors
from pipeline.units import say_bytes

RETRIES = 5  # of a task whose worker or node was lost
AHEAD = 4  # tasks handed to Ray for each core: it places the next while we look at the last
PACKAGES = ("pyarrow", "numpy", "numba", "tokenizers", "orjson", "ray")  # what bytes depend on, and who carries them
CODE = Path(__file__).parent.parent


class RayEngine:
    """Runs tasks on the cluster at `address`; without one, on a Ray of this machine with `workers` and `memory` bytes.

    Raises ConfigError where Ray is not installed or cannot be reached, RunError when a task finds no node that is large
    enough or its worker is lost again and again."""

    here = False

    def __init__(self, address: str | None, workers: int, memory: int, workdir: Path) -> None:
        self._ray = _installed()
        self._owner = not self._ray.is_initialized()
        if self._owner:
            _join(self._ray, address, workers, memory)
        self._reach = workdir / f"{TEMPORARY}reach-{secrets.token_hex(8)}"
        write_bytes(self._reach, b"")
        where = {"reach": str(self._reach), "folder": str(Path.cwd()), "versions": versions()}
        self._where = json.dumps(where)
        self._work = self._ray.remote(work)
        environment = {"env_vars": ONE_THREAD}  # a worker starts with it: libraries read it when they are imported
        self._options = {"num_cpus": 1, "max_retries": RETRIES, "runtime_env": environment}
        self._options |= {"scheduling_strategy": "SPREAD"}

    @property
    def workers(self) -> int:
        """Cores of the cluster as it is now."""
        return int(self._ray.cluster_resources().get("CPU", 0))

    @property
    def memory(self) -> int:
        """Bytes that one task may need: what the largest node offers, less what a worker takes anyway."""
        return max([0, *(int(node["Resources"].get("memory", 0)) for node in self._nodes())]) - WORKER_BASE

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        tasks = list(tasks)
        if tasks:
            self._refuse_too_large(max(tasks, key=lambda task: task.memory))
        yield from self._run([(task, {}) for task in tasks])

    def prepare(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        """Runs every task on every node: kernels are compiled once on each."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=True) for node in self._nodes()]
        yield from self._run([(task, {"scheduling_strategy": node}) for node in nodes for task in tasks])

    def _run(self, tasks: Sequence[tuple[Task, dict[str, Any]]]) -> Iterator[tuple[Task, dict[str, Any]]]:
        waiting = iter(tasks)
        running: dict[Any, Task] = {}
        try:
            while True:
                for task, options in islice(waiting, max(0, AHEAD * max(1, self.workers) - len(running))):
                    running[self._submit(task, options)] = task
                if not running:
                    return
                done, _ = self._ray.wait(list(running), num_returns=1)
                for reference in done:
                    yield running.pop(reference), self._result(reference)
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def _submit(self, task: Task, options: dict[str, Any]) -> Any:
        told = json.dumps({"function": task.function, "arguments": task.arguments})
        asked = {**self._options, "memory": task.memory + WORKER_BASE, "name": task.name, **options}
        return self._work.options(**asked).remote(told, self._where)

    def _result(self, reference: Any) -> dict[str, Any]:
        try:
            answer = json.loads(self._ray.get(reference))
        except self._ray.exceptions.RayTaskError:
            raise  # a mistake of ours, with the worker's traceback
        except self._ray.exceptions.RayError as error:
            raise RunError(
                f"a task was lost {RETRIES + 1} times, its worker or its node with it: {str(error).splitlines()[0]}",
                hint="run again: finished shards stay. If it happens again, read Ray's logs, and start nodes with less "
                "memory than they have (`ray start --memory BYTES`)",
            ) from error
        if "error" in answer:
            kind, message, hint = answer["error"]
            raise getattr(errors, kind)(message, hint=hint)
        result: dict[str, Any] = answer["result"]
        return result

    def _refuse_too_large(self, task: Task) -> None:
        if task.memory > self.memory:
            raise RunError(
                f"the task {task.name} needs about {say_bytes(task.memory + WORKER_BASE)}, and the largest node offers "
                f"{say_bytes(max(0, self.memory + WORKER_BASE))}",
                hint="start nodes with more (`ray start --memory BYTES`); smaller shards (`shard_size`), documents "
                "(`max_document`) or fewer pieces for the tokenizer (`most_pieces`) need less",
            )

    def close(self) -> None:
        """Leaves the cluster, which ends what still runs for us."""
        if self._owner:
            self._ray.shutdown()
        with contextlib.suppress(*remote_errors()):  # the store may be why we leave
            self._reach.unlink(missing_ok=True)


def _installed() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"Ray cannot be imported: {error}", hint="pip install 'seedbed[ray]'") from error
    return ray


def _join(ray: Any, address: str | None, workers: int, memory: int) -> None:
    """Joins the cluster, or starts a Ray of this machine that only this machine can reach."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS")
    quiet = {"logging_level": "error", "log_to_driver": False}
    if address is None:
        own = {"num_cpus": workers, "_memory": memory, "_node_ip_address": "127.0.0.1", "include_dashboard": False}
        ray.init(address="local", **own, **quiet)
        return
    _answers(address)
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _silent(address, error) from error


def _answers(address: str) -> None:
    """Raises ConfigError where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return  # `auto`: Ray knows where
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise _silent(address, error) from error


def _silent(address: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"no Ray cluster answers at {address}: {error}",
        hint="start one (`ray start --head`), or leave the address out: then Ray runs on this machine alone",
    )


def work(told: str, where: str) -> str:
    """In a Ray worker: performs one task, JSON to JSON. Errors that the user can mend come back as words."""
    task = json.loads(told)
    try:
        settle_in(where)
        with PeakMemory(children=False) as memory:
            result = perform(Task(task["function"], task["arguments"]))
    except SeedbedError as error:
        return json.dumps({"error": [type(error).__name__, error.message, error.hint]})
    return json.dumps({"result": {**result, "peak_memory": memory.peak}})


@cache
def settle_in(where: str) -> None:
    """Once in each worker: one thread, the driver's folder, its versions, its work folder. Raises RunError."""
    told = json.loads(where)
    one_thread()
    if Path(told["folder"]).is_dir():
        os.chdir(told["folder"])  # a tokenizer's path may be told from there
    mine = versions()
    if other := [name for name, wanted in told["versions"].items() if mine.get(name) != wanted]:
        name = other[0]
        raise RunError(
            f"node {platform.node()} has {name} {mine.get(name)}, the driver has {told['versions'][name]}",
            hint="install the same on all nodes (`pip install -c constraints.txt 'seedbed[ray]'`): bytes depend on it",
        )
    _reach(place(told["reach"]))


def _reach(sign: Path) -> None:
    """Raises RunError where this worker does not see what the driver wrote into the work folder."""
    try:
        seen, why = sign.exists(), "what the driver wrote is not there"
    except remote_errors() as error:
        seen, why = False, str(error)
    if not seen:
        raise RunError(
            f"node {platform.node()} does not reach {sign.parent}: {why}",
            hint="give `run.workdir` a folder that all nodes share"
            if is_local(sign)
            else "give all nodes the address of the store and credentials (AWS_ENDPOINT_URL, AWS_PROFILE, a role)",
        )


@cache
def versions() -> dict[str, str]:
    """What the bytes depend on beside recipes: Python, its Unicode tables, packages, and this code itself."""
    found = {"Python": platform.python_version(), "Unicode": unicodedata.unidata_version}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    code = hashlib.sha256()
    for path in sorted(CODE.rglob("*.py")):
        code.update(path.relative_to(CODE).as_posix().encode() + b"\0" + path.read_bytes())
    return {**found, "seedbed": code.hexdigest()[:16]}
