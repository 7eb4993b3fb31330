"""Our BLOOM and transformers', from the same weights on the same rows, learn alike: step by step, not only at first."""

import pytest
import torch
import torch.nn.functional as F
from transformers import BloomConfig, BloomForCausalLM

from pretrain.model import Bloom, ModelConfig

VOCAB, WIDTH, LAYERS, HEADS = 160, 48, 2, 6  # heads: no power of two
STEPS = 15


def learn(model: torch.nn.Module, loss, rows: torch.Tensor) -> list[float]:
    """Losses of STEPS steps, nats a token."""
    optimizer, found = torch.optim.AdamW(model.parameters(), 3e-3, betas=(0.9, 0.95)), []
    for step in range(STEPS):
        ids = rows[step % 3]
        value = loss(ids[:, :-1], ids[:, 1:]) / ids[:, 1:].numel()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append(value.item())
    return found


@pytest.mark.parametrize("backend", ["eager", "sdpa"])
def test_the_losses_of_ours_and_of_transformers_agree_at_every_step(backend):
    ours = Bloom(ModelConfig(VOCAB, WIDTH, LAYERS, HEADS, init_std=0.05), torch.Generator().manual_seed(0), backend)
    config = BloomConfig(vocab_size=VOCAB, hidden_size=WIDTH, n_layer=LAYERS, n_head=HEADS, use_cache=False)
    theirs = BloomForCausalLM(config)
    theirs.transformer.load_state_dict(ours.state_dict())
    rows = torch.randint(0, VOCAB, (3, 4, 33), generator=torch.Generator().manual_seed(1))

    def reference(ids, targets):
        return F.cross_entropy(theirs(input_ids=ids).logits.flatten(0, 1), targets.flatten(), reduction="sum")

    got, want = learn(ours, ours.loss, rows), learn(theirs, reference, rows)
    assert want[-1] < want[0] - 0.5  # they learned, or any two would agree
    assert got == pytest.approx(want, abs=1e-3)
