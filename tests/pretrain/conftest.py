"""One small packed corpus and one finished run, made once and only read."""

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
