"""One small packed corpus and one finished run, made once and only read; the command line, in this process."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.pretrain import seam as builder

torch.set_flush_denormal(True)  # as `fit` does; torch's threads inherit it when they start, which they do here
torch.ones(1 << 22).mul_(2)
torch.set_flush_denormal(False)  # other tests, in this same thread, need numbers that small


@pytest.fixture(autouse=True)
def flushed():
    """Numbers below the normal ones are zero while the model computes, as they are in `fit`."""
    torch.set_flush_denormal(True)
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> Path:
    return builder.build(tmp_path_factory.mktemp("corpus") / "packed")


@pytest.fixture(scope="session")
def finished(packed, tmp_path_factory) -> SimpleNamespace:
    """A run of 12 steps that is done: its folder, its config file and what was said."""
    from pretrain.config import load_config
    from pretrain.fit import fit

    folder, told = tmp_path_factory.mktemp("finished"), []
    path = builder.write_config(folder / "c.yaml", builder.config(folder / "run", packed))
    outcome = fit(load_config(path), told.append)
    return SimpleNamespace(dir=folder / "run", config=path, told=told, outcome=outcome)


@pytest.fixture
def pretrain(monkeypatch, capsys):
    """Run the command in this process: (exit code, stdout, stderr)."""
    from pretrain import cli

    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pretrain", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
            sys.exit(0)
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return run
