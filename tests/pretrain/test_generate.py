"""Generating with a cache is generating without one; sampling obeys its limits and its seed."""

import pytest
import torch

from pretrain.errors import ConfigError, RunError
from pretrain.generate import complete, generate, pick
from pretrain.model import Bloom, ModelConfig


@pytest.fixture(scope="module")
def model() -> Bloom:
    return Bloom(ModelConfig(64, 24, 2, 6, init_std=0.3), torch.Generator().manual_seed(3))


def ids(n: int = 9) -> torch.Tensor:
    return torch.randint(0, 64, (n,), generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
@pytest.mark.parametrize("cuts", [[9], [1] * 9, [4, 1, 1, 3], [2, 7]])
def test_logits_with_a_cache_are_those_without(model, backend, cuts):
    model.backend = backend
    whole = model(ids()[None])
    cache = model.new_cache(1, 9)
    pieces = [model(piece[None], cache) for piece in ids().split(cuts)]
    assert cache.length == 9
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-5)


def test_greedy_takes_the_likeliest_token_each_time(model):
    slow = ids()
    for _ in range(12):
        slow = torch.cat([slow, model(slow[None])[0, -1].argmax()[None]])
    assert torch.equal(generate(model, ids(), 12, temperature=0), slow)


def test_a_seed_decides_the_sample(model):
    one, two, other = (generate(model, ids(), 30, seed=s) for s in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(one[:9], ids()) and len(one) == 39


def test_it_stops_after_the_end_token(model):
    free = generate(model, ids(), 20, seed=5)
    end = free[15].item()
    stopped = generate(model, ids(), 20, seed=5, eos_id=end)
    first = 9 + (free[9:] == end).nonzero()[0].item()
    assert torch.equal(stopped, free[: first + 1])


def test_rows_that_are_no_token_are_never_drawn(model):
    drawn = generate(model, ids(), 60, temperature=100.0, vocab_size=5)[9:]
    assert drawn.max() < 5 and len(set(drawn.tolist())) == 5


LOGITS = torch.tensor([0.5, 0.125, 0.25, 0.125]).log()


def draws(**limits) -> set[int]:
    g = torch.Generator().manual_seed(0)
    options = {"temperature": 1.0, "top_k": None, "top_p": 1.0} | limits
    return {pick(LOGITS, generator=g, **options) for _ in range(200)}


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({}, {0, 1, 2, 3}),
        ({"top_k": 1}, {0}),
        ({"top_k": 2}, {0, 2}),
        ({"top_k": 3}, {0, 1, 2}),  # 1 and 3 tie: the lower id stays
        ({"top_k": 0}, {0, 1, 2, 3}),
        ({"top_k": 99}, {0, 1, 2, 3}),
        ({"top_p": 0.01}, {0}),  # the likeliest always stays
        ({"top_p": 0.5}, {0}),  # 0 alone reaches one half
        ({"top_p": 0.51}, {0, 2}),
        ({"top_k": 2, "top_p": 0.7}, {0, 2}),  # of the two that are left, 0 holds 2/3
        ({"top_k": 2, "top_p": 0.6}, {0}),
        ({"temperature": 0.0}, {0}),
    ],
)
def test_only_tokens_within_the_limits_are_drawn(limits, allowed):
    assert draws(**limits) == allowed


def test_temperature_sharpens():
    # at 1/2 the probabilities are squared: 16 : 1 : 4 : 1 in place of 4 : 1 : 2 : 1
    g = torch.Generator().manual_seed(0)
    share = sum(pick(LOGITS, 0.5, None, 1.0, g) == 0 for _ in range(4000)) / 4000
    assert share == pytest.approx(16 / 22, abs=0.03)


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_k": -1}]
)
def test_impossible_limits_are_refused_with_the_value(model, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        generate(model, ids(), 3, **wrong)


def test_an_empty_prompt_or_two_prompts_are_refused(model):
    for prompt in (torch.zeros(0, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int64)):
        with pytest.raises(ConfigError, match="prompt of shape"):
            generate(model, prompt, 3)


def test_a_diverged_model_is_named_as_such():
    broken = Bloom(ModelConfig(64, 8, 1, 2))
    broken.ln_f.weight.data[:] = float("nan")
    with pytest.raises(RunError, match="not finite"):
        generate(broken, ids(), 3)


class Letters:
    """A tokenizer of capital letters; id 2 is `</s>`."""

    def encode(self, text):
        self.ids = [ord(c) - 60 for c in text]
        return self

    def decode(self, ids):
        return "".join("." if i == 2 else chr(i + 60) for i in ids)

    def get_vocab_size(self):
        return 40

    def token_to_id(self, token):
        return {"</s>": 2}.get(token)


def test_a_prompt_is_continued_and_an_empty_one_begins_a_document(model):
    text = complete(model, Letters(), "ABC", 20, seed=1)
    assert text.startswith("ABC") and len(text) > 3
    assert complete(model, Letters(), "", 5, seed=1).startswith(".")
    assert "." not in text[3:-1]  # stops where the document ends
