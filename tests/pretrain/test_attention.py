"""ALiBi slopes as published, and attention that equals exact ALiBi at every position, in fp32 and in bf16."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pretrain.attention import BACKENDS, KVCache, alibi_columns, alibi_slopes, attention, check_backend, choose
from pretrain.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without")

# B sequences, H heads, T queries, S keys, D channels of a head


def exact(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(probabilities (B, H, T, S), output) by the definition, in fp64."""
    slopes = alibi_slopes(q.shape[1]) if slopes is None else slopes
    q, k, v = q.double(), k.double(), v.double()
    t, s = q.shape[2], k.shape[2]
    i, j = torch.arange(s - t, s)[:, None], torch.arange(s)[None, :]
    scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + slopes.double()[:, None, None] * (j - i)
    p = scores.masked_fill(j > i, float("-inf")).softmax(-1)
    return p, p @ v


def qkv(heads: int, queries: int, keys: int, width: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    g = torch.Generator().manual_seed(heads * 1000 + queries)
    return [torch.randn(1, heads, n, width, generator=g).to(dtype) for n in (queries, keys, keys)]


def test_eight_heads_have_the_powers_of_one_half():
    assert alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]


def test_twelve_heads_have_those_of_eight_and_every_second_one_of_sixteen():
    # eight: 2^-1 ... 2^-8; sixteen: 2^-0.5, 2^-1, 2^-1.5, ...: its 1st, 3rd, 5th, 7th
    expected = [2.0**-i for i in range(1, 9)] + [2.0**-x for x in (0.5, 1.5, 2.5, 3.5)]
    assert alibi_slopes(12).tolist() == pytest.approx(expected)


def test_bloom_176b_has_the_slopes_it_was_trained_with():
    slopes = alibi_slopes(112)
    assert (slopes[0].item(), slopes[63].item()) == pytest.approx((2**-0.125, 2**-8))
    assert (slopes.max().item(), slopes[111].item()) == pytest.approx((2**-0.0625, 2 ** (-0.0625 * 95)))


@given(st.integers(1, 256))
@settings(max_examples=50, deadline=None)
def test_slopes_of_any_number_of_heads_are_distinct_and_between_0_and_1(heads: int):
    slopes = alibi_slopes(heads)
    assert len(set(slopes.tolist())) == heads == len(slopes)
    assert 0 < slopes.min() <= slopes.max() < 1


def test_no_heads_is_refused():
    with pytest.raises(ConfigError, match="num_heads is 0"):
        alibi_slopes(0)


def test_the_worked_case_of_the_columns_holds():
    to_q, to_k = alibi_columns(torch.tensor([0.5]), 301, 64, torch.float32)
    assert to_q[0, 0].tolist() == [512, 0, 4, 0]
    assert to_k[300].tolist() == [2, 2, 44, 44]
    assert (to_q[0, 0] @ to_k[300]).item() / 64**0.5 == 150


@pytest.mark.parametrize("heads", [6, 12, 32, 112])
def test_the_columns_in_bf16_are_alibi_to_one_part_in_thirty_thousand(heads: int):
    to_q, to_k = alibi_columns(alibi_slopes(heads), 4096, 80, torch.bfloat16)
    bias = (to_q.double() @ to_k.double().T)[:, 0] / 80**0.5  # (H, S)
    wanted = alibi_slopes(heads).double()[:, None] * torch.arange(4096)
    assert ((bias - wanted).abs() <= wanted.abs() / 30_000).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("heads", "queries", "keys", "width"),
    [
        *[(8, 70, 70, 16), (12, 5, 5, 24), (6, 1, 300, 8), (3, 7, 20, 10)],
        *[(16, 33, 33, 64), (20, 33, 33, 80), (16, 130, 130, 96), (112, 33, 33, 128)],  # BLOOM's widths
    ],
)
def test_each_backend_is_exact_attention(backend, heads, queries, keys, width):
    q, k, v = qkv(heads, queries, keys, width)
    bound = 2e-6 + 1e-7 * keys  # fp32 rounds slope * j, and the more the larger it is
    got = attention(q, k, v, alibi_slopes(heads), backend).double()
    torch.testing.assert_close(got, exact(q, k, v)[1], rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_documents_in_a_row_read_what_they_read_alone(backend, dtype):
    q, k, v = qkv(12, 50, 50, 64, dtype)
    starts = torch.tensor([[0] * 18 + [18] * 32, [0] * 50], dtype=torch.int32)
    q, k, v = (x.expand(2, -1, -1, -1) for x in (q, k, v))
    slopes = alibi_slopes(12)
    together = attention(q, k, v, slopes, backend, starts)
    for row, begin, end in ((0, 0, 18), (0, 18, 50), (1, 0, 50)):
        piece = [x[row : row + 1, :, begin:end] for x in (q, k, v)]
        alone = attention(*piece, slopes, backend)
        bound = 2e-6 if dtype == torch.float32 else 2e-2  # bf16 rounds outputs of about 2 by 2^-8
        torch.testing.assert_close(together[row : row + 1, :, begin:end], alone, rtol=0, atol=bound)
    assert not torch.allclose(together[0, :, 18:], attention(q, k, v, slopes, backend)[0, :, 18:], atol=0.1)


@pytest.mark.parametrize("documents", [False, True])
def test_gradients_of_the_fused_backend_keep_documents_apart(documents):
    q, k, v = (x.requires_grad_() for x in qkv(8, 40, 40, 16))
    starts = torch.tensor([[0] * 15 + [15] * 25]) if documents else None
    for backend in ("eager", "sdpa"):
        out = attention(q, k, v, alibi_slopes(8), backend, starts)
        dk = torch.autograd.grad(out[:, :, 15:].square().sum(), k)[0]
        assert dk[:, :, :15].any().item() is not documents, backend


def test_flex_is_refused_on_a_cpu_where_gradients_are_wanted():
    q, k, v = (x.requires_grad_() for x in qkv(4, 20, 20, 16))
    with pytest.raises(ConfigError, match="FlexAttention has no backward pass"):
        attention(q, k, v, alibi_slopes(4), "flex")
    with pytest.raises(ConfigError, match="attention flex cannot train on a CPU"):
        check_backend("flex", torch.device("cpu"))
    check_backend("flex", torch.device("cuda"))
    check_backend("auto", torch.device("cpu"))


@pytest.mark.parametrize(
    ("device", "width", "documents", "taken"),
    [
        ("cpu", 64, False, "sdpa"),
        ("cpu", 128, True, "sdpa"),
        *[("cuda", width, False, "sdpa") for width in (64, 80, 96)],
        ("cuda", 128, False, "flex"),  # 128 + 8 columns would be in the kernel for 192
        ("cuda", 64, True, "flex"),
    ],
)
def test_auto_takes_the_backend_that_is_fast_there(device, width, documents, taken):
    assert choose("auto", torch.device(device), width, documents) == taken
    assert choose("eager", torch.device(device), width, documents) == "eager"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: FlexAttention's gradients need one")
@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize(("heads", "width"), [(16, 64), (20, 80), (16, 96), (32, 128)])
def test_gradients_of_each_backend_on_a_gpu_are_those_of_the_reference(heads, width, documents):
    q, k, v = (x.cuda().requires_grad_() for x in qkv(heads, 256, 256, width))
    starts = torch.tensor([[0] * 100 + [100] * 156], device="cuda") if documents else None
    slopes, out = alibi_slopes(heads).cuda(), torch.randn(1, heads, 256, width, device="cuda")
    want = torch.autograd.grad(attention(q, k, v, slopes, "eager", starts), (q, k, v), out)
    for backend in ("sdpa", "flex"):
        got = torch.autograd.grad(attention(q, k, v, slopes, backend, starts), (q, k, v), out)
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=2e-3 * b.abs().max().item(), msg=backend)


@pytest.mark.parametrize("heads", [8, 12])
def test_gradients_of_the_fused_backend_are_those_of_the_reference(heads: int):
    q, k, v = (x.requires_grad_() for x in qkv(heads, 50, 50, 16))
    slopes, out = alibi_slopes(heads), torch.randn(1, heads, 50, 16)
    fused = torch.autograd.grad(attention(q, k, v, slopes, "sdpa"), (q, k, v), out)
    for got, want in zip(fused, torch.autograd.grad(attention(q, k, v, slopes, "eager"), (q, k, v), out), strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-5 * want.abs().max().item())


def test_bf16_attention_at_position_2047_is_within_a_thousandth_of_exact():
    """Total variation, read off the fused kernel itself: values that are one-hot show the probabilities."""
    slopes = alibi_slopes(112)[[0, 63, 64, 111]]  # the ends of the 64 and of the 48 between them
    q, k, _ = qkv(4, 2048, 2048, 64, torch.bfloat16)
    p = exact(q[:, :, -1:], k, k, slopes)[0][0, :, 0]  # (H, S)
    seen = torch.zeros_like(p)
    for start in range(0, 2048, 64):
        v = torch.zeros_like(k)
        v[:, :, start : start + 64] = torch.eye(64, dtype=torch.bfloat16)
        seen[:, start : start + 64] = attention(q, k, v, slopes, "sdpa")[0, :, -1].double()
    assert p.max() > 0.01  # not flat, or any bias would do
    # the kernel rounds each probability to bf16 too, by 2^-9 at most: that part is not ALiBi's
    assert (0.5 * (seen - p).abs().sum(-1)).max() < 1e-3 + 0.5 * 2**-9


@pytest.mark.parametrize(("heads", "width"), [(12, 64), (32, 80), (112, 128)])
def test_what_bf16_columns_leave_out_moves_attention_by_a_hundred_thousandth_at_most(heads: int, width: int):
    q, k, _ = qkv(heads, 1, 2048, width, torch.bfloat16)
    to_q, to_k = alibi_columns(alibi_slopes(heads), 2048, width, torch.bfloat16)
    scores = q.double() @ k.double().transpose(2, 3) + to_q.double() @ to_k.double().T
    got, want = (scores / width**0.5).softmax(-1), exact(q, k, k)[0]
    assert (0.5 * (got - want).abs().sum(-1)).max() < 1e-5


def test_bf16_rounding_of_absolute_positions_would_be_caught():
    """The trap itself: the bias that others add in bf16 moves attention by far more than our bound."""
    q, k, _ = qkv(16, 1, 2048, 64, torch.bfloat16)
    bias = (alibi_slopes(16)[:, None] * torch.arange(2048)).bfloat16().double()
    scores = (q.double() @ k.double().transpose(2, 3))[0, :, 0] / 8
    coarse, p = (scores + bias).softmax(-1), exact(q, k, k)[0][0, :, 0]
    assert (0.5 * (coarse - p).abs().sum(-1)).max() > 0.1


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_future_changes_nothing(backend):
    q, k, v = qkv(8, 40, 40, 16)
    before = attention(q, k, v, alibi_slopes(8), backend)[:, :, :20]
    k[:, :, 20:], v[:, :, 20:] = 7.0, -7.0
    assert torch.equal(attention(q, k, v, alibi_slopes(8), backend)[:, :, :20], before)


def test_a_cache_gives_back_what_it_was_given_and_refuses_more_than_it_holds():
    cache = KVCache(layers=2, batch=1, heads=3, capacity=5, width=4, like=torch.zeros(1))
    k = torch.randn(1, 3, 5, 4)
    cache.extend(0, k[:, :, :3], -k[:, :, :3])
    cache.advance(3)
    keys, values = cache.extend(0, k[:, :, 3:], -k[:, :, 3:])
    assert torch.equal(keys, k) and torch.equal(values, -k)
    cache.advance(2)
    with pytest.raises(AssertionError, match="cannot hold 6"):
        cache.extend(0, k[:, :, :1], k[:, :, :1])


def test_eager_under_autocast_computes_its_scores_in_fp32():
    g = torch.Generator().manual_seed(0)
    q, k, v = (8 * torch.randn(1, 2, 40, 16, generator=g).bfloat16() for _ in range(3))
    slopes = alibi_slopes(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = attention(q, k, v.float(), slopes, "eager")
    assert torch.equal(mixed, attention(q.float(), k.float(), v.float(), slopes, "eager"))


def test_the_columns_are_exact_to_the_last_position_that_bf16_has_and_refused_beyond():
    slopes = torch.tensor([0.5])
    to_q, to_k = alibi_columns(slopes, 32_896, 64, torch.bfloat16)
    products = (to_k.double() * to_q[0].double()).sum(-1)
    assert torch.equal(products, 4.0 * torch.arange(32_896).double())  # 4 = 1/2 * sqrt(64)
    with pytest.raises(ConfigError, match="rows of 32,897 tokens are too long for bf16"):
        alibi_columns(slopes, 32_897, 64, torch.bfloat16)
    assert len(alibi_columns(slopes, 32_897, 64, torch.float32)[1]) == 32_897
