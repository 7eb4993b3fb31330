"""To transformers and back: the folder that `AutoModelForCausalLM` and `AutoTokenizer` load, and the way back.

    Bloom, seam manifest, tokenizer  ->  config.json, model.safetensors (or shards and their index),
                                         generation_config.json, tokenizer.json, tokenizer_config.json, README.md
    folder                           ->  ModelConfig, state dict

Writes aside, flushes to disk, renames: a folder is there whole or not at all. Reads safetensors only, never pickle,
and does not import transformers. Optimizer states are no part of it: to go on training, keep the checkpoint.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pretrain.card import model_card
from pretrain.errors import ConfigError, InputError, RunError
from pretrain.model import Bloom, ModelConfig

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
PREFIX = "transformer."  # BloomForCausalLM's; the Hub's own BLOOMs were saved from BloomModel, without it
SHARD_BYTES = 5_000_000_000
INDEX = "model.safetensors.index.json"
_OURS = {"config.json", "generation_config.json", "README.md", "model.safetensors", INDEX, *TOKENIZER_FILES}
_SHARD = re.compile(r"model-[0-9]{5}-of-[0-9]{5}\.safetensors")


def _check_finite(model: Bloom) -> None:
    if wrong := [name for name, p in model.named_parameters() if not bool(p.isfinite().all())]:
        raise RunError(
            f"weights are not finite: {', '.join(wrong[:8])}{' and more' * (len(wrong) > 8)}",
            hint="name an earlier checkpoint: this one has diverged",
        )


def export(
    model: Bloom,
    config: ModelConfig,
    seam_manifest: dict[str, Any],
    tokenizer_dir: Path,
    out: Path,
    card: str | None = None,
    *,
    consumed: dict[str, int] | None = None,  # tokens trained on, by language
    begun_with: Mapping[str, Any] | None = None,  # the model that training began with, as a checkpoint has it
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write `model` to the folder `out` and return it. `card` replaces the model card that is made otherwise.

    An earlier export at `out` is replaced; anything else there is refused. Raises ConfigError, InputError, RunError.
    """
    given, out = out, out.resolve()  # `.` has no name of its own
    text = card or model_card(out.name, config, seam_manifest, consumed, begun_with)
    _check_target(out)
    _check_tokenizer(tokenizer_dir, seam_manifest, config)
    _check_finite(model)
    _sweep(out)
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        aside.mkdir(parents=True)
        _write_json(aside / "config.json", transformers_config(config, seam_manifest["special_ids"]))
        _write_weights(model.state_dict(), aside, shard_bytes)
        _write_json(aside / "generation_config.json", _token_ids(seam_manifest["special_ids"]))
        for name in TOKENIZER_FILES:
            shutil.copyfile(tokenizer_dir / name, aside / name)
        (aside / "README.md").write_text(text, "utf-8")
        _flush(aside)
        _put_in_place(aside, out)
    except (OSError, SafetensorError) as e:
        raise RunError(f"cannot write {out}: {e}", hint="free some space, or name another folder") from e
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return given


def load_transformers(folder: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """(config, state dict for `Bloom`) of an exported folder or a downloaded BLOOM, in the dtype that is stored.

    With or without the `transformer.` prefix, in one file or in shards. Raises InputError if the folder is no BLOOM, if
    a tensor is missing, unknown or of another shape, or if its head is not tied.
    """
    config = _read_config(folder)
    state = {name.removeprefix(PREFIX): tensor for name, tensor in _read_weights(folder).items()}
    head = state.pop("lm_head.weight", None)
    if head is not None and not torch.equal(head, state.get("word_embeddings.weight", head)):
        raise InputError(
            f"{folder}: lm_head.weight differs from the embedding",
            hint="BLOOM's head is tied: give a model whose head is its embedding",
        )
    _check_shapes(folder, config, state)
    return config, state


def load_bloom(folder: Path) -> Bloom:
    """The model in a folder that `load_transformers` reads, in fp32 on the CPU."""
    config, state = load_transformers(folder)
    with torch.device("meta"):
        model = Bloom(config)
    model.to_empty(device="cpu").set_slopes()
    model.load_state_dict(state)
    return model


def transformers_config(config: ModelConfig, special_ids: dict[str, int]) -> dict[str, Any]:
    """The content of config.json, read alike by transformers 4 and 5."""
    return {
        "architectures": ["BloomForCausalLM"],
        "model_type": "bloom",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": None,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "initializer_range": config.init_std,
        "apply_residual_connection_post_layernorm": False,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "attention_softmax_in_fp32": True,
        "pretraining_tp": 1,
        "slow_but_exact": False,
        "tie_word_embeddings": True,
        "use_cache": True,
        "torch_dtype": "float32",
        "unk_token_id": special_ids["unk"],
        **_token_ids(special_ids),
    }


def _token_ids(special_ids: dict[str, int]) -> dict[str, int]:
    return {f"{name}_token_id": special_ids[name] for name in ("bos", "eos", "pad")}


def _check_target(out: Path) -> None:
    """What is there will be removed: only nothing, or what `export` wrote and nothing else, may be there."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"{out} is there already and is no folder", hint="name a folder that does not exist")
    entries = sorted(out.iterdir())
    foreign = [e.name for e in entries if e.is_dir() or not (e.name in _OURS or _SHARD.fullmatch(e.name))]
    if foreign or (entries and not _says_bloom(out / "config.json")):
        why = f"holds {foreign[0]}" if foreign else "has no config.json of a BLOOM"
        raise ConfigError(
            f"{out} is there already and is no exported model: it {why}", hint="name a folder that does not exist"
        )


def _says_bloom(path: Path) -> bool:
    try:
        return _read_json(path).get("model_type") == "bloom"
    except InputError:
        return False


def _check_tokenizer(folder: Path, manifest: dict[str, Any], config: ModelConfig) -> None:
    """Weights with another corpus's tokenizer would load, and speak nonsense: refuse them here."""
    if manifest["vocab_size"] > config.vocab_size:
        raise ConfigError(
            f"the tokenizer has {manifest['vocab_size']} tokens, the embedding {config.vocab_size} rows",
            hint="export with the seam that the model was trained on",
        )
    for name in TOKENIZER_FILES:
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path} is missing", hint="give the folder of the packed corpus")
        sealed = manifest.get("files", {}).get(name, {}).get("sha256")
        if sealed and hashlib.sha256(path.read_bytes()).hexdigest() != sealed:
            raise InputError(
                f"{path} is not the one in the seam's manifest", hint="run `pipeline verify` on the corpus"
            )


def _write_weights(state: dict[str, Tensor], folder: Path, shard_bytes: int) -> None:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in state.items():
        if shards[-1] and size + tensor.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][PREFIX + name] = tensor.detach().cpu().float().contiguous()
        size += tensor.nbytes
    if len(shards) == 1:
        _save(shards[0], folder / "model.safetensors")
        return
    where: dict[str, str] = {}
    for i, shard in enumerate(shards, 1):
        file = f"model-{i:05d}-of-{len(shards):05d}.safetensors"
        _save(shard, folder / file)
        where |= dict.fromkeys(shard, file)
    total = sum(t.nbytes for shard in shards for t in shard.values())
    _write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": where})


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_file(tensors, path, metadata={"format": "pt"})  # transformers refuses a file without this
    shutil.copymode(path.with_name("config.json"), path)  # safetensors writes files that nobody else may read


def _sweep(out: Path) -> None:
    """Remove what exports to the same place left that were killed."""
    for left in out.parent.glob(f".{glob.escape(out.name)}.*.tmp"):
        number = left.name.split(".")[-2]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")


def _flush(folder: Path) -> None:
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put_in_place(aside: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    replaces = out.exists()
    if replaces:
        out.rename(old)  # a folder cannot be renamed over a full one
    try:
        aside.rename(out)
    except OSError:
        if replaces:
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _read_config(folder: Path) -> ModelConfig:
    raw = _read_json(folder / "config.json")
    if raw.get("model_type") != "bloom" or raw.get("apply_residual_connection_post_layernorm"):
        kind = raw.get("model_type")
        raise InputError(f"{folder}: model type {kind!r} is not the BLOOM we know", hint="give a BLOOM (pre-LN) folder")
    try:
        return ModelConfig(
            vocab_size=raw["vocab_size"],
            hidden_size=_first(raw, "hidden_size", "n_embed"),
            num_layers=_first(raw, "n_layer", "num_hidden_layers"),
            num_heads=_first(raw, "n_head", "num_attention_heads"),
            layer_norm_epsilon=raw.get("layer_norm_epsilon", 1e-5),
            init_std=raw.get("initializer_range", 0.02),
        )
    except KeyError as e:
        raise InputError(
            f"{folder / 'config.json'}: no {e.args[0]}", hint="give the folder as transformers wrote it"
        ) from e


def _first(raw: dict[str, Any], *names: str) -> Any:
    for name in names:
        if name in raw:
            return raw[name]
    raise KeyError(" or ".join(names))


def _read_weights(folder: Path) -> dict[str, Tensor]:
    index = folder / INDEX
    if index.exists():
        files = sorted(set(_read_json(index)["weight_map"].values()))
    else:
        files = ["model.safetensors"]
    state: dict[str, Tensor] = {}
    for file in files:
        path = folder / Path(file).name  # a name, never a path out of the folder
        if not path.is_file():
            raise InputError(
                f"{path} is missing", hint="give a folder with safetensors; we read no pickle (.bin) files"
            )
        try:
            state |= load_file(path)
        except SafetensorError as e:
            raise InputError(f"{path}: {e}", hint="the file is cut off or corrupt: fetch or export it again") from e
    return state


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as e:
        raise InputError(f"{path} is missing", hint="give a folder that `pretrain export` or transformers wrote") from e
    except ValueError as e:
        raise InputError(f"{path} is not JSON: {e}", hint="fetch or export the folder again") from e
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object", hint="fetch or export the folder again")
    return value


def _check_shapes(folder: Path, config: ModelConfig, state: dict[str, Tensor]) -> None:
    with torch.device("meta"):
        wanted = {name: p.shape for name, p in Bloom(config).state_dict().items()}
    if odd := sorted(wanted.keys() ^ state.keys()):
        what = "missing" if odd[0] in wanted else "unknown"
        raise InputError(
            f"{folder}: {len(odd)} tensors amiss; {what}: {odd[0]}", hint="fetch or export the folder again"
        )
    for name, shape in wanted.items():
        if state[name].shape != shape:
            raise InputError(
                f"{folder}: {name} is {tuple(state[name].shape)}, config.json makes it {tuple(shape)}",
                hint="weights and config.json are of different models: fetch or export the folder again",
            )
