"""What a config may say on the mixture of languages, before a corpus is seen.

    mixture: {temperature: 2, max_epochs: 4}                          one rule for the whole run
    mixture: {groups: {zh: [zh-hans, zh-hant]}, weights: {zh: 1, en: 2}, tokens: {sw: 10M}}
    mixture: bloom                                                    BLOOM's 28 streams, as {like: bloom}
    mixture: {max_epochs: 4, stages: [{until: 1M, temperature: 3}, {weights: {en: 1, sw: 1}}]}

mixture.py makes weights of it for a corpus; docs/mixture.md explains. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pretrain.fields import Amount, Block, Positive, Weight

Names = Annotated[tuple[str, ...], Field(min_length=1)]
SHARES = ("temperature", "alpha", "weights", "like")  # a rule states its shares by one of these


class Rule(Block):
    """Shares of the languages by one of temperature, alpha, weights and like, and what limits them."""

    temperature: Positive | None = None  # rows ** (1 / temperature): 1 as they come; more lifts small languages
    alpha: Positive | None = None  # the same, said the other way: rows ** alpha
    weights: dict[str, Weight] | None = None  # a language or group that is not named is left out
    like: Literal["bloom"] | None = None  # BLOOM's 28 streams; those that the corpus lacks are left out
    max_epochs: Positive | None = None  # what a language would be read more often goes to the others, by the same rule
    tokens: dict[str, Amount] | None = None  # so many for these; the others share the rest by the rule

    @property
    def stated(self) -> list[str]:
        """Which of SHARES were given."""
        return [key for key in SHARES if key in self.model_fields_set and getattr(self, key) is not None]

    @property
    def planned(self) -> bool:
        """Whether its shares depend on how many samples there are."""
        return self.max_epochs is not None or self.tokens is not None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if len(self.stated) > 1:
            raise ValueError(f"give {' or '.join(self.stated)}, not both")
        if self.weights == {}:
            raise ValueError("weights names no language")
        if self.weights is not None and not any(self.weights.values()):
            raise ValueError("weights are all zero: give one of them more")
        if self.tokens == {}:
            raise ValueError("tokens names no language")
        return self


class MixtureStage(Rule):
    """A part of the run. What it does not say, it takes from the mixture; `tokens` are those of this stage alone."""

    until: Amount | None = None  # samples consumed since the run began; the last stage goes on to the end

    def within(self, mixture: Mixture) -> Rule:
        """The whole rule of this stage."""
        own = {key: getattr(self, key) for key in Rule.model_fields if key in self.model_fields_set}
        shares = {} if self.stated else {key: getattr(mixture, key) for key in mixture.stated}
        return Rule(**{"max_epochs": mixture.max_epochs} | shares | own)


class Mixture(Rule):
    """Which share of the samples each language has: by its rows, as they come, if nothing is said."""

    temperature: Positive | None = 1.0
    groups: dict[str, Names] | None = None  # languages that count as one under its name, natural shares inside
    stages: tuple[MixtureStage, ...] | None = None  # one after the other, by samples consumed
    over_samples: Amount | None = None  # what max_epochs and tokens reckon with; None: the samples of the run

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        return {"like": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if wrong := list(_contradictions(self)):
            raise ValueError("; ".join(wrong))
        return self

    @property
    def rules(self) -> list[tuple[int, Rule]]:
        """(first sample, rule) of each stage, in order."""
        if self.stages is None:
            return [(0, self)]
        begins = [0, *(stage.until or 0 for stage in self.stages[:-1])]
        return [(begin, stage.within(self)) for begin, stage in zip(begins, self.stages, strict=True)]

    @property
    def planned(self) -> bool:
        """Whether its shares depend on how many samples the run has: those of its last stage do."""
        return self.rules[-1][1].planned if self.stages else super().planned

    def over(self, samples: int) -> int | None:
        """The samples that it reckons with in a run of so many; None if it does not."""
        return (self.over_samples or samples) if self.planned else None


def _contradictions(mixture: Mixture) -> Iterator[str]:
    twice = [name for name, count in _counted(mixture.groups or {}).items() if count > 1]
    if twice:
        yield f"{', '.join(twice)} is in two groups, or twice in one"
    if mixture.stages is not None:
        yield from _broken_stages(mixture, [stage.until for stage in mixture.stages])
    elif mixture.over_samples and not mixture.planned:
        yield "over_samples says nothing without max_epochs or tokens: leave it out"


def _counted(groups: dict[str, tuple[str, ...]]) -> dict[str, int]:
    every = [name for members in groups.values() for name in members]
    return {name: every.count(name) for name in every}


def _broken_stages(mixture: Mixture, ends: list[int | None]) -> Iterator[str]:
    if mixture.tokens:
        yield "tokens stands beside stages: give each stage its own"
    if not ends:
        yield "stages is empty: leave it out"
        return
    if ends[-1] is not None:
        yield f"the last stage has until {ends[-1]:,}, but it goes on to the end: leave it out"
    stated = [end for end in ends[:-1] if end is not None]
    if len(stated) < len(ends) - 1:
        yield f"stage {ends.index(None) + 1} lacks until"
    elif any(a >= b for a, b in pairwise(stated)):
        yield f"stages end at {', '.join(f'{end:,}' for end in stated)}: each has to end after the one before"
    elif mixture.over_samples and not mixture.planned:
        yield "over_samples says nothing where the last stage has neither max_epochs nor tokens: leave it out"
