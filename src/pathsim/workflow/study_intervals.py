"""Curves, scores, escalations and xenograft studies over parameter sets: how far they hang on constants nobody knows.

In place of a number stands its median over the same study under all sets (:func:`prediction_intervals`), with the
5 and 95 % quantiles beside it. Quantiles are of values that occur, so that a median survival that is not reached counts
as later than all others. Animals, tumours and clones one by one are those of the best set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..experiments.ensemble import LEVEL, Interval, Intervals, add_ends, interval
from ..invivo.xenograft import Trial
from ..resistance.escalation import Escalation
from ..stats.survival import KaplanMeier

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05


def row_over_sets(rows: Sequence[Mapping[str, Any]], level: float = LEVEL) -> dict[str, Any]:
    """One table row of a curve or score in place of those of all sets: numbers with ``..._low`` and ``..._high``.

    Each number is the median over the sets that its interval is of. A potency (a column with ``..._relation``) that is
    not reached under a set counts as larger than all others, one that is passed already as smaller; where the median
    is not reached, its value is the bound and its relation says so. ``intervals`` says what the ends are.
    """
    found: dict[str, Any] = {}
    for name, first in rows[0].items():
        stem, _, end = name.rpartition("_")
        if end in ("low", "high", "relation") and stem in rows[0]:
            continue
        relations = [row.get(f"{name}_relation", "=") for row in rows]
        numbers = [row[name] for row in rows]
        if isinstance(first, int) or not any(isinstance(x, float) for x in numbers):  # counts are no findings
            found[name] = first
            continue
        bounds = {">": math.inf, "<": -math.inf}
        values = [bounds.get(sign, math.nan if x is None else x) for x, sign in zip(numbers, relations, strict=True)]
        if np.isnan(np.asarray(values, dtype=float)).all():
            low = value = high = math.nan
        else:
            low, value, high = (float(end) for end in interval(values, level, occurring=True))
        sign = {math.inf: ">", -math.inf: "<"}.get(value, "=" if value == value else "?")
        if f"{name}_relation" in rows[0]:
            found |= {name: value, f"{name}_relation": sign}
            if sign in bounds:
                found[name] = next(x for x, own in zip(numbers, relations, strict=True) if own == sign)
        else:
            found[name] = value
        found |= {f"{name}_low": max(low, 0.0) if low == -math.inf else low, f"{name}_high": high}
    share = 50 * (1 - level)
    return found | {"intervals": f"{share:g} to {100 - share:g} % over {len(rows)} parameter sets"}


def trial_tables(found: Intervals[Trial]) -> dict[str, pd.DataFrame]:
    """Every table of a xenograft study by name.

    ``summary`` has ``median_days`` and ``growth_inhibition_percent`` with columns ``..._ensemble_low`` and
    ``..._ensemble_high`` and ``significant_share``, the share of sets whose log-rank p is below 0.05; ``survival`` has
    ``ensemble_low`` and ``ensemble_high``, ``lysate`` has ``low`` and ``high``. Animals and volumes are those of the
    best set.
    """
    import pandas as pd

    tables = found.best.tables()
    summary = tables["summary"]
    summaries = [study.summary() for study in found.studies]
    for column in ("median_days", "growth_inhibition_percent"):
        values = np.array([pd.to_numeric(one[column]).fillna(math.inf) for one in summaries], dtype=float)
        low, value, high = (np.where(np.isfinite(x), x, math.nan) for x in interval(values, occurring=True))
        add_ends(summary, column, (f"{column}_ensemble_low", f"{column}_ensemble_high"), (low, value, high))
    p = np.array([pd.to_numeric(one["log_rank_p"]) for one in summaries], dtype=float)
    share = np.mean(p < SIGNIFICANT, axis=0)
    summary["significant_share"] = [math.nan if i == 0 else float(x) for i, x in enumerate(share)]
    survival = tables["survival"]
    low, middle, high = (np.empty(len(survival)) for _ in range(3))
    for arm in found.best.arms:
        rows = np.flatnonzero(survival["arm"] == arm)
        times = survival["time"].to_numpy(dtype=float)[rows]
        low[rows], middle[rows], high[rows] = survival_interval([study.survival[arm] for study in found.studies], times)
    add_ends(survival, "survival", ("ensemble_low", "ensemble_high"), (low, middle, high))
    return {**tables, "lysate": Intervals(tuple(study.lysate for study in found.studies)).table()}


def survival_interval(curves: Sequence[KaplanMeier], times: FloatArray) -> Interval:
    """The interval of several survival curves just after each of ``times``; curves keep their last value."""
    found = []
    for curve in curves:
        steps = np.concatenate([[1.0], curve.survival])
        found.append(steps[np.searchsorted(curve.times, times, side="right")])
    return interval(found, occurring=True)


def median_survival(studies: Sequence[Trial], arm: str) -> Interval:
    """An arm's median survival in days over the studies, infinite where it is not reached."""
    medians = [study.survival[arm].median.value for study in studies]
    return interval([math.inf if median is None else median for median in medians], occurring=True)


def median_interval(studies: Sequence[Trial], arm: str) -> str:
    """The interval of an arm's median survival in words: ``36.5 to 41 days`` or ``52.3 days to not reached``."""
    found = median_survival(studies, arm)
    low, high = (f"{float(end):.4g}" if np.isfinite(end) else "not reached" for end in (found.low, found.high))
    return f"{low} to {high} days" if high != "not reached" else f"{low}{' days to not reached' * (low != high)}"


def escalation_tables(found: Intervals[Escalation]) -> dict[str, pd.DataFrame]:
    """``history`` and ``fractions`` of an escalation with intervals, and ``outcomes``, a row for each parameter set.

    A culture whose escalation has ended stays as it was.
    """
    own, history = found.best, found.best.history.copy()
    days = history["day"].to_numpy(dtype=float)
    for column in ("dose_nM", "relative_growth"):
        add_ends(history, column, (f"{column}_low", f"{column}_high"), history_interval(found.studies, column, days))
    fractions = own.fractions.copy()
    low, middle, high = (np.empty(len(fractions)) for _ in range(3))
    for clone, rows in fractions.groupby("clone").indices.items():
        when = fractions["day"].to_numpy(dtype=float)[rows]
        low[rows], middle[rows], high[rows] = interval([_share(study, str(clone), when) for study in found.studies])
    add_ends(fractions, "fraction", ("fraction_low", "fraction_high"), (low, middle, high))
    return {"history": history, "fractions": fractions, "outcomes": outcomes(found)}


def outcomes(found: Intervals[Escalation]) -> pd.DataFrame:
    """How an escalation ended under each parameter set, a row for each, the best (set 0) first.

    ``set, line, measure, parental_potency_nM, reached, resistant, days, last_dose_nM, changes, reason``, and the IC50
    and GR50 of both lines with their relation (``=``, ``>``, ``<``).
    """
    import pandas as pd

    rows = []
    for number, run in enumerate(found.studies):
        row: dict[str, object] = {
            "set": number,
            "line": run.line.name,
            "measure": run.measure,
            "parental_potency_nM": run.aim.value,
            "reached": run.reached,
            "resistant": run.resistant,
            "days": run.days,
            "last_dose_nM": float(run.history["dose_nM"].iloc[-1]),
            "changes": " + ".join(run.changes),
            "reason": run.reason,
        }
        for name, pair in (("ic50", run.shift.ic50), ("gr50", run.shift.gr50)):
            for whose, potency in zip(("parental_", ""), pair, strict=True):
                row |= {f"{whose}{name}_nM": potency.value, f"{whose}{name}_relation": potency.relation}
        rows.append(row)
    return pd.DataFrame(rows)


def history_interval(runs: Sequence[Escalation], column: str, days: FloatArray) -> Interval:
    """The interval of a column of the histories of ``runs`` on ``days``; runs that have ended keep their last value."""
    return interval([_on_days(run.history, column, days) for run in runs])


def picked(runs: Sequence[Escalation]) -> dict[str, int]:
    """How many of ``runs`` each set of changes won, most frequent first."""
    names = [" + ".join(run.changes) or "no change" for run in runs]
    return {name: names.count(name) for name in sorted(set(names), key=lambda name: (-names.count(name), name))}


def _share(run: Escalation, clone: str, days: FloatArray) -> FloatArray:
    """The share of a clone on some days, 0 where it never was large enough to be listed."""
    part = run.fractions[run.fractions["clone"] == clone]
    return _on_days(part, "fraction", days) if len(part) else np.zeros(len(days))


def _on_days(table: pd.DataFrame, column: str, days: FloatArray) -> FloatArray:
    """A column as it last was on each of ``days``."""
    when = table["day"].to_numpy(dtype=float)
    at = np.clip(np.searchsorted(when, days, side="right") - 1, 0, len(when) - 1)
    return np.asarray(table[column].to_numpy(dtype=float)[at])
