"""Tasks as processes on this machine.

Workers are spawned (never forked: threads of Arrow and of compiled code do not survive a fork), one thread each, and
die with their parent. How many run at once follows from cores and memory; it changes no byte.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from pipeline.engine import Task, perform
from pipeline.errors import RunError
from pipeline.units import say_bytes

WORKER_BASE = 350_000_000  # bytes of a worker before it holds a document: Python, Arrow, compiled kernels (measured)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS")
ONE_THREAD = {**dict.fromkeys(THREADS, "1"), "TOKENIZERS_PARALLELISM": "false"}


class LocalEngine:
    """Runs up to `workers` tasks at once, fewer where `memory` bytes would not hold them all.

    With one worker tasks run in this very process. Raises RunError when a task needs more memory than there is, or
    when a worker dies."""

    here = True

    def __init__(self, workers: int, memory: int) -> None:
        self.workers, self.memory = workers, memory
        self._pool: ProcessPoolExecutor | None = None
        self._size = 0  # workers of the pool

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        tasks = list(tasks)
        if not tasks:
            return
        fit = self._at_once(tasks)
        if fit < self._size:
            self.close()  # idle workers hold memory too, and these tasks need it
        at_once = min(fit, len(tasks))
        if at_once == 1 and self._pool is None:
            yield from ((task, perform(task)) for task in tasks)
        else:
            yield from self._run_in_pool(tasks, at_once, fit)

    def prepare(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        return self.run(tasks)

    def _at_once(self, tasks: list[Task]) -> int:
        need = max(task.memory for task in tasks) + WORKER_BASE
        if need > self.memory:
            raise RunError(
                f"the task {tasks[0].name} needs about {say_bytes(need)}, and run.memory is {say_bytes(self.memory)}",
                hint=f"set run.memory to {say_bytes(need * 1.1)} or more; smaller shards (`shard_size`), documents "
                "(`max_document`) or fewer pieces for the tokenizer (`most_pieces`) need less",
            )
        return max(1, min(self.workers, (self.memory - WORKER_BASE) // need))  # the parent holds one base too

    def _run_in_pool(self, tasks: list[Task], at_once: int, size: int) -> Iterator[tuple[Task, dict[str, Any]]]:
        waiting = iter(tasks)
        running: dict[Future[dict[str, Any]], Task] = {}
        try:
            if self._pool is not None and at_once > self._size:
                self.close()  # tasks before these needed more memory each, and left fewer workers
            pool = self._pool = self._pool or self._start(size)
            while True:
                for task in waiting:
                    with _environment(ONE_THREAD):  # a worker starts here, and its libraries read it when imported
                        running[pool.submit(perform, task)] = task
                    if len(running) >= at_once:
                        break
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            self._pool, self._size = None, 0
            raise RunError(
                "a worker died, perhaps killed for want of memory",
                hint="run again: finished shards stay. If it happens again, set run.workers or run.memory lower",
            ) from error

    def _start(self, size: int) -> ProcessPoolExecutor:
        self._size = size
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(size, mp_context=context, initializer=_begin_worker)

    def close(self) -> None:
        """Ends the workers, running or not."""
        if self._pool is None:
            return
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        self._pool, self._size = None, 0


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets variables for the processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal: the parent decides
    one_thread()
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()


def one_thread() -> None:
    """Arrow's threads are set when it runs, unlike those of others, which read the environment when they start."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _die_with(sentinel: int) -> None:
    # a worker whose parent was killed would wait for ever on its queue, and go on writing beside the next run
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
