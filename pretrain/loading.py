"""A trained model from wherever it lies: a run's folder, one of its checkpoints, or an exported folder.

    runs/demo/bloom-tiny | .../ckpt/step_000300 | runs/demo/export  ->  Loaded(model, config, tokenizer, manifest, ...)

A folder of a run stands for its newest whole checkpoint. Never writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from pretrain import checkpoint, seal
from pretrain.errors import ConfigError, InputError
from pretrain.export import load_bloom
from pretrain.model import Bloom, ModelConfig
from pretrain.rundir import STATE, RunDir
from pretrain.seam import Seam, file_sha256

TOKENIZER = "tokenizer.json"
_GIVE = "give run.dir of a config, one of its checkpoints, or an export"


@dataclass(frozen=True)
class Loaded:
    """A model in fp32 on the CPU and what is known about it."""

    model: Bloom
    config: ModelConfig
    folder: Path  # where its weights lie
    tokenizer_dir: Path
    manifest: dict[str, Any] | None  # of the packed corpus; an exported folder has none
    data: Path | None  # where the packed corpus stood
    state: dict[str, Any]  # of the checkpoint; empty for an exported folder

    def tokenizer(self) -> Any:
        """Raises InputError if there is none that can be read."""
        file = self.tokenizer_dir / TOKENIZER
        try:
            return Tokenizer.from_file(str(file))
        except Exception as error:  # `from_file` raises bare Exception for whatever is wrong: nothing is narrower
            raise InputError(
                f"{file} cannot be read: {error}", hint="put the packed corpus's tokenizer.json beside the model"
            ) from error

    def seam(self, given: Path | None, say: Callable[[str], None]) -> Seam:
        """The corpus to score: the one given, or the one it was trained on; says so if it is another one.

        Raises InputError if there is none, or if its tokens are those of another tokenizer.
        """
        if given is None and self.data is None:
            raise InputError(f"{self.folder} does not say what it was trained on", hint="give --data FOLDER")
        seam = Seam.open(given or self.data)  # type: ignore[arg-type]
        if seam.vocab_size > self.config.vocab_size:
            raise InputError(
                f"{seam.folder} has {seam.vocab_size} tokens, the model {self.config.vocab_size}",
                hint="give a corpus packed with the model's own tokenizer",
            )
        check_tokenizer(self.tokenizer_dir, self.manifest, seam)
        if self.state and self.state["data"] != seam.digest:
            say(f"{seam.folder} ({seam.digest[:16]}) is not what it was trained on ({self.state['data'][:16]})")
        return seam


def check_tokenizer(folder: Path, manifest: dict[str, Any] | None, seam: Seam) -> None:
    """Raises InputError if a corpus is of another tokenizer than a model: as many tokens, but other ones, would pass.

    `manifest`: of the corpus that the model was trained on; an exported folder has none, maybe a tokenizer of its own.
    """
    file = folder / TOKENIZER
    if manifest is None and not file.is_file():
        return  # a folder of weights alone: nothing to compare
    ours = file_sha256(file) if manifest is None else _tokenizer_sha256(manifest)
    if _tokenizer_sha256(seam.manifest) != ours:
        raise InputError(
            f"{seam.folder} was packed with another {TOKENIZER} than {folder} has",
            hint="give a corpus packed with the model's own tokenizer",
        )


def _tokenizer_sha256(manifest: dict[str, Any]) -> str | None:
    return manifest.get("files", {}).get(TOKENIZER, {}).get("sha256")


def load(path: Path, say: Callable[[str], None]) -> Loaded:
    """Raises ConfigError if `path` does not exist, InputError if it holds no model."""
    if not path.exists():
        raise ConfigError(f"{path} does not exist", hint=_GIVE)
    if (path / "run.json").is_file():
        folder = seal.newest(RunDir(path).checkpoints, say)
        if folder is None:
            raise InputError(f"{path} has no whole checkpoint yet", hint="run `pretrain fit` with its config")
        return _of_checkpoint(folder, RunDir(path))
    if (path / STATE).is_file():
        return _of_checkpoint(path, RunDir(path.resolve().parent.parent))
    if (path / "config.json").is_file():
        model = load_bloom(path)
        return Loaded(model, model.config, path, path, None, None, {})
    raise InputError(f"{path} holds no model", hint=_GIVE)


def _of_checkpoint(folder: Path, run: RunDir) -> Loaded:
    found = checkpoint.load(folder)
    config = ModelConfig(**found.state["model"])
    model = Bloom(config)
    model.load_state_dict(found.model())
    data = Path(run.about()["data"])
    manifest = json.loads((run.path / "data.json").read_text("utf-8"))
    return Loaded(model, config, folder, run.path, manifest, data, found.state)
