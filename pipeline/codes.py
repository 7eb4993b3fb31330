"""Language codes that a config names or a source declares: natural and programming ones, each in its one spelling.

    checked("eng") -> "en"    checked("python") -> "python"    checked("englsh") raises ValueError: did you mean 'en'?
    by_language({"eng": 20}) -> [("en", 20)]                   refuses {"en": 20, "eng": 30}
    strange("englsh") -> True                                  what a row declares is told, and nothing is lost for it

A config's unknown code would select nothing, without a word; so it is refused when the config is read. `und`, `mul`,
`zxx` and `mis` are codes too: ISO 639 has them for what is no single known language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipeline.programming import LANGUAGES as PROGRAMMING
from pipeline.text.codes import NOT_A_LANGUAGE, name, nearest, tag
from pipeline.text.languages import LANGUAGES as NATURAL
from pipeline.text.languages import canonical

WILD = frozenset("*?[")
STRANGE = "no_language/"  # begins the tally of a declared code that is none; the code follows
MORE = "..."  # instead of a code: all others, where a shard declares too many


def checked(code: str) -> str:
    """A code as the project spells it. Raises ValueError, which a config tells with its place, for what is no code."""
    if strange(code):
        raise ValueError(f"{code!r} is no language code known here{hint(code)}")
    return canonical(code)


def by_language(value: Any) -> Any:
    """Pairs of a language and what is its own, sorted, from `{lang: own}` or such pairs; anything else as it is.

    Raises ValueError for a list of other things, for what is no code, and for a language that is named twice, whatever
    its spellings.
    """
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(pairs, list | tuple):
        return value
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError("a list does not say what is whose: write `{en: ...}`")
    own: dict[str, Any] = {}
    for code, what in pairs:
        if (lang := checked(str(code))) in own:
            raise ValueError(f"{lang!r} is named twice; write all that is its own under one spelling")
        own[lang] = what
    return sorted(own.items(), key=lambda pair: pair[0])


def checked_pattern(pattern: str) -> str:
    """The same for what may hold wildcards: `zh-*` stays as it is."""
    return pattern if WILD & set(pattern) else checked(pattern)


@lru_cache(maxsize=65_536)
def strange(code: str) -> bool:
    """Whether a code is none: neither ISO 639 nor BCP-47, and no programming language of the table."""
    spelled = canonical(code)
    return not (spelled in NATURAL or spelled in PROGRAMMING or spelled in NOT_A_LANGUAGE or tag(spelled))


def hint(code: str) -> str:
    """ ": did you mean 'en'?" for a code that is none, or what a code looks like where nothing is near."""
    near = nearest(code, tuple(sorted(PROGRAMMING)))
    if near is None:
        return ": write ISO 639-1, ISO 639-3 or BCP-47 (en, swh, zh-hant), or a programming language (python)"
    named = near if near in PROGRAMMING else name(near)
    return f": did you mean {canonical(near)!r}" + (f" ({named})?" if named != near else "?")
