"""`kill -9` at random moments: the next run goes on, and its bytes are those of a run that nobody broke."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline.test_laws import big, corpus, digests, run_process


def made(workdir: Path) -> int:
    """How far a run is: its layers and seals, which come and stay."""
    return sum(1 for name in ("layers/*.arrow", "manifest.json") for _ in workdir.glob(f"*/{name}"))


def kill_at(folder: Path, workdir: str, progress: int, more: float) -> bool:
    """Starts a run and kills it `more` seconds after it has made so much; whether it was still at work."""
    command = [sys.executable, "-m", "pipeline.cli", "run", str(folder / "config.yaml"), "-q", "--workers", "2"]
    process = subprocess.Popen([*command, "--workdir", str(folder / workdir)], stderr=subprocess.PIPE, env=os.environ)
    while process.poll() is None and made(folder / workdir) < progress:
        time.sleep(0.005)
    try:
        process.wait(more)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def break_and_mend(tmp_path: Path, kills: int, megabytes: int) -> None:
    big(corpus(tmp_path), megabytes)
    whole = run_process(tmp_path, "whole", "--workers", "2")
    assert whole.returncode == 0, whole.stderr
    chance = random.Random(os.environ.get("PYTEST_SEED", time.time_ns()))
    hits = 0
    for _ in range(kills):  # by what is made, not by the clock: a busy machine is slow
        left = range(made(tmp_path / "broken"), made(tmp_path / "whole"))
        hits += kill_at(tmp_path, "broken", chance.choice(left), chance.uniform(0, 0.2)) if left else 0
    done = run_process(tmp_path, "broken", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert hits > 0  # else nothing was broken
    assert digests(tmp_path / "broken") == digests(tmp_path / "whole")
    assert not list((tmp_path / "broken").rglob(".tmp-*"))
    command = [sys.executable, "-m", "pipeline.cli", "verify", str(tmp_path / "config.yaml")]
    command += ["--workdir", str(tmp_path / "broken")]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_three_kills_change_no_byte(tmp_path):
    break_and_mend(tmp_path, kills=3, megabytes=1)


@pytest.mark.torture
@pytest.mark.parametrize("round_", range(5))
def test_twenty_kills_change_no_byte(tmp_path, round_):
    break_and_mend(tmp_path, kills=4, megabytes=3)
