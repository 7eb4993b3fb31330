"""A scaling law through small runs: what a larger model, or more tokens, would come to.

    [(parameters, tokens, loss), ...]  ->  Law: L(N, D) = E + A / N^a + B / D^b

Form and fit are those of Hoffmann et al. 2022 (arXiv:2203.15556, section 3.3 and appendix D.2): the Huber loss (1e-3)
of the logarithm of L is minimised, from many starting points. A term whose variable does not vary is left out, and E
holds what it would be. Here by damped Gauss-Newton steps in NumPy. Never trusts a fit beyond telling how far off it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pretrain.errors import InputError

Observation = tuple[float, float, float]  # parameters, tokens, loss in nats a token
_HUBER = 1e-3
_LEAST = {1: 4, 2: 6}  # observations that a law in one, in two variables wants: one more than it has coefficients
_STARTS = (0.15, 0.4, 0.8)  # exponents
_STEPS = 200
_PERFECT = 1e-24  # rounding


@dataclass(frozen=True)
class Law:
    """L(N, D) = floor + a_size / N^by_size + a_data / D^by_data; a term that was left out has 0 for a."""

    floor: float
    a_size: float
    by_size: float
    a_data: float
    by_data: float
    off: float  # root mean square of what it misses the observations by, relative

    def loss(self, parameters: float, tokens: float) -> float:
        """Nats a token. Chinchilla's, at 70e9 and 1.4e12: 1.69 + 406.4 / 70e9^0.34 + 410.7 / 1.4e12^0.28 = 1.937."""
        size = self.a_size / parameters**self.by_size if self.a_size else 0.0
        data = self.a_data / tokens**self.by_data if self.a_data else 0.0
        return self.floor + size + data

    def optimal(self, flops: float) -> tuple[float, float] | None:
        """(parameters, tokens) that make the most of so many FLOPs, at 6 N D; None of a law in one variable.

        Source: Hoffmann et al. 2022, equation 4.
        """
        if not (self.a_size and self.a_data):
            return None
        both = self.by_size + self.by_data
        g = (self.by_size * self.a_size / (self.by_data * self.a_data)) ** (1 / both)
        return g * (flops / 6) ** (self.by_data / both), (flops / 6) ** (self.by_size / both) / g

    @property
    def sound(self) -> bool:
        """Whether the exponents are those of a power law that could be seen in small runs at all."""
        there = [power for a, power in ((self.a_size, self.by_size), (self.a_data, self.by_data)) if a]
        return all(0.02 < power < 3 for power in there)

    def __str__(self) -> str:
        size = f" + {self.a_size:.4g} / N^{self.by_size:.3f}" if self.a_size else ""
        data = f" + {self.a_data:.4g} / D^{self.by_data:.3f}" if self.a_data else ""
        return f"L = {self.floor:.3f}{size}{data}"


def fit(observations: Sequence[Observation]) -> Law:
    """Raises InputError where there are too few observations for a law, or too few values of what varies."""
    seen = np.array(observations, dtype=np.float64).reshape(-1, 3)
    varied = [i for i in (0, 1) if len(set(seen[:, i])) > 1]
    _refuse_few(seen, varied)
    centre = np.exp(np.log(seen[:, varied]).mean(0))  # in units of the middle one, exponents and factors are told apart
    scaled, target = np.log(seen[:, varied] / centre), np.log(seen[:, 2])
    found = min((_descend(scaled, target, start) for start in _starts(target, len(varied))), key=lambda x: x[0])[1]
    terms = {0: (0.0, 0.0), 1: (0.0, 0.0)}
    for k, i in enumerate(varied):
        log_a, power = found[1 + 2 * k : 3 + 2 * k]
        terms[i] = (math.exp(log_a + power * math.log(centre[k])), float(power))
    missed = _predict(found, scaled)[0] - target
    return Law(math.exp(found[0]), *terms[0], *terms[1], off=float(np.sqrt((missed**2).mean())))


def _refuse_few(seen: np.ndarray, varied: list[int]) -> None:
    names = ("sizes", "numbers of tokens")
    wanted = _LEAST[max(1, len(varied))]
    values = [f"{len(set(seen[:, i]))} {names[i]}" for i in (varied or [0])]
    if not varied or len(seen) < wanted or any(len(set(seen[:, i])) < 3 for i in varied):
        raise InputError(
            f"a law wants {wanted} runs and 3 values of each thing that varies; here are {len(seen)} and "
            + " and ".join(values),
            hint="sweep more: --shape 2x64x4,3x96x6,4x128x8,6x192x12 or --steps 100,200,400,800",
        )


def _starts(target: np.ndarray, terms: int) -> list[np.ndarray]:
    """(1 + 2 terms,) each: ln E, then ln A and exponent of each term."""
    low = target.min()
    found = []
    for share in (0.3, 0.6, 0.9):
        rest = math.log(max(1e-6, math.exp(target.mean()) - share * math.exp(low)) / terms)
        for powers in itertools.product(_STARTS, repeat=terms):
            found.append(np.array([low + math.log(share), *(x for power in powers for x in (rest, power))]))
    return found


def _predict(theta: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) ln L and (n, 1 + 2 terms) its derivatives: softmax weights of the terms, times what each depends on."""
    parts = [np.full(len(scaled), theta[0])]
    parts += [theta[1 + 2 * k] - theta[2 + 2 * k] * scaled[:, k] for k in range(scaled.shape[1])]
    logs = np.stack(parts, 1)  # (n, 1 + terms)
    total = np.logaddexp.reduce(logs, axis=1)
    weight = np.exp(logs - total[:, None])
    columns = [weight[:, 0]]
    for k in range(scaled.shape[1]):
        columns += [weight[:, 1 + k], -weight[:, 1 + k] * scaled[:, k]]
    return total, np.stack(columns, 1)


def _huber(missed: np.ndarray) -> float:
    far = np.abs(missed)
    return float(np.where(far <= _HUBER, far**2 / 2, _HUBER * (far - _HUBER / 2)).sum())


def _descend(scaled: np.ndarray, target: np.ndarray, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """(Huber loss, where it is reached): steps that are taken only where they lead down."""
    damp = 1e-2
    total, slope = _predict(theta, scaled)
    best = _huber(total - target)
    for _ in range(_STEPS):
        if best < _PERFECT:
            break
        missed = total - target
        trust = np.minimum(1.0, _HUBER / np.maximum(np.abs(missed), 1e-300))[:, None]
        curve = slope.T @ (trust * slope)
        move = np.linalg.lstsq(curve + damp * np.diag(np.diag(curve) + 1e-12), -slope.T @ (trust[:, 0] * missed))[0]
        there = theta + np.clip(move, -2.0, 2.0)
        total_there, slope_there = _predict(there, scaled)
        if (now := _huber(total_there - target)) < best:
            theta, total, slope, best, damp = there, total_there, slope_there, now, max(1e-12, damp / 3)
        elif damp > 1e8:
            break
        else:
            damp *= 4
    return best, theta
