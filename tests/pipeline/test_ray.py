"""On a real Ray cluster of two nodes: the same bytes as here, though workers, nodes and the driver itself are lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from pipeline.engine import Task
from pipeline.errors import ConfigError, InputError, RunError
from pipeline.progress import Silent
from pipeline.run import run
from tests.pipeline.making import STAGES, TAIL, config, go
from tests.pipeline.stores import s3_server, seals
from tests.pipeline.test_laws import corpus

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'seedbed[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402 (only where there is one)

from pipeline.engine import ray as engines  # noqa: E402
from pipeline.engine.ray import RayEngine  # noqa: E402

GB = 10**9
# loopback addresses of their own: Ray takes 127.0.0.1 for a name of this machine's address in the network
HEAD, OTHER = "127.0.0.2", "127.0.0.3"
MADE = {"stages": STAGES, "shard_size": 2000, **TAIL}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes of one core each, and a bucket that both reach; nothing of it listens beyond this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.setenv("SEEDBED_NEARBY", str(tmp_path_factory.mktemp("nearby")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        with s3_server() as bucket:
            head = {"num_cpus": 1, "memory": 3 * GB, "node_ip_address": HEAD, "include_dashboard": False}
            made = Cluster(initialize_head=True, head_node_args=head)
            made.bucket = bucket
            add_node(made)
            try:
                yield made
            finally:
                ray.shutdown()
                made.shutdown()


def add_node(cluster):
    return cluster.add_node(num_cpus=1, memory=3 * GB, node_ip_address=OTHER)


@pytest.fixture
def engine(cluster, tmp_path):
    made = RayEngine(cluster.address, 2, GB, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A corpus, and what a run of it on this machine seals."""
    folder = corpus(tmp_path_factory.mktemp("local"))
    return folder, seals(go(config(folder, "local", **MADE)))


def on(cluster, folder: Path, workdir: str):
    settings = {"engine": "ray", "address": cluster.address, "workdir": workdir}
    return config(folder, run=settings, **MADE)


class Disturbing(Silent):
    """Does something when so many tasks are done."""

    def __init__(self, deeds) -> None:
        self.deeds, self.done = dict(deeds), 0

    def advance(self, documents: int, size: int) -> None:
        self.done += 1
        if deed := self.deeds.pop(self.done, None):
            deed()


def workers() -> list[psutil.Process]:
    """Processes of Ray that perform a task of ours now."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            name = process.name()
            if name.startswith("ray::") and not name.endswith("Agent") and "IDLE" not in name:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_tasks_come_back_from_both_nodes_with_one_thread_each(engine):
    tasks = [Task("tests.pipeline.engine_tasks:double", {"x": x, "nap": 0.5}) for x in range(6)]
    results = [result for _, result in engine.run(tasks)]
    assert sorted(r["twice"] for r in results) == [0, 2, 4, 6, 8, 10]
    assert len({r["pid"] for r in results}) == 2 and os.getpid() not in {r["pid"] for r in results}
    assert all(r["seconds"] >= 0.5 and r["peak_memory"] > 10_000_000 for r in results)
    ((_, threads),) = engine.run([Task("tests.pipeline.engine_tasks:threads", {})])
    assert (threads["arrow"], threads["reading"], threads["rayon"]) == (1, 1, "1")
    assert engine.workers == 2 and list(engine.run([])) == []
    nodes = Counter(result["node"] for _, result in engine.prepare([Task("tests.pipeline.engine_tasks:node", {})] * 3))
    assert sorted(nodes.values()) == [3, 3]  # each task once on each node


def test_an_error_in_a_worker_comes_back_as_ours_with_its_hint(engine):
    with pytest.raises(InputError, match="broken") as caught:
        list(engine.run([Task("tests.pipeline.engine_tasks:complain", {})]))
    assert caught.value.hint == "mend it"


def test_a_task_whose_worker_dies_runs_again_and_one_that_always_dies_is_told(engine, tmp_path, monkeypatch):
    ((_, result),) = engine.run([Task("tests.pipeline.engine_tasks:die_once", {"mark": str(tmp_path / "mark")})])
    assert result["alive"]
    engine._options["max_retries"] = 0
    with pytest.raises(RunError, match="was lost") as caught:
        list(engine.run([Task("tests.pipeline.engine_tasks:die", {})]))
    assert "run again" in caught.value.hint


def test_a_task_that_fits_no_node_is_refused_before_it_starts(engine):
    with pytest.raises(RunError, match=r"needs about 9\.\d+ GB, and the largest node offers 3\.0 GB"):
        list(engine.run([Task("x:y", {}, memory=9 * GB)]))


def test_a_node_with_other_versions_or_without_the_work_folder_is_told(engine, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_where", engine._where.replace('"pyarrow": "', '"pyarrow": "9'))
        with pytest.raises(RunError, match="the driver has 9") as caught:
            list(engine.run([Task("tests.pipeline.engine_tasks:double", {"x": 1})]))
        assert "install the same" in caught.value.hint
    engine._reach.rename(tmp_path / "elsewhere")
    engine._where = engine._where.replace("}", " }")  # so that workers look again
    with pytest.raises(RunError, match="does not reach") as caught:
        list(engine.run([Task("tests.pipeline.engine_tasks:double", {"x": 1})]))
    assert "all nodes share" in caught.value.hint


def test_a_lost_worker_and_a_lost_node_change_no_byte(cluster, local, tmp_path):
    folder, wanted = local
    nodes = list(cluster.worker_nodes)
    lost, over = [], threading.Event()

    def kill_worker():
        while not over.is_set():  # beside the run: while the driver waits, tasks end and no other begins
            for process in workers():
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    lost.append("worker")
                    return

    def kill_node():
        cluster.remove_node(nodes[0], allow_graceful=False)
        lost.append("node")

    talk = Disturbing({6: threading.Thread(target=kill_worker).start, 22: kill_node})
    try:
        result = run(on(cluster, folder, str(tmp_path / "run")), talk)
    finally:
        over.set()
        add_node(cluster)
    assert sorted(lost) == ["node", "worker"] and talk.done > 40
    assert {"tokenizer", "encode", "packed"} <= {planned.kind for planned in result.steps}
    assert seals(result) == wanted
    assert not [p for p in (tmp_path / "run").iterdir() if p.name.startswith(".tmp-")]


@pytest.mark.torture  # half a minute: a driver of its own loads everything anew
def test_a_killed_driver_ends_its_tasks_and_the_next_run_has_the_same_bytes(cluster, local, tmp_path):
    folder, wanted = local
    sources = [{"jsonl": {"name": "src", "path": str(folder / "*.jsonl")}}]
    (folder / "config.yaml").write_text(json.dumps({"sources": sources, **MADE}))
    command = [sys.executable, "-m", "pipeline.cli", "run", str(folder / "config.yaml"), "-q", "--engine", "ray"]
    command += ["--address", cluster.address, "--workdir", str(tmp_path / "run")]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ)
    marks = "03-*/marks/*.json"
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run").glob(marks)):
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert not list((tmp_path / "run").glob("packed*"))  # it was at work
    deadline = time.monotonic() + 30
    while workers():
        assert time.monotonic() < deadline, [(p.name(), p.status(), p.cmdline()) for p in workers()]
        time.sleep(0.05)
    result = run(on(cluster, folder, str(tmp_path / "run")), Silent())
    assert 0 < len(result.made) < len(result.steps)
    assert seals(result) == wanted


@pytest.mark.torture  # thirty seconds; tests of the store run on S3 without Ray always
def test_ray_on_s3_gives_the_bytes_of_a_run_on_disk(cluster, local):
    folder, wanted = local
    assert seals(go(on(cluster, folder, f"{cluster.bucket}/run"))) == wanted


def test_an_address_where_nothing_answers_is_told():
    with pytest.raises(ConfigError, match="no Ray cluster answers"):
        engines._answers("127.0.0.2:9")


def test_a_ray_of_this_machine_that_does_not_start_in_time_is_told_with_a_deed():
    class Slow:
        def init(self, **_):
            raise Exception("The current node timed out during startup. This could be.\nmore")  # as Ray does

    with pytest.raises(RunError, match="timed out during startup") as caught:
        engines._join(Slow(), None, 1, GB)
    assert "engine: local" in caught.value.hint
