"""Compiled blocks learn what uncompiled ones do, and a step's smaller last batch compiles nothing anew."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.nn.parallel import DistributedDataParallel

from pretrain.loss import _compiled_gradient
from pretrain.model import Bloom, ModelConfig


def model() -> Bloom:
    return Bloom(ModelConfig(96, 24, 3, 6, init_std=0.1), torch.Generator().manual_seed(0))


def batch(rows: int = 4):
    g = torch.Generator().manual_seed(1)
    ids, targets = (torch.randint(0, 96, (4, 20), generator=g)[:rows] for _ in range(2))
    return ids, targets, torch.tensor([[0] * 15 + [15] * 5] * rows)


def loss_and_gradients(m: Bloom, rows: int, documents: bool = False) -> list[torch.Tensor]:
    ids, targets, starts = batch(rows)
    loss = m.loss(ids, targets, starts if documents else None, z_loss=1e-4)
    return [loss.detach(), *torch.autograd.grad(loss, list(m.parameters()))]


@pytest.fixture
def counter(monkeypatch):
    """torch.compile with a backend that only counts its graphs, so that a test of shapes takes no C++ compiler."""
    torch._dynamo.reset()
    _compiled_gradient.cache_clear()
    counting = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counting))
    yield counting
    _compiled_gradient.cache_clear()
    torch._dynamo.reset()


def test_all_blocks_share_one_graph_and_a_smaller_last_batch_needs_no_other(counter):
    compiled, plain = model(), model()
    compiled.compile_blocks()
    for rows in (4, 3, 4, 1):
        pairs = zip(loss_and_gradients(compiled, rows), loss_and_gradients(plain, rows), strict=True)
        for got, want in pairs:
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5 * want.abs().max().item())
        assert counter.frame_count == 2  # one for three blocks, one for the loss


def test_a_larger_batch_is_compiled_once_and_what_needs_no_gradient_never(counter):
    m = model()
    m.compile_blocks()
    with torch.no_grad():
        m.token_losses(*batch()[:2])
    assert counter.frame_count == 0
    loss_and_gradients(m, 2)
    loss_and_gradients(m, 4)
    found = counter.frame_count
    assert found == 4
    loss_and_gradients(m, 2)
    assert counter.frame_count == found


def test_ddp_does_not_cut_the_graph_of_a_block(counter, monkeypatch):
    m = Bloom(ModelConfig(96, 192, 1, 6), torch.Generator().manual_seed(0))  # 1.8 MB a block; DDP's first bucket: 1 MB
    m.compile_blocks()
    monkeypatch.setattr(DistributedDataParallel, "_active_ddp_module", SimpleNamespace(bucket_bytes_cap=1 << 20))
    loss_and_gradients(m, 4)
    assert counter.frame_count == 2  # the block, the loss


@pytest.mark.torture
@pytest.mark.parametrize("documents", [False, True])
def test_compiled_machine_code_gives_the_same_gradients(documents):
    compiled, plain = model(), model()
    compiled.compile_blocks()
    for rows in (4, 3):
        pairs = zip(
            loss_and_gradients(compiled, rows, documents), loss_and_gradients(plain, rows, documents), strict=True
        )
        for got, want in pairs:
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5 * want.abs().max().item())
