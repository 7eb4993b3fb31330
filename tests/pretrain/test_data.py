"""The packed corpus as it is read, and what one step is given of it."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset

from pretrain.data import Steps, tokens_by_language
from pretrain.errors import InputError
from pretrain.mixture import plan_mixture
from pretrain.mixture_table import corpus_of
from pretrain.order import Order, Stage
from pretrain.rules import Mixture
from pretrain.schedule import Batches, Ramp
from pretrain.seam import Seam
from tests.pretrain import seam as builder

SEQ = 16


@pytest.fixture
def seam(tmp_path):
    return Seam.open(builder.build(tmp_path / "packed"))


def steps(seam, span=(0, 12), rank=0, world=1, batches=None):
    rows = seam.rows("train")
    return Steps(seam, Order(rows, [Stage(0, rows)], 42), batches or Batches(7), span, rank, world)


def edit(folder: Path, **changes):
    """Change the manifest as one who seals it again would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    splits, seq_len = changes.pop("splits", manifest["splits"]), changes.pop("seq_len", manifest["seq_len"])
    builder.seal(folder, splits, seq_len, **changes)


def test_the_test_corpus_opens_with_datasets(seam):
    opened = Dataset.from_file(str(seam.folder / "train/sw/00000.arrow"))
    assert len(opened[0]["tokens"]) == SEQ + 1 and opened[0]["doc_ids"] == ["test/train/sw#0"]


def test_sizes_and_ids_come_from_the_manifest(seam):
    assert (seam.seq_len, seam.vocab_size, seam.pad_id) == (SEQ, 260, 3)
    assert seam.rows("train") == {"en": 24, "py": 7, "sw": 12}


def test_rows_are_views_of_the_mapped_file_in_the_order_of_the_file(seam):
    shards = seam.shards("train", "en")
    rows = [shards.tokens(i) for i in range(len(shards))]
    whole = pa.ipc.open_stream((seam.folder / "train/en/00000.arrow").read_bytes()).read_all()
    assert [row.tolist() for row in rows] == whole.column("tokens").to_pylist()
    assert not rows[0].flags.owndata and not rows[0].flags.writeable


def test_a_target_is_the_next_token_and_the_padding_has_none(seam):
    last = seam.rows("train")["sw"] - 1
    order = Order({"sw": last + 1}, [Stage(0, {"sw": 1})], 0)
    data = Steps(seam, order, Batches(last + 1), (0, 1))
    batch = data[0]
    for i, (language, row) in enumerate(batch["rows"]):
        tokens = seam.shards("train", language).tokens(row).tolist()
        real = SEQ + 1 - (SEQ // 2 if row == last else 0)  # padding is half the last row
        assert batch["ids"][i].tolist() == tokens[:-1]
        assert batch["targets"][i].tolist() == tokens[1:real] + [-100] * (SEQ + 1 - real)
        assert batch["tokens"][i] == real - 1
    assert last in [row for _, row in batch["rows"]]


def test_a_pad_token_that_is_no_padding_is_still_a_target(tmp_path):
    folder = builder.build(tmp_path / "packed", {"en": 2}, padded=False)
    table = {"tokens": [[5] * SEQ + [3]], "starts": [[0]], "doc_ids": [["d"]], "doc_offsets": [[0]]}
    builder.write_arrow(folder / "train/en/00000.arrow", table, SEQ + 1, 5)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["splits"]["train"]["en"]["rows"] = 1
    edit(folder, splits=manifest["splits"])
    batch = Steps(Seam.open(folder), Order({"en": 1}, [Stage(0, {"en": 1})], 0), Batches(1), (0, 1))[0]
    assert batch["targets"][0, -1] == 3 and batch["tokens"][0] == SEQ


@pytest.mark.parametrize("world", [2, 3, 5])
def test_the_order_of_samples_is_the_same_for_any_number_of_ranks(seam, world):
    ramp = Batches(11, Ramp(5, 3, 40))
    alone = steps(seam, batches=ramp)
    ranks = [steps(seam, rank=rank, world=world, batches=ramp) for rank in range(world)]
    for i in range(len(alone)):
        shares = [rank[i]["rows"] for rank in ranks]
        together = [shares[n % world][n // world] for n in range(len(alone[i]["rows"]))]
        assert together == alone[i]["rows"]
        assert all(rank[i]["samples"] == alone[i]["samples"] for rank in ranks)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_stages_and_caps_give_any_number_of_ranks_the_same_samples_from_any_step_on(seam, world):
    stages = [{"until": 17, "temperature": 3.0}, {"until": 40, "weights": {"sw": 1, "py": 1}}, {"max_epochs": 3.0}]
    order = plan_mixture(Mixture(stages=stages), corpus_of(seam), 84).order(5)
    rows = [order.row(n) for n in range(84)]
    for first in (0, 2, 5, 7):
        ranks = [Steps(seam, order, Batches(7), (first, 12), rank, world) for rank in range(world)]
        for i in range(12 - first):
            shares = [rank[i]["rows"] for rank in ranks]
            assert [shares[n % world][n // world] for n in range(7)] == rows[7 * (first + i) : 7 * (first + i + 1)]


def test_a_loader_that_begins_in_the_middle_goes_on_as_if_it_had_not_stopped(seam):
    whole, rest = steps(seam), steps(seam, span=(5, 12))
    assert len(rest) == 7
    for i in range(7):
        assert rest[i]["rows"] == whole[5 + i]["rows"] and torch.equal(rest[i]["ids"], whole[5 + i]["ids"])
        assert rest[i]["step"] == 5 + i


def test_tokens_are_counted_by_language(seam):
    batch = steps(seam, span=(0, 1), batches=Batches(43))[0]  # 43 rows: one epoch
    # 24, 7 and 12 rows of 16 targets, less 8 in the padded one of each
    assert tokens_by_language(batch, 3).tolist() == [24 * 16 - 8, 7 * 16 - 8, 12 * 16 - 8]


def test_a_worker_gets_the_paths_and_not_the_bytes(seam):
    data = steps(seam)
    before = data[0]["ids"]
    # in memory only, as multiprocessing hands it to a loader's worker: nothing of ours is ever pickled to a file
    assert before[0].numpy().tobytes() not in pickle.dumps(data)
    assert torch.equal(pickle.loads(pickle.dumps(data))[0]["ids"], before)


def test_mapped_files_hold_no_descriptor(seam):
    shards = seam.shards("train", "en")
    shards.tokens(0)
    opened = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    assert seam.folder.resolve() / "train/en/00000.arrow" not in opened


def test_the_documents_of_a_row_are_named(seam):
    assert seam.shards("train", "py").documents(3) == ["test/train/py#3"]


def refused(folder, **options) -> str:
    with pytest.raises(InputError) as told:
        Seam.open(folder, **options)
    assert told.value.hint
    return str(told.value)


def test_a_newer_format_is_refused_with_the_deed(seam):
    edit(seam.folder, format_version=2)
    assert "format version 2; this seedbed reads 1" in refused(seam.folder)
    assert "update seedbed" in refused(seam.folder)


def test_an_altered_manifest_is_refused(seam):
    path = seam.folder / "manifest.json"
    path.write_text(path.read_text().replace('"seq_len": 16', '"seq_len": 17'))
    assert "was altered" in refused(seam.folder)


def test_the_run_block_is_outside_the_digest(seam):
    path = seam.folder / "manifest.json"
    path.write_text(path.read_text().replace("1.5", "2.5"))
    assert Seam.open(seam.folder).digest == seam.digest


def test_a_folder_that_is_no_corpus_says_what_to_run(tmp_path):
    assert "pipeline run" in refused(tmp_path)


def test_a_shard_that_was_cut_is_refused_by_its_size(seam):
    path = seam.folder / "train/sw/00000.arrow"
    path.write_bytes(path.read_bytes()[:-8])
    assert "the manifest says" in refused(seam.folder)


def test_a_shard_that_was_altered_is_found_when_every_byte_is_read(seam):
    path = seam.folder / "train/sw/00000.arrow"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    Seam.open(seam.folder)
    assert "sha256" in refused(seam.folder, verify=True)


def test_a_missing_shard_is_named(seam):
    (seam.folder / "valid/en/00000.arrow").unlink()
    assert "valid/en/00000.arrow is missing" in refused(seam.folder)


def test_a_shard_that_is_no_arrow_file_is_told_with_its_path(seam):
    path = seam.folder / "train/sw/00000.arrow"
    path.write_bytes(b"\0" * path.stat().st_size)
    edit(seam.folder)
    with pytest.raises(InputError, match=r"train/sw/00000.arrow is no readable Arrow file"):
        Seam.open(seam.folder).shards("train", "sw").tokens(0)


def test_rows_of_another_width_are_refused(seam):
    edit(seam.folder, seq_len=8)
    with pytest.raises(InputError, match=r"\[17\].*\[9\]"):
        Seam.open(seam.folder).shards("train", "sw").tokens(0)


def test_an_id_that_is_no_token_is_refused(seam):
    edit(seam.folder, vocab_size=100)
    with pytest.raises(
        InputError, match=r"training row \d+ of (en|py|sw): .*arrow, row \d+: token id [12]\d\d is outside 0\.\.99"
    ):
        steps(Seam.open(seam.folder))[0]


@pytest.mark.parametrize(("column", "wrong"), [(0, -1), (7, 260), (SEQ, 1 << 30)])
def test_one_id_that_is_no_token_is_found_wherever_it_stands(seam, column, wrong):
    change(seam.folder, "train/sw/00000.arrow", 11, column, wrong)
    with pytest.raises(InputError, match=f"training row 11 of sw: .* token id {wrong} is outside 0..259"):
        steps(Seam.open(seam.folder), batches=Batches(43))[0]


def test_verify_finds_it_before_training(seam):
    change(seam.folder, "train/sw/00000.arrow", 11, 3, 260)
    Seam.open(seam.folder)
    assert "row 11: token id 260 is outside 0..259" in refused(seam.folder, verify=True)


def change(folder: Path, name: str, row: int, column: int, token: int) -> None:
    """Write another token into a shard, and seal it as its packer would have."""
    table = pa.ipc.open_stream((folder / name).read_bytes()).read_all().to_pydict()
    table["tokens"][row][column] = token
    builder.write_arrow(folder / name, table, SEQ + 1, 5)
    edit(folder)


def test_padding_is_told_from_pad_tokens_in_every_row_of_every_batch(tmp_path):
    folder, ends = builder.build(tmp_path / "packed", {"en": 4}, padded=False), [9, SEQ + 1, SEQ, 1]
    rows = [[5] * end + [3] * (SEQ + 1 - end) for end in ends]
    rows[1][-1] = 3  # a document may hold <pad>: two pieces, two starts
    starts = [[0, 4, 9], [0, 2], [0, SEQ], [0, 1]]
    table = {"tokens": rows, "starts": starts, "doc_ids": [["a", "b"], ["a", "b"], ["a"], ["a"]]}
    table |= {"doc_offsets": [[0] * len(ids) for ids in table["doc_ids"]]}
    builder.write_arrow(folder / "train/en/00000.arrow", table, SEQ + 1, 3)
    edit(folder)
    shards = Seam.open(folder).shards("train", "en")
    assert [shards.end(row) for row in range(4)] == ends
    batch = Steps(Seam.open(folder), Order({"en": 4}, [Stage(0, {"en": 1})], 0), Batches(4), (0, 1))[0]
    for (_, row), targets, counted in zip(batch["rows"], batch["targets"], batch["tokens"], strict=True):
        assert (targets != -100).sum() == counted == max(0, ends[row] - 1)
        assert (targets[: int(counted)] != -100).all()


def test_arrays_stay_on_the_host(seam):
    batch = steps(seam)[0]
    assert isinstance(batch["tokens"], np.ndarray) and isinstance(batch["languages"], np.ndarray)
    assert batch["ids"].dtype == batch["targets"].dtype == torch.int32
