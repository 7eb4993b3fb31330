"""YAML read as hostile text: safe tags only, no key twice, no file that grows when its aliases are followed.

load(path) -> dict
parse(text, path) -> dict        the same of a text that is in memory; `path` is for errors
spelled(["no", "en"]) -> "['no', en]"        a value on one line, so that it is read as what it was
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_NODES = 100_000  # with every alias followed


def load(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError, with line and column, for anything else."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f"{path} has {size:,} bytes: no config is that long", hint=f"keep it under {MAX_BYTES:,}")
        return parse(path.read_text("utf-8"), path)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no config at {path}", hint="see configs/ for those that come with the project"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, not a config", hint="name the YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot read {path}: {why}", hint="a config is a YAML file in UTF-8") from error


def parse(text: str, path: Path) -> dict[str, Any]:
    """The mapping in a text of YAML, which errors say stands in `path`. Raises ConfigError for anything else."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check(node, {}, (), path)
        value = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} is no valid YAML: {error}", hint="mend the line it names") from error
    except RecursionError:
        raise ConfigError(f"{path} is nested too deep", hint="a config has four levels or fewer") from None
    if not isinstance(value, dict):
        raise ConfigError(
            f"{path} holds no mapping but {type(value).__name__}", hint="begin with `sources:`, see configs/demo.yaml"
        )
    return value


def spelled(value: Any) -> str:
    """Strings, numbers and lists and mappings of them, on one line that may stand in brackets."""
    line = yaml.safe_dump([value], default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False)
    return line.strip()[1:-1]


def _check(node: Any, sizes: dict[int, int], above: tuple[int, ...], path: Path) -> int:
    """Number of nodes with aliases followed; refuses keys that stand twice, rings and bombs."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in above:
        raise ConfigError(f"{path}, line {node.start_mark.line + 1}: an alias that holds itself", hint="write it out")
    if id(node) not in sizes:
        children = node.value
        if isinstance(node, yaml.MappingNode):
            _refuse_double_keys(node, path)
            children = [part for pair in node.value for part in pair]
        sizes[id(node)] = 1 + sum(_check(child, sizes, (*above, id(node)), path) for child in children)
    if sizes[id(node)] > MAX_NODES:
        raise ConfigError(f"{path}: its aliases make {sizes[id(node)]:,} nodes of it", hint="write it out")
    return sizes[id(node)]


def _refuse_double_keys(node: yaml.MappingNode, path: Path) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise ConfigError(
                    f"{path}, line {key.start_mark.line + 1}: {key.value!r} stands twice", hint="keep one of them"
                )
            seen.add(key.value)
