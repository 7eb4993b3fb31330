"""Names that a mixture uses, and the languages that they stand for: a language, or a group of them.

    Streams.of({"en": 50, "xh": 2, "zu": 6}, {"nguni": ("xh", "zu")})
        .members         {"nguni": {"xh": 2, "zu": 6}, "en": {"en": 50}}
        .parted({"nguni": 1, "en": 3})   {"xh": 1/4, "zu": 3/4, "en": 3}     natural shares inside a group

Rows in, names out; refuses names that it does not know, with the nearest one that it does.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from pretrain.errors import ConfigError


@dataclass(frozen=True)
class Streams:
    """members: stream -> rows of each of its languages that has any; empty: languages of the corpus without a row."""

    members: Mapping[str, Mapping[str, int]]
    empty: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Mapping[str, int], groups: Mapping[str, Collection[str]], *, strict: bool = True) -> Streams:
        """Each group, then each language that is in none. Raises ConfigError for a member without rows if `strict`."""
        alone = cls({x: {x: n} for x, n in rows.items() if n}, tuple(x for x, n in rows.items() if not n))
        members: dict[str, Mapping[str, int]] = {}
        for name, languages in groups.items():
            if name in rows and set(languages) != {name}:
                raise ConfigError(f"data.mixture.groups: {name} is a language too", hint="name the group otherwise")
            if strict:
                alone.check(f"data.mixture.groups.{name}", languages)
            if present := {x: rows[x] for x in languages if rows.get(x)}:
                members[name] = present
        grouped = {x for languages in members.values() for x in languages}
        return cls(members | {x: own for x, own in alone.members.items() if x not in grouped}, alone.empty)

    @property
    def rows(self) -> dict[str, int]:
        return {name: sum(languages.values()) for name, languages in self.members.items()}

    def without(self, names: Collection[str]) -> Streams:
        return Streams({name: own for name, own in self.members.items() if name not in names}, self.empty)

    def parted(self, amounts: Mapping[str, float | Fraction]) -> dict[str, Fraction]:
        """What each language has of its stream's amount: as much as it has of the stream's rows."""
        every = self.rows
        parts = {name: Fraction(amount) / every[name] for name, amount in amounts.items()}
        return {x: part * n for name, part in parts.items() for x, n in self.members[name].items()}

    def check(self, where: str, names: Collection[str]) -> None:
        """Raises ConfigError that lists the names that are no stream, and those that are."""
        if unknown := [self._why(name) for name in names if name not in self.members]:
            raise ConfigError(
                f"{where} names {', '.join(unknown)}, of which the corpus has no rows",
                hint=f"it has {', '.join(sorted(self.members))}",
            )

    def _why(self, name: str) -> str:
        if name in self.empty:
            return f"{name} (too small to fill one)"
        if group := next((group for group, languages in self.members.items() if name in languages), None):
            return f"{name} (by itself: it is in the group {group})"
        near = difflib.get_close_matches(name, sorted(self.members), n=1)
        return f"{name} (did you mean {near[0]}?)" if near else name
