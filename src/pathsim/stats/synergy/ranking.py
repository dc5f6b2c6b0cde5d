"""Many combinations side by side, best first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...errors import InputError
from .excess import bliss
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
