"""Where to start: a small population evolved on rough simulations, many at once.

Bounds of many decades are mostly flat: outputs saturate or vanish and no local search gets out. Where an objective can
be evaluated at many vectors in one call, each start first evolves a population of its own and begins from its best.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from .objective import Objective
from .questions import Question, Search


@dataclass(frozen=True, slots=True)
class DifferentialEvolution:
    """Adaptive differential evolution before each local search (J. Zhang and A. C. Sanderson, IEEE Trans. Evol.
    Comput. 13, 945 (2009)).

    ``members`` are the best of ``crowd`` times as many random points. Ends after ``generations``, or sooner when half
    of the members are within ``collapsed`` log-likelihood units of the best: the rest is for the local search.
    """

    members: int = 64
    generations: int = 200
    crowd: int = 4
    collapsed: float = 2.0

    def __post_init__(self) -> None:
        if self.members < 4 or self.crowd < 1:
            raise InputError(f"members must be at least 4 and crowd at least 1, not {self.members} and {self.crowd}")
        if self.generations < 0:
            raise InputError(f"generations must not be negative, not {self.generations}")


class Screenable(Objective, Protocol):
    """An objective that is cheap to evaluate roughly at many vectors."""

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``thetas`` (m, d), with what needs no simulation near its best, and rough values (m,); infinite where they
        fail."""


@dataclass(frozen=True)
class Evolved:
    """Members that could be evaluated, best first; how many evaluations that took, and how many failed."""

    members: tuple[FloatArray, ...]
    evaluations: int
    failed: int


def evolve(
    objective: Screenable,
    settings: DifferentialEvolution,
    rng: np.random.Generator,
    sample: Callable[[int], FloatArray],
) -> Search[Evolved]:
    """Evolve a population of points, so many of which ``sample`` draws."""
    m = settings.members
    x, f = yield Question("refined_many", (sample(settings.crowd * m),))
    evaluations, failed = len(f), int((~np.isfinite(f)).sum())
    best = np.argsort(f, kind="stable")[:m]
    x, f = x[best], f[best]
    scale, crossing = 0.5, 0.5
    for _ in range(settings.generations):
        if not math.isfinite(f.min()) or np.median(f) - f.min() < settings.collapsed:
            break
        scales = np.clip(scale + 0.1 * rng.standard_cauchy(m), 0.05, 1.0)
        crossings = np.clip(crossing + 0.1 * rng.standard_normal(m), 0.05, 1.0)
        trial, value = yield Question("refined_many", (_offspring(objective, rng, x, f, scales, crossings),))
        evaluations, failed = evaluations + m, failed + int((~np.isfinite(value)).sum())
        won = value < f
        if won.any():
            scale = 0.9 * scale + 0.1 * float((scales[won] ** 2).sum() / scales[won].sum())
            crossing = 0.9 * crossing + 0.1 * float(crossings[won].mean())
        x, f = np.where(won[:, None], trial, x), np.where(won, value, f)
    order = np.argsort(f, kind="stable")
    return Evolved(tuple(x[i] for i in order if math.isfinite(f[i])), evaluations, failed)


def _offspring(
    objective: Objective,
    rng: np.random.Generator,
    x: FloatArray,
    f: FloatArray,
    scales: FloatArray,
    crossings: FloatArray,
) -> FloatArray:
    """current-to-pbest/1 with binomial crossover; what leaves the bounds comes back half way."""
    m, d = x.shape
    elite = np.argsort(f, kind="stable")[: max(2, m // 10)]
    towards = x[rng.choice(elite, m)] - x
    along = x[rng.integers(m, size=m)] - x[rng.integers(m, size=m)]
    made = x + scales[:, None] * (towards + along)
    made = np.where(made < objective.lower, 0.5 * (objective.lower + x), made)
    made = np.where(made > objective.upper, 0.5 * (objective.upper + x), made)
    taken = rng.random((m, d)) < crossings[:, None]
    taken[np.arange(m), rng.integers(d, size=m)] = True
    return np.where(taken, made, x)
