"""A run's own folder: who may write in it, what was asked for, and its logs, one line of JSON a step.

    runs/demo/bloom-tiny/  run.json             the config, and where the data stood
                           ckpt/step_000123/    sealed checkpoints
                           metrics.jsonl        step, samples, tokens, loss, lr, grad_norm, skipped: no clock in it
                           validation.jsonl     step, loss and bits per byte by language
                           samples.jsonl        step, prompt, text
                           skips.jsonl          step, why nothing was learned in it, rows and documents
                           watch.jsonl          step, gradient's norm by layer, tokens by language
                           speed.jsonl          what the clock and the memory say; in no seal
                           loss.svg             the curve
                           tokenizer*.json, data.json   copies, so that the folder is enough to use the model

Imports no torch. Never decides when to write.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretrain import seal
from pretrain.config import Config
from pretrain.errors import ConfigError, InputError, RunError
from pretrain.seam import Seam

STATE = "state.json"  # in a checkpoint
LOGS = ("metrics.jsonl", "validation.jsonl", "samples.jsonl", "skips.jsonl", "watch.jsonl", "speed.jsonl")


@dataclass(frozen=True)
class RunDir:
    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "ckpt"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder against other runs; the lock goes with the process, however it ends. Raises RunError."""
        with self._written():
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("a+")
        with lock as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "unknown"
                raise RunError(
                    f"{self.path} belongs to a run that is going on (process {owner})",
                    hint="wait for it, stop it with Ctrl-C or SIGTERM (it saves first), or give another run.dir",
                ) from None
            with self._written():
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield

    def prepare(self, config: Config, seam: Seam) -> None:
        """Write what the folder needs to stand on its own. Raises RunError if it cannot, as all that write here do."""
        about = {"config": config.model_dump(mode="json"), "data": str(seam.folder.resolve())}
        with self._written():
            seal.write_text(self.path / "run.json", json.dumps(about, ensure_ascii=False, indent=1))
            seal.write_text(self.path / "data.json", json.dumps(seam.manifest, ensure_ascii=False))
            for name in ("tokenizer.json", "tokenizer_config.json"):
                if (seam.folder / name).is_file():
                    seal.copy(seam.folder / name, self.path / name)

    def about(self) -> dict[str, Any]:
        """run.json. Raises ConfigError if there is no such folder, InputError if it is no run's."""
        if not self.path.exists():
            raise ConfigError(f"{self.path} does not exist", hint="give run.dir of a config that was trained")
        try:
            return json.loads((self.path / "run.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} is no run's folder: {error}", hint="give run.dir of a config") from error

    def data(self) -> dict[str, Any]:
        """The manifest of the packed corpus, as the run has it; empty if it has none that can be read."""
        try:
            return json.loads((self.path / "data.json").read_bytes())
        except (OSError, ValueError):
            return {}

    def log(self, name: str, line: Mapping[str, Any]) -> None:
        with self._written(), (self.path / name).open("a", encoding="utf-8") as file:
            file.write(_line(line))

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a log; one that a crash cut off is no line."""
        path = self.path / name
        if not path.exists():
            return []
        return list(_whole_lines(path))

    def rewind(self, step: int) -> None:
        """Forget what the logs say after `step`, so that going on neither repeats nor skips a line."""
        for name in LOGS:
            if (self.path / name).exists():
                kept = [line for line in self.lines(name) if line["step"] <= step]
                with self._written():
                    seal.write_text(self.path / name, "".join(map(_line, kept)))

    def flush(self) -> None:
        """Bring the logs to the disk: what a checkpoint has done, they must tell."""
        for name in LOGS:
            if (self.path / name).exists():
                with self._written(), (self.path / name).open("rb") as file:
                    os.fsync(file.fileno())

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Around a write to this folder and nothing else: other files' errors are not its own."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written: {error}",
                hint="make room, or name a folder you may write in; then run the same command again",
            ) from error


@dataclass(frozen=True)
class Outcome:
    """Where a run stands."""

    step: int
    total_steps: int
    checkpoint: Path | None
    trained: bool  # False: it was finished before

    @property
    def done(self) -> bool:
        return self.step >= self.total_steps


def finished(config: Config, seam: Seam) -> Outcome | None:
    """The outcome of a run that needs no more steps; None if there is work to do, or no whole checkpoint.

    Told from sizes and states; every byte is read only before a run is called finished. Raises ConfigError if the
    folder holds another run, InputError if it cannot be read.
    """
    run, total = RunDir(config.run.dir), config.train.total_steps
    for read in (False, True):
        folder = seal.newest(run.checkpoints, say=lambda _: None, read=read)
        if folder is None:
            return None
        state = read_state(folder)
        refuse_other(run, state, config, seam)
        if state["step"] < total:
            return None
    return Outcome(state["step"], total, folder, trained=False)


def read_state(folder: Path) -> dict[str, Any]:
    """state.json of a checkpoint whose seal has been checked. Raises InputError if its name tells another step."""
    state = json.loads((folder / STATE).read_text("utf-8"))
    if seal.step_of(folder.name) not in (None, state["step"]):
        raise InputError(
            f"checkpoint {folder} is of step {state['step']}, which is not what its name says",
            hint=f"give it back its name, step_{state['step']:06d}, or a name that does not begin with step_",
        )
    return state


def refuse_other(run: RunDir, state: Mapping[str, Any], config: Config, seam: Seam) -> None:
    """Raises ConfigError that lists the differences, if a checkpoint is of another config or other data."""
    differences = apart(state["config"], config)
    told = [f"{key}: {was!r} in the checkpoint, {now!r} now" for key, was, now in differences]
    if state["data"] != seam.digest:
        told.append(f"data: packed corpus {state['data'][:16]} in the checkpoint, {seam.digest[:16]} now")
        told += _data_apart(run.data(), state["data"], seam)
    if told:
        raise ConfigError(
            "\n  ".join([f"{run.path} holds checkpoints of another run:", *told]),
            hint="give run.dir another name to start afresh (train.begin_with takes these weights along), or put these "
            f"back to go on{_decay_hint(differences, config)}",
        )


def _decay_hint(differences: Iterable[tuple[str, Any, Any]], config: Config) -> str:
    """Who changed `steps` never wrote the end of the decay, which followed it."""
    before = next((was for key, was, _ in differences if key == "train.decay_samples"), None)
    if before is None or config.train.decay_samples:
        return ""
    return f"; the decay ends where training does unless you state it, as train.decay_samples: {before}"


def _data_apart(before: Mapping[str, Any], digest: str, seam: Seam) -> Iterator[str]:
    """What is other in the corpus, as far as its manifests tell; nothing where the run's copy is of another one."""
    if before.get("digest") != digest:
        return
    name = "tokenizer.json"
    if before["files"].get(name, {}).get("sha256") != seam.manifest["files"].get(name, {}).get("sha256"):
        yield "data: packed with another tokenizer, so its ids are those of other tokens"
    for key in ("vocab_size", "seq_len"):
        if before[key] != seam.manifest[key]:
            yield f"data.{key}: {before[key]} in the checkpoint, {seam.manifest[key]} now"
    was, now = (manifest["splits"].get("train", {}) for manifest in (before, seam.manifest))
    others = [x for x in sorted(was.keys() | now.keys()) if was.get(x, {}).get("rows") != now.get(x, {}).get("rows")]
    if others:
        yield f"data: other numbers of rows of {', '.join(others[:8])}{' and more' if len(others) > 8 else ''}"


def apart(was: Mapping[str, Any], config: Config) -> list[tuple[str, Any, Any]]:
    """(setting, its value in a checkpoint's config, here) of those that differ and matter."""
    before, now = dict(flat(was)), dict(flat(config.identity()))
    if not any(key.startswith("train.skips.") for key in before):  # of a time before there were any
        before |= {key: value for key, value in now.items() if key.startswith("train.skips.")}
    keys = [*before, *(key for key in now if key not in before)]
    if config.train.schedule != "wsd":  # which alone looks at it; the others may not even state it
        keys.remove("train.cooldown_samples")
    return [(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)]


def flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """("train.lr", 0.004), ... of nested settings."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _line(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            if not text.endswith("\n"):
                return
            try:
                yield json.loads(text)
            except ValueError:  # a power cut may leave zeros where a line was
                return
