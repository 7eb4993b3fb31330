"""A YAML file as plain data, with the line of every key, and nothing else that YAML can do.

    "run: {dir: runs/demo}"  ->  {"run": {"dir": "runs/demo"}}, {("run",): 1, ("run", "dir"): 1}

Tags that build objects, anchors and aliases (a few lines of which can stand for billions), keys given twice and files
above 1 MB are refused with a ConfigError. 1e-3 is a number here, as people expect, not the text YAML 1.1 makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pretrain.errors import ConfigError

Place = tuple[str | int, ...]
_MAX_BYTES = 1 << 20


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path, names: Iterable[str] = ()) -> tuple[dict[str, Any], dict[Place, int]]:
    """(data, line of each place). Raises ConfigError; where there is no file, with those beside it and `names`."""
    text = _read_text(path, names)
    try:
        return _parse(text, str(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {_one_line(error)}", hint="mend the line; indent with spaces") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply", hint="write it flat, as configs/ shows") from error


def _read_text(path: Path, names: Iterable[str]) -> str:
    if path.is_dir():
        within = ", ".join(map(str, sorted(path.glob("*.yaml"))[:8]))
        raise ConfigError(f"{path} is a folder", hint=f"give one of {within}" if within else "give a YAML file")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} has {path.stat().st_size:,} bytes", hint="give a config; they have a few lines")
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        beside = sorted(path.parent.glob("*.yaml"))[:8] if path.parent.is_dir() else []
        near = ", ".join([*map(str, beside), *names])
        raise ConfigError(f"{path} does not exist", hint=f"give one of {near}" if near else "check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="give a text file in UTF-8") from error


def _parse(text: str, name: str) -> tuple[dict[str, Any], dict[Place, int]]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{name} holds no blocks", hint="begin with `run:`, as configs/bloom-tiny.yaml does")
        lines: dict[Place, int] = {}
        _walk(node, (), lines, set(), name)
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int], seen: set[int], name: str) -> None:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise ConfigError(f"{name}, line {line}: an alias (*) points here", hint="write the value out twice")
    seen.add(id(node))
    lines.setdefault(place, line)
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            _walk(child, (*place, i), lines, seen, name)
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            inner = (*place, str(key.value))
            if inner in lines:
                raise ConfigError(
                    f"{name}, line {key.start_mark.line + 1}: {'.'.join(map(str, inner))} stands twice",
                    hint=f"remove one of the two; the first is on line {lines[inner]}",
                )
            lines[inner] = key.start_mark.line + 1
            _walk(child, inner, lines, seen, name)


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())
