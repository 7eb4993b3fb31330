"""Tasks run here or in workers; errors come back as they were; a dead worker is told and not waited for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.engine import Task
from pipeline.engine.local import WORKER_BASE, LocalEngine
from pipeline.errors import InputError, RunError

GB = 10**9


@pytest.fixture
def engine():
    made = LocalEngine(2, 8 * GB)
    yield made
    made.close()


def test_every_task_comes_back_with_its_result(engine):
    tasks = [Task("tests.pipeline.engine_tasks:double", {"x": x}) for x in range(7)]
    assert sorted(r["twice"] for _, r in engine.run(tasks)) == [0, 2, 4, 6, 8, 10, 12]


def test_two_workers_work_at_once_and_neither_is_this_process(engine):
    tasks = [Task("tests.pipeline.engine_tasks:double", {"x": x, "nap": 0.3}) for x in range(4)]
    pids = {r["pid"] for _, r in engine.run(tasks)}
    assert len(pids) == 2 and os.getpid() not in pids


def test_one_worker_is_this_process():
    ((_, result),) = LocalEngine(1, 8 * GB).run([Task("tests.pipeline.engine_tasks:double", {"x": 1})])
    assert result["pid"] == os.getpid()


def test_no_tasks_start_no_worker(engine):
    assert list(engine.run([])) == []
    assert engine._pool is None


def test_an_error_in_a_worker_comes_back_with_its_hint(engine):
    with pytest.raises(InputError, match="broken") as caught:
        list(
            engine.run(
                [Task("tests.pipeline.engine_tasks:complain", {}), Task("tests.pipeline.engine_tasks:double", {"x": 1})]
            )
        )
    assert caught.value.hint == "mend it"


def test_a_worker_that_dies_is_told(engine):
    with pytest.raises(RunError, match="a worker died"):
        list(
            engine.run(
                [Task("tests.pipeline.engine_tasks:die", {}), Task("tests.pipeline.engine_tasks:double", {"x": 1})]
            )
        )


def test_memory_bounds_how_many_run_at_once():
    engine = LocalEngine(8, 4 * WORKER_BASE + 2 * GB)
    assert engine._at_once([Task("x:y", {}, memory=GB)]) == 2
    assert engine._at_once([Task("x:y", {}, memory=2 * GB)]) == 1
    with pytest.raises(RunError, match="needs about"):
        engine._at_once([Task("x:y", {}, memory=5 * GB)])


def test_idle_workers_leave_when_a_task_needs_their_memory():
    engine = LocalEngine(2, 4 * WORKER_BASE + GB)
    small = [Task("tests.pipeline.engine_tasks:double", {"x": x, "nap": 0.2}) for x in range(4)]
    workers = {r["pid"] for _, r in engine.run(small)}
    assert len(workers) == 2
    ((_, result),) = engine.run([Task("tests.pipeline.engine_tasks:double", {"x": 1}, memory=2 * WORKER_BASE + GB)])
    assert result["pid"] == os.getpid()
    deadline = time.monotonic() + 5
    while any(map(psutil.pid_exists, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_the_pool_grows_again_for_tasks_of_which_more_fit():
    engine = LocalEngine(4, 5 * WORKER_BASE + 2 * GB)

    def workers(memory):
        tasks = [Task("tests.pipeline.engine_tasks:double", {"x": x, "nap": 0.5}, memory=memory) for x in range(8)]
        return {r["pid"] for _, r in engine.run(tasks)}

    try:
        few, many, same = workers(GB), workers(0), workers(GB)
    finally:
        engine.close()
    assert (len(few), len(many), len(same)) == (2, 4, 2)


def test_workers_have_one_thread_each(engine):
    tasks = [Task("tests.pipeline.engine_tasks:threads", {}), Task("tests.pipeline.engine_tasks:threads", {})]
    assert all(r["arrow"] == 1 and r["rayon"] == "1" for _, r in engine.run(tasks))


def test_workers_die_with_their_parent():
    code = (
        "from pipeline.engine import Task\nfrom pipeline.engine.local import LocalEngine\n"
        "if __name__ == '__main__':\n"
        "    engine = LocalEngine(2, 8 * 10**9)\n"
        "    tasks = [Task('tests.pipeline.engine_tasks:double', {'x': 1, 'nap': n}) for n in (0, 0, 60, 60)]\n"
        "    for _, result in engine.run(tasks):\n        print(result['pid'], flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    path = Path(__file__).parent / "engine_tasks.py"
    assert path.exists()
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    parent.stdout.readline()
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert workers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(w.is_running() and w.status() != "zombie" for w in workers):
        time.sleep(0.05)
    assert not [w for w in workers if w.is_running() and w.status() != "zombie"]
