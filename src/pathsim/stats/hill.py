"""Dose response: Hill curves with profile-likelihood intervals, and an IC50 that says when it was not reached.

The model is the four-parameter log-logistic of :mod:`pathsim.stats.logistic`; fix ``top``, ``bottom`` or ``h`` for
three or two parameters. How awkward data are treated:

* dose zero is exact (the response is ``top``), wells at one dose (within rounding) are replicates, weights are
  1 / variance;
* negative responses and responses above the control are noise or death: kept as measured, and named in ``notes``;
* a response that turns back by more than three standard errors and a fifth of its range is named in ``notes``;
* a flat response (F-test against a constant, p > 0.05; with few wells, no straight trend either) has no EC50 and no
  slope; its IC50 is "not reached";
* an IC50 outside the tested doses is a bound (``> 10000 nM``), never a number read off the extrapolated curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .. import arguments
from ..arrays import FloatArray, IndexArray
from ..errors import InputError, brief, raise_together
from ..names import listing
from . import logistic
from .curve import PARAMETERS, Curve, Estimate, Potency, t_quantile
from .profile import Data as ProfileData
from .profile import Span, dose_span, parameter_span
from .rounding import settled

if TYPE_CHECKING:
    import pandas as pd

FLAT_P = 0.05
"""A curve must beat a constant at this level (F-test) to count as a dose response."""

_ENOUGH = 5
"""Residual degrees of freedom below which that test sees next to nothing and a trend over the doses counts too."""


def fit(
    doses: Iterable[float],
    responses: Iterable[float],
    weights: Iterable[float] | None = None,
    *,
    top: float | None = None,
    bottom: float | None = None,
    h: float | None = None,
    confidence: float = 0.95,
    unit: str = "nM",
    slopes: tuple[float, float] = logistic.SLOPES,
    exact: bool = False,
) -> Curve:
    """Fit a Hill curve to measured or simulated responses by least squares (global optimum).

    Args:
        doses: (n,) in ``unit``, zero allowed.
        responses: (n,) in any unit; wells at the same dose are replicates.
        weights: (n,) proportional to 1 / variance of each response.
        top, bottom, h: fix a parameter at this value (top=1 for viability normalised to the control).
        confidence: of the profile-likelihood intervals.
        slopes: limits of ``h``.
        exact: responses are simulated without noise: intervals are then the misfit of the curve, and called so.

    Raises:
        InputError: lists every row that is not a number, negative doses, negative weights, too few distinct doses.

    >>> curve = ps.hill.fit([0, 10, 100, 1000, 10000], [1.0, 0.95, 0.52, 0.12, 0.03])
    >>> curve.ic50.reached
    True
    """
    x, y, w = _checked(doses, responses, weights)
    top, bottom, h, confidence, slopes = _checked_options(top, bottom, h, confidence, slopes)
    held = np.array([math.nan if v is None else v for v in (top, bottom, None, None if h is None else math.log(h))])
    free = int(np.isnan(held).sum())
    _check_design(x, free)
    found = logistic.fit_many(x, y[None], w, held[None], slopes)
    theta, rss = found.theta[0], float(found.rss[0])
    freedom = len(x) - free
    flat = _is_flat(x, y, w, rss, freedom, free)
    if flat:
        theta = _flat_theta(theta, y, w, held)
        rss = float(w @ (y - logistic.evaluate(x, theta[None])[0]) ** 2)
    # the weights are relative, so the variance is that of a well of average weight
    sd = math.sqrt(rss / freedom / w.mean()) if freedom > 0 else None
    covariance = None if flat or freedom < 1 else _covariance(x, w, theta, held, rss / freedom)
    estimates = _estimates(x, y, w, theta, held, covariance, confidence, freedom, flat, slopes)
    total = float(w @ (y - np.average(y, weights=w)) ** 2)
    return Curve(
        *estimates,
        ic50=_potency(x, y, w, theta, held, 0.5, confidence, freedom, flat, unit),
        flat=flat,
        residual_sd=sd,
        degrees_of_freedom=freedom,
        r_squared=1 - rss / total if total > 0 else None,
        confidence=confidence,
        unit=unit,
        notes=_notes(x, y, theta, flat, freedom, slopes, sd, h),
        doses=x,
        responses=y,
        weights=w,
        theta=theta,
        covariance=covariance,
        exact=exact,
    )


def potency(curve: Curve, fraction: float) -> Potency:
    """The dose at which the response of ``curve`` is ``fraction`` of its top (0.5: the IC50; 0.1: the IC90).

    Raises :class:`InputError` unless 0 < fraction < 1.

    >>> curve = ps.hill.fit([0, 10, 100, 1000, 10000], [1.0, 0.95, 0.52, 0.12, 0.03])
    >>> ps.hill.potency(curve, 0.9).value < curve.ic50.value
    True
    """
    fraction = arguments.share(fraction, "fraction", " (0.5 gives the IC50)")
    return _potency(
        curve.doses,
        curve.responses,
        curve.weights,
        curve.theta,
        _held(curve),
        fraction,
        curve.confidence,
        curve.degrees_of_freedom,
        curve.flat,
        curve.unit,
    )


def fit_table(frame: pd.DataFrame, **options: float | str | None) -> pd.DataFrame:
    """Fit a curve to each cell line, readout, time and drug of a dose-response table in the one schema.

    Wells without drug are shared by every drug of the same cell line, readout and time. ``options`` go to :func:`fit`.

    Returns:
        One row per curve: ``cell_line, drug, readout, time_min`` and the columns of :meth:`Curve.row`.

    Raises:
        InputError: lists every curve that cannot be fitted, with the reason.

    >>> wells = pd.DataFrame({"cell_line": "T47D", "treatment": "medium", "time_min": 4320.0, "readout": "viability",
    ...     "value": [1.0, 0.9, 0.5, 0.1], "drug": "alpelisib", "dose_nM": [0.0, 10.0, 100.0, 1000.0]})
    >>> ps.hill.fit_table(wells)["ic50_relation"].tolist()
    ['=']
    """
    import pandas as pd

    from .doses import single_drug_curves

    rows, problems = [], []
    for key, doses, responses, unit in single_drug_curves(frame):
        try:
            curve = fit(doses, responses, unit=unit, **options)  # type: ignore[arg-type]
        except InputError as error:
            problems.append(f"{', '.join(str(part) for part in key.values())}: {error}")
        else:
            rows.append({**key, **curve.row()})
    raise_together(problems, "dose response")
    return pd.DataFrame(rows)


def _checked(
    doses: Iterable[float], responses: Iterable[float], weights: Iterable[float] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    x, y = arguments.column(doses, "dose"), arguments.column(responses, "response")
    w = np.ones(len(x)) if weights is None else arguments.column(weights, "weight")
    if not len(x) == len(y) == len(w):
        raise InputError(f"{len(x)} doses, {len(y)} responses and {len(w)} weights; each response needs its dose")
    x, problems = settled(x), []
    for name, values in (("dose", x), ("response", y), ("weight", w)):
        problems += arguments.not_finite(values, name)
    problems += [f"row {i + 1}: dose {x[i]:g} is negative" for i in np.flatnonzero(x < 0)]
    problems += [f"row {i + 1}: weight {w[i]:g} is not above zero" for i in np.flatnonzero(w <= 0)]
    for name, values in (("dose", x[x > 0]), ("weight", w[w > 0]), ("response", np.abs(y[y != 0]))):
        # squares of such numbers vanish; single responses next to larger ones may
        least = float(values.max() if name == "response" else values.min()) if len(values) else 1.0
        if least < 1 / arguments.LARGEST:
            problems.append(f"{name}s of {least:g} are too small to count with; give them in a smaller unit")
    raise_together(arguments.shortened(problems), "dose response")
    return x, y, w


def _checked_options(
    top: float | None, bottom: float | None, h: float | None, confidence: float, slopes: tuple[float, float]
) -> tuple[float | None, float | None, float | None, float, tuple[float, float]]:
    top, bottom, h = (
        None if value is None else arguments.number(value, name)
        for name, value in (("top", top), ("bottom", bottom), ("h", h))
    )
    problems = [
        f"{name} is {value:g}, which is beyond {arguments.LARGEST:g}"
        for name, value in (("top", top), ("bottom", bottom))
        if value is not None and abs(value) > arguments.LARGEST
    ]
    if h is not None and not 1e-3 <= h <= 1e3:
        problems.append(f"h is {h!r}; the slope is positive (0.001 to 1000), a rising curve has bottom above top")
    limits = arguments.column(slopes, "slopes")
    if len(limits) != 2 or not 1e-3 <= limits[0] < limits[1] <= 1e3:
        problems.append(f"slopes is {brief(repr(slopes))}; it must be two numbers from 0.001 to 1000, smaller first")
    raise_together(problems, "Hill fit")
    return top, bottom, h, arguments.share(confidence, "confidence"), (float(limits[0]), float(limits[1]))


def _check_design(x: FloatArray, free: int) -> None:
    distinct, positive = len(np.unique(x)), len(np.unique(x[x > 0]))
    if free == 0:
        raise InputError("every parameter is fixed; nothing is left to fit")
    if positive < 2:
        raise InputError(f"{positive} distinct positive dose(s); a dose response needs at least 2")
    if distinct < free:
        raise InputError(
            f"{distinct} distinct doses cannot determine {free} parameters; measure more doses, or fix some "
            "(top=1, bottom=0 or h=1)"
        )


def _is_flat(x: FloatArray, y: FloatArray, w: FloatArray, rss: float, freedom: int, free: int) -> bool:
    from scipy.special import fdtrc  # slow to load, and only wanted here

    constant = float(w @ (y - np.average(y, weights=w)) ** 2)
    if constant <= 1e-18 * float(w @ y**2):
        return True
    if freedom < 1 or free < 2:
        return rss >= constant
    if rss <= 0:
        return False
    ratio = max(constant - rss, 0.0) / (free - 1) / (rss / freedom)
    flat = float(fdtrc(free - 1, freedom, ratio)) > FLAT_P
    return flat and (freedom >= _ENOUGH or not _trend(x, y, w))


def _trend(x: FloatArray, y: FloatArray, w: FloatArray) -> bool:
    """Whether responses follow a straight line over the rank of the dose (weighted least squares, two-sided t)."""
    rank = np.unique(x, return_inverse=True)[1].astype(float)
    centred, offset = rank - np.average(rank, weights=w), y - np.average(y, weights=w)
    slope = float((w * centred) @ offset / ((w * centred) @ centred))
    left = float(w @ (offset - slope * centred) ** 2)
    error = math.sqrt(left / (len(x) - 2) / float((w * centred) @ centred))
    return error == 0 or abs(slope) / error >= t_quantile(1.0 - FLAT_P, len(x) - 2)


def _flat_theta(theta: FloatArray, y: FloatArray, w: FloatArray, held: FloatArray) -> FloatArray:
    mean = np.average(y, weights=w)
    return np.array([mean, mean, theta[2], theta[3] if math.isnan(held[3]) else held[3]])


def _covariance(
    x: FloatArray, w: FloatArray, theta: FloatArray, held: FloatArray, variance: float
) -> FloatArray | None:
    free = np.flatnonzero(np.isnan(held))
    jacobian = logistic.curve_model(x)(theta[None])[1][0][:, free]
    normal = jacobian.T @ (w[:, None] * jacobian)
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    if np.linalg.cond(normal / np.outer(scale, scale)) > 1e13:
        return None
    covariance = np.zeros((4, 4))
    covariance[np.ix_(free, free)] = variance * np.linalg.inv(normal)
    return covariance


def _estimates(
    x: FloatArray,
    y: FloatArray,
    w: FloatArray,
    theta: FloatArray,
    held: FloatArray,
    covariance: FloatArray | None,
    confidence: float,
    freedom: int,
    flat: bool,
    slopes: tuple[float, float],
) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    natural = np.array([theta[0], theta[1], math.exp(theta[2]), math.exp(theta[3])])
    data = (x, y, w, theta, held, logistic.bounds(x, y, slopes))
    found = []
    for which in range(4):
        value = float(natural[which])
        if not math.isnan(held[which]):
            value = float(held[which]) if which < 2 else math.exp(held[which])
            found.append(Estimate(value, fixed=True))
            continue
        if flat:
            found.append(_flat_mean(y, w, confidence) if which < 2 else Estimate(None))
            continue
        if freedom < 1:
            found.append(Estimate(value))
            continue
        se = math.sqrt(covariance[which, which]) if covariance is not None else math.inf
        span = parameter_span(ProfileData(*data), which, se, confidence, freedom)
        factor = 1.0 if which < 2 else value
        ends = span if which < 2 else Span(*(math.exp(end) for end in span))
        found.append(Estimate(value, se * factor, *ends))
    return found[0], found[1], found[2], found[3]


def _flat_mean(y: FloatArray, w: FloatArray, confidence: float) -> Estimate:
    mean = float(np.average(y, weights=w))
    if len(y) < 2:
        return Estimate(mean)
    se = math.sqrt(float(w @ (y - mean) ** 2) / (len(y) - 1) / float(w.sum()))
    reach = t_quantile(confidence, len(y) - 1) * se
    return Estimate(mean, se, mean - reach, mean + reach)


def _potency(
    x: FloatArray,
    y: FloatArray,
    w: FloatArray,
    theta: FloatArray,
    held: FloatArray,
    fraction: float,
    confidence: float,
    freedom: int,
    flat: bool,
    unit: str,
) -> Potency:
    positive = x[x > 0]
    lowest, highest = float(positive.min()), float(positive.max())
    reference = theta[0] if math.isnan(held[0]) else held[0]
    if not reference > 0:
        return Potency(None, "?", unit)
    if flat:
        below = theta[0] <= fraction * reference
        if not below and _means(x, y)[1].min() < fraction * reference:
            return Potency(None, "?", unit)
        return Potency(lowest if below else highest, "<" if below else ">", unit)
    dose = float(logistic.dose_at(np.array(fraction * theta[0]), theta))
    if theta[1] > theta[0] or not dose <= highest:
        return Potency(highest, ">", unit, extrapolated=dose if highest < dose < math.inf else None)
    if dose < lowest:
        return Potency(lowest, "<", unit, extrapolated=dose)
    if freedom < 1:
        return Potency(dose, "=", unit)
    data = ProfileData(x, y, w, theta, held, logistic.bounds(x, y, (1e-3, 1e3)))
    span = dose_span(data, math.log(dose), fraction, 0.1, confidence, freedom)
    return Potency(dose, "=", unit, math.exp(span.low), math.exp(span.high))


def _notes(
    x: FloatArray,
    y: FloatArray,
    theta: FloatArray,
    flat: bool,
    freedom: int,
    slopes: tuple[float, float],
    sd: float | None,
    h: float | None,
) -> tuple[str, ...]:
    notes = []
    negative = np.flatnonzero(y < 0)
    if len(negative):
        notes.append(f"negative responses kept as measured ({_rows(negative)})")
    scale = 1.0 if abs(theta[0] - 1) < abs(theta[0] - 100) else 100.0
    high = np.flatnonzero(y > 1.2 * scale) if 0.5 <= theta[0] / scale <= 1.5 else np.array([], dtype=int)
    if len(high):
        notes.append(f"responses above 120 % of control kept as measured ({_rows(high)})")
    turn = _turning_back(x, y, theta)
    if turn is not None:
        notes.append(turn)
    if flat:
        notes.append("the response is flat: no EC50 and no slope can be estimated")
    elif h is None and not slopes[0] * 1.001 < math.exp(theta[3]) < slopes[1] * 0.999:
        notes.append(
            f"the slope h is at its limit {math.exp(theta[3]):.3g}: the response changes between two neighbouring doses"
        )
    if freedom < 1:
        notes.append("as many parameters as distinct wells: no interval can be estimated")
    return tuple(notes)


def _turning_back(x: FloatArray, y: FloatArray, theta: FloatArray) -> str | None:
    """A note when mean responses turn against the curve by more than noise and a fifth of the range explain."""
    levels, means, where = _means(x, y)
    counts = np.bincount(where)
    falling = 1.0 if theta[1] <= theta[0] else -1.0
    signed = falling * means
    back = signed - np.minimum.accumulate(signed)
    worst = int(np.argmax(back))
    freedom = len(x) - len(levels)
    noise = math.sqrt(float(((y - means[where]) ** 2).sum()) / freedom / counts.min()) if freedom > 0 else 0.0
    if back[worst] <= max(3.0 * math.sqrt(2.0) * noise, 0.2 * float(np.ptp(means)), 0.1 * abs(theta[0])):
        return None
    start = int(np.argmin(signed[: worst + 1]))
    return (
        f"not monotone: the mean response turns back by {back[worst]:.3g} between dose {levels[start]:.4g} and "
        f"{levels[worst]:.4g} ({_rows(np.flatnonzero(where == worst))}); one Hill curve cannot follow it"
    )


def _means(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, IndexArray]:
    """Distinct doses, their mean responses, and which of them each well has."""
    levels, where = np.unique(x, return_inverse=True)
    return levels, np.bincount(where, y) / np.bincount(where), where


def _rows(indices: IndexArray) -> str:
    shown = ", ".join(str(int(i) + 1) for i in indices[:6])
    return f"row{'s' if len(indices) > 1 else ''} {shown}{', ...' if len(indices) > 6 else ''}"


def _held(curve: Curve) -> FloatArray:
    return np.array([t if getattr(curve, n).fixed else math.nan for n, t in zip(PARAMETERS, curve.theta, strict=True)])


__all__ = [
    "Curve",
    "Estimate",
    "Potency",
    "fit",
    "fit_table",
    "potency",
]
__dir__ = listing(__all__)
