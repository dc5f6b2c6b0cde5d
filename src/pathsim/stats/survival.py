"""Time to event: Kaplan-Meier curves with intervals, the log-rank test, and the hazard ratio of Cox.

Times run from the start of dosing. ``events`` are True (or 1) where the event was seen and False (0) where observation
ended without it (censored). What the data cannot give is None, printed as "not reached" or "not estimable".
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError, near_misses, raise_together

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Time:
    """A quantile of survival: ``value``, ``low``, ``high`` are None where the curve or its band never falls so far."""

    value: float | None
    low: float | None
    high: float | None
    unit: str

    @property
    def reached(self) -> bool:
        """Whether the curve falls to the quantile."""
        return self.value is not None

    def __str__(self) -> str:
        if self.value is None:
            return "not reached" + ("" if self.low is None else f" (interval from {self.low:.4g} {self.unit})")
        low, high = ("not reached" if end is None else f"{end:.4g}" for end in (self.low, self.high))
        return f"{self.value:.4g} {self.unit} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class KaplanMeier:
    """The product-limit estimate (Kaplan & Meier 1958) at the distinct ``times`` (k,) of the data.

    ``survival`` holds just after each time; ``low`` and ``high`` are pointwise log-log limits (Kalbfleisch & Prentice
    1980): 1 before the first event, and NaN once survival is 0, where the transform does not exist. ``at_risk``,
    ``events`` and ``censored`` are counts at each time.
    """

    times: FloatArray
    survival: FloatArray
    low: FloatArray
    high: FloatArray
    at_risk: IntArray
    events: IntArray
    censored: IntArray
    confidence: float
    unit: str
    name: str = ""

    @property
    def size(self) -> int:
        """How many subjects the curve rests on."""
        return int(self.at_risk[0])

    @property
    def median(self) -> Time:
        """Median survival with the interval of Brookmeyer and Crowley (1982) from the log-log limits."""
        return self.quantile(0.5)

    def quantile(self, fraction: float) -> Time:
        """The first time at which survival is ``fraction`` or less. Raises InputError unless 0 < fraction < 1."""
        if not 0 < fraction < 1:
            raise InputError(f"fraction is {fraction!r}; it must lie between 0 and 1 (0.5 gives the median)")
        ends = [self._first(curve, fraction) for curve in (self.survival, self.low, self.high)]
        return Time(ends[0], ends[1], ends[2], self.unit)

    def at(self, time: float) -> float:
        """Survival just after ``time``. Raises InputError after the last observation, where it is not known."""
        if time > self.times[-1] and self.survival[-1] > 0:
            raise InputError(f"survival at {time:g} {self.unit} is not known: observation ends at {self.times[-1]:g}")
        before = np.flatnonzero(self.times <= time)
        return float(self.survival[before[-1]]) if len(before) else 1.0

    def number_at_risk(self, times: Iterable[float]) -> list[int]:
        """How many were still observed, without event, just before each of ``times``."""
        left = self.size - np.concatenate([[0], np.cumsum(self.events + self.censored)])
        return [int(left[np.searchsorted(self.times, time, side="left")]) for time in times]

    def to_frame(self) -> pd.DataFrame:
        """The curve as a table: time, survival, low, high, at_risk, events, censored."""
        import pandas as pd

        return pd.DataFrame({
            "time": self.times, "survival": self.survival, "low": self.low, "high": self.high,
            "at_risk": self.at_risk, "events": self.events, "censored": self.censored,
        })  # fmt: skip

    def _first(self, curve: FloatArray, fraction: float) -> float | None:
        # a curve that comes within rounding of the quantile has reached it
        fallen = np.flatnonzero(curve <= fraction * (1 + 1e-12))
        return float(self.times[fallen[0]]) if len(fallen) else None

    def __str__(self) -> str:
        who = f"{self.name}: " if self.name else ""
        return f"{who}{self.size} subjects, {int(self.events.sum())} events, median {self.median}"


@dataclass(frozen=True, slots=True)
class LogRank:
    """The log-rank test of equal hazards. ``chi2`` and ``p`` are None when there is nothing to test (no events)."""

    chi2: float | None
    degrees_of_freedom: int
    p: float | None
    observed: dict[str, int] = field(compare=False)
    expected: dict[str, float] = field(compare=False)

    def __str__(self) -> str:
        if self.chi2 is None or self.p is None:
            return "log-rank test not estimable (no event while two arms were observed)"
        return f"log-rank chi2 {self.chi2:.4g} on {self.degrees_of_freedom} df, p = {self.p:.3g}"


@dataclass(frozen=True, slots=True)
class HazardRatio:
    """Hazard of ``arm`` over that of ``reference`` (Cox, Efron's ties); < 1 favours ``arm``. None: not estimable."""

    arm: str
    reference: str
    value: float | None
    low: float | None
    high: float | None
    coefficient: float | None
    se: float | None
    p: float | None
    confidence: float
    reason: str = ""

    def __str__(self) -> str:
        what = f"hazard ratio {self.arm} / {self.reference}"
        if self.value is None:
            return f"{what} not estimable ({self.reason})"
        return f"{what} {self.value:.3g} ({self.low:.3g} to {self.high:.3g}, p = {self.p:.3g}; < 1 favours {self.arm})"


def kaplan_meier(
    times: Iterable[float],
    events: Iterable[bool | int] | None = None,
    *,
    confidence: float = 0.95,
    unit: str = "days",
    name: str = "",
) -> KaplanMeier:
    """Kaplan-Meier curve of one arm; ``times`` (n,), ``events`` (n,) or None when every time is an event.

    Raises:
        InputError: an empty arm, times that are negative (an event before dosing) or not finite, events not 0 or 1.
    """
    moments, seen = _checked(times, events, name)
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence!r}; it must lie between 0 and 1")
    distinct, where = np.unique(moments, return_inverse=True)
    deaths = np.bincount(where, seen).astype(np.int64)
    lost = np.bincount(where, ~seen).astype(np.int64)
    at_risk = (len(moments) - np.concatenate([[0], np.cumsum(deaths + lost)[:-1]])).astype(np.int64)
    survival: FloatArray = np.cumprod(1.0 - deaths / at_risk, dtype=np.float64)
    low, high = _log_log(survival, deaths, at_risk, confidence)
    return KaplanMeier(distinct, survival, low, high, at_risk, deaths, lost, confidence, unit, name)


def by_arm(
    frame: pd.DataFrame,
    *,
    time: str = "time_days",
    event: str = "event",
    arm: str = "arm",
    confidence: float = 0.95,
    unit: str = "days",
) -> dict[str, KaplanMeier]:
    """Kaplan-Meier curves of every arm of a table with one subject per row, in order of appearance.

    Raises :class:`InputError` for columns that are missing and for everything :func:`kaplan_meier` objects to.
    """
    _check_columns(frame, (time, event, arm))
    return {
        str(label): kaplan_meier(part[time], part[event], confidence=confidence, unit=unit, name=str(label))
        for label, part in frame.groupby(arm, sort=False)
    }


def log_rank(times: Iterable[float], arms: Iterable[Hashable], events: Iterable[bool | int] | None = None) -> LogRank:
    """Log-rank test (Mantel 1966) of two or more arms; ``times``, ``arms`` and ``events`` (n,), one entry a subject.

    Raises :class:`InputError` for fewer than two arms and for everything :func:`kaplan_meier` objects to.
    """
    from scipy.special import chdtrc  # slow to load, and only wanted here

    moments, labels, seen = _checked_arms(times, arms, events)
    names = list(dict.fromkeys(labels))
    member = np.array([[label == name for label in labels] for name in names])
    observed, expected = np.zeros(len(names)), np.zeros(len(names))
    covariance = np.zeros((len(names), len(names)))
    for moment in np.unique(moments[seen]):
        risk = member @ (moments >= moment).astype(float)
        deaths = member @ (seen & (moments == moment)).astype(float)
        total, dead = risk.sum(), deaths.sum()
        observed += deaths
        expected += dead * risk / total
        if total > 1:
            share = risk / total
            covariance += dead * (total - dead) / (total - 1) * (np.diag(share) - np.outer(share, share))
    counts = {name: int(count) for name, count in zip(names, observed, strict=True)}
    hoped = {name: float(count) for name, count in zip(names, expected, strict=True)}
    freedom = int(np.linalg.matrix_rank(covariance)) if covariance.any() else 0
    if freedom == 0:
        return LogRank(None, 0, None, counts, hoped)
    gap = (observed - expected)[:-1]
    chi2 = float(gap @ np.linalg.pinv(covariance[:-1, :-1]) @ gap)
    return LogRank(chi2, freedom, float(chdtrc(freedom, chi2)), counts, hoped)


def hazard_ratio(
    times: Iterable[float],
    arms: Iterable[Hashable],
    events: Iterable[bool | int] | None = None,
    *,
    reference: str,
    confidence: float = 0.95,
) -> list[HazardRatio]:
    """Hazard ratio of every other arm over ``reference`` in one proportional-hazards model (Cox 1972, Efron's ties).

    Needs the ``survival`` extra (statsmodels). An arm without events, or arms whose events never overlap, has no
    finite estimate: the result says so.

    Raises :class:`InputError` as :func:`log_rank`, for an unknown ``reference``, or when the extra is not installed.
    """
    from scipy.special import ndtr, ndtri  # slow to load, and only wanted here

    moments, labels, seen = _checked_arms(times, arms, events)
    names = list(dict.fromkeys(labels))
    if reference not in names:
        raise InputError(f"reference arm '{reference}' is not among the arms: {', '.join(names)}")
    others = [name for name in names if name != reference]
    columns = np.array([[label == name for name in others] for label in labels], dtype=float)
    dead = {name: int(seen[[label == name for label in labels]].sum()) for name in names}
    silent = [name for name in names if dead[name] == 0]
    if silent:
        reason = f"no events in {' and '.join(silent)}"
        return [HazardRatio(n, reference, None, None, None, None, None, None, confidence, reason) for n in others]
    coefficients, errors = _cox(moments, seen, columns)
    reach = float(ndtri(0.5 + confidence / 2))
    found = []
    for name, beta, se in zip(others, coefficients, errors, strict=True):
        if not (math.isfinite(beta) and math.isfinite(se)) or abs(beta) > 15 or se > 50:
            reason = "the likelihood has no maximum: the arms never overlap"
            found.append(HazardRatio(name, reference, None, None, None, None, None, None, confidence, reason))
            continue
        ratio, ends = math.exp(beta), (math.exp(beta - reach * se), math.exp(beta + reach * se))
        p = float(2 * ndtr(-abs(beta / se)))
        found.append(HazardRatio(name, reference, ratio, *ends, beta, se, p, confidence))
    return found


def _cox(times: FloatArray, seen: BoolArray, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    try:
        models: Any = import_module("statsmodels.duration.hazard_regression")
    except ImportError:
        raise InputError("hazard ratios need statsmodels; install it with: pip install 'pathsim[survival]'") from None
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a likelihood without a maximum is reported by its estimate
        result = models.PHReg(times, columns, status=seen.astype(int), ties="efron").fit()
        return np.asarray(result.params, dtype=float), np.asarray(result.bse, dtype=float)


def _log_log(
    survival: FloatArray, deaths: IntArray, at_risk: IntArray, confidence: float
) -> tuple[FloatArray, FloatArray]:
    from scipy.special import ndtri  # slow to load, and only wanted here

    left = at_risk - deaths
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(
            np.where(left > 0, deaths / (at_risk * np.where(left > 0, left, 1)), np.inf * (deaths > 0))
        )
        reach = ndtri(0.5 + confidence / 2) * np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = survival ** np.exp(reach), survival ** np.exp(-reach)
    certain, gone = survival == 1, survival == 0
    low, high = np.where(certain, 1.0, low), np.where(certain, 1.0, high)
    return np.where(gone, np.nan, low), np.where(gone, np.nan, high)


def _checked(
    times: Iterable[float], events: Iterable[bool | int] | None, name: str = ""
) -> tuple[FloatArray, BoolArray]:
    moments = np.asarray(list(times), dtype=float)
    raw = np.ones(len(moments)) if events is None else np.asarray(list(events), dtype=float)
    heading = f"survival of {name}" if name else "survival"
    if not len(moments):
        raise InputError(f"{heading}: the arm is empty")
    if len(raw) != len(moments):
        raise InputError(f"{heading}: {len(moments)} times and {len(raw)} events; one event flag per time is needed")
    problems = [
        f"row {i + 1}: time is {moments[i]}, not a finite number" for i in np.flatnonzero(~np.isfinite(moments))
    ]
    problems += [
        f"row {i + 1}: time {moments[i]:g} is before dosing began (time 0)" for i in np.flatnonzero(moments < 0)
    ]
    problems += [f"row {i + 1}: event is {raw[i]:g}; write 1 for an event, 0 for censored"
                 for i in np.flatnonzero(~np.isin(raw, (0.0, 1.0)))]  # fmt: skip
    raise_together(problems, heading)
    return moments, raw.astype(bool)


def _checked_arms(
    times: Iterable[float], arms: Iterable[Hashable], events: Iterable[bool | int] | None
) -> tuple[FloatArray, list[str], BoolArray]:
    moments, seen = _checked(times, events)
    labels = [str(arm) for arm in arms]
    if len(labels) != len(moments):
        raise InputError(f"survival: {len(moments)} times and {len(labels)} arm names; one per subject is needed")
    if len(set(labels)) < 2:
        raise InputError(f"survival: only one arm ('{labels[0]}'); a comparison needs at least two")
    return moments, labels, seen


def _check_columns(frame: pd.DataFrame, needed: tuple[str, ...]) -> None:
    problems = []
    for column in needed:
        if column not in frame.columns:
            close = near_misses(column, [str(name) for name in frame.columns])
            problems.append(f"column '{column}' is missing" + (f" (is '{close[0]}' meant?)" if close else ""))
    raise_together(problems, "survival table")
