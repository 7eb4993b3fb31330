"""The command line: data on stdout, talk on stderr, exit codes, and errors that say what to do."""

import json
import math
import os
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file, save_file

from pretrain import curve, rundir
from pretrain.callbacks import draw_curve
from pretrain.config import load_config
from pretrain.history import read
from pretrain.seam import Seam
from tests.pretrain import seam as builder


def edited(finished, tmp_path, block, **changes):
    settings = yaml.safe_load(finished.config.read_text())
    settings[block] |= changes
    return builder.write_config(tmp_path / "other.yaml", settings)


def test_fit_in_a_process_of_its_own_ends_with_the_checkpoint_and_what_the_model_writes(packed, tmp_path):
    prompts = {"sample_prompts": ["all ", ""], "steps": 6}
    config = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "r", packed, **prompts))
    done = builder.pretrain("fit", config)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2 and done.stdout.startswith("> all")
    assert f"checkpoint: {tmp_path}/r/ckpt/step_000006" in done.stderr
    known = ("step ", "checkpoint: ", "curve: ", "model: ", "mixture", "  ", " ──")  # the last two: its table
    assert [line for line in done.stderr.splitlines() if not line.startswith(known)] == []  # no chatter of libraries


def test_fit_on_a_finished_run_says_so_and_touches_nothing(finished, pretrain):
    before = {p: p.stat().st_mtime_ns for p in finished.dir.rglob("*")}
    code, out, err = pretrain("fit", finished.config)
    assert code == 0 and "is finished: 12 steps are done" in err and out.startswith("> ")
    assert {p: p.stat().st_mtime_ns for p in finished.dir.rglob("*")} == before


def test_another_config_in_the_same_folder_is_refused_with_the_differences(finished, pretrain, tmp_path):
    code, _, err = pretrain("fit", edited(finished, tmp_path, "train", lr=0.5, seed=7))
    assert code == 2
    assert "train.lr: 0.01 in the checkpoint, 0.5 now" in err and "train.seed: 42 in the checkpoint, 7 now" in err
    assert "hint: give run.dir another name" in err


def test_more_steps_without_the_end_of_the_decay_are_refused_with_the_line_that_goes_on(finished, pretrain, tmp_path):
    total = load_config(finished.config).train.total_samples
    code, _, err = pretrain("fit", edited(finished, tmp_path, "train", steps=14))
    assert code == 2 and f"unless you state it, as train.decay_samples: {total}" in err
    assert "cooldown_samples" not in err  # a cosine has none, and a config that states one is refused


def test_other_data_in_the_same_folder_is_refused(finished, pretrain, tmp_path):
    other = builder.build(tmp_path / "packed", {"en": 30})
    code, _, err = pretrain("fit", edited(finished, tmp_path, "data", path=str(other)))
    assert code == 2 and "data: packed corpus" in err


def test_what_is_asked_wrongly_ends_with_2_and_what_fails_with_1(pretrain, tmp_path, packed):
    assert pretrain("fit", tmp_path / "none.yaml")[0] == 2
    assert pretrain("fitt")[0] == 2
    assert pretrain("generate", tmp_path)[0] == 1  # a folder that is there and holds no model
    for words in (["fit", tmp_path], ["generate", tmp_path / "none"], ["eval", tmp_path / "none"]):
        assert pretrain(*words)[0] == 2
    assert pretrain("plot", tmp_path / "none")[0] == pretrain("init", tmp_path, "--data", packed)[0] == 2
    config = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "r", tmp_path / "nowhere"))
    code, out, err = pretrain("fit", config)
    assert (code, out) == (2, "") and "nowhere does not exist" in err and "hint: run `pipeline run` first" in err
    (tmp_path / "nowhere").mkdir()
    code, _, err = pretrain("fit", config)
    assert code == 1 and "nowhere is no packed corpus" in err


def test_a_folder_that_cannot_be_written_is_told_without_a_traceback(pretrain, tmp_path, packed):
    (tmp_path / "file").write_text("")
    config = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "file" / "r", packed))
    code, _, err = pretrain("fit", config)
    assert code == 1 and "file/r cannot be written" in err and "Traceback" not in err


def test_weights_of_a_language_that_is_not_there_name_those_that_are(pretrain, tmp_path, packed):
    settings = builder.config(tmp_path / "r", packed)
    settings["data"]["mixture"] = {"weights": {"xx": 1.0}}
    code, _, err = pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))
    assert code == 2 and "names xx" in err and "it has en, py, sw" in err
    assert not (tmp_path / "r" / "run.json").exists()
    assert pretrain("plan", tmp_path / "c.yaml")[0] == 2


def test_the_mixture_is_told_before_training_and_not_again_when_a_run_goes_on(packed, pretrain, tmp_path):
    settings = builder.config(tmp_path / "r", packed, steps=2, decay_samples=99)
    settings["data"]["mixture"] = {"max_epochs": 1.5}
    settings["data"]["mixture"]["over_samples"] = 50
    first = pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))[2]
    assert "mixture of 8 samples" in first and first.index("x natural") < first.index("step 1/2")
    settings["train"]["steps"] = 3
    again = pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))[2]
    assert "step 3/3" in again and "mixture of" not in again


def test_a_run_tells_its_model_and_of_many_languages_the_ten_largest(pretrain, tmp_path):
    many = builder.build(tmp_path / "packed", {f"l{i:02}": 10 + i for i in range(13)})
    config = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "r", many, steps=40))
    err = pretrain("fit", config)[2]
    assert "parameters (1 x 16, 2 heads, 320 embedding rows), 32-true on CPU, " in err
    assert "  3 more" in err and "l12" in err and "l00" not in err
    assert "l00" in pretrain("plan", config)[1]


def test_what_follows_the_end_of_training_is_to_be_stated_before_it_is_moved(pretrain, tmp_path, packed):
    settings = builder.config(tmp_path / "r", packed, steps=2)
    settings["data"]["mixture"] = {"max_epochs": 9}
    config = builder.write_config(tmp_path / "c.yaml", settings)
    pretrain("fit", config)
    told = pretrain("fit", config)[2]
    assert "state train.decay_samples: 8, where the decay ended, and data.mixture.over_samples: 8, which its" in told
    settings["data"]["mixture"]["over_samples"] = settings["train"]["decay_samples"] = 8
    settings["train"]["steps"] = 3
    assert pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))[0] == 0


def test_plan_tells_what_the_mixture_makes_of_each_language(finished, pretrain, tmp_path):
    mixture = {"stages": [{"until": 8, "weights": {"sw": 1.0}}, {"weights": {"sw": 1.0, "py": 1.0}}]}
    config = edited(finished, tmp_path, "data", mixture=mixture)
    plan = json.loads(pretrain("plan", config, "--json")[1])["mixture"]
    # 48 samples: sw 8 + 20 of its 12 rows, py 20 of its 7, en none
    assert {x["language"]: x["samples"] for x in plan["languages"]} == {"en": 0, "py": 20, "sw": 28}
    assert [stage["begin"] for stage in plan["stages"]] == [0, 8]
    out = pretrain("plan", config)[1]
    assert "mixture of 48 samples" in out and "left out, as the mixture does not name them: en" in out
    nowhere = edited(finished, tmp_path, "data", path=str(tmp_path / "nowhere"))
    assert json.loads(pretrain("plan", nowhere, "--json")[1])["mixture"] is None


def test_eval_tells_each_language_and_the_total(finished, pretrain):
    code, out, _ = pretrain("eval", finished.dir)
    assert code == 0
    assert all(word in out for word in ("language", "tokens", "loss", "bits per byte", "en", "py", "sw", "all"))
    consumed = json.loads((finished.dir / "ckpt/step_000012/state.json").read_text())["tokens_by_language"]
    assert "trained on" in out and f"{sum(consumed.values())}" in out
    code, out, _ = pretrain("eval", finished.dir, "--json")
    assert json.loads(out)["tokens_by_language"] == consumed
    scores = json.loads(out)["scores"]
    assert [s["language"] for s in scores] == ["en", "py", "sw", "all"] and all(s["tokens"] == 40 for s in scores[:3])
    # the end of the run looked at the same rows
    assert scores == json.loads((finished.dir / "validation.jsonl").read_text().splitlines()[-1])["scores"]


def test_a_model_that_is_no_number_fails_its_eval_and_is_null_in_json(finished, pretrain, tmp_path):
    assert pretrain("eval", finished.dir, "--split", "test")[0] == 2
    where = Path(pretrain("export", finished.dir, "--out", tmp_path / "export")[1].strip())
    weights = load_file(where / "model.safetensors")
    weights["transformer.ln_f.weight"].fill_(math.nan)
    save_file(weights, where / "model.safetensors", {"format": "pt"})
    code, out, err = pretrain("eval", where, "--data", load_config(finished.config).data.path, "--json")
    assert code == 1 and json.loads(out)["scores"][-1]["loss"] is None and "of no use" in err
    (tmp_path / "r").mkdir()
    line = {"step": 1, "samples": 4, "scores": [json.loads(out)["scores"][-1]]}
    (tmp_path / "r/validation.jsonl").write_text(json.dumps(line) + "\n")
    assert read([finished.dir])[0].score("all", "loss")
    (tmp_path / "r/run.json").write_text("{}")
    assert read([tmp_path / "r"])[0].score("all", "loss") == [] and draw_curve(rundir.RunDir(tmp_path / "r")).is_file()


def test_eval_of_a_checkpoint_is_that_of_its_run(finished, pretrain):
    whole = json.loads(pretrain("eval", finished.dir, "--json")[1])
    part = json.loads(pretrain("eval", finished.dir / "ckpt" / "step_000012", "--json")[1])
    former = json.loads(pretrain("eval", finished.dir / "ckpt" / "step_000010", "--json")[1])
    assert whole["scores"] == part["scores"] != former["scores"]


def test_generate_is_the_same_for_the_same_seed(finished, pretrain):
    texts = [pretrain("generate", finished.dir, "all ", "--tokens", 20, "--seed", seed)[1] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2] and texts[0].startswith("all ")


def test_a_model_without_a_tokenizer_says_so(finished, pretrain, tmp_path):
    shutil.copytree(finished.dir, tmp_path / "r")
    (tmp_path / "r/tokenizer.json").write_text("{")
    code, _, err = pretrain("generate", tmp_path / "r", "all ")
    assert code == 1 and "tokenizer.json cannot be read" in err


@pytest.mark.parametrize("number", ["LOCAL_RANK", "SLURM_PROCID"])
def test_only_the_first_process_tells_how_it_ended(finished, pretrain, monkeypatch, number):
    monkeypatch.setenv(number, "1")
    assert pretrain("fit", finished.config) == (0, "", "")


def test_what_a_killed_export_left_is_removed_by_the_next(finished, pretrain, tmp_path):
    left = [tmp_path / f".export.{number}.tmp" for number in (1 << 29, os.getppid())]
    for folder in left:
        folder.mkdir()
    pretrain("export", finished.dir, "--out", tmp_path / "export")
    assert [folder.exists() for folder in left] == [False, True]  # another process may be at work in the second


def test_an_exported_folder_speaks_and_scores_as_the_run_does(finished, pretrain, tmp_path, packed):
    code, out, _ = pretrain("export", finished.dir, "--out", tmp_path / "export")
    assert (code, out.strip()) == (0, str(tmp_path / "export"))
    ask = ("all ", "--tokens", 20)
    assert pretrain("generate", tmp_path / "export", *ask) == pretrain("generate", finished.dir, *ask)
    ours, theirs = (json.loads(pretrain("eval", path, "--data", packed, "--json")[1])["scores"]
                    for path in (finished.dir, tmp_path / "export"))  # fmt: skip
    assert ours == theirs
    assert "tokens trained on" in (tmp_path / "export" / "README.md").read_text()
    code, _, err = pretrain("eval", tmp_path / "export")
    assert code == 1 and "give --data FOLDER" in err


def test_a_run_folder_that_was_moved_still_works(finished, pretrain, tmp_path):
    shutil.copytree(finished.dir, tmp_path / "moved")
    assert pretrain("generate", tmp_path / "moved", "all ") == pretrain("generate", finished.dir, "all ")


def test_plan_takes_the_shape_from_the_corpus_and_bloom_s_without_it(finished, pretrain, tmp_path):
    plan = json.loads(pretrain("plan", finished.config, "--json", "--hardware", "cpu")[1])
    assert plan["seq_len"] == 16 and plan["parameters"] == 320 * 16 + 12 * 16 * 16 + 13 * 16 + 4 * 16  # 260 -> 320 rows
    nowhere = edited(finished, tmp_path, "data", path=str(tmp_path / "nowhere"))
    _, out, err = pretrain("plan", nowhere, "--json")
    assert json.loads(out)["seq_len"] == 2048 and "is not there yet" in err


def test_the_curve_is_well_formed_and_shows_both_losses(finished):
    tree = ET.parse(finished.dir / "loss.svg")
    lines = [e.get("points") for e in tree.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points.split()) for points in lines] == [12, 3]  # steps, and validation after 4, 8 and 12


def test_plan_reckons_for_a_cpu_where_the_config_says_so_and_else_says_what_for(finished, pretrain, tmp_path):
    assert "for H100 SXM 80 GB: name another" in pretrain("plan", finished.config)[2].replace("1 x ", "")
    on_cpu = edited(finished, tmp_path, "run", accelerator="cpu")
    code, out, err = pretrain("plan", on_cpu)
    assert code == 0 and "two server cores" in out and "reckoned for" not in err and " ms" in out


def test_help_names_every_command(pretrain):
    code, out, _ = pretrain("--help")
    assert code == 0 and all(name in out for name in ("fit", "eval", "generate", "export", "plan"))


def test_what_the_machine_has_not_is_told_before_the_folder_is_touched(pretrain, tmp_path, packed):
    settings = builder.config(tmp_path / "r", packed, global_batch=4096)
    settings["run"] |= {"accelerator": "gpu", "devices": 4096}
    code, _, err = pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))
    assert code == 2 and "this machine cannot train with accelerator gpu, devices 4096, nodes 1" in err
    assert not (tmp_path / "r").exists()


def test_plan_counts_the_devices_of_all_nodes(pretrain):
    plan = json.loads(pretrain("plan", Path(__file__).parents[2] / "configs/bloom-3b.yaml", "--json")[1])
    assert plan["devices"] == 32


def test_a_run_is_called_finished_only_when_every_byte_was_read(finished, tmp_path, monkeypatch):
    shutil.copytree(finished.dir, tmp_path / "r")
    config = load_config(edited(finished, tmp_path, "run", dir=str(tmp_path / "r")))
    seam = Seam.open(config.data.path)
    assert rundir.finished(config, seam).step == 12
    monkeypatch.setattr("pretrain.seal._SMALL", 0)  # as if the weights were large
    model = tmp_path / "r/ckpt/step_000012/model.safetensors"
    model.write_bytes(model.read_bytes()[:-1] + bytes([model.read_bytes()[-1] ^ 1]))
    assert rundir.finished(config, seam) is None


def test_rubbish_in_a_state_of_the_same_size_is_damage_and_no_traceback(finished, pretrain, tmp_path):
    shutil.copytree(finished.dir, tmp_path / "r")
    state = tmp_path / "r/ckpt/step_000012/state.json"
    state.write_bytes(b"x" * state.stat().st_size)
    code, _, err = pretrain("fit", edited(finished, tmp_path, "run", dir=str(tmp_path / "r")))
    assert code == 0 and "state.json was altered" in err and "ckpt/step_000010 (step 10" in err


def test_the_hint_of_a_finished_run_leads_to_a_longer_one(finished, pretrain, tmp_path):
    shutil.copytree(finished.dir, tmp_path / "r")
    settings = yaml.safe_load(finished.config.read_text())
    settings["run"]["dir"] = str(tmp_path / "r")
    code, _, err = pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))
    assert code == 0 and "state train.decay_samples: 48, where the decay ended, and raise train.steps" in err
    settings["train"] |= {"steps": 13, "decay_samples": 48}
    code, _, err = pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))
    assert code == 0 and "step_000013" in err
    assert "to train longer, raise train.steps" in pretrain("fit", tmp_path / "c.yaml")[2]


def test_eval_refuses_the_tokens_of_another_tokenizer_and_tells_of_another_corpus(finished, pretrain, tmp_path):
    other = builder.build(tmp_path / "packed", {"en": 30})
    code, _, err = pretrain("eval", finished.dir, "--data", other)
    assert code == 0 and "is not what it was trained on" in err
    splits = json.loads((other / "manifest.json").read_text())["splits"]
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + "\n")
    builder.seal(other, splits, 16)
    code, _, err = pretrain("eval", finished.dir, "--data", other)
    assert code == 1 and "was packed with another tokenizer.json" in err
    assert "trained on" not in pretrain("eval", finished.dir)[2]


def test_points_that_are_no_number_are_left_out_of_the_curve():
    tree = ET.fromstring(curve.draw([(1, 3.0), (2, float("inf")), (3, 2.0)], [(3, float("nan"))], "x"))
    lines = [e.get("points") for e in tree.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points.split()) for points in lines] == [2, 0]
