"""Loss and bits per byte, worked by hand."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from pretrain.data import row_tensors
from pretrain.errors import ConfigError, InputError
from pretrain.evaluate import evaluate, spread
from pretrain.model import Bloom, ModelConfig
from pretrain.seam import Seam, Shards
from tests.pretrain import seam as builder


@pytest.fixture(scope="module")
def uniform():
    """A model that gives each of 320 rows the same logit: its loss is ln 320 at every token."""
    model = Bloom(ModelConfig(vocab_size=320, hidden_size=16, num_layers=1, num_heads=2))
    torch.nn.init.zeros_(model.word_embeddings.weight)
    return model


def test_a_uniform_model_loses_ln_v_and_log2_v_bits_a_byte(uniform, packed):
    scores = evaluate(uniform, Seam.open(packed))
    assert [score.language for score in scores] == ["en", "py", "sw", "all"]
    for score in scores:
        assert score.loss == pytest.approx(math.log(320), rel=1e-6)
        assert score.bits_per_byte == pytest.approx(math.log2(320), rel=1e-6)  # the test corpus has a byte a token
    # 3 rows of 16 targets, the last half padding
    assert [score.tokens for score in scores] == [40, 40, 40, 120]


def test_bits_per_byte_weigh_languages_by_their_bytes(uniform, tmp_path):
    folder = builder.build(tmp_path / "p", {"en": 2, "sw": 2})
    splits = Seam.open(folder).manifest["splits"]
    splits["valid"]["en"]["bytes"] *= 4
    builder.seal(folder, splits, 16)
    en, _, total = evaluate(uniform, Seam.open(folder))
    assert en.bits_per_byte == pytest.approx(math.log2(320) / 4)
    assert total.bits_per_byte == pytest.approx(math.log2(320) * 2 / (4 + 1))  # 2n tokens over 4n + n bytes


def test_ranks_add_up_to_the_whole(packed):
    model = Bloom(ModelConfig(260, 16, 1, 2), torch.Generator().manual_seed(1))
    parts = []
    for rank in range(2):
        evaluate(model, Seam.open(packed), rank=rank, world=2, add_up=lambda sums: parts.append(sums) or sums)
    together = evaluate(model, Seam.open(packed), max_rows=0, add_up=lambda _: sum(parts))
    alone = evaluate(model, Seam.open(packed))
    assert [score.tokens for score in together] == [score.tokens for score in alone]
    assert [score.loss for score in together] == pytest.approx([score.loss for score in alone])


def test_a_cap_takes_rows_from_all_over():
    assert spread(100, 4) == [0, 25, 50, 75]
    assert spread(3, 4) == spread(3, None) == [0, 1, 2]


def test_a_cap_scores_fewer_tokens(uniform, packed):
    scores = evaluate(uniform, Seam.open(packed), "train", max_rows=2)
    assert [score.tokens for score in scores] == [32, 32, 32, 96]


def test_batches_change_nothing(packed):
    model = Bloom(ModelConfig(260, 16, 1, 2), torch.Generator().manual_seed(1))
    score = partial(evaluate, model, Seam.open(packed), "train")
    for a, b in zip(score(batch=1), score(batch=5), strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-6)


def test_batches_filled_up_with_rows_that_say_nothing_change_nothing(packed, monkeypatch):
    model = Bloom(ModelConfig(320, 16, 1, 2, init_std=0.5), torch.Generator().manual_seed(0))
    shapes, whole = [], model.token_losses
    model.token_losses = lambda ids, *rest: shapes.append(len(ids)) or whole(ids, *rest)
    before = evaluate(model, Seam.open(packed), batch=5, document_mask=True)
    assert set(shapes) != {5}
    shapes.clear()
    monkeypatch.setattr("pretrain.evaluate._ALIKE", ("cpu",))
    assert evaluate(model, Seam.open(packed), batch=5, document_mask=True) == before and set(shapes) == {5}


def test_a_corpus_without_holdout_is_refused(uniform, tmp_path):
    folder = builder.build(tmp_path / "p", {"en": 2})
    splits = Seam.open(folder).manifest["splits"]
    builder.seal(folder, {"train": splits["train"]}, 16)
    with pytest.raises(InputError, match="no valid split"):
        evaluate(uniform, Seam.open(folder))


def test_a_split_that_there_is_not_is_told_with_those_that_are(uniform, packed):
    with pytest.raises(ConfigError, match=r"has no vaild split\n  hint: there is (train or valid|valid or train)$"):
        evaluate(uniform, Seam.open(packed), "vaild")


def test_a_model_that_kept_documents_apart_is_scored_so(packed, monkeypatch):
    model = Bloom(ModelConfig(320, 16, 1, 2, init_std=0.5), torch.Generator().manual_seed(0))
    seam, seen = Seam.open(packed), evaluate(model, Seam.open(packed))[-1].loss
    monkeypatch.setattr(Shards, "starts", lambda self, row: np.array([0, 5], np.int32))
    shards = seam.shards("valid", "en")
    ids, targets = (torch.from_numpy(side).long()[None] for side in row_tensors(shards, 0))
    apart = sum(model.token_losses(ids[:, a:b], targets[:, a:b]).sum() for a, b in ((0, 5), (5, 16)))
    score = evaluate(model, seam, max_rows=1, document_mask=True)[0]
    assert score.loss * score.tokens == pytest.approx(float(apart), rel=1e-5)
    assert evaluate(model, seam, document_mask=True)[-1].loss != pytest.approx(seen, rel=1e-3)
