"""Where independent searches begin: at draws from the priors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..arrays import FloatArray
from ..errors import SimulationError
from ..estimation.problem import Problem
from ..estimation.records import TableParameter

MOST_TRIED = 50


def drawn_starts(problem: Problem, count: int, seed: int = 0) -> list[FloatArray]:
    """Starts (d,) drawn from the priors, within bounds, each the first of its draws that can be evaluated.

    Raises :class:`SimulationError` where none can.
    """
    objective = problem.objective()
    return [_drawn(problem, objective.value, np.random.default_rng([seed, number])) for number in range(count)]


def _drawn(problem: Problem, value: Callable[[FloatArray], tuple[float, str]], rng: np.random.Generator) -> FloatArray:
    why = ""
    for _ in range(MOST_TRIED):
        theta = np.array(
            [
                rng.normal(known[0], known[1]) if known else rng.uniform(low, high)
                for known, low, high in zip(map(_normal, _free(problem)), problem.lower, problem.upper, strict=True)
            ]
        ).clip(problem.lower, problem.upper)
        found, why = value(theta)
        if math.isfinite(found):
            return theta
    raise SimulationError(f"none of {MOST_TRIED} draws from the priors can be evaluated: {why}")


def prior_widths(problem: Problem) -> FloatArray:
    """The standard deviations (d,) of normal priors, and the widths of the bounds where there is none."""
    widths = zip(map(_normal, _free(problem)), problem.upper - problem.lower, strict=True)
    return np.array([known[1] if known else width for known, width in widths])


def _free(problem: Problem) -> list[TableParameter]:
    return [parameter for parameter in problem.parameters if parameter.estimated]


def _normal(parameter: TableParameter) -> tuple[float, ...]:
    """Mean and standard deviation, on scale, of a normal prior; nothing where it is none."""
    prior = parameter.prior
    known = prior is not None and prior.distribution == "normal" and (prior.on_scale or parameter.scale == "lin")
    return prior.parameters if prior is not None and known else ()
