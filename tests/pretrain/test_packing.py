"""What the loader makes of rows as the packer lays them: each token of a document is a target once, padding never."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.pack import Lists, lay_rows
from pretrain.data import Steps
from pretrain.order import Order, Stage
from pretrain.schedule import Batches
from pretrain.seam import Seam
from tests.pretrain import seam as builder

SEQ = 16
MODES = pytest.mark.parametrize("mode", ["concat", "best_fit"])


@pytest.fixture(scope="module")
def documents() -> list[list[int]]:
    """Of 1 to 60 tokens, each token of all documents another one but for their ends."""
    rng, counts = np.random.default_rng(0), iter(range(4, 100_000))
    return [[*(next(counts) for _ in range(length - 1)), builder.EOS] for length in rng.integers(1, 61, 80).tolist()]


def seam_of(folder, documents, mode) -> Seam:
    """A packed corpus of one language whose rows the packer laid; `EOS` and `PAD` as elsewhere."""
    builder.build(folder, {"en": 1})
    ids = pa.array([f"d{i}" for i in range(len(documents))])
    made = lay_rows(ids, Lists.of([pa.array(documents, pa.list_(pa.int32()))]), SEQ, builder.PAD, mode)
    builder.write_arrow(folder / "train/en/00000.arrow", made.rows.to_pydict(), SEQ + 1, 7)
    manifest = json.loads((folder / "manifest.json").read_text())
    tokens = sum(map(len, documents))
    manifest["splits"]["train"]["en"] |= {"rows": made.rows.num_rows, "padding": made.padding, "tokens": tokens}
    return Seam.open(builder.seal(folder, manifest["splits"], SEQ, vocab_size=100_000))


def loaded(seam: Seam, **asked):
    """The batch of all rows."""
    rows = seam.rows("train")
    return Steps(seam, Order(rows, [Stage(0, rows)], 0), Batches(rows["en"]), (0, 1), **asked)[0]


@MODES
def test_each_token_but_a_document_s_first_is_a_target_once_after_the_one_before_it(tmp_path, documents, mode):
    batch = loaded(seam_of(tmp_path / "packed", documents, mode))
    wanted = {pair for document in documents for pair in pairwise(document[:-1])}
    firsts = {document[0] for document in documents if len(document) > 1}
    pairs = [
        (int(a), int(b))
        for ids, targets in zip(batch["ids"], batch["targets"], strict=True)
        for a, b in zip(ids, targets, strict=True)
        if b not in (-100, builder.EOS)
    ]
    inside = [pair for pair in pairs if pair[1] not in firsts]
    assert len(wanted) > 1000 and sorted(inside) == sorted(wanted)
    assert all(a == builder.EOS for a, b in pairs if b in firsts)  # at the end of the document before, or not at all


@MODES
def test_ends_of_documents_are_targets_and_padding_is_none(tmp_path, documents, mode):
    batch = loaded(seam_of(tmp_path / "packed", documents, mode))
    ends = int((batch["targets"] == builder.EOS).sum())
    alone = sum(len(document) == 1 for document in documents)
    assert len(documents) - alone <= ends <= len(documents)  # the end of no text is a first token, too
    assert not (batch["targets"] == builder.PAD).any()
    assert batch["tokens"].sum() == (batch["targets"] != -100).sum()


def test_best_fit_gives_the_loss_no_more_than_rows_have_room_for(tmp_path, documents):
    seam = seam_of(tmp_path / "packed", documents, "best_fit")
    numbers, tokens = seam.numbers("train", "en"), int(loaded(seam)["tokens"].sum())
    assert numbers["padding"] > 0
    # a row's first token is never predicted, and of those only documents' first ones are predicted nowhere else
    assert sum(map(len, documents)) - numbers["rows"] <= tokens < sum(map(len, documents))


def test_a_row_tells_where_documents_go_on_that_began_elsewhere(tmp_path):
    # of 20 tokens 17 are a row and 4 go on, the last of the 17 first; they stand behind those of d0, which is before
    documents = [[4, 5, builder.EOS], [*range(10, 29), builder.EOS]]
    seam = seam_of(tmp_path / "packed", documents, "best_fit")
    shards = seam.shards("train", "en")
    rows = [(shards.tokens(i).tolist(), shards.goes_on(i).tolist(), shards.end(i)) for i in range(len(shards))]
    assert rows == [
        ([*range(10, 27)], [], 17),
        ([4, 5, 2, 26, 27, 28, 2, *[builder.PAD] * 10], [3], 7),
    ]


@MODES
def test_what_begins_at_one_place_is_of_one_document_and_padding_is_by_itself(tmp_path, documents, mode):
    seam = seam_of(tmp_path / "packed", documents, mode)
    batch, begun = loaded(seam, starts=True), 0
    whose = {token: i for i, document in enumerate(documents) for token in document[:-1]} | {builder.PAD: -1}
    for (_, row), ids, found in zip(batch["rows"], batch["ids"].tolist(), batch["starts"].tolist(), strict=True):
        listed = seam.shards("train", "en").starts(row).tolist()
        assert found == [max(start for start in listed if start <= j) for j in range(SEQ)]
        for start in set(found):
            piece = {whose[token] for j, token in enumerate(ids) if found[j] == start and token != builder.EOS}
            assert len(piece) <= 1  # none: a document without a text is an end only
        begun += len(set(found)) - 1
    assert begun > 30
    assert batch["starts"].dtype == torch.int32 and batch["starts"].shape == batch["ids"].shape


def test_nobody_is_told_where_documents_begin_who_does_not_ask(tmp_path, documents):
    assert "starts" not in loaded(seam_of(tmp_path / "packed", documents, "concat"))


def test_ignored_tokens_are_no_targets_and_are_not_counted(tmp_path, documents):
    seam = seam_of(tmp_path / "packed", documents, "concat")
    plain, without = loaded(seam), loaded(seam, ignore=(builder.EOS,))
    ends = plain["targets"] == builder.EOS
    assert ends.sum() > 50
    assert torch.equal(without["targets"], plain["targets"].masked_fill(ends, -100))
    assert np.array_equal(without["tokens"], plain["tokens"] - ends.sum(1).numpy())
