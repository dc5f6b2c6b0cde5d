"""Time to event: Kaplan-Meier curves with intervals, the log-rank test, and the hazard ratio of Cox.

Times run from the start of dosing; times equal within rounding are one. ``events`` are True (or 1) where the event was
seen and False (0) where observation ended without it (censored). What the data cannot give is None, printed as "not
reached" or "not estimable".
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments, shown
from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError, brief, raise_together
from ..names import listing
from ..shown import Shown
from ..table import check_columns, numeric_cells
from .rounding import settled

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Time:
    """A quantile of survival: ``value``, ``low``, ``high`` are None where the curve or its limits never fall so far."""

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
        fraction = arguments.share(fraction, "fraction", " (0.5 gives the median)")
        ends = [self._first(curve, fraction) for curve in (self.survival, self.low, self.high)]
        return Time(ends[0], ends[1], ends[2], self.unit)

    def at(self, time: float) -> float:
        """Survival just after ``time``. Raises InputError after the last observation, where it is not known."""
        time = arguments.number(time, "time")
        if time > self.times[-1] and self.survival[-1] > 0:
            raise InputError(f"survival at {time:g} {self.unit} is not known: observation ends at {self.times[-1]:g}")
        before = np.flatnonzero(self.times <= time)
        return float(self.survival[before[-1]]) if len(before) else 1.0

    def number_at_risk(self, times: Iterable[float]) -> list[int]:
        """How many were still observed, without event, just before each of ``times``.

        Raises :class:`InputError` for times that are not finite numbers.
        """
        moments = arguments.column(times, "time")
        raise_together(arguments.shortened(arguments.not_finite(moments, "time")), "number at risk")
        left = self.size - np.concatenate([[0], np.cumsum(self.events + self.censored)])
        return [int(left[place]) for place in np.searchsorted(self.times, moments, side="left")]

    def to_frame(self) -> pd.DataFrame:
        """The curve as a table: time, survival, low, high, at_risk, events, censored."""
        import pandas as pd

        return pd.DataFrame(
            {
                "time": self.times,
                "survival": self.survival,
                "low": self.low,
                "high": self.high,
                "at_risk": self.at_risk,
                "events": self.events,
                "censored": self.censored,
            }
        )

    def _first(self, curve: FloatArray, fraction: float) -> float | None:
        # a curve that comes within rounding of the quantile has reached it
        fallen = np.flatnonzero(curve <= fraction * (1 + 1e-12))
        return float(self.times[fallen[0]]) if len(fallen) else None

    def _shown(self) -> Shown:
        return Shown(f"Kaplan-Meier curve, {self}", self.to_frame())

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

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

    >>> ps.survival.kaplan_meier([21, 25, 30, 30], [1, 1, 1, 0]).median.value
    25.0
    """
    moments, seen = _checked(times, events, name)
    confidence = arguments.share(confidence, "confidence")
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

    Raises:
        InputError: columns that are missing; and every row (counted from 1, without the header) without an arm, with a
            time that is negative or no number, or an event that is not 0 or 1.

    >>> mice = pd.DataFrame({"arm": ["vehicle", "drug"] * 3, "time_days": [20, 40, 22, 45, 25, 50], "event": 1})
    >>> ps.survival.by_arm(mice)["drug"].median.value
    45.0
    """
    check_columns(frame, (time, event, arm), "survival table")
    labels, problems = _labels(frame[arm])
    moments, seen = _checked(numeric_cells(frame[time]), frame[event], problems=problems)
    return {
        label: kaplan_meier(moments[member], seen[member], confidence=confidence, unit=unit, name=label)
        for label in dict.fromkeys(labels)
        for member in [np.array([each == label for each in labels])]
    }


def log_rank(times: Iterable[float], arms: Iterable[Hashable], events: Iterable[bool | int] | None = None) -> LogRank:
    """Log-rank test (Mantel 1966) of two or more arms; ``times``, ``arms`` and ``events`` (n,), one entry a subject.

    Raises :class:`InputError` for fewer than two arms and for everything :func:`kaplan_meier` objects to.

    >>> ps.survival.log_rank([20, 40, 22, 45, 25, 50], ["vehicle", "drug"] * 3).p < 0.05
    True
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

    >>> times, arms = [20, 40, 22, 45, 41, 50], ["vehicle", "drug"] * 3
    >>> ratio = ps.survival.hazard_ratio(times, arms, reference="vehicle")  # doctest: +SKIP
    """
    from scipy.special import ndtr, ndtri  # slow to load, and only wanted here

    moments, labels, seen = _checked_arms(times, arms, events)
    names = list(dict.fromkeys(labels))
    if not isinstance(reference, str) or reference not in names:
        raise InputError(f"reference arm {brief(repr(reference))} is not among the arms: {', '.join(names[:8])}")
    confidence = arguments.share(confidence, "confidence")
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
        raise InputError("hazard ratios need statsmodels; install it with: pip install statsmodels") from None
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
    times: Iterable[float], events: Iterable[bool | int] | None, name: str = "", problems: Sequence[str] = ()
) -> tuple[FloatArray, BoolArray]:
    """Times (n,) and whether each is an event; raises with what is wrong in any row, after ``problems``."""
    if not isinstance(name, str):
        raise InputError(f"name is {brief(repr(name))}; give a text")
    heading = f"survival of {name}" if name else "survival"
    moments = arguments.column(times, "time")
    if not len(moments):
        raise InputError(f"{heading}: the arm is empty")
    moments = settled(moments)
    found = [*problems, *arguments.not_finite(moments, "time")]
    found += [f"row {i + 1}: time {moments[i]:g} is before dosing began (time 0)" for i in np.flatnonzero(moments < 0)]
    seen = np.ones(len(moments), dtype=bool)
    if events is not None:
        flags = _entries(events, "events")
        if len(flags) != len(moments):
            raise InputError(
                f"{heading}: {len(moments)} times and {len(flags)} events; one event flag per time is needed"
            )
        for row, flag in enumerate(flags):
            known = _flag(flag)
            if known is None:
                said = "missing" if arguments.is_missing(flag) else brief(_plain(flag))
                found.append(f"row {row + 1}: event is {said}; write 1 for an event, 0 for censored")
            else:
                seen[row] = known
    raise_together(arguments.shortened(found), heading)
    return moments, seen


def _flag(value: object) -> bool | None:
    """True, 1 or 1.0, False, 0 or 0.0 of any numeric type; None for anything else."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return {0.0: False, 1.0: True}.get(arguments.or_nan(value))


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _entries(values: object, what: str) -> list[Any]:
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise InputError(f"survival: {what} are {brief(repr(values))}; give a list with one entry per subject")
    return list(values)


def _labels(arms: object) -> tuple[list[str], list[str]]:
    """The arm of every subject as text, and the rows that name none."""
    given = _entries(arms, "arms")
    problems = [f"row {i + 1}: no arm is named" for i, arm in enumerate(given) if arguments.is_missing(arm)]
    return [str(arm).strip() for arm in given], problems


def _checked_arms(
    times: Iterable[float], arms: Iterable[Hashable], events: Iterable[bool | int] | None
) -> tuple[FloatArray, list[str], BoolArray]:
    labels, problems = _labels(arms)
    moments, seen = _checked(times, events, problems=problems)
    if len(labels) != len(moments):
        raise InputError(f"survival: {len(moments)} times and {len(labels)} arm names; one per subject is needed")
    if len(set(labels)) < 2:
        raise InputError(f"survival: only one arm ('{labels[0]}'); a comparison needs at least two")
    return moments, labels, seen


__all__ = [
    "HazardRatio",
    "KaplanMeier",
    "LogRank",
    "Time",
    "by_arm",
    "hazard_ratio",
    "kaplan_meier",
    "log_rank",
]
__dir__ = listing(__all__)
