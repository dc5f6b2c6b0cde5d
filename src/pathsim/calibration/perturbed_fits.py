"""Parameter sets that fit equally well: the calibration repeated on perturbed data and prior, all sets side by side.

Randomise, then optimise (J. M. Bardsley, A. Solonen, H. Haario and M. Laine, SIAM J. Sci. Comput. 36, A1895 (2014)):
each set minimises the same squares after one draw of noise has been added to every residual, the prior's included.
For a linear model that samples the posterior exactly; where the Laplace approximation leaves the valley, these follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray
from .calibration import FARTHEST_STEP, Calibration, clipped, evaluate


@dataclass(frozen=True)
class PerturbedFits:
    """``sets`` (logarithms of the constants) and the misfit of each to the unperturbed data over that of the best fit.

    ``refused`` counts those whose misfit exceeded the tolerance.
    """

    sets: tuple[FloatArray, ...]
    misfit: FloatArray
    refused: int


def perturbed_fits(
    state: Calibration, size: int, seed: int, report: Callable[[str], None], tolerance: float = 1.15, rounds: int = 5
) -> PerturbedFits:
    """``size`` sets (or fewer, if that many cannot be found) whose data misfit is within ``tolerance`` of the best.

    Gauss-Newton with the Jacobian of the best fit; a step that does not help is shortened. The sets kept are the first
    that pass: nobody chooses the band they span.
    """
    rng = np.random.default_rng(seed)
    kept: list[FloatArray] = []
    misfits: list[float] = []
    refused = 0
    for _ in range(3):
        if len(kept) >= size:
            break
        wanted = max(12, round(1.3 * (size - len(kept))))
        for x, misfit in zip(*_fit_together(state, rng, wanted, rounds, report), strict=True):
            if misfit <= tolerance:
                kept.append(x)
                misfits.append(misfit)
            else:
                refused += 1
        report(f"{len(kept)} parameter sets within {tolerance:g} of the best misfit, {refused} refused")
    return PerturbedFits(tuple(kept[:size]), np.array(misfits[:size]), refused)


def _fit_together(
    state: Calibration, rng: np.random.Generator, count: int, rounds: int, report: Callable[[str], None]
) -> tuple[FloatArray, FloatArray]:
    """Vectors (count, constants) of perturbed fits and their misfit to the data as measured, over the best."""
    noise = rng.standard_normal((count, len(state.residuals)))
    jacobian = state.jacobian
    normal = jacobian.T @ jacobian
    solve = np.linalg.inv(normal + 1e-3 * np.diag(np.diag(normal)))
    x = np.tile(state.x, (count, 1))
    residuals = np.tile(state.residuals, (count, 1))
    cost = ((residuals + noise) ** 2).sum(axis=1)
    length = np.ones(count)
    for number in range(rounds):
        step = -((residuals + noise) @ jacobian) @ solve.T
        step = np.clip(step, -FARTHEST_STEP, FARTHEST_STEP) * length[:, None]
        points = [clipped(at + move, state.constants) for at, move in zip(x, step, strict=True)]
        found = np.array(evaluate(state, points))
        value = ((found + noise) ** 2).sum(axis=1)
        better = value < cost
        x[better], residuals[better], cost[better] = np.array(points)[better], found[better], value[better]
        length = np.where(better, np.minimum(1.0, 1.5 * length), 0.4 * length)
        report(f"perturbed fits, round {number + 1} of {rounds}: median cost {np.median(cost):.1f}")
    data = slice(None, -len(state.constants))
    return x, (residuals[:, data] ** 2).sum(axis=1) / state.data_cost
