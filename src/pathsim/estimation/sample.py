"""Posterior samples by ensemble MCMC (emcee), with the diagnostics that say whether to believe them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import shown
from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..linear_algebra import one_thread
from ..progress import bar
from ..shown import Shown
from ..threads import Workers
from ..workers import crew
from .inference_data import draws_of
from .objective import Objective, all_values
from .result import Fit
from .scales import values_of
from .uncertainty import Ensemble

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Sampled:
    """``chain`` (steps, walkers, d) on scale, after burn-in; ``log_posterior`` (steps, walkers); ``acceptance``."""

    fit: Fit
    chain: FloatArray
    log_posterior: FloatArray
    acceptance: float

    def _shown(self) -> Shown:
        steps, walkers, count = self.chain.shape
        said = f"Posterior sample: {steps} steps of {walkers} walkers, {count} parameters"
        return Shown(f"{said}, acceptance {self.acceptance:.2f}", self.table)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per parameter: quantiles (not on scale), split R-hat, autocorrelation time and effective draws.

        R-hat near 1 (below 1.05) says the walkers agree (A. Gelman et al., Bayesian Data Analysis, 3rd edition, 11.4).
        """
        import pandas as pd

        steps, walkers, _ = self.chain.shape
        rows = []
        for k, (name, scale) in enumerate(zip(self.fit.names, self.fit.objective.scales, strict=True)):
            draws = self.chain[:, :, k]
            low, middle, high = (
                float(values_of(np.array([q]), (scale,))[0]) for q in np.quantile(draws, [0.025, 0.5, 0.975])
            )
            time = autocorrelation_time(draws)
            rows.append(
                {
                    "parameter": name,
                    "median": middle,
                    "lower": low,
                    "upper": high,
                    "r_hat": split_r_hat(draws),
                    "autocorrelation_time": time,
                    "effective_draws": steps * walkers / time,
                }
            )
        return pd.DataFrame(rows)

    def to_arviz(self) -> Any:
        """The draws as an ``arviz.InferenceData``, one chain per walker, with the measurements.

        Groups: ``posterior`` (each parameter by its name, not on scale), ``sample_stats`` (``lp``), ``observed_data``
        and ``constant_data`` (the table's other columns) where a problem was fitted. Raises :class:`InputError` where
        the package arviz is not installed.

        >>> arviz.summary(ps.sample(fit, steps=2000).to_arviz())  # doctest: +SKIP
        """
        names, scales = self.fit.names, self.fit.objective.scales
        chain, log_posterior = np.swapaxes(self.chain, 0, 1), np.swapaxes(self.log_posterior, 0, 1)
        return draws_of(names, scales, chain, log_posterior, self.fit.known_problem)

    def ensemble(self, size: int = 100, seed: int = 0) -> Ensemble:
        """Draws of the chain, for prediction intervals."""
        flat = self.chain.reshape(-1, self.chain.shape[2])
        chosen = np.random.default_rng(seed).choice(len(flat), size=min(size, len(flat)), replace=False)
        return Ensemble(self.fit, flat[chosen], float(self.table["effective_draws"].min()))


@checked
@one_thread()
def sample(
    fit: Fit,
    steps: int = 1000,
    walkers: int | None = None,
    seed: int = 0,
    burn_in: float = 0.3,
    report: Callable[[int], None] | None = None,
    *,
    workers: Workers = 1,
) -> Sampled:
    """Draw from the posterior (flat within the bounds, times the priors) around the best fit.

    Args:
        steps: steps of every walker, burn-in included.
        walkers: default four per parameter, at least 16.
        burn_in: share of the steps that is thrown away.
        report: called with the number of steps done, ten times.
        workers: as of :func:`fit`; the walkers of a step are shared out. By default they are simulated together here.

    Raises:
        InputError: emcee is not installed, or numbers that make no sense.

    >>> drawn = ps.sample(fit, steps=2000)  # doctest: +SKIP
    >>> drawn.table  # doctest: +SKIP
    """
    try:
        import emcee
    except ImportError:
        raise InputError("sampling needs the package 'emcee': pip install emcee") from None
    objective, d = fit.objective, len(fit.names)
    count = walkers or max(16, 4 * d)
    if count < 2 * d or steps < 10 or not 0 <= burn_in < 1:
        raise InputError(f"at least {2 * d} walkers, 10 steps and a burn_in in [0, 1) are needed")

    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(objective.derivatives(fit.theta).fisher)
    spread = np.minimum(1.0 / np.sqrt(np.maximum(values, 1e-12)), 0.05 * np.max(objective.upper - objective.lower))
    start = fit.theta + 0.3 * (rng.standard_normal((count, d)) * spread) @ vectors.T
    edge = 1e-6 * (objective.upper - objective.lower) * rng.random((count, d))  # walkers must not lie in a plane
    start = np.clip(start, objective.lower + edge, objective.upper - edge)
    with crew(workers, count) as hands, bar("MCMC: steps", steps) as further:

        def log_posterior(thetas: FloatArray) -> FloatArray:
            inside = ((thetas >= objective.lower) & (thetas <= objective.upper)).all(axis=1)
            found = np.full(len(thetas), -math.inf)
            pieces = np.array_split(np.flatnonzero(inside), min(hands.count, max(1, int(inside.sum()))))
            for place, values in hands.finished(_Values(objective), [thetas[piece] for piece in pieces]):
                found[pieces[place]] = -values
            return found

        sampler = emcee.EnsembleSampler(count, d, log_posterior, vectorize=True)
        sampler.random_state = np.random.RandomState(rng.integers(2**31)).get_state()
        for done, _ in enumerate(sampler.sample(start, iterations=steps), start=1):
            further()
            if report is not None and done % max(steps // 10, 1) == 0:
                report(done)
    first = int(burn_in * steps)
    return Sampled(
        fit, sampler.get_chain()[first:], sampler.get_log_prob()[first:], float(np.mean(sampler.acceptance_fraction))
    )


@dataclass(frozen=True, eq=False)
class _Values:
    """The values of an objective at vectors (m, d)."""

    objective: Objective

    def __call__(self, thetas: FloatArray) -> FloatArray:
        return all_values(self.objective, thetas)


def split_r_hat(draws: FloatArray) -> float:
    """Potential scale reduction of (steps, walkers), each walker cut in two."""
    half = len(draws) // 2
    return r_hat(np.concatenate([draws[:half], draws[half : 2 * half]], axis=1))


def r_hat(chains: FloatArray) -> float:
    """Potential scale reduction of (draws, chains); NaN for a single draw, or for draws that are all the same."""
    count = len(chains)
    if count < 2:
        return math.nan
    within = float(np.mean(np.var(chains, axis=0, ddof=1)))
    between = count * float(np.var(np.mean(chains, axis=0), ddof=1))
    return math.sqrt(((count - 1) / count * within + between / count) / within) if within > 0 else math.nan


def autocorrelation_time(draws: FloatArray) -> float:
    """Integrated autocorrelation time of (steps, walkers), with the window of J. Goodman and J. Weare (2010)."""
    steps = len(draws)
    centred = draws - draws.mean(axis=0)
    spectrum = np.abs(np.fft.rfft(centred, 2 * steps, axis=0)) ** 2
    total = np.fft.irfft(spectrum, axis=0)[:steps].mean(axis=1)
    if total[0] <= 0:
        return math.nan
    times = 2.0 * np.cumsum(total / total[0]) - 1.0
    window = np.flatnonzero(np.arange(steps) >= 5.0 * times)
    return float(max(times[window[0] if window.size else -1], 1.0))
