"""The shape, the names, the first weights and the losses of BLOOM."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.errors import ConfigError
from pretrain.model import Bloom, ModelConfig, decay_groups, padded_vocab

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without")

BLOCK = [
    f"{layer}.{kind}"
    for layer in (
        "input_layernorm",
        "self_attention.query_key_value",
        "self_attention.dense",
        "post_attention_layernorm",
        "mlp.dense_h_to_4h",
        "mlp.dense_4h_to_h",
    )
    for kind in ("weight", "bias")
]


def model(seed: int = 0, **shape) -> Bloom:
    config = {"vocab_size": 128, "hidden_size": 24, "num_layers": 2, "num_heads": 6} | shape
    return Bloom(ModelConfig(**config), torch.Generator().manual_seed(seed))


def batch(b: int = 2, t: int = 11, v: int = 128):
    g = torch.Generator().manual_seed(b * t)
    ids, targets = (torch.randint(0, v, (b, t), generator=g) for _ in range(2))
    targets[0, :3] = -100
    return ids, targets


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        ((1024, 24, 16), 559_214_592),
        ((1536, 24, 16), 1_065_314_304),
        ((2048, 24, 16), 1_722_408_960),
        ((2560, 30, 32), 3_002_557_440),
        ((4096, 30, 32), 7_069_016_064),
        ((14336, 70, 112), 176_247_271_424),
    ],
)
def test_each_bloom_has_as_many_parameters_as_it_is_published_with(shape, parameters):
    assert ModelConfig(250_880, *shape).num_parameters == parameters


def test_the_model_has_the_parameters_that_its_config_counts():
    m = model()
    assert sum(p.numel() for p in m.parameters()) == m.config.num_parameters
    with torch.device("meta"):
        large = Bloom(ModelConfig(250_880, 1024, 24, 16))
    assert sum(p.numel() for p in large.parameters()) == 559_214_592
    assert len(large.state_dict()) == 293


def test_tensors_have_blooms_names_and_no_others():
    ends = ["word_embeddings.weight", "word_embeddings_layernorm.weight", "word_embeddings_layernorm.bias"]
    blocks = [f"h.{i}.{name}" for i in range(2) for name in BLOCK]
    assert set(model().state_dict()) == {*ends, *blocks, "ln_f.weight", "ln_f.bias"}


def test_the_first_weights_are_blooms():
    m = model(hidden_size=192, num_layers=8, vocab_size=1024)
    wanted = {"dense.weight": 0.0048 / 4, "dense_4h_to_h.weight": 0.0048 / 4}  # sqrt(2 * 8 layers) = 4
    for name, p in m.named_parameters():
        if p.ndim == 2:
            std = wanted.get(name.split(".")[-2] + ".weight", 0.0048)
            assert p.std().item() == pytest.approx(std, rel=0.02), name
            assert abs(p.mean().item()) < 0.02 * std, name
        else:
            assert (p == (0 if name.endswith("bias") else 1)).all(), name


def test_a_generator_decides_the_weights_and_leaves_torchs_own_alone():
    before = torch.get_rng_state()
    one, two, other = (model(s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["h.1.mlp.dense_h_to_4h.weight"], other["h.1.mlp.dense_h_to_4h.weight"])


def test_biases_and_layernorms_are_not_decayed_and_the_embedding_is():
    decayed, spared = decay_groups(model(num_layers=1), 0.1)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert {name for name, _ in decayed["params"]} == {
        "word_embeddings.weight",
        "h.0.self_attention.query_key_value.weight",
        "h.0.self_attention.dense.weight",
        "h.0.mlp.dense_h_to_4h.weight",
        "h.0.mlp.dense_4h_to_h.weight",
    }
    assert {name for name, _ in spared["params"]} == {
        "word_embeddings_layernorm.weight",
        "word_embeddings_layernorm.bias",
        "h.0.input_layernorm.weight",
        "h.0.input_layernorm.bias",
        "h.0.self_attention.query_key_value.bias",
        "h.0.self_attention.dense.bias",
        "h.0.post_attention_layernorm.weight",
        "h.0.post_attention_layernorm.bias",
        "h.0.mlp.dense_h_to_4h.bias",
        "h.0.mlp.dense_4h_to_h.bias",
        "ln_f.weight",
        "ln_f.bias",
    }


def test_an_optimizer_takes_the_groups():
    m = model()
    optimizer = torch.optim.AdamW(decay_groups(m, 0.1), lr=1e-3)
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(m.parameters()))


def test_the_loss_is_the_cross_entropy_of_the_logits_with_all_gradients():
    m, (ids, targets) = model(init_std=0.1), batch()
    names, parameters = zip(*m.named_parameters(), strict=True)
    want = F.cross_entropy(m(ids).flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")
    loss = m.loss(ids, targets)
    torch.testing.assert_close(loss, want)
    pairs = zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(want, parameters), strict=True)
    for name, (a, b) in zip(names, pairs, strict=True):
        assert (a - b).abs().max() < 1e-5 * b.abs().max(), name


def test_losses_by_token_sum_to_the_loss_and_need_no_gradient():
    m, (ids, targets) = model(), batch()
    losses = m.token_losses(ids, targets)
    assert losses.shape == targets.shape and not losses.requires_grad
    assert not losses[0, :3].any() and (losses[targets != -100] > 0).all()
    torch.testing.assert_close(losses.sum(), m.loss(ids, targets).detach())


def test_an_untrained_model_knows_nothing():
    m, (ids, targets) = model(vocab_size=512), batch(4, 64, 512)
    assert m.token_losses(ids, targets)[targets != -100].mean().item() == pytest.approx(math.log(512), rel=0.01)


@given(st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_no_token_sees_a_later_one(cut: int, seed: int):
    m = model(init_std=0.2)
    ids = torch.randint(0, 128, (1, 13), generator=torch.Generator().manual_seed(seed))
    changed = ids.clone()
    changed[:, cut:] = (changed[:, cut:] + 1) % 128
    torch.testing.assert_close(m(ids)[:, :cut], m(changed)[:, :cut], rtol=0, atol=1e-6)


@pytest.mark.parametrize("backend", ["eager", "sdpa", "flex"])
def test_a_row_of_two_documents_gives_each_the_logits_it_would_have_alone(backend):
    m = model(init_std=0.2)
    m.backend = backend
    ids, starts = batch(1, 20)[0], torch.tensor([[0] * 7 + [7] * 13])
    with torch.no_grad():
        together = F.linear(m.hidden(ids, starts=starts), m.word_embeddings.weight)
        torch.testing.assert_close(together[:, :7], m(ids[:, :7]), rtol=0, atol=1e-5)
        torch.testing.assert_close(together[:, 7:], m(ids[:, 7:]), rtol=0, atol=1e-5)
        assert not torch.allclose(together, m(ids), atol=0.01)  # else documents did not matter


def test_losses_keep_documents_apart_where_they_are_told_where_they_begin():
    m, (ids, targets) = model(init_std=0.2), batch(1, 20)
    alone = m.loss(ids[:, :7], targets[:, :7]) + m.loss(ids[:, 7:], targets[:, 7:])
    starts = torch.tensor([[0] * 7 + [7] * 13])
    torch.testing.assert_close(m.loss(ids, targets, starts), alone)
    torch.testing.assert_close(m.token_losses(ids, targets, starts).sum(), alone.detach())


def test_a_cast_of_the_model_leaves_the_slopes_exact():
    m = model(num_heads=12).bfloat16()
    assert torch.equal(m.slope_bits.view(torch.float32), model(num_heads=12).slope_bits.view(torch.float32))
    assert m(batch()[0]).dtype == torch.bfloat16


def test_a_model_built_without_memory_gets_its_weights_and_slopes_later():
    with torch.device("meta"):
        m = Bloom(model().config)
    m.to_empty(device="cpu").initialise(torch.Generator().manual_seed(0))
    assert torch.equal(m(batch()[0]), model(0)(batch()[0]))


def test_under_autocast_the_loss_stays_close_and_in_fp32():
    m, (ids, targets) = model(init_std=0.1), batch()
    with torch.autocast("cpu", torch.bfloat16):
        loss = m.loss(ids, targets)
    loss.backward()
    assert loss.dtype == torch.float32 == m.word_embeddings.weight.grad.dtype
    assert loss.item() == pytest.approx(m.loss(ids, targets).item(), rel=1e-2)


@pytest.mark.parametrize(("tokens", "multiple", "rows"), [(8192, 64, 8192), (8193, 64, 8256), (250_680, 512, 250_880)])
def test_the_vocabulary_is_padded_to_a_multiple(tokens, multiple, rows):
    assert padded_vocab(tokens, multiple) == rows


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hidden_size": 100}, "100 is not divisible by num_heads 6"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"init_std": 0.0}, "init_std is 0"),
        ({"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon is nan"),
    ],
)
def test_an_impossible_shape_is_refused_with_the_value(wrong, said):
    with pytest.raises(ConfigError, match=said):
        model(**wrong)


def test_the_hint_names_widths_that_the_heads_divide():
    with pytest.raises(ConfigError, match="take hidden_size 96 or 102"):
        model(hidden_size=100)


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="take one of auto, sdpa, eager, flex"):
        Bloom(model().config, backend="flash")
