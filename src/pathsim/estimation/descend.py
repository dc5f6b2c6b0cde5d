"""Many local searches in step, on rough simulations: one call of the solver serves all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from .objective import Derivatives, Objective
from .optimise import Curvature, Models, bounded_steps
from .questions import Question, Search

RADII = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Values cost so much less than derivatives that steps of several lengths are tried at once."""
FEW_RADII = (0.5, 2.0)
"""Steps that are differentiated at once where that suffices."""
FEW_TOGETHER = 4
"""Searches so few that a call costs more than the derivatives of all their steps."""
SMALLEST = 1e-7
RENEW = 5
"""Steps after which Fisher information is computed anew, where that costs more than a gradient."""


@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """Gauss-Newton searches from the ``members`` best points of a population, the worse half given up every ``rounds``
    iterations until ``finalists`` are left: together they cost little more than one.

    A search ends after ``most`` iterations, or when it improves by less than ``tolerance`` log-likelihood units.
    """

    members: int = 32
    rounds: int = 4
    finalists: int = 2
    most: int = 200
    tolerance: float = 1e-2

    def __post_init__(self) -> None:
        if min(self.members, self.rounds, self.finalists, self.most) < 1:
            raise InputError("members, rounds, finalists and most must be at least 1")


class Steerable(Objective, Protocol):
    """An objective that is cheap to evaluate and to differentiate roughly at many vectors."""

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``thetas`` (m, d), with what needs no simulation near its best, and rough values (m,)."""

    def derivatives_many(self, thetas: FloatArray) -> list[Derivatives]:
        """Rough derivatives at each of ``thetas``."""


class Differentiated(Steerable, Protocol):
    """One whose derivatives cost little more than its values."""

    @property
    def derivatives_suffice(self) -> bool:
        """Whether they do, and a value could not be made any better without simulations."""


class Steered(Steerable, Protocol):
    """One whose gradients alone may cost less than its derivatives."""

    def steered_many(self, thetas: FloatArray, fishers: FloatArray) -> list[Derivatives]:
        """As ``derivatives_many``, where quicker with Fisher information ``fishers`` (m, d, d) of points nearby."""


@dataclass(frozen=True)
class Descended:
    """Where the searches ended, best first, the rough ``values`` there, and what it took."""

    members: tuple[FloatArray, ...]
    values: tuple[float, ...]
    evaluations: int
    gradients: int


def descend(
    objective: Steerable,
    begin: Sequence[FloatArray],
    settings: SuccessiveHalving,
    tell: Callable[[str], None] | None = None,
) -> Search[Descended]:
    """Search from each of ``begin``; ``tell`` is called with a line whenever searches are given up."""
    thetas = np.array(begin)
    found: list[Derivatives] = yield Question("derivatives_many", (thetas,))
    walkers = [
        _Walker(theta, derivatives, settings.tolerance)
        for theta, derivatives in zip(thetas, found, strict=True)
        if not derivatives.failure
    ]
    evaluations, gradients = 0, len(thetas)
    kept = list(walkers)
    for iteration in range(1, settings.most + 1):
        active = [walker for walker in kept if not walker.done]
        if not active:
            break
        if len(active) <= FEW_TOGETHER and getattr(objective, "derivatives_suffice", False):
            gradients += yield from _moved_by_derivatives(objective, active)
        else:
            tried, differentiated = yield from _moved_by_values(objective, active)
            evaluations, gradients = evaluations + tried, gradients + differentiated
        if iteration % settings.rounds == 0 and len(kept) > settings.finalists:
            kept = sorted(kept, key=lambda walker: walker.derivatives.value)[
                : max((len(kept) + 1) // 2, settings.finalists)
            ]
            if tell is not None:
                tell(
                    f"{len(kept)} of {len(begin)} descents go on, best log likelihood {-kept[0].derivatives.value:.2f}"
                )
    walkers.sort(key=lambda walker: walker.derivatives.value)
    values = tuple(walker.derivatives.value for walker in walkers)
    return Descended(tuple(walker.theta for walker in walkers), values, evaluations, gradients)


Plans: TypeAlias = list[tuple[FloatArray, Sequence[float]]]
"""Hessians, and the steps to try with each, in radii of the search."""


def _trials(walkers: Sequence[_Walker], plans: Sequence[Plans], objective: Steerable) -> list[FloatArray]:
    """Where the steps of each search's plans lead."""
    parts = [(walker, hessian, factors) for walker, own in zip(walkers, plans, strict=True) for hessian, factors in own]
    models = Models(
        np.array([walker.derivatives.gradient for walker, _, _ in parts]),
        np.array([hessian for _, hessian, _ in parts]),
        np.array([walker.theta for walker, _, _ in parts]),
    )
    which = np.repeat(np.arange(len(parts)), [len(factors) for _, _, factors in parts])
    radii = np.array([walker.radius * factor for walker, _, factors in parts for factor in factors])
    steps, _ = bounded_steps(models, which, radii, objective.lower, objective.upper)
    made, at = [], 0
    for walker, own in zip(walkers, plans, strict=True):
        here = slice(at, at := at + sum(len(factors) for _, factors in own))
        walker.lengths = np.linalg.norm(steps[here], axis=1)
        walker.shortest = min(factor for _, factors in own for factor in factors)
        made.append(np.clip(walker.theta + steps[here], objective.lower, objective.upper))
    return made


def _moved_by_values(objective: Steerable, walkers: Sequence[_Walker]) -> Search[tuple[int, int]]:
    """A step of each search: many are tried, and the best is differentiated. Returns how many of both that took."""
    trials = _trials(walkers, [walker.plans() for walker in walkers], objective)
    made, values = yield Question("refined_many", (np.concatenate(trials),))
    ends = np.cumsum([0, *(len(trial) for trial in trials)])
    moved = [
        walker
        for i, walker in enumerate(walkers)
        if walker.choose(made[ends[i] : ends[i + 1]], values[ends[i] : ends[i + 1]])
    ]
    found = yield from _derivatives(objective, moved)
    for walker, derivatives in found:
        walker.arrive(derivatives)
    return len(made), len(moved)


def _moved_by_derivatives(objective: Steerable, walkers: Sequence[_Walker]) -> Search[int]:
    """A step of each search: few are tried, all of them differentiated, in one call. Returns how many."""
    trials = _trials(walkers, [[(walker.derivatives.fisher, FEW_RADII)] for walker in walkers], objective)
    answer: list[Derivatives] = yield Question("derivatives_many", (np.concatenate(trials),))
    found = iter(answer)
    for walker, made in zip(walkers, trials, strict=True):
        own = [next(found) for _ in made]
        if walker.choose(made, np.array([one.value for one in own])):
            walker.arrive(min(own, key=lambda one: one.value))
    return sum(map(len, trials))


def _derivatives(objective: Steerable, walkers: Sequence[_Walker]) -> Search[list[tuple[_Walker, Derivatives]]]:
    """Derivatives where walkers have come, with the Fisher information they know already where they need no new."""
    old = [walker for walker in walkers if walker.age < RENEW] if hasattr(objective, "steered_many") else []
    new = [walker for walker in walkers if walker not in old]
    found: list[tuple[_Walker, Derivatives]] = []
    if new:
        answer = yield Question("derivatives_many", (np.array([walker.trial for walker in new]),))
        found += zip(new, answer, strict=True)
    if old:
        points, fishers = np.array([w.trial for w in old]), np.array([w.derivatives.fisher for w in old])
        answer = yield Question("steered_many", (points, fishers))
        found += zip(old, answer, strict=True)
    return found


@dataclass(eq=False)
class _Walker:
    theta: FloatArray
    derivatives: Derivatives
    tolerance: float
    radius: float = 1.0
    calm: int = 0
    age: int = 0
    done: bool = False
    trial: FloatArray = field(default_factory=lambda: np.empty(0))
    lengths: FloatArray = field(default_factory=lambda: np.empty(0))
    shortest: float = 1.0

    def __post_init__(self) -> None:
        self.curvature = Curvature(len(self.theta))

    def plans(self) -> Plans:
        """Steps of several lengths, with the Fisher information and with what is known of the rest of the Hessian."""
        fisher = self.derivatives.fisher
        if self.curvature.rest.any():
            return [(fisher, RADII[::2]), (fisher + self.curvature.rest, RADII[1:-1])]
        return [(fisher, RADII)]

    def choose(self, made: FloatArray, values: FloatArray) -> bool:
        """Take the best trial; whether it is better than where the search stands."""
        best = int(np.argmin(values))
        self.gain = self.derivatives.value - float(values[best])
        if not self.gain > 0:
            if self.age > 0:  # the Fisher information is of another point: compute it here
                self.trial, self.length, self.age = self.theta, self.radius, RENEW
                return True
            self._shorten()
            return False
        self.trial, self.length = made[best], float(self.lengths[best])
        return True

    def arrive(self, derivatives: Derivatives) -> None:
        """Go on from the trial."""
        gain = self.derivatives.value - derivatives.value
        if self.trial is self.theta and not derivatives.failure:
            self.derivatives, self.age = derivatives, 0
            return
        if derivatives.failure or not gain > 0:
            self._shorten()
            return
        old = np.array_equal(derivatives.fisher, self.derivatives.fisher)
        self.curvature.learn(self.trial - self.theta, self.derivatives, derivatives, gain)
        self.theta, self.derivatives = self.trial, derivatives
        self.radius = max(self.length, SMALLEST)
        self.calm = self.calm + 1 if gain < self.tolerance else 0
        self.age = 0 if not old else RENEW if self.calm else self.age + 1
        self.done = self.calm >= 3

    def _shorten(self) -> None:
        self.radius *= 0.5 * self.shortest
        self.curvature.rest[:] = 0.0
        self.done = self.radius < SMALLEST or not math.isfinite(self.derivatives.value)
