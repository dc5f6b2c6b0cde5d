"""Escalations and xenograft studies over parameter sets: how far their findings hang on constants nobody knows.

The tables are those of the study with the model's own constants, with the 5 and 95 % quantiles over the same study
under other sets (:func:`ensemble.repeat`) beside its columns. Quantiles are of values that occur, so that a
median survival that is not reached counts as later than all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..experiments.ensemble import Repeats, add_band, band, with_low_and_high
from ..invivo.xenograft import Trial
from ..resistance.escalation import Escalation
from ..stats.survival import KaplanMeier

if TYPE_CHECKING:
    import pandas as pd

SIGNIFICANT = 0.05


def trial_tables(found: Repeats[Trial]) -> dict[str, pd.DataFrame]:
    """Every table of a xenograft study by name.

    ``summary`` has ``median_days`` and ``growth_inhibition_percent`` with columns ``..._ensemble_low`` and
    ``..._ensemble_high`` and ``significant_share``, the share of sets whose log-rank p is below 0.05; ``survival`` has
    ``ensemble_low`` and ``ensemble_high``, ``lysate`` has ``low`` and ``high``. Animals and volumes are those of the
    model's own constants.
    """
    import pandas as pd

    tables = found.own.tables()
    summary = tables["summary"]
    others = [other.summary() for other in found.others]
    for column in ("median_days", "growth_inhibition_percent"):
        values = np.array([pd.to_numeric(one[column]).fillna(math.inf) for one in others], dtype=float)
        low, high = (np.where(np.isfinite(end), end, math.nan) for end in _quantiles(values))
        add_band(summary, column, (f"{column}_ensemble_low", f"{column}_ensemble_high"), (low, high))
    p = np.array([pd.to_numeric(one["log_rank_p"]) for one in others], dtype=float)
    share = np.mean(p < SIGNIFICANT, axis=0)
    summary["significant_share"] = [math.nan if i == 0 else float(x) for i, x in enumerate(share)]
    survival = tables["survival"]
    low, high = np.empty(len(survival)), np.empty(len(survival))
    for arm in found.own.arms:
        rows = np.flatnonzero(survival["arm"] == arm)
        times = survival["time"].to_numpy(dtype=float)[rows]
        low[rows], high[rows] = survival_band([other.survival[arm] for other in found.others], times)
    add_band(survival, "survival", ("ensemble_low", "ensemble_high"), (low, high))
    lysates = [other.lysate for other in found.others]
    return {**tables, "lysate": with_low_and_high(tables["lysate"], lysates, {"value": ("low", "high")})}


def survival_band(curves: Sequence[KaplanMeier], times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The band of several survival curves just after each of ``times``; curves keep their last value."""
    found = []
    for curve in curves:
        steps = np.concatenate([[1.0], curve.survival])
        found.append(steps[np.searchsorted(curve.times, times, side="right")])
    return _quantiles(np.array(found))


def median_band(others: Sequence[Trial], arm: str) -> str:
    """The band of an arm's median survival in words: ``36.5 to 41 days`` or ``52.3 days to not reached``."""
    medians = [other.survival[arm].median.value for other in others]
    ends = _quantiles(np.array([math.inf if median is None else median for median in medians]))
    low, high = (f"{float(end):.4g}" if np.isfinite(end) else "not reached" for end in ends)
    return f"{low} to {high} days" if high != "not reached" else f"{low}{' days to not reached' * (low != high)}"


def escalation_tables(found: Repeats[Escalation]) -> dict[str, pd.DataFrame]:
    """``history`` and ``fractions`` of an escalation with bands, and ``outcomes``, a row for each parameter set.

    A culture whose escalation has ended stays as it was. ``outcomes`` starts with set 0, the model's own constants:
    ``set, parental_ic50_nM, reached, days, last_dose_nM, changes, reason``.
    """
    import pandas as pd

    own, history = found.own, found.own.history.copy()
    days = history["day"].to_numpy(dtype=float)
    for column in ("dose_nM", "relative_growth"):
        add_band(history, column, (f"{column}_low", f"{column}_high"), history_band(found.others, column, days))
    fractions = own.fractions.copy()
    low, high = np.empty(len(fractions)), np.empty(len(fractions))
    for clone, rows in fractions.groupby("clone").indices.items():
        when = fractions["day"].to_numpy(dtype=float)[rows]
        low[rows], high[rows] = band(np.array([_share(other, str(clone), when) for other in found.others]))
    add_band(fractions, "fraction", ("fraction_low", "fraction_high"), (low, high))
    outcomes = pd.DataFrame([
        {
            "set": number, "parental_ic50_nM": run.parental_ic50.value, "reached": run.reached, "days": run.days,
            "last_dose_nM": float(run.history["dose_nM"].iloc[-1]), "changes": " + ".join(run.changes),
            "reason": run.reason,
        }
        for number, run in enumerate((own, *found.others))
    ])  # fmt: skip
    return {"history": history, "fractions": fractions, "outcomes": outcomes}


def history_band(runs: Sequence[Escalation], column: str, days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The band of a column of the histories of ``runs`` on ``days``; runs that have ended keep their last value."""
    return band(np.array([_on_days(run.history, column, days) for run in runs]))


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


def _quantiles(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """5 and 95 % quantiles over the first axis that are values of it, so that infinite ones can stand among them."""
    low, high = (np.quantile(values, q, axis=0, method="inverted_cdf") for q in (0.05, 0.95))
    return np.asarray(low), np.asarray(high)
