"""The chunked loss and its gradients equal torch's, whatever the chunk, and the logits are never held whole."""

import gc
import math
from itertools import accumulate

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain import loss as module
from pretrain.loss import chunk_rows, chunked_cross_entropy, even_chunk, token_cross_entropy


def inputs(n: int, c: int, v: int, ignored: float = 0.2):
    g = torch.Generator().manual_seed(n * 31 + v)
    x = torch.randn(n, c, generator=g).requires_grad_()
    w = torch.randn(v, c, generator=g).requires_grad_()
    y = torch.randint(0, v, (n,), generator=g)
    y[torch.rand(n, generator=g) < ignored] = -100
    return x, w, y


def reference(x, w, y):
    return F.cross_entropy((x @ w.T).float(), y, ignore_index=-100, reduction="sum")


@given(n=st.integers(1, 40), v=st.integers(2, 50), chunk=st.integers(1, 50), ignored=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=60, deadline=None)
def test_loss_and_gradients_are_the_reference_for_any_chunk(n, v, chunk, ignored):
    x, w, y = inputs(n, 8, v, ignored)
    loss = chunked_cross_entropy(x, w, y, chunk) / 7  # a factor, so that the incoming gradient matters
    got = torch.autograd.grad(loss, (x, w))
    want = torch.autograd.grad(reference(x, w, y) / 7, (x, w))
    torch.testing.assert_close(loss * 7, reference(x, w, y))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@given(n=st.integers(1, 30), chunk=st.integers(1, 40), z=st.sampled_from([1e-4, 0.1, 3.0]))
@settings(max_examples=40, deadline=None)
def test_z_loss_and_its_gradients_are_the_reference(n, chunk, z):
    x, w, y = inputs(n, 8, 20)
    log_z = (x @ w.T).logsumexp(1)
    want = reference(x, w, y) + z * (log_z.square() * (y != -100)).sum()
    loss = chunked_cross_entropy(x, w, y, chunk, z_loss=z)
    torch.testing.assert_close(loss, want)
    for a, b in zip(torch.autograd.grad(loss, (x, w)), torch.autograd.grad(want, (x, w)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * (1 + z * 100))
    with torch.no_grad():
        torch.testing.assert_close(chunked_cross_entropy(x, w, y, chunk, z_loss=z), want)


def test_z_loss_worked_by_hand():
    # logits (0, ln 3): log Z = ln 4, so 0.5 * ln(4)^2 is added; with z = 0 nothing is
    x, w = torch.tensor([[1.0]]), torch.tensor([[0.0], [math.log(3)]])
    plain, more = (chunked_cross_entropy(x, w, torch.tensor([0]), z_loss=z).item() for z in (0.0, 0.5))
    assert more - plain == pytest.approx(0.5 * math.log(4) ** 2)


def test_a_case_worked_by_hand():
    # logits (0, ln 3): probabilities 1/4 and 3/4; target 0 costs ln 4; gradient of the logits (1/4 - 1, 3/4)
    x = torch.tensor([[1.0]], requires_grad=True)
    w = torch.tensor([[0.0], [math.log(3)]], requires_grad=True)
    loss = chunked_cross_entropy(x, w, torch.tensor([0]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(4))
    assert w.grad.flatten().tolist() == pytest.approx([-0.75, 0.75])
    assert x.grad.item() == pytest.approx(0.75 * math.log(3))


def test_only_ignored_targets_cost_nothing_and_move_nothing():
    x, w, y = inputs(5, 4, 9, ignored=1.1)
    loss = chunked_cross_entropy(x, w, y)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any() and not w.grad.any()


def test_losses_by_token_sum_to_the_loss_and_are_zero_where_ignored():
    x, w, y = inputs(30, 8, 20)
    tokens = token_cross_entropy(x, w, y, chunk=7)
    assert (y == -100).any() and not tokens[y == -100].any()
    torch.testing.assert_close(tokens.sum(), chunked_cross_entropy(x, w, y, chunk=11))
    with torch.no_grad():
        torch.testing.assert_close(tokens.sum(), chunked_cross_entropy(x, w, y, chunk=4))


def test_huge_logits_stay_finite():
    x, w, y = torch.full((2, 1), 1e4), torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1])
    assert token_cross_entropy(x, w, y).tolist() == [0.0, 20_000.0]


def test_under_autocast_products_are_bf16_and_the_sums_fp32():
    x, w, y = inputs(64, 32, 100)
    with torch.autocast("cpu", torch.bfloat16):
        loss = chunked_cross_entropy(x, w, y, chunk=16)
    grads = torch.autograd.grad(loss, (x, w))
    want = torch.autograd.grad(reference(x, w, y), (x, w))
    assert loss.dtype == grads[0].dtype == grads[1].dtype == torch.float32
    assert loss.item() != reference(x, w, y).item()  # it was bf16
    assert loss.item() == pytest.approx(reference(x, w, y).item(), rel=5e-3)
    for a, b in zip(grads, want, strict=True):
        assert (a - b).abs().max() < 0.02 * b.abs().max()


def test_a_second_backward_is_refused_rather_than_wrong():
    x, w, y = inputs(4, 4, 5)
    loss = chunked_cross_entropy(x, w, y)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward pass"):
        loss.backward()


class Largest(torch.utils._python_dispatch.TorchDispatchMode):
    """Remembers the largest tensor that any operation gave."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.elements = max(self.elements, out.numel())
        return out


def live() -> int:
    """Bytes of all tensors that Python knows."""
    tensors = [it for it in gc.get_objects() if type(it) in (torch.Tensor, torch.nn.Parameter)]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_of_a_chunk_waits_for_the_garbage_collector(dtype):
    x, w, y = inputs(64, 8, 500)
    gc.collect()
    gc.disable()
    try:
        before = live()
        for _ in range(3):
            with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
                chunked_cross_entropy(x, w, y, 16).backward()
                token_cross_entropy(x, w, y, 16)
        assert live() - before <= 4 * (x.numel() + w.numel())  # their gradients; a chunk is more
    finally:
        gc.enable()


def test_the_logits_are_never_held_whole():
    x, w, y = inputs(200, 4, 1000)
    with Largest() as seen:
        chunked_cross_entropy(x, w, y, chunk=10).backward()
    assert 10 * 1000 <= seen.elements < 200 * 1000
    assert seen.elements == 10 * 1000


def peak_bytes(work) -> int:
    """The most that tensors made by `work` took at once."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    return max(accumulate(e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_takes_less_than_a_third_of_what_it_takes_with_all_logits(dtype):
    x, w, y = inputs(2048, 8, 4096)

    def peak(loss) -> int:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            return peak_bytes(lambda: loss().backward())

    whole = peak(lambda: F.cross_entropy(F.linear(x, w).float(), y, reduction="sum"))
    assert whole > 2 * 2048 * 4096 * 4  # logits and their gradient, in fp32
    assert peak(lambda: chunked_cross_entropy(x, w, y, chunk=256)) < whole / 3


def test_a_chunk_of_blooms_vocabulary_on_a_gpu_is_about_two_thousand_tokens():
    assert chunk_rows(250_880, torch.device("cuda")) == 2112
    assert chunk_rows(8192, torch.device("cpu")) == 512


@pytest.mark.parametrize(("tokens", "most", "rows"), [(32_768, 2112, 2048), (2112, 2112, 2112), (3, 2, 2), (0, 9, 1)])
def test_chunks_are_alike_and_as_few_as_can_be(tokens, most, rows):
    assert even_chunk(tokens, most) == rows


@given(
    r=st.integers(1, 20), v=st.integers(2, 60), scale=st.sampled_from([1.0, 30.0, 1e4]), narrow=st.booleans(),
    z_loss=st.sampled_from([0.0, 1e-4, 0.1]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_is_compiled_computes_what_runs_kernel_by_kernel(r, v, scale, narrow, z_loss):
    g = torch.Generator().manual_seed(r * 61 + v)
    logits = (scale * torch.randn(r, v, generator=g)).to(torch.bfloat16 if narrow else torch.float32)
    targets = torch.randint(0, v, (r,), generator=g)
    targets[torch.rand(r, generator=g) < 0.3] = -100
    got = module._gradient_to_compile(logits, targets, z_loss)
    want = module._gradient(logits.clone(), targets, z_loss)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=2**-7 if a.dtype == torch.bfloat16 else 1e-5, atol=1e-4)


def test_the_compiled_loss_gives_the_loss_and_gradients_of_the_plain_one(monkeypatch):
    monkeypatch.setattr(module, "_compiled_gradient", lambda: module._gradient_to_compile)  # compiling takes seconds
    x, w, y = inputs(37, 8, 50)
    want = [reference(x, w, y), *torch.autograd.grad(reference(x, w, y), (x, w))]
    for compiled in (False, True):
        loss = chunked_cross_entropy(x, w, y, 10, compiled=compiled)
        torch.testing.assert_close([loss, *torch.autograd.grad(loss, (x, w))], want, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_the_weight_is_added_up_in_fp32_whether_or_not_the_product_can_do_so_itself(monkeypatch):
    def addmm(total, a, b, dtype, out):  # as CUDA has it
        assert (a.dtype, b.dtype, total.dtype, dtype) == (torch.bfloat16, torch.bfloat16, torch.float32, torch.float32)
        return out.copy_(total + a.float() @ b.float())

    x, w, y = inputs(64, 32, 100)
    found = []
    for wide in (False, True):
        monkeypatch.setattr(module, "_adds_wide", lambda *_, wide=wide: wide)
        monkeypatch.setattr(torch, "addmm", addmm)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(torch.autograd.grad(chunked_cross_entropy(x, w, y, 4), w)[0])
    assert found[0].dtype == found[1].dtype == torch.float32
    assert not torch.equal(*found)  # the narrow product was rounded
    torch.testing.assert_close(*found, rtol=0, atol=0.03 * found[0].abs().max().item())


def test_a_cpu_adds_no_wide_product_and_is_not_asked(monkeypatch):
    monkeypatch.setattr(torch, "addmm", lambda *_, **__: pytest.fail("it was asked"))
    module._adds_wide.cache_clear()
    assert not module._adds_wide(torch.device("cpu"), torch.bfloat16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_compiled_on_a_gpu_the_loss_is_the_plain_one_also_for_a_shorter_last_chunk():
    x, w, y = inputs(300, 64, 5000)
    x, w, y = x.detach().cuda().requires_grad_(), w.detach().cuda().requires_grad_(), y.cuda()
    with torch.autocast("cuda", torch.bfloat16):
        plain, fused = (chunked_cross_entropy(x, w, y, 128, compiled=compiled) for compiled in (False, True))
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=0)
    for a, b in zip(torch.autograd.grad(fused, (x, w)), torch.autograd.grad(plain, (x, w)), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-2)
