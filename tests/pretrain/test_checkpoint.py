"""Checkpoints are whole or not there, hold everything, and hold no code."""

import json
import pickletools
import random

import numpy as np
import pytest
import torch

from pretrain import checkpoint, seal
from pretrain.errors import InputError, RunError
from pretrain.model import Bloom, ModelConfig, decay_groups

SHAPE = ModelConfig(vocab_size=64, hidden_size=16, num_layers=1, num_heads=2)


def trained(steps=2, seed=0):
    model = Bloom(SHAPE, torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(decay_groups(model, 0.1), lr=1e-2, fused=True)
    for step in range(steps):
        update(model, optimizer, step)
    return model, optimizer


def update(model, optimizer, step):
    ids = torch.randint(0, 64, (2, 9), generator=torch.Generator().manual_seed(step))
    model.loss(ids[:, :-1], ids[:, 1:]).backward()
    optimizer.step()
    optimizer.zero_grad()


def saved(root, step, **state):
    return checkpoint.save(root, *trained(), {"step": step, **state})


def test_a_model_and_its_optimizer_go_on_bit_for_bit(tmp_path):
    model, optimizer = trained()
    folder = checkpoint.save(tmp_path, model, optimizer, {"step": 2})
    found = checkpoint.load(folder)
    again = Bloom(SHAPE, torch.Generator().manual_seed(99))
    again.load_state_dict(found.model())
    fresh = torch.optim.AdamW(decay_groups(again, 0.1), lr=1e-2, fused=True)
    checkpoint.restore_optimizer(again, fresh, found.optimizer())
    for step in range(2, 5):
        update(model, optimizer, step)
        update(again, fresh, step)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    state, other = checkpoint.optimizer_tensors(model, optimizer), checkpoint.optimizer_tensors(again, fresh)
    assert state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)


def test_the_same_state_gives_the_same_bytes(tmp_path):
    a, b = saved(tmp_path / "a", 2, x=1), saved(tmp_path / "b", 2, x=1)
    assert (a / "manifest.json").read_bytes() == (b / "manifest.json").read_bytes()
    assert len(list(a.iterdir())) == 4


def test_no_file_is_a_pickle(tmp_path):
    for path in saved(tmp_path, 2).iterdir():
        with pytest.raises(ValueError):
            list(pickletools.genops(path.read_bytes()))


def test_the_random_states_of_python_numpy_and_torch_come_back():
    random.gauss(), np.random.randn()  # each keeps the second of a pair for the next call
    states = json.loads(json.dumps(checkpoint.random_states()))
    first = random.random(), np.random.rand(), torch.rand(3).tolist(), random.gauss(), np.random.randn()
    checkpoint.restore_random_states(states)
    assert first == (random.random(), np.random.rand(), torch.rand(3).tolist(), random.gauss(), np.random.randn())


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("harm", [cut, flip, lambda path: path.unlink()], ids=["cut", "flip", "unlink"])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
def test_a_harmed_checkpoint_is_recognised_and_the_one_before_is_taken(tmp_path, name, harm):
    saved(tmp_path, 4), saved(tmp_path, 8)
    harm(tmp_path / "step_000008" / name)
    told = []
    assert seal.newest(tmp_path, told.append) == tmp_path / "step_000004"
    assert len(told) == 1 and "step_000008 is not whole" in told[0]
    with pytest.raises(InputError, match="step_000008 is not whole"):
        checkpoint.load(tmp_path / "step_000008")


def test_a_manifest_that_was_edited_breaks_the_seal(tmp_path):
    path = saved(tmp_path, 4) / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["files"]["optimizer.safetensors"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(seal.NotWholeError, match=r"manifest.json was altered"):
        seal.check(path.parent)


def test_without_a_whole_checkpoint_there_is_none(tmp_path):
    assert seal.newest(tmp_path / "nowhere", print) is None
    cut(saved(tmp_path, 1) / "state.json")
    assert seal.newest(tmp_path, lambda _: None) is None


def test_a_checkpoint_of_a_newer_format_is_an_error_and_no_damage_to_pass_over(tmp_path, monkeypatch):
    saved(tmp_path, 1)
    monkeypatch.setattr(seal, "VERSION", 2)
    saved(tmp_path, 2)
    monkeypatch.undo()
    with pytest.raises(InputError, match="2, not seedbed-checkpoint 1"):
        seal.newest(tmp_path, pytest.fail)


def test_a_disk_that_cannot_be_read_is_an_error_and_no_damage_to_pass_over(tmp_path, monkeypatch):
    saved(tmp_path, 1)

    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("hashlib.file_digest", broken)
    with pytest.raises(InputError, match=r"step_000001 cannot be read.*Input/output error"):
        seal.newest(tmp_path, pytest.fail)


def test_folders_of_other_names_are_no_checkpoints(tmp_path):
    saved(tmp_path, 4).rename(tmp_path / "step_000004_best")
    saved(tmp_path, 6).rename(tmp_path / "step_6")
    saved(tmp_path, 2)
    assert seal.names(tmp_path) == ["step_000002"]


def test_a_checkpoint_under_the_name_of_another_step_is_refused(tmp_path):
    folder = saved(tmp_path, 4).rename(tmp_path / "step_000008")
    with pytest.raises(InputError, match=r"step_000008 is of step 4.*\n.*give it back its name, step_000004"):
        checkpoint.load(folder)


def test_damaged_checkpoints_that_were_passed_over_never_push_out_a_whole_one(tmp_path):
    for step in (2, 4, 6):
        saved(tmp_path, step)
    for step in (4, 6):
        cut(tmp_path / f"step_00000{step}" / "model.safetensors")
    assert [p.name for p in seal.set_aside(tmp_path, 2)] == ["damaged-step_000004", "damaged-step_000006"]
    saved(tmp_path, 3)
    seal.prune(tmp_path, keep=2)
    assert seal.names(tmp_path) == ["step_000002", "step_000003"]
    assert (tmp_path / "damaged-step_000006").is_dir()


def test_a_small_file_is_read_even_where_sizes_are_trusted(tmp_path):
    flip(saved(tmp_path, 4) / "state.json")
    with pytest.raises(seal.NotWholeError, match=r"state\.json was altered"):
        seal.check(tmp_path / "step_000004", read=False)


@pytest.mark.parametrize("at", ["save_file", "fsync", "rename"])
def test_a_disk_that_fails_while_saving_leaves_the_former_checkpoint(tmp_path, monkeypatch, at):
    saved(tmp_path, 4)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    where = {"save_file": "pretrain.checkpoint.save_file", "fsync": "os.fsync", "rename": "pathlib.Path.rename"}
    monkeypatch.setattr(where[at], full)
    with pytest.raises(RunError, match=r"step_000008 could not be written.*No space left") as told:
        saved(tmp_path, 8)
    assert "make room" in str(told.value)
    monkeypatch.undo()
    assert seal.newest(tmp_path, pytest.fail) == tmp_path / "step_000004"
    assert saved(tmp_path, 8) == seal.newest(tmp_path, pytest.fail)


def test_saving_a_step_again_replaces_it(tmp_path):
    cut(saved(tmp_path, 4) / "model.safetensors")
    saved(tmp_path, 4, again=True)
    assert checkpoint.load(tmp_path / "step_000004").state["again"] is True


def test_only_the_last_are_kept_and_what_was_left_aside_goes(tmp_path):
    for step in (2, 4, 6, 10):
        saved(tmp_path, step)
    (tmp_path / ".aside-step_000012").mkdir()
    seal.prune(tmp_path, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step_000006", "step_000010"]


def test_a_million_steps_still_sort(tmp_path):
    for step in (999_999, 1_000_000):
        saved(tmp_path, step)
    assert seal.newest(tmp_path, pytest.fail).name == "step_1000000"
