"""A ready tokenizer.json: a file on this machine, or one of the Hugging Face hub, pinned so that its bytes are known.

    source_of("mine/tokenizer.json", None, None)                     -> Ready(file)
    source_of("bigscience/bloom-560m", None, None)                   -> Ready(hub, sha256 known)     BLOOM's own
    source_of("owner/name", "<40 hex digits>", None)                 -> Ready(hub, at this commit)
    Ready.recipe()  -> {"sha256": ...} or {"hub": ..., "revision": ...}
    Ready.read()    -> the bytes; the digest is checked where it is known

No code of a repository is run, and of its files the one is fetched. A branch moves, so a name alone is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.digest import file_sha256
from pipeline.errors import ConfigError, InputError

FILE = "tokenizer.json"
COMMIT, DIGEST, NAME = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}"), re.compile(r"[\w.-]+/[\w.-]+")
# BLOOM's own, 14,500,438 bytes: the digest under which the hub keeps it
BLOOM = "3fa39cd4b1500feb205bcce3b9703a4373414cafe4970e0657b413f7ddd2a9d3"
KNOWN = {"bigscience/bloom-560m": BLOOM}


@dataclass(frozen=True)
class Ready:
    """Where a tokenizer.json is to be had, and what it must be."""

    path: str
    hub: bool
    revision: str | None = None
    sha256: str | None = None

    def recipe(self) -> dict[str, Any]:
        """What its bytes depend on: their digest, wherever they lie; else the commit. Raises InputError."""
        if self.sha256 is not None:
            return {"sha256": self.sha256}
        return {"hub": self.path, "revision": self.revision}

    def read(self) -> bytes:
        """Raises InputError where it cannot be had, or is not the one that was asked for."""
        path = self._fetched() if self.hub else Path(self.path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}", "set tokenizer.path to a tokenizer.json") from error
        found = hashlib.sha256(content).hexdigest()
        if self.sha256 not in (None, found):
            raise InputError(
                f"{FILE} of {self.path} has the sha256 {found}, not {self.sha256}",
                hint=f"if this is the file you want, write `sha256: {found}` beside its path; else fetch it again",
            )
        return content

    def _fetched(self) -> Path:
        from huggingface_hub import hf_hub_download  # half a second, and only this needs it

        try:
            return Path(hf_hub_download(self.path, FILE, revision=self.revision))
        except (OSError, ValueError) as error:  # all errors of the hub and of its transport are one of these
            first = str(error).strip().split("\n")[0]
            raise InputError(
                f"{FILE} of {self.path} cannot be had from the hub: {first}",
                hint="check the network and the name, or fetch the file elsewhere and set tokenizer.path to it",
            ) from error


def source_of(path: Path | str, revision: str | None = None, sha256: str | None = None) -> Ready:
    """What a config names. Raises ConfigError for a file that is not there and a name of the hub that is not pinned,
    InputError for a file that is not the one with this digest."""
    name, local = str(path), Path(path)
    if os.path.isfile(local):  # noqa: PTH113  # Path's raises for a name that is too long
        return _file(local, revision, sha256)
    if not NAME.fullmatch(name) or name.endswith(".json"):
        raise ConfigError(f"{name} cannot be read: there is no such file", "set tokenizer.path to a tokenizer.json")
    sha256 = sha256 or KNOWN.get(name)
    if sha256 is None and not COMMIT.fullmatch(revision or ""):
        raise ConfigError(
            f"there is no file {name}, and as a name of the hub it is not pinned: its revision is {revision!r}",
            f"set `revision` to the full commit hash, or name one whose digest is known: {', '.join(KNOWN)}",
        )
    return Ready(name, True, revision, sha256)


def _file(path: Path, revision: str | None, sha256: str | None) -> Ready:
    if revision is not None:
        raise ConfigError(f"{path} is a file and has no revision", "take `revision` out, or name one of the hub")
    found = file_sha256(path)
    if sha256 not in (None, found):
        raise InputError(f"{path} has the sha256 {found}, not {sha256}", "mend `sha256`, or fetch the file again")
    return Ready(str(path), False, None, found)
