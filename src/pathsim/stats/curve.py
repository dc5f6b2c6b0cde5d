"""What a dose-response fit says: estimates with intervals, potencies that may not be reached, and the curve."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .. import arguments, shown
from ..arrays import FloatArray
from ..errors import raise_together
from ..shown import Shown
from . import logistic

PARAMETERS = ("top", "bottom", "ec50", "h")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A fitted number: ``value`` and ``se`` are None when it cannot be estimated, ``low``/``high`` when no interval
    can; an open end of an interval is infinite. ``fixed``: given by the caller, not fitted."""

    value: float | None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    fixed: bool = False

    def __str__(self) -> str:
        if self.value is None:
            return "not estimable"
        if self.fixed:
            return f"{rounded(self.value)} (fixed)"
        return f"{rounded(self.value)}{interval_text(self.low, self.high)}"


@dataclass(frozen=True, slots=True)
class Potency:
    """A dose that brings the response to a level, or the bound that is all the data allow.

    ``relation`` is ``"="`` (``value`` lies within the tested doses), ``">"`` (not reached: above ``value``, the highest
    dose), ``"<"`` (passed already at ``value``, the lowest dose) or ``"?"`` (``value`` is None: responses cross the
    level but no curve follows them, or the top is not above zero). ``extrapolated`` is where the fitted curve would
    reach the level outside the tested doses, None if never.
    """

    value: float | None
    relation: str
    unit: str
    low: float | None = None
    high: float | None = None
    extrapolated: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the level is reached within the tested doses."""
        return self.relation == "="

    def __str__(self) -> str:
        if self.value is None:
            return "not estimable (no Hill curve leads from a top above zero across the level)"
        if self.relation == ">":
            return f"not reached (> {rounded(self.value)} {self.unit})"
        if self.relation == "<":
            return f"below the lowest dose (< {rounded(self.value)} {self.unit})"
        return f"{rounded(self.value)} {self.unit}{interval_text(self.low, self.high)}"


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted dose response. Calling it gives responses at doses.

    ``ic50`` is the dose at which the response is half of ``top`` (the absolute IC50); ``ec50`` the dose half way
    between ``top`` and ``bottom``. Intervals are profile-likelihood intervals at ``confidence``; of ``exact``
    responses, simulated without noise, they tell how far a Hill curve misses them, and are no confidence intervals.
    """

    top: Estimate
    bottom: Estimate
    ec50: Estimate
    h: Estimate
    ic50: Potency
    flat: bool
    residual_sd: float | None
    degrees_of_freedom: int
    r_squared: float | None
    confidence: float
    unit: str
    notes: tuple[str, ...]
    doses: FloatArray = field(repr=False, compare=False)
    responses: FloatArray = field(repr=False, compare=False)
    weights: FloatArray = field(repr=False, compare=False)
    theta: FloatArray = field(repr=False, compare=False)
    covariance: FloatArray | None = field(repr=False, compare=False)
    exact: bool = False

    @property
    def meaning(self) -> str:
        """What its intervals are."""
        if self.exact:
            return f"misfit of the curve to wells without noise ({self.confidence:.0%} level), not confidence"
        return f"{self.confidence:.0%} profile-likelihood intervals"

    def __call__(self, doses: Iterable[float] | FloatArray) -> FloatArray:
        """Responses of the fitted curve at ``doses`` (points,). Raises InputError for what is no dose."""
        return np.asarray(logistic.evaluate(_doses(doses), self.theta[None])[0])

    def interval(self, doses: Iterable[float] | FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Pointwise confidence limits of the mean response at ``doses`` (delta method), or None without residuals.

        Raises :class:`InputError` for what is no dose.
        """
        at = _doses(doses)
        if self.covariance is None:
            return None
        values, jacobian = logistic.curve_model(at)(self.theta[None])
        variance = np.einsum("np,pq,nq->n", jacobian[0], self.covariance, jacobian[0])
        reach = t_quantile(self.confidence, self.degrees_of_freedom) * np.sqrt(np.maximum(variance, 0.0))
        return values[0] - reach, values[0] + reach

    def row(self) -> dict[str, float | str | bool | None]:
        """One table row: every estimate with its limits, the IC50 with its relation and unit."""
        found: dict[str, float | str | bool | None] = {}
        for name in PARAMETERS:
            estimate: Estimate = getattr(self, name)
            found |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return found | {
            "ic50": self.ic50.value,
            "ic50_relation": self.ic50.relation,
            "ic50_low": self.ic50.low,
            "ic50_high": self.ic50.high,
            "dose_unit": self.unit,
            "flat": self.flat,
            "residual_sd": self.residual_sd,
            "r_squared": self.r_squared,
            "intervals": self.meaning,
            "notes": "; ".join(self.notes),
        }

    def _shown(self) -> Shown:
        rows = [
            {"": name, "estimate": str(getattr(self, name.lower()))} for name in ("IC50", "EC50", "h", "top", "bottom")
        ]
        about = f"Hill curve of {len(self.doses)} wells ({self.confidence:.0%} profile-likelihood intervals)"
        return Shown(about, rows, self.notes)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        lines = [
            f"IC50    {self.ic50}",
            f"EC50    {self.ec50}{'' if self.ec50.value is None else f' {self.unit}'}",
            f"h       {self.h}",
            f"top     {self.top}",
            f"bottom  {self.bottom}",
            f"(brackets: {self.meaning})",
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _doses(given: Iterable[float] | FloatArray) -> FloatArray:
    doses = arguments.column(given, "dose")
    problems = arguments.not_finite(doses, "dose")
    problems += [f"row {i + 1}: dose {doses[i]:g} is negative" for i in np.flatnonzero(doses < 0)]
    raise_together(arguments.shortened(problems), "doses")
    return doses


def rounded(value: float, digits: int = 4) -> str:
    """``value`` to that many significant digits, without an exponent from 0.0001 to a million."""
    return f"{float(f'{value:.{digits}g}'):g}" if abs(value) < 1e6 else f"{value:.{digits}g}"


def t_quantile(confidence: float, freedom: float) -> float:
    """Two-sided quantile of Student's t."""
    from scipy.special import stdtrit  # slow to load, and only wanted here

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def interval_text(low: float | None, high: float | None) -> str:
    """An interval in brackets; ``open`` where an end was not found."""
    if low is None or high is None:
        return " (no interval)"
    ends = ["open" if math.isinf(end) or end == 0.0 else rounded(end) for end in (low, high)]
    return f" ({ends[0]} to {ends[1]})"
