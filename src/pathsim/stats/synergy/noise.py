"""The noise of wells, and bootstrap samples of every mean response.

With replicates, residuals around the means of their conditions are pooled and drawn anew (each enlarged by
``sqrt(n / (n - 1))`` for the mean it was measured from). Without replicates the noise is the scatter of the single
drugs around their Hill curves, drawn as normal with the uncertainty of that scatter. Failing both there is no interval.
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import FloatArray
from .. import logistic
from .wells import Conditions, Wells


def resampled_means(wells: Wells, conditions: Conditions, resamples: int, seed: int) -> tuple[FloatArray | None, str]:
    """Bootstrap means (resamples, conditions), or None, and in words what they rest on."""
    if resamples < 1:
        return None, "nothing: no resamples were asked for"
    draw = np.random.default_rng(seed)
    pool = replicate_residuals(wells, conditions)
    counts = conditions.counts
    if len(pool):
        replicated = int((counts > 1).sum())
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        errors = pool[draw.integers(len(pool), size=(resamples, int(counts.sum())))]
        means = conditions.means + np.add.reduceat(errors, first, axis=1) / counts
        return means, f"a bootstrap of {resamples} resamples of the replicates of {replicated} conditions"
    sd, freedom = curve_scatter(conditions)
    if freedom < 1:
        return None, "nothing: no replicates, and too few single-drug doses to see the scatter around a Hill curve"
    scale = sd * np.sqrt(freedom / draw.chisquare(freedom, size=(resamples, 1)))
    means = conditions.means + scale * draw.normal(size=(resamples, len(counts)))
    return means, (
        f"{resamples} resamples with the scatter of the single drugs around their Hill curves "
        f"({100 * sd:.2g} percentage points, {freedom} degrees of freedom; no replicates)"
    )


def replicate_residuals(wells: Wells, conditions: Conditions) -> FloatArray:
    """Residuals of replicated wells, enlarged to the spread of single wells; empty without replicates."""
    counts = conditions.counts[conditions.where]
    again = counts > 1
    residuals = (wells.viability - conditions.means[conditions.where])[again]
    return np.asarray(residuals * np.sqrt(counts[again] / (counts[again] - 1.0)))


def curve_scatter(conditions: Conditions) -> tuple[float, int]:
    """Standard deviation of single-drug means around Hill curves, and its degrees of freedom (0: cannot be told)."""
    rss, freedom = 0.0, 0
    for drug in range(len(conditions.drugs)):
        doses, means = single_drug(conditions, drug)
        if len(doses) > 4:
            rss += float(logistic.fit_many(doses, means[None]).rss[0])
            freedom += len(doses) - 4
    return (math.sqrt(rss / freedom), freedom) if freedom else (math.nan, 0)


def single_drug(conditions: Conditions, drug: int) -> tuple[FloatArray, FloatArray]:
    """Doses and mean viabilities of one drug alone, the untreated condition first if it was measured."""
    rows = list(conditions.alone(drug))
    if conditions.untreated is not None:
        rows.insert(0, conditions.untreated)
    return conditions.doses[rows, drug], conditions.means[rows]
