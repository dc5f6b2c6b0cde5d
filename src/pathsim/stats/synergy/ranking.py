"""Many combinations side by side, best first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...arrays import BoolArray
from ...errors import InputError, unknown
from .excess import bliss, hsa, loewe, zip_score
from .index import combination_index
from .musyc_surface import musyc
from .outliers import outliers
from .wells import Wells

if TYPE_CHECKING:
    import pandas as pd


class Scored(Protocol):
    """Anything a metric returns."""

    def row(self) -> dict[str, float | str | None]:
        """The score as one table row with ``experiment, drugs, metric, mean, low, high, unit, synergy_if``."""
        ...


def rank(experiments: Sequence[Wells], metric: Callable[..., Scored] = bliss, **options: Any) -> pd.DataFrame:
    """Score every experiment (:func:`experiments` of a table, or blocks of a file) with ``metric``, strongest first.

    Returns:
        One row per experiment, as the score's ``row``, with ``beyond_partners``: the score minus the mean score of
        either drug with its other partners in the same experiment, because a potent drug scores high with everything;
        None without other partners. An experiment that cannot be scored stays in the table, last, with its ``problem``.

    Raises:
        InputError: when there is no experiment, or none can be scored.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> ps.synergy.rank([screen], resamples=0)["drugs"].tolist()
    ['alpelisib + capivasertib']
    """
    import pandas as pd

    if not isinstance(experiments, Sequence) or not all(isinstance(wells, Wells) for wells in experiments):
        raise InputError("experiments to rank are a list of Wells, as synergy.experiments(table) gives")
    if not experiments:
        raise InputError("no experiment to rank")
    rows = []
    for wells in experiments:
        try:
            found: dict[str, Any] = {**metric(wells, **options).row(), "problem": ""}
        except InputError as error:
            found = {
                "experiment": wells.name,
                "drugs": " + ".join(wells.drugs),
                "mean": math.nan,
                "problem": str(error),
            }
        if found["mean"] is None:
            found |= {"mean": math.nan, "problem": found.get("notes", "")}
        rows.append({**found, "_drugs": frozenset(wells.drugs)})
    if all(row["problem"] for row in rows):
        raise InputError(f"none of the {len(rows)} experiments can be scored; the first says: {rows[0]['problem']}")
    frame = pd.DataFrame(rows)
    frame.insert(list(frame.columns).index("mean") + 1, "beyond_partners", _beyond_partners(frame))
    downwards = not str(frame["synergy_if"].dropna().iloc[0]).startswith("<")
    ordered = frame.sort_values("mean", ascending=not downwards, na_position="last", kind="stable")
    return ordered.drop(columns="_drugs").reset_index(drop=True)


METRICS: Mapping[str, Callable[..., Scored]] = {
    "bliss": bliss, "hsa": hsa, "loewe": loewe, "zip": zip_score, "ci": combination_index, "musyc": musyc,
}  # fmt: skip
"""Every score, by its short name."""


def summary(experiments: Sequence[Wells], metrics: Sequence[str] = tuple(METRICS), seed: int = 0) -> pd.DataFrame:
    """Every experiment under every metric, the strongest experiment by the first metric on top.

    Returns:
        One row per experiment and metric, as the score's ``row``, with its ``rank``, the number of ``wells``, and how
        many of them are ``outliers`` (:func:`outliers`). An experiment that a metric cannot score keeps its row, with
        the ``problem``; one whose wells disagree with those of other experiments of its drugs has a note.

    Raises:
        InputError: for an unknown metric, no experiment, or when no experiment can be scored by any.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> table = ps.synergy.summary([screen], metrics=["bliss", "hsa"])
    """
    import pandas as pd

    for name in metrics:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)
    if not experiments or not metrics:
        raise InputError(f"no {'metric' if experiments else 'experiment'} to score with")
    flags = outliers(experiments)
    rows: list[dict[str, Any]] = []
    for place, (wells, marked) in enumerate(zip(experiments, flags, strict=True)):
        for name in metrics:
            seeded = {} if name in ("ci", "musyc") else {"seed": seed}
            row: dict[str, Any] = {"experiment": wells.name, "drugs": " + ".join(wells.drugs), "metric": name}
            try:
                row |= {**METRICS[name](wells, **seeded).row(), "problem": ""}
            except InputError as error:
                row |= {"mean": math.nan, "problem": str(error)}
            row.setdefault("combinations", len(wells.conditions.combined))
            notes = [str(row.get("notes", "")), _stray(marked, experiments, place)]
            row |= {"wells": len(marked), "outliers": int(marked.sum()), "notes": "; ".join(filter(None, notes))}
            rows.append(row | {"_place": place})
    if all(row["problem"] for row in rows):
        raise InputError(f"no experiment can be scored; the first says: {rows[0]['problem']}")
    frame = pd.DataFrame(rows)
    frame["mean"] = pd.to_numeric(frame["mean"], errors="coerce")
    leading = frame.iloc[:: len(metrics)]
    signs = leading["synergy_if"].dropna()
    downwards = len(signs) > 0 and str(signs.iloc[0]).startswith("<")
    order = leading.sort_values("mean", ascending=downwards, na_position="last", kind="stable")["_place"].tolist()
    frame.insert(0, "rank", [order.index(place) + 1 for place in frame["_place"]])
    return frame.sort_values("rank", kind="stable").drop(columns="_place").reset_index(drop=True)


def _stray(marked: BoolArray, experiments: Sequence[Wells], place: int) -> str:
    """A note on an experiment of which many wells disagree with other experiments of the same drugs."""
    alike = [wells for wells in experiments if wells.drugs == experiments[place].drugs]
    if len(alike) < 3 or marked.mean() < 0.2:
        return ""
    return f"this matrix disagrees with the {len(alike) - 1} others of its drugs in {marked.mean():.0%} of its wells"


def _beyond_partners(frame: pd.DataFrame) -> list[float | None]:
    scores = list(zip(frame["experiment"], frame["_drugs"], frame["mean"], strict=True))
    found: list[float | None] = []
    for row, (experiment, drugs, mean) in enumerate(scores):
        others = []
        for drug in sorted(drugs):
            partners = [
                score
                for place, (where, pair, score) in enumerate(scores)
                if place != row and where == experiment and drug in pair and math.isfinite(score)
            ]
            if partners:
                others.append(float(np.mean(partners)))
        found.append(float(mean - np.mean(others)) if others and math.isfinite(mean) else None)
    return found
