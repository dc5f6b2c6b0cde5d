"""Profile-likelihood intervals of a Hill curve (Bates & Watts 1988, Nonlinear Regression Analysis, chapter 6).

A parameter is moved away from its estimate, the others are fitted again, and the interval ends where the rise of the
residual sum of squares, ``(rss - rss_min) / s2``, reaches the squared t quantile. An end that is never reached inside
the limits of the fit is open: the data do not bound the parameter on that side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, FloatArray
from . import logistic
from .logistic import Model

_ROUNDS = 60
_TOLERANCE = 1e-4
LEAST_SPREAD = 1e-5
"""Residuals smaller than this share of the responses are none: no assay reads so finely."""


class Span(NamedTuple):
    """The ends of an interval; infinite where it is open."""

    low: float
    high: float


class Data(NamedTuple):
    """What a curve was fitted to, and how: doses, responses, weights (n,); estimate and held values (4,)."""

    doses: FloatArray
    responses: FloatArray
    weights: FloatArray
    theta: FloatArray
    held: FloatArray
    limits: FloatArray


def parameter_span(data: Data, which: int, se: float, confidence: float, freedom: int) -> Span:
    """Interval of parameter ``which`` (on its own scale, logarithmic for ec50 and h) around the estimate."""
    model = logistic.curve_model(data.doses)
    held = ~np.isnan(data.held)
    held[which] = True

    def refit(value: float, start: FloatArray) -> tuple[float, FloatArray]:
        moved = start.copy()
        moved[which] = value
        return _refit(model, data, moved, held)

    limits = (float(data.limits[0, which]), float(data.limits[1, which]))
    return _span(refit, float(data.theta[which]), se, limits, data, confidence, freedom)


def dose_span(data: Data, log_dose: float, fraction: float, se: float, confidence: float, freedom: int) -> Span:
    """Interval of the logarithm of the dose where the response is ``fraction`` of the top."""
    free = np.flatnonzero(np.isnan(data.held))
    if 2 not in free:
        return Span(-math.inf, math.inf)
    held = ~np.isnan(data.held)
    held[2] = True

    def refit(value: float, start: FloatArray) -> tuple[float, FloatArray]:
        moved = start.copy()
        moved[2] = value
        return _refit(dose_model(data.doses, fraction), data, moved, held)

    start = data.theta.copy()
    start[2] = log_dose
    limits = (float(data.limits[0, 2]), float(data.limits[1, 2]))
    return _span(refit, log_dose, se, limits, data._replace(theta=start), confidence, freedom)


Refit = Callable[[float, FloatArray], tuple[float, FloatArray]]


def _refit(model: Model, data: Data, start: FloatArray, held: BoolArray) -> tuple[float, FloatArray]:
    least_rss = 1e-3 * LEAST_SPREAD**2 * float(data.weights @ data.responses**2)
    found = logistic.descend(model, data.responses[None], data.weights, start[None], held[None], data.limits, least_rss)
    return float(found.rss[0]), found.theta[0]


def _span(
    refit: Refit, estimate: float, se: float, limits: tuple[float, float], data: Data, confidence: float, freedom: int
) -> Span:
    from scipy.special import stdtrit  # slow to load, and only wanted here

    least, theta = refit(estimate, data.theta)
    size = float(np.mean(data.responses**2))
    variance = max(least / freedom, LEAST_SPREAD**2 * size)
    target = float(stdtrit(freedom, 0.5 + confidence / 2))
    if least / freedom <= 1e-24 * size + 1e-300:
        return Span(estimate, estimate)
    first = se if math.isfinite(se) and se > 0 else 0.1
    ends = []
    for side, limit in ((-1.0, limits[0]), (1.0, limits[1])):
        ends.append(_end(refit, estimate, side, first, limit, theta, least, variance, target))
    return Span(*ends)


def _end(
    refit: Refit,
    estimate: float,
    side: float,
    step: float,
    limit: float,
    theta: FloatArray,
    least: float,
    variance: float,
    target: float,
) -> float:
    """The value on one side of the estimate where the profile t statistic reaches ``target``."""

    def distance(value: float, start: FloatArray) -> tuple[float, FloatArray]:
        rss, moved = refit(value, start)
        return math.sqrt(max(rss - least, 0.0) / variance) - target, moved

    inside, below, warm = estimate, -target, theta
    reach = step * target
    outside = above = math.nan
    for _ in range(_ROUNDS):
        value = estimate + side * reach
        at_limit = side * (value - limit) >= 0
        value = limit if at_limit else value
        found, moved = distance(value, warm)
        if found >= 0:
            outside, above = value, found
            break
        if at_limit:
            return side * math.inf
        inside, below, warm = value, found, moved
        reach *= 1.6
    else:
        return side * math.inf
    for _ in range(_ROUNDS):
        weight = below / (below - above) if math.isfinite(above) else 0.5
        value = inside + min(max(weight, 0.05), 0.95) * (outside - inside)
        found, moved = distance(value, warm)
        if abs(found) < _TOLERANCE * target or abs(outside - inside) < _TOLERANCE * step:
            return value
        if found > 0:
            outside, above = value, found
        else:
            inside, below, warm = value, found, moved
    return 0.5 * (inside + outside)


def dose_model(doses: FloatArray, fraction: float) -> Model:
    """The curve with its third parameter replaced by the log dose at which it falls to ``fraction`` of the top."""
    plain = logistic.curve_model(doses)

    def model(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        top, bottom, dose, h = theta[:, 0], theta[:, 1], theta[:, 2], np.exp(theta[:, 3])
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = fraction * top - bottom
            log_ratio = np.log((1 - fraction) * top / beyond)
            moved = theta.copy()
            moved[:, 2] = dose - log_ratio / h
            by_top = -(1 / top - fraction / beyond) / h
            by_bottom = -(1 / beyond) / h
        impossible = ~(beyond / top > 0)
        moved[impossible, 2] = 0.0
        values, jacobian = plain(moved)
        slope = jacobian[:, :, 2].copy()
        with np.errstate(invalid="ignore"):
            jacobian[:, :, 0] += slope * by_top[:, None]
            jacobian[:, :, 1] += slope * by_bottom[:, None]
            jacobian[:, :, 3] += slope * (log_ratio / h)[:, None]
        values[impossible], jacobian[impossible] = np.inf, 0.0
        return values, jacobian

    return model
