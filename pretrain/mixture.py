"""From the mixture that a config states to the stages of an order, for one corpus, before anything is trained.

    Mixture(temperature=2), {"en": Stock(9000, 4_600_000), "sw": Stock(40, 20_000)}, 32_000 samples  ->  MixturePlan

Weights of a stage whose shares depend on how long it is (max_epochs, tokens) are the very numbers of its rows, because
an order gives exactly the weights where their sum is reached: so no language passes its cap by a row, and no budget is
missed by one. Other weights depend on the corpus alone, so that a run can be made longer. Pure; imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from pretrain import bloom_mixture
from pretrain.apportion import filled, rounded, tempered, whole_weights
from pretrain.errors import ConfigError
from pretrain.order import Order, Stage
from pretrain.rules import Mixture, Rule
from pretrain.streams import Streams


@dataclass(frozen=True)
class Stock:
    """What a corpus has of a language to train on; a language that does not fill a row has 0."""

    rows: int
    tokens: int


Corpus = Mapping[str, Stock]


@dataclass(frozen=True)
class MixturePlan:
    """The stages of an order over `corpus`, and what one should know of them before a run of `samples`."""

    stages: tuple[Stage, ...]
    corpus: Corpus
    samples: int
    notes: tuple[str, ...]

    def order(self, seed: int) -> Order:
        return Order({x: stock.rows for x, stock in self.corpus.items()}, self.stages, seed)


@dataclass
class Shares:
    """A rule for one corpus. `weights` and `budgets` (rows) have no language in common; `most` counts from sample 0."""

    weights: dict[str, int]
    budgets: dict[str, int]
    most: dict[str, int]  # rows that a language may give; empty: any number
    groups: tuple[tuple[str, ...], ...]
    notes: list[str]


def plan_mixture(mixture: Mixture, corpus: Corpus, samples: int) -> MixturePlan:
    """The plan of a run of `samples`. Raises ConfigError for what this corpus, or so many samples, cannot give."""
    begins = [begin for begin, _ in mixture.rules]
    every = [shares_of(rule, mixture.groups or {}, corpus) for _, rule in mixture.rules]
    ends = [*begins[1:], _end(mixture, every[-1], begins[-1], samples)]
    done, carried, stages = dict.fromkeys(corpus, 0), dict.fromkeys(corpus, Fraction(0)), []
    for i, (shares, begin, end) in enumerate(zip(every, begins, ends, strict=True)):
        where = f"data.mixture.stages.{i}" if mixture.stages else "data.mixture"
        weights = shares.weights if end is None else stage_rows(shares, end - begin, done, carried, where)
        stages.append(Stage(begin, weights, shares.groups))
        done = {x: n + weights.get(x, 0) for x, n in done.items()}
    notes = dict.fromkeys(note for shares in every for note in shares.notes)
    if ends[-1] is not None and ends[-1] < samples and mixture.over_samples:
        notes[f"caps and budgets hold up to sample {ends[-1]:,}; the same shares go on after it"] = None
    for begin, end, shares in zip(begins, ends[:-1], every, strict=False):
        if begin < samples < (end or 0) and (shares.most or shares.budgets):
            notes[
                f"the run ends at sample {samples:,}, within a stage that goes on to {end:,}: "
                "caps and budgets are planned over the whole stage"
            ] = None
    late = [f"{begin:,}" for begin in begins if begin >= samples]
    if late:
        notes[f"stages that begin at {', '.join(late)} are not reached: the run has {samples:,} samples"] = None
    return MixturePlan(tuple(stages), corpus, samples, tuple(notes))


def shares_of(rule: Rule, groups: Mapping[str, tuple[str, ...]], corpus: Corpus) -> Shares:
    """What a rule gives each language. Raises ConfigError for names that the corpus does not have."""
    rows = {x: stock.rows for x, stock in corpus.items()}
    notes: list[str] = []
    streams = Streams.of(rows, bloom_mixture.GROUPS if rule.like else groups, strict=not rule.like)
    if streams.empty:
        notes.append(f"left out, as they do not fill a row: {', '.join(streams.empty)}")
    budgets = _budgets(rule, streams, corpus)
    rest = streams.without(rule.tokens or {})
    weights = _weights(rule, streams, rest, notes)
    if out := sorted(set(rest.members) - set(weights)):
        notes.append(f"left out, as the mixture does not name them: {', '.join(out)}")
    most = {}
    if rule.max_epochs is not None:
        epochs = Fraction(str(rule.max_epochs))  # 0.1 as it was written, not as a float has it
        most = {x: floor(epochs * n) for x, n in rows.items()}
    several = tuple(tuple(languages) for languages in streams.members.values() if len(languages) > 1)
    return Shares(_whole(weights, rest), budgets, most, several, notes)


def stage_rows(
    shares: Shares, samples: int, done: Mapping[str, int], carried: dict[str, Fraction], where: str
) -> dict[str, int]:
    """Rows of each language in a stage of `samples`, after `done` before it. Raises ConfigError if they cannot be.

    `carried`, what rounding has kept back from each, is brought up to date, so that no number of short stages can
    forget a small language.
    """
    limits = {x: max(0, n - done[x]) for x, n in shares.most.items()}
    rest = samples - sum(shares.budgets.values())
    _check(shares, samples, rest, limits, where)
    limits = {x: n for x, n in limits.items() if x in shares.weights}
    exact = filled(rest, shares.weights, limits) if rest else {}
    wanted = {x: share + carried[x] for x, share in exact.items()}
    counts = rounded(rest, wanted, limits)
    carried |= {x: wanted[x] - n for x, n in counts.items() if n < limits.get(x, n + 1)}
    return {x: n for x, n in sorted((counts | shares.budgets).items()) if n}


def _end(mixture: Mixture, last: Shares, begin: int, samples: int) -> int | None:
    """Where the last stage ends, for its shares; None where they do not depend on it."""
    end = mixture.over(samples)
    if end is None:
        return None
    if end <= begin:
        raise ConfigError(
            f"data.mixture: the last stage begins at sample {begin:,} and is planned to end at {end:,}",
            hint="train for more samples, or state data.mixture.over_samples",
        )
    budget = begin + sum(last.budgets.values())
    if last.weights or mixture.over_samples or budget > end:
        return end
    last.notes.append(f"the tokens asked for are reached at sample {budget:,}; the same shares go on after it")
    return budget  # a run has whole batches, so it hardly ends there by itself


def _budgets(rule: Rule, streams: Streams, corpus: Corpus) -> dict[str, int]:
    """Rows of each language whose stream was given tokens, by its mean row."""
    streams.check("data.mixture.tokens", rule.tokens or {})
    budgets: dict[str, int] = {}
    for name, tokens in (rule.tokens or {}).items():
        rows, own = streams.rows[name], sum(corpus[x].tokens for x in streams.members[name])
        wanted = max(1, round(Fraction(tokens * rows, max(1, own))))
        budgets |= rounded(wanted, streams.without(set(streams.members) - {name}).parted({name: wanted}), {})
    return {x: n for x, n in budgets.items() if n}


def _weights(rule: Rule, streams: Streams, rest: Streams, notes: list[str]) -> Mapping[str, float]:
    """The share of each stream of `rest`, in any unit; not named: left out."""
    if rule.weights is not None:
        streams.check("data.mixture.weights", rule.weights)
        if twice := sorted(set(rule.weights) & set(rule.tokens or {})):
            raise ConfigError(f"data.mixture: {', '.join(twice)} has a weight and tokens", hint="give one of the two")
        return {x: share for x, share in rule.weights.items() if share > 0}
    if rule.like:
        return _like_bloom(streams, rest, notes)
    if not rest.rows:
        return {}
    return tempered(rest.rows, 1 / rule.alpha if rule.alpha is not None else rule.temperature or 1.0)


def _like_bloom(streams: Streams, rest: Streams, notes: list[str]) -> dict[str, float]:
    named = bloom_mixture.WEIGHTS
    if not set(named) & set(streams.members):
        raise ConfigError(
            "data.mixture is like BLOOM's, but the corpus has none of its languages", hint="state one of your own"
        )
    if lacking := [x for x in named if x not in streams.members]:
        share = sum(named[x] for x in lacking)
        notes.append(f"the corpus lacks {', '.join(lacking)}: {share:.3%} of BLOOM's samples, which the others share")
    return {x: share for x, share in named.items() if x in rest.members}


def _whole(weights: Mapping[str, float], streams: Streams) -> dict[str, int]:
    """Weights of languages as whole numbers: as they are where they are whole, so that natural shares stay exact."""
    grouped = any(set(streams.members[x]) != {x} for x in weights)
    exact = streams.parted(weights) if grouped else weights
    if all(weight == int(weight) for weight in exact.values()):
        return {x: int(weight) for x, weight in exact.items()}
    return whole_weights(exact)


def _check(shares: Shares, samples: int, rest: int, limits: Mapping[str, int], where: str) -> None:
    """Raises ConfigError where a stage of `samples` cannot be, `rest` of them for languages without a budget."""
    asked = samples - rest
    for x, n in shares.budgets.items():
        if n > limits.get(x, n):
            raise ConfigError(
                f"{where}: the tokens of {x} take {n:,} rows, but max_epochs leaves it {limits[x]:,}",
                hint="ask for fewer tokens, or raise max_epochs",
            )
    if rest < 0:
        raise ConfigError(
            f"{where}: tokens asks for {asked:,} rows, but there are {samples:,} samples",
            hint="ask for fewer tokens, or train for more samples",
        )
    if rest and not shares.weights:
        raise ConfigError(
            f"{where}: tokens asks for {asked:,} rows of {samples:,} samples, and nobody is left for the others",
            hint=f"leave one language without tokens, or make it {asked:,} samples (until, or over_samples)",
        )
    room = sum(limits.get(x, rest) for x in shares.weights)
    if room < rest:
        raise ConfigError(
            f"{where}: max_epochs leaves {room:,} rows of its languages for {rest:,} samples",
            hint="raise max_epochs, or train for fewer samples",
        )
