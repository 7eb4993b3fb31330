"""ALiBi slopes as published, and attention that equals exact ALiBi at every position, in fp32 and in bf16."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pretrain.attention import BACKENDS, KVCache, alibi_columns, alibi_slopes, attention
from pretrain.errors import ConfigError

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
    ("heads", "queries", "keys", "width"), [(8, 70, 70, 16), (12, 5, 5, 24), (6, 1, 300, 8), (3, 7, 20, 10)]
)
def test_each_backend_is_exact_attention(backend, heads, queries, keys, width):
    q, k, v = qkv(heads, queries, keys, width)
    torch.testing.assert_close(
        attention(q, k, v, alibi_slopes(heads), backend).double(), exact(q, k, v)[1], rtol=0, atol=2e-6
    )


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
