"""Read public repositories, packages and archives without a work tree: what make_lid_corpus.py gathers text from.

    clones = Clones(Path("clones"))
    clones["google-deepmind/xquad"].read("xquad.ar.json") -> "..."        cloned from GitHub if the folder lacks it
    debian("mediawiki", "/usr/share/mediawiki", folder)   -> Path of the unpacked package

A folder of clones holds `<owner>+<name>` or `<owner>+<name>/repo`, each a git directory, bare or not. Texts come back
decoded; a file that is not UTF-8 or that the clone lacks (clones may be partial) is None, and counted.
Never: writes into a clone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

OFFLINE = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}  # a partial clone must not fetch what it lacks, file by file


class Repository:
    """One git directory, read at HEAD or at a revision that a caller names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.absent = 0  # files that were listed and could not be read

    def git(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, check=True, env=OFFLINE, capture_output=True).stdout

    @cached_property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD").decode().strip()

    def names(self, under: str = "", revision: str = "HEAD") -> list[str]:
        """Every file's path under a folder, sorted."""
        tree = self.git(
            "-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--name-only", revision, *([under] if under else [])
        )
        return sorted(name for name in tree.decode("utf-8", "replace").split("\0") if name)

    def raw(self, name: str, revision: str = "HEAD") -> bytes | None:
        try:
            return self.git("show", f"{revision}:{name}")
        except subprocess.CalledProcessError:
            self.absent += 1
            return None

    def read(self, name: str, revision: str = "HEAD") -> str | None:
        data = self.raw(name, revision)
        if data is None:
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.absent += 1
            return None

    def texts(self, names: list[str], revision: str = "HEAD") -> Iterator[tuple[str, str]]:
        """(path, text) of many files by one `git cat-file`, which is what makes thousands of small files quick."""
        wanted = "".join(f"{revision}:{name}\n" for name in names).encode()
        command = ["git", "-C", str(self.path), "cat-file", "--batch", "--buffer"]
        out = subprocess.run(command, input=wanted, check=True, env=OFFLINE, stdout=subprocess.PIPE).stdout
        at = 0
        for name in names:
            end = out.index(b"\n", at)
            words = out[at:end].split()
            at = end + 1
            if not words[-1].isdigit():  # "missing", or a submodule
                self.absent += 1
                continue
            data = out[at : at + int(words[-1])]
            at += int(words[-1]) + 1
            try:
                yield name, data.decode("utf-8-sig")
            except UnicodeDecodeError:
                self.absent += 1


class Clones:
    """Repositories by "owner/name", from a folder; what it lacks is cloned into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Repository] = {}

    def __getitem__(self, name: str) -> Repository:
        if name not in self._open:
            self._open[name] = Repository(self._path(name))
        return self._open[name]

    def _path(self, name: str) -> Path:
        home = self.folder / name.replace("/", "+")
        for path in (home / "repo", home):
            if path.is_dir():
                return path
        print(f"cloning {name}", file=sys.stderr)
        command = ["git", "clone", "--quiet", "--bare", f"https://github.com/{name}", str(home)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        return home


def npm(package: str, folder: Path) -> Path:
    """The `package` folder of an npm package, fetched and unpacked under `folder` once."""
    home = folder / package.replace("@", "-").replace("/", "-")
    if not home.is_dir():
        home.mkdir(parents=True)
        subprocess.run(["npm", "pack", "--silent", package], cwd=home, check=True, stdout=sys.stderr)
        with tarfile.open(next(home.glob("*.tgz"))) as archive:
            archive.extractall(home, filter="data")
    return home / "package"


def debian(package: str, folder: Path) -> Path:
    """A Debian package's files, fetched by apt and unpacked under `folder` once; nothing is installed."""
    home = folder / package
    if not home.is_dir():
        debs = folder / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        if not list(debs.glob(f"{package}_*.deb")):
            command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
            subprocess.run(command, cwd=debs, check=True, stdout=sys.stderr)
        subprocess.run(["dpkg-deb", "-x", str(next(debs.glob(f"{package}_*.deb"))), str(home)], check=True)
    return home
