"""The four-parameter log-logistic (Hill) curve, and least squares for many curves at once.

``y(d) = bottom + (top - bottom) / (1 + (d / ec50) ** h)`` with ``h > 0``: ``top`` is the response without drug (exact
at dose zero), ``bottom`` the response at infinite dose. Parameters travel as rows ``(top, bottom, ln ec50, ln h)``.

Fits are global: for given ``(ec50, h)`` the model is linear in ``top`` and ``bottom``, so a grid over the two
non-linear parameters with the linear ones projected out (Golub & Pereyra 1973, SIAM J Numer Anal 10:413) brackets the
best valley, and a Levenberg-Marquardt iteration (Marquardt 1963) on all parameters descends it. Bootstraps and
screens fit thousands of curves on the same doses, so every step acts on all curves together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, FloatArray

Model = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Parameters (curves, 4) -> values (curves, points) and their derivatives (curves, points, 4)."""

SLOPES = (0.1, 10.0)
"""Hill slopes a fit may return: beyond, the rise lies between two neighbouring doses or is not a rise."""

EC50_MARGIN = 100.0
"""How far outside the tested doses (as a factor) an EC50 may lie."""

SPAN_MARGIN = 10.0
"""How far beyond the observed responses (in their range) a top or bottom may lie: data that show only the beginning of
a fall are fitted ever better by ever deeper bottoms."""

_STEEP = 2.0
_GRID = (28, 8)
_ROUNDS = 300
_CHUNK = 48


@dataclass(frozen=True, slots=True)
class Fits:
    """Least-squares fits of many curves: parameters (curves, 4), residual sums of squares (curves,)."""

    theta: FloatArray
    rss: FloatArray


def evaluate(doses: FloatArray, theta: FloatArray) -> FloatArray:
    """Responses at ``doses`` (points,) of curves ``theta`` (..., 4); returns (..., points)."""
    from scipy.special import expit  # slow to load, and only wanted here

    share = expit(np.exp(theta[..., 3:4]) * (theta[..., 2:3] - log_doses(doses)))
    return np.asarray(theta[..., 1:2] + (theta[..., 0:1] - theta[..., 1:2]) * share)


def dose_at(levels: FloatArray, theta: FloatArray) -> FloatArray:
    """Doses at which curves reach ``levels``: 0 at or before the top, infinite at or beyond the bottom."""
    top, bottom, log_ec50, log_h = (theta[..., i] for i in range(4))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (top - levels) / (levels - bottom)
        doses = np.exp(log_ec50 + np.log(ratio) / np.exp(log_h))
    falling = np.sign(top - bottom)
    before, beyond = falling * (top - levels) <= 0, falling * (levels - bottom) <= 0
    return np.asarray(np.where(before & (falling != 0), 0.0, np.where(beyond, np.inf, doses)))


def log_doses(doses: FloatArray) -> FloatArray:
    """Natural logarithms; minus infinity for the dose zero, which the curve takes as it stands."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(doses))


def bounds(doses: FloatArray, responses: FloatArray, slopes: tuple[float, float] = SLOPES) -> FloatArray:
    """Lower and upper limits (2, 4) of the parameters for curves with ``responses`` (any shape) at ``doses``."""
    positive = doses[doses > 0]
    margin = math.log(EC50_MARGIN)
    low, high = math.log(positive.min()) - margin, math.log(positive.max()) + margin
    reach = SPAN_MARGIN * max(float(np.ptp(responses)), 1e-300)
    bottom, top = float(responses.min()) - reach, float(responses.max()) + reach
    return np.array([[bottom, bottom, low, math.log(slopes[0])], [top, top, high, math.log(slopes[1])]])


def fit_many(
    doses: FloatArray,
    responses: FloatArray,
    weights: FloatArray | None = None,
    fixed: FloatArray | None = None,
    slopes: tuple[float, float] = SLOPES,
) -> Fits:
    """Fit one curve to each row of ``responses``.

    Args:
        doses: (points,), zero allowed, at least one positive.
        responses: (curves, points).
        weights: (points,) proportional to 1 / variance.
        fixed: (curves, 4) with NaN where a parameter is free.
        slopes: limits of ``h``.
    """
    limits = bounds(doses, responses, slopes)
    held = np.full((len(responses), 4), np.nan) if fixed is None else fixed
    w = np.ones(len(doses)) if weights is None else weights
    model, stays = curve_model(doses), ~np.isnan(held)
    found = [
        descend(model, responses, w, start, stays, limits) for start in _grid_starts(doses, responses, w, held, limits)
    ]
    best = np.argmin([each.rss for each in found], axis=0)
    rows = np.arange(len(responses))
    return Fits(np.stack([f.theta for f in found])[best, rows], np.stack([f.rss for f in found])[best, rows])


def curve_model(doses: FloatArray) -> Model:
    """The curve and its derivatives as a function of parameters only."""
    from scipy.special import expit  # slow to load, and only wanted here

    x = log_doses(doses)

    def model(theta: FloatArray) -> tuple[FloatArray, FloatArray]:

        h = np.exp(theta[:, 3:4])
        distance = theta[:, 2:3] - x
        share = expit(h * distance)
        span = theta[:, 0:1] - theta[:, 1:2]
        slope = span * share * (1.0 - share)
        # at dose zero the slope is 0 and the distance infinite: the product is 0
        steep = np.where(np.isinf(distance), 0.0, slope * h * np.where(np.isinf(distance), 0.0, distance))
        jacobian = np.stack([share, 1.0 - share, slope * h, steep], axis=2)
        return theta[:, 1:2] + span * share, jacobian

    return model


def descend(
    model: Model,
    responses: FloatArray,
    weights: FloatArray,
    start: FloatArray,
    held: BoolArray,
    limits: FloatArray,
    least_rss: float = 0.0,
) -> Fits:
    """Levenberg-Marquardt on all curves at once, inside ``limits``; ``held`` (curves, 4) parameters stay put.

    A residual sum of squares up to ``least_rss`` is as good as none.
    """
    theta = np.clip(start, limits[0], limits[1])
    theta = np.where(held, start, theta)
    values, jacobian = model(theta)
    rss = _rss(responses - values, weights)
    damping = np.full(len(theta), 1e-3)
    running = np.arange(len(theta))
    for _ in range(_ROUNDS):
        if not len(running):
            break
        step = _step(
            (responses - values)[running],
            jacobian[running],
            weights,
            damping[running],
            theta[running],
            held[running],
            limits,
        )
        trial = np.clip(theta[running] + step, limits[0], limits[1])
        trial = np.where(held[running], theta[running], trial)
        new_values, new_jacobian = model(trial)
        new_rss = _rss(responses[running] - new_values, weights)
        better = new_rss <= rss[running]
        gain = rss[running] - new_rss
        moved = np.max(np.abs(trial - theta[running]) / (1.0 + np.abs(theta[running])), axis=1)
        done = (better & (gain <= 1e-12 * rss[running]) & (moved < 1e-6)) | (damping[running] > 1e12) | (moved < 1e-13)
        done |= new_rss <= least_rss
        taken = running[better]
        theta[taken], rss[taken] = trial[better], new_rss[better]
        values[taken], jacobian[taken] = new_values[better], new_jacobian[better]
        damping[running] = np.where(better, np.maximum(damping[running] / 9.0, 1e-15), damping[running] * 4.0)
        running = running[~done]
    return Fits(theta, rss)


def _rss(residuals: FloatArray, weights: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.einsum("fn,n,fn->f", residuals, weights, residuals)
    return np.where(np.isfinite(total), total, np.inf)


def _step(
    residuals: FloatArray,
    jacobian: FloatArray,
    weights: FloatArray,
    damping: FloatArray,
    theta: FloatArray,
    held: BoolArray,
    limits: FloatArray,
) -> FloatArray:
    gradient = np.einsum("fnp,n,fn->fp", jacobian, weights, residuals)
    stuck = held | ((theta <= limits[0]) & (gradient < 0)) | ((theta >= limits[1]) & (gradient > 0))
    free = np.where(stuck[:, None, :], 0.0, jacobian)
    normal = np.einsum("fnp,n,fnq->fpq", free, weights, free)
    diagonal = np.einsum("fpp->fp", normal)
    floor = 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
    normal = normal + np.einsum("fp,pq->fpq", damping[:, None] * np.maximum(diagonal, floor) + floor, np.eye(4))
    return np.asarray(np.linalg.solve(normal, np.where(stuck, 0.0, gradient)[..., None])[..., 0])


def _grid_starts(
    doses: FloatArray, responses: FloatArray, weights: FloatArray, held: FloatArray, limits: FloatArray
) -> list[FloatArray]:
    """Best nodes (curves, 4) of a grid over ``(ln ec50, ln h)`` with the linear parameters solved for.

    One among gentle and one among steep slopes: a step between two neighbouring doses is a valley of its own.
    """
    from scipy.special import expit  # slow to load, and only wanted here

    nodes = _nodes(held[0], limits)
    share = expit(np.exp(nodes[:, 1:]) * (nodes[:, :1] - log_doses(doses)))
    steep = nodes[:, 1] > math.log(_STEEP)
    kinds = [np.flatnonzero(kind) for kind in (~steep, steep) if kind.any()]
    starts = [np.empty((len(responses), 4)) for _ in kinds]
    for first in range(0, len(responses), _CHUNK):
        rows = slice(first, first + _CHUNK)
        top, bottom, rss = _linear_part(share, responses[rows], weights, held[rows])
        for kind, start in zip(kinds, starts, strict=True):
            best = kind[np.argmin(rss[:, kind], axis=1)]
            at_best = (np.arange(len(best)), best)
            start[rows] = np.column_stack([top[at_best], bottom[at_best], nodes[best]])
    return starts


def _nodes(held: FloatArray, limits: FloatArray) -> FloatArray:
    """Grid nodes (nodes, 2), three times as dense in ec50 where slopes are steep and valleys narrow.

    An axis whose parameter is held has that one value.
    """
    slopes = np.linspace(limits[0, 3], limits[1, 3], _GRID[1]) if np.isnan(held[3]) else held[3:4]
    parts = []
    for log_h in slopes:
        count = _GRID[0] * (3 if log_h > math.log(_STEEP) else 1)
        ec50s = np.linspace(limits[0, 2], limits[1, 2], count) if np.isnan(held[2]) else held[2:3]
        parts.append(np.column_stack([ec50s, np.full(len(ec50s), log_h)]))
    return np.concatenate(parts)


def _linear_part(
    share: FloatArray, responses: FloatArray, weights: FloatArray, held: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best ``top`` and ``bottom``, and what they leave of the squares, for each curve at each node; (curves, nodes)."""
    rest = 1.0 - share
    a, b, c = ((u * v) @ weights for u, v in ((share, share), (share, rest), (rest, rest)))
    p, q = (responses * weights) @ share.T, (responses * weights) @ rest.T
    mean = ((responses @ weights) / weights.sum())[:, None]
    determinant = a * c - b * b
    singular = determinant <= 1e-10 * (a + c) ** 2
    safe = np.where(singular, 1.0, determinant)
    top, bottom = np.where(singular, mean, (p * c - q * b) / safe), np.where(singular, mean, (q * a - p * b) / safe)
    fixed_top, fixed_bottom = held[:, 0:1], held[:, 1:2]
    has_top, has_bottom = ~np.isnan(fixed_top), ~np.isnan(fixed_bottom)
    only_bottom = np.where(c > 1e-12, (q - fixed_top * b) / np.where(c > 1e-12, c, 1.0), mean)
    only_top = np.where(a > 1e-12, (p - fixed_bottom * b) / np.where(a > 1e-12, a, 1.0), mean)
    top, bottom = (
        np.where(has_top, fixed_top, np.where(has_bottom, only_top, top)),
        np.where(has_bottom, fixed_bottom, np.where(has_top, only_bottom, bottom)),
    )
    squares = ((responses * responses) @ weights)[:, None]
    left = squares - 2 * (top * p + bottom * q) + top * top * a + 2 * top * bottom * b + bottom * bottom * c
    return top, bottom, left
