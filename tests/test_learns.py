"""The trigram models that a trained model is measured against, and the comparison, worked by hand."""

import importlib
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import load
from pretrain.config import load_config
from pretrain.evaluate import evaluate
from pretrain.model import Bloom, ModelConfig
from pretrain.seam import Seam
from tests.pretrain import seam as builder

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "benchmarks")]
trigrams, learns = importlib.import_module("trigrams"), importlib.import_module("learns")

V = 4
ROWS = st.lists(st.lists(st.integers(0, V - 1), min_size=2, max_size=12), min_size=1, max_size=45)


def events_of(rows):
    """Of rows of tokens without padding."""
    sides = [[], [], [], []]
    for i, row in enumerate(rows):
        for side, more in zip(sides, ([V, *row[:-2]], row[:-1], row[1:], [i] * (len(row) - 1)), strict=True):
            side += more
    return trigrams.Events(*(np.array(side, np.int64) for side in sides))


def every(contexts):
    """All V targets after each (last, here)."""
    last, here = (np.repeat(side, V) for side in np.array(contexts, np.int64).T)
    return trigrams.Events(last, here, np.tile(np.arange(V), len(contexts)), np.zeros(len(last), np.int64))


def ask(model, *event):
    return model.probabilities(trigrams.Events(*(np.array([x], np.int64) for x in (*event, 0))))[0]


@pytest.fixture(scope="module")
def short():
    """0 1 0 1 0 2: the trigrams (row's begin) 0 1, 0 1 0 twice, 1 0 1, 1 0 2."""
    return events_of([[0, 1, 0, 1, 0, 2]])


def test_kneser_ney_by_hand(short):
    model = trigrams.KneserNey(short, V)  # so few n-grams: the discount is .75 everywhere
    # order 1: 0, 1 and 2 stand after one token each, so 3 in all
    p1 = (1 - 0.75) / 3 + 0.75 * 3 / 3 / V
    # order 2, after 0: 1 after two tokens (the row's begin, 1), 2 after one (1): 3 in all, two kinds
    p2 = {1: (2 - 0.75) / 3 + 0.75 * 2 / 3 * p1, 2: (1 - 0.75) / 3 + 0.75 * 2 / 3 * p1}
    # order 3, after 1 0: 1 once, 2 once
    assert ask(model, 1, 0, 1) == pytest.approx((1 - 0.75) / 2 + 0.75 * 2 / 2 * p2[1])
    assert ask(model, 1, 0, 2) == pytest.approx((1 - 0.75) / 2 + 0.75 * 2 / 2 * p2[2])
    assert ask(model, 1, 0, 3) == pytest.approx(0.75 * (0.75 * 2 / 3) * 0.75 / V)  # never seen: all the way down
    assert ask(model, 2, 0, 1) == pytest.approx(p2[1])  # 2 0 was never met
    assert ask(model, V, 0, 1) == pytest.approx((1 - 0.75) / 1 + 0.75 * p2[1])  # a row began so, once


def test_jelinek_mercer_by_hand(short):
    model = trigrams.JelinekMercer(short, V)  # no 20th row to learn weights from: a quarter each
    assert ask(model, 1, 0, 1) == pytest.approx((1 / 4 + 2 / 5 + 2 / 3 + 1 / 2) / 4)
    assert ask(model, 2, 0, 1) == pytest.approx((1 / 4 + 2 / 5 + 2 / 3 + 2 / 3) / 4)  # 2 0 never met: as after 0
    assert ask(model, 0, 3, 1) == pytest.approx((1 / 4 + 2 / 5 + 2 / 5 + 2 / 5) / 4)  # nor 3


def test_discounts_by_hand():
    counts = np.repeat([1, 2, 3, 4], [8, 4, 2, 1])  # y = 8 / (8 + 2 * 4) = 1/2
    assert trigrams.discounts(counts).tolist() == [1 - 2 / 2 * 4 / 8, 2 - 3 / 2 * 2 / 4, 3 - 4 / 2 * 1 / 2]


@given(ROWS)
def test_probabilities_of_all_tokens_sum_to_one_after_any_context(rows):
    contexts = [(last, here) for last in range(V + 1) for here in range(V)]
    for kind in learns.KINDS:
        p = kind(events_of(rows), V).probabilities(every(contexts))
        assert (p > 0).all()
        assert p.reshape(-1, V).sum(1) == pytest.approx(np.ones(len(contexts)))


@given(ROWS)
def test_kneser_ney_is_what_its_definition_says(rows):
    train = events_of(rows)
    model, contexts = trigrams.KneserNey(train, V), [(last, here) for last in range(V + 1) for here in range(V)]
    seen = Counter(zip(train.last.tolist(), train.here.tolist(), train.then.tolist(), strict=True))
    assert model.probabilities(every(contexts)).tolist() == pytest.approx(
        [plainly(seen, (last, here), then) for last, here in contexts for then in range(V)]
    )


def plainly(counts, context, then):
    """Interpolated Kneser-Ney over counts of n-grams: the order below counts distinct tokens before each."""
    below = 1 / V
    if context or len(next(iter(counts))) > 1:
        shorter = Counter(gram[1:] for gram in counts)  # each distinct n-gram once
        below = plainly(shorter, context[1:], then)
    after = defaultdict(int, {gram[-1]: count for gram, count in counts.items() if gram[:-1] == context})
    if not after:
        return below
    taken = dict(enumerate(trigrams.discounts(np.array(list(counts.values()))), 1))
    total, given_on = sum(after.values()), sum(taken[min(count, 3)] for count in after.values())
    left = after[then] - taken[min(after[then], 3)] if after[then] else 0.0
    return left / total + given_on / total * below


def test_weights_go_where_the_kept_rows_are_foretold():
    columns = np.tile([0.25, 0.1, 0.9, 0.1], (1000, 1))
    bucket = np.arange(1000) % 2 * 3
    weights = trigrams._maximise(columns, bucket)
    assert (weights[[0, 3], 2] > 0.99).all()
    assert weights[1].tolist() == [0.25] * 4  # nothing to learn from
    assert (weights > 1e-4).all()  # of 0, a token never met would have no probability at all


def test_events_are_the_targets_that_eval_scores(packed):
    seam, model = Seam.open(packed), Bloom(ModelConfig(320, 16, 1, 2, init_std=0.5), torch.Generator().manual_seed(1))
    for score in evaluate(model, seam)[:-1]:
        asked, bits = (
            trigrams.events(seam, "valid", score.language),
            learns.model_bits(model, seam, "valid", score.language),
        )
        assert len(asked) == len(bits) == score.tokens == 40  # the last row is half padding
        assert bits.sum() / learns.bytes_of(seam, "valid", score.language, 40) == pytest.approx(score.bits_per_byte)
        row = seam.shards("valid", score.language).tokens(1)
        assert asked.where(asked.row == 1).then.tolist() == row[1:].tolist()
        assert asked.where(asked.row == 1).here.tolist() == row[:-1].tolist()
        assert asked.where(asked.row == 1).last.tolist() == [seam.vocab_size, *row[:-2].tolist()]


def test_rows_of_joined_parts_stay_apart():
    both = trigrams.joined([events_of([[0, 1, 2], [1, 2]]), events_of([[2, 0]])])
    assert both.row.tolist() == [0, 0, 1, 2]
    assert both.then.tolist() == [1, 2, 2, 0]


def test_the_table_is_of_each_language_and_says_who_wins(tmp_path):
    seam = Seam.open(builder.build(tmp_path / "p", {"en": 24, "sw": 12}))
    model = Bloom(ModelConfig(320, 16, 1, 2))
    torch.nn.init.zeros_(model.word_embeddings.weight)  # log2(320) bits a byte: any trigram knows more
    kind, lines = learns.compare(model, seam)
    assert [line.language for line in lines] == ["en", "sw", "all"]
    assert all(line.ours == pytest.approx(math.log2(320)) for line in lines)
    assert all(0 < line.by_language < line.trigram < 4 for line in lines)  # phrases that come again and again
    assert lines[-1].tokens == sum(line.tokens for line in lines[:-1])
    assert "beats the trigram in 0, not in en, sw" in learns.verdict(lines[:-1])
    assert len(list(learns.table(kind, lines))) == 2 + 3
    assert {row["who"] for row in learns.rows(kind, lines)} >= {"seedbed", f"trigram, {kind}"}


def test_the_drafted_configs_are_configs(tmp_path):
    corpus, model = learns.draft(ROOT / "data" / "udhr", tmp_path / "run")
    assert load(corpus).pack.seq_len == 512
    settings = load_config(model)
    assert settings.data.path == tmp_path / "run" / "packed"
    assert settings.train.total_samples == 56_000


def test_the_verdict_parts_the_largest_from_all():
    lines = [learns.Line(name, 1.0, 100, 2.0, 1.5, ours, 0.1) for name, ours in [("a", 1.4), ("b", 1.6), ("c", 2.0)]]
    first, second = learns.verdict(lines, largest=2).splitlines()
    assert first == "of the 2 largest languages ours beats the trigram in 2; one by language in 1"
    assert second == "of all 3 languages ours beats the trigram in 2, not in c; one by language in 1"


def test_the_error_is_of_rows_not_of_targets():
    # rows of sums 4 and 0: their variance is 8 (n - 1), that of the sum of two such rows 16
    assert learns.variance(np.array([1.0, 1, 1, 1, 0, 0]), np.array([0, 0, 0, 0, 1, 1])) == pytest.approx(16.0)
    assert math.isnan(learns.variance(np.ones(3), np.zeros(3, np.int64)))
    tally = learns.Tally(5e6, 6, 8.0, np.array([16.0, 8, 20]), 16.0)
    assert (tally + tally).line("all") == learns.Line("all", 10.0, 12, 2.0, 1.0, 2.5, pytest.approx(math.sqrt(32) / 16))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return builder.build(tmp_path_factory.mktemp("corpus") / "packed")
