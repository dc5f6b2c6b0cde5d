"""Parameter sets that fit equally well: the fit repeated on perturbed data and priors.

Randomise, then optimise (J. M. Bardsley, A. Solonen, H. Haario and M. Laine, SIAM J. Sci. Comput. 36, A1895 (2014)):
each set is the best fit after one draw of noise has been added to every measurement and every prior. For a linear
problem with normal noise that samples the posterior exactly; where its normal approximation leaves the valley, these
follow. With hundreds of parameters it stays affordable where importance weights degenerate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, SimulationError
from ..stats.noise import scaled, unscaled
from ..threads import Workers
from ..workers import finished
from .objective import rough_derivatives
from .optimise import Ledger, QuasiNewton, quasi_newton
from .posterior import Posterior
from .problem import Problem
from .questions import alone
from .records import TableParameter

SEARCH = QuasiNewton(tolerance=0.1, most=12)
"""Half a unit of log likelihood is what a set of parameters differs by from its neighbour; a tenth is soon reached."""


@dataclass(frozen=True, eq=False)
class PerturbedFits:
    """Parameter vectors ``theta`` (n, d), on scale, and the ``misfit`` (n,) of each to the data as measured, as the
    difference of the negative log likelihood to that of the best fit. ``refused``: vectors left out for their misfit.
    """

    theta: FloatArray
    misfit: FloatArray
    refused: int


def perturbed_fits(
    problem: Problem,
    theta: FloatArray,
    size: int,
    seed: int = 0,
    workers: Workers = None,
    any_processor: bool = False,
    *,
    farthest: float = math.inf,
    search: QuasiNewton = SEARCH,
    report: Callable[[str], None] | None = None,
    known: Mapping[int, FloatArray] = MappingProxyType({}),
    keep: Callable[[int, FloatArray], None] | None = None,
) -> PerturbedFits:
    """``size`` fits to perturbed data, each begun at the best fit ``theta``.

    Those whose misfit exceeds ``farthest`` are left out; nobody chooses among the others. Measurements without a size
    of noise, and one-sided ones, stay as they are. Set i is the same whatever the number of ``workers``, who
    have this processor unless they may have ``any_processor``. ``known`` are vectors that an earlier run has found, by
    number, which are not fitted again; ``keep`` is called with the number and the vector of each that this one finds.

    Raises:
        InputError: ``size`` below 1. SimulationError: the best fit cannot be evaluated.
    """
    if size < 1:
        raise InputError(f"a sample needs at least 1 member, not {size}")
    best = -problem.log_likelihood(theta)
    found = {number: known[number] for number in range(size) if number in known}
    missing = [number for number in range(size) if number not in found]
    job = _Job(problem, theta, seed, search, _fisher(problem, theta)) if missing else None
    for place, vector in finished(job, missing, workers, any_processor) if job else ():
        found[missing[place]] = vector
        if keep is not None:
            keep(missing[place], vector)
        if report is not None:
            report(f"{len(found)} of {size} fits to perturbed data")
    thetas = np.array([found[number] for number in range(size)])
    misfit = np.array([-problem.evaluate(vector).log_likelihood - best for vector in thetas])
    kept = misfit <= farthest
    return PerturbedFits(thetas[kept], misfit[kept], int((~kept).sum()))


@dataclass(frozen=True, eq=False)
class _Job:
    problem: Problem
    theta: FloatArray
    seed: int
    search: QuasiNewton
    fisher: FloatArray

    def __call__(self, number: int) -> FloatArray:
        objective = perturbed(self.problem, self.theta, np.random.default_rng([self.seed, number]))
        search = quasi_newton(Ledger(objective), self.theta, self.search, self.fisher)
        return alone(objective, search).theta


def _fisher(problem: Problem, theta: FloatArray) -> FloatArray:
    derivatives = rough_derivatives(problem.objective(), theta)
    if derivatives.failure:
        raise SimulationError(f"the best fit cannot be evaluated: {derivatives.failure}")
    return derivatives.fisher


def perturbed(problem: Problem, theta: FloatArray, rng: np.random.Generator) -> Posterior:
    """The negative log posterior of a problem whose data and priors have been given one draw of noise each."""
    evaluation = problem.evaluate(theta)
    data = []
    for part, sigma in zip(problem.description.parts, evaluation.noises, strict=True):
        rows = part.measurements
        values = np.array([row.value for row in rows])
        scales = [part.observables[row.observable].family.scale for row in rows]
        moved = np.array([row.side == 0 for row in rows]) & np.isfinite(sigma)
        noise = np.where(moved, sigma * rng.standard_normal(len(rows)), 0.0)
        drawn = np.empty(len(rows))
        for scale in set(scales):
            own = np.array([one == scale for one in scales])
            drawn[own] = unscaled(scaled(values[own], scale) + noise[own], scale)
        data.append(np.where(moved, drawn, values))
    return Posterior(problem.setup.altered(data, tuple(_moved(one, rng) for one in problem.parameters)))


def _moved(parameter: TableParameter, rng: np.random.Generator) -> TableParameter:
    """The parameter with the centre of a normal prior drawn anew."""
    prior = parameter.prior
    if prior is None or prior.distribution != "normal" or not parameter.estimated:
        return parameter
    mean, sd = prior.parameters
    return replace(parameter, prior=replace(prior, parameters=(mean + sd * float(rng.standard_normal()), sd)))
