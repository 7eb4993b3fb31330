"""A config of one's own from one that ships with the project: the same stages over other files.

    adopt("configs/fineweb.yaml", ["crawl/*.warc.gz", "code:src/"], "mine.yaml") -> text of mine.yaml

Only the blocks `sources:` and `run:` are written anew; every other line, its comments too, stays as it stands. The
kind of a source is told by the ending of its files, or by a word in front of the pattern. Where the recipe has one
source of that kind, its settings are kept, but for those of NOT_KEPT.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.sources import SOURCES
from pipeline.sources.jsonl import Jsonl
from pipeline.sources.listing import LANG
from pipeline.sources.look import look
from pipeline.yamlsafe import load, parse, spelled

ENDINGS = {  # of what is left when the ending of a compression is taken off
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".txt": "text", ".md": "text",
    ".warc": "warc", ".arc": "warc", ".wet": "wet", ".html": "html", ".htm": "html", ".xhtml": "html",
}  # fmt: skip
NOT_READ = (".csv", ".tsv", ".pdf", ".docx", ".doc", ".xlsx", ".epub", ".rtf")
COMPRESSIONS = (".gz", ".zst", ".xz", ".bz2")
RECIPES = Path(__file__).parent / "recipes"  # the folder configs/ of the project; in an installed package its files
NOT_KEPT = ("name", "path", "max_bytes")  # a recipe takes no more of its source than a demo needs
REST_OF_BLOCK = re.compile(r"[^\n]*\n?(?:[ \t]+[^\n]*\n?|\n)*")  # behind its last value: comments and blank lines
LISTED = 10_000  # files of a folder that are looked at, to tell their kind


def shipped(recipe: Path) -> Path:
    """A recipe by its path, or by the name of one that ships with the project: `roots`, `roots.yaml`,
    `configs/roots.yaml`. Raises ConfigError, with the nearest name, where there is neither."""
    if recipe.exists():
        return recipe
    known = {path.stem: path for path in RECIPES.glob("*.yaml") if not path.stem.startswith("bloom")}
    if recipe.parent in (Path(), Path("configs")) and recipe.stem in known:
        return known[recipe.stem]
    near = difflib.get_close_matches(recipe.stem, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"those that ship with the project: {', '.join(sorted(known))}"
    raise ConfigError(f"there is no config at {recipe}, and no recipe of that name", hint=hint)


def adopt(recipe: Path, inputs: Sequence[str], target: Path) -> str:
    """The text of a config like `recipe` over `inputs`, each `pattern` or `kind:pattern`; its workdir is named after
    `target`. Raises ConfigError for a recipe that is no config, or none that can be rewritten by blocks, and for files
    whose kind cannot be told."""
    before = load(recipe)  # refuses what is no config, before anything is made of it
    sources = _sources(before, inputs)
    run = {"workdir": f"runs/{target.stem}"}
    lines = [f"  - {kind}: {spelled(settings)}\n" for source in sources for kind, settings in source.items()]
    blocks = {"sources": "sources:\n" + "".join(lines), "run": f"run: {spelled(run)}\n"}
    text = _written_anew(recipe.read_text("utf-8"), blocks)
    if _read(text, recipe) != {**before, "sources": sources, "run": run}:
        raise ConfigError(
            f"{recipe}: its `sources:` and `run:` cannot be written anew where they stand",
            hint="let each of them begin a line there, and nothing outside refer to what is in them",
        )
    return text


def _sources(recipe: Mapping[str, Any], inputs: Sequence[str]) -> list[dict[str, Any]]:
    """An entry of `sources:` for each input."""
    sources: list[dict[str, Any]] = []
    names: list[str] = []
    for given in inputs:
        kind, pattern = _kind(given)
        names.append(_name(pattern, names))
        settings = {"name": names[-1], "path": pattern, **_kept(recipe, kind, pattern)}
        sources.append({kind: settings | _text_field(settings) if kind == "jsonl" else settings})
    return sources


def _kept(recipe: Mapping[str, Any], kind: str, pattern: str) -> dict[str, Any]:
    """The settings of a recipe's source of this kind, if it has but one, as far as they may be those of new files."""
    items = recipe.get("sources")
    found = [one[kind] for one in items if isinstance(one, dict) and kind in one] if isinstance(items, list) else []
    own = found[0] if len(found) == 1 and isinstance(found[0], dict) else {}
    told = {"lang"} if LANG in pattern else set()  # a setting would go before what the path says
    return {name: value for name, value in own.items() if name not in told.union(NOT_KEPT)}


def _text_field(settings: Mapping[str, Any]) -> dict[str, str]:
    """The setting that says where the text stands, if elsewhere. Raises ConfigError where no text can be read."""
    try:
        found = look(Jsonl.model_validate(settings))
    except ValidationError:
        return {}  # of the recipe's own: who loads the new config is told
    if found.mend and not found.text_field:
        raise ConfigError(f"{settings['path']!r} cannot be read as JSON lines", hint=found.mend)
    return {"text_field": found.text_field} if found.text_field else {}


def _kind(given: str) -> tuple[str, str]:
    word, _, rest = given.partition(":")
    if rest and word in SOURCES:
        return word, rest
    if Path(given).is_dir() and (patterns := _patterns_in(Path(given))):
        if len(patterns) == 1:
            return _kind(patterns[0])
        named = " ".join(f"--input '{pattern}'" for pattern in patterns)
        raise ConfigError(f"{given!r} is a folder of files of several endings", hint=f"name them: {named}")
    if kind := _told(given):
        return kind, given
    if (ending := Path(given).suffix.lower()) in NOT_READ:
        raise ConfigError(
            f"{given!r}: {ending[1:].upper()} is not read here",
            hint='convert it to JSON lines, one {"text": ...} a line, to Parquet, or to plain text',
        )
    known = ", ".join(sorted(end for end, kind in ENDINGS.items() if kind in SOURCES))
    raise ConfigError(
        f"{given!r}: its ending does not tell what kind of source it is (known: {known})",
        hint=f"write the kind in front, such as {'code' if given.endswith('/') else 'text'}:{given}",
    )


def _told(given: str) -> str | None:
    """The kind of source that the ending of a file's name tells, if any."""
    ending = Path(given)
    if ending.suffix in COMPRESSIONS:
        ending = ending.with_suffix("")
    kinds = [ENDINGS.get(suffix.rstrip("*")) for suffix in reversed(ending.suffixes)]  # `.warc.wet` is WET
    return next((kind for kind in kinds if kind in SOURCES), None)


def _patterns_in(folder: Path) -> list[str]:
    """A pattern for each ending in a folder whose files all tell a kind; none where one does not."""
    names = [path.name for path in islice(folder.rglob("[!.]*"), LISTED) if path.is_file()]
    if not all(map(_told, names)):
        return []
    endings = {"".join(s for s in Path(name).suffixes if s in ENDINGS or s in COMPRESSIONS) for name in names}
    return [f"{folder}/**/*{ending}" for ending in sorted(endings)]


def _name(pattern: str, taken: Sequence[str]) -> str:
    """A name for the source: the last part of the pattern that says something, once."""
    parts = [re.split(r"[*?\[]", part)[0].split(".")[0] for part in pattern.rstrip("/").split("/")]
    words = [re.sub(r"[^A-Za-z0-9_-]+", "-", part).strip("-_") for part in parts]
    name = next((word for word in reversed(words) if word), "source")
    numbered = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 2))]
    return next(one for one in numbered if one not in taken)


def _written_anew(text: str, blocks: Mapping[str, str]) -> str:
    """`text` with these sections replaced, or put in front where there are none."""
    root = yaml.compose(text, yaml.SafeLoader)
    stand = {key.value: (key.start_mark.index, _last(value)) for key, value in root.value if key.value in blocks}
    for name, (begin, last) in sorted(stand.items(), key=lambda item: -item[1][0]):  # from the back: places stay
        rest = REST_OF_BLOCK.match(text, len(text[:last].rstrip()))
        assert rest is not None
        below = text[rest.end() :]
        text = text[:begin] + blocks[name] + ("\n" + below if below else "")
    return "".join(new for name, new in blocks.items() if name not in stand) + text


def _last(node: yaml.Node) -> int:
    """Where the last value in a node ends; of a block of them the node itself would say: where the next begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    return max(map(_last, parts))


def _read(text: str, path: Path) -> dict[str, Any] | None:
    try:
        return parse(text, path)
    except ConfigError:
        return None
