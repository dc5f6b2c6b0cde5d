"""What a synergy score says: the number with its unit, sign, convention, interval, and where the interval is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ... import arguments, shown
from ...arrays import FloatArray
from ...errors import InputError
from ...shown import Shown
from .noise import resampled_means
from .wells import Conditions, Wells

if TYPE_CHECKING:
    import pandas as pd

PERCENT = 100.0
_MOST_RESAMPLES = 100_000
Kernel = Callable[[Conditions, FloatArray], FloatArray]
"""Conditions and mean viabilities (resamples, conditions) -> expected viability (resamples, combinations)."""
ScoreFunction = Callable[..., "Score"]
"""A metric: data in, score out."""


@dataclass(frozen=True, slots=True)
class Convention:
    """Unit and sign of a number: ``synergy`` is the side on which it counts as synergy."""

    quantity: str
    unit: str
    synergy: str
    neutral: float

    def __str__(self) -> str:
        return f"{self.quantity}, {self.unit}; {self.synergy} is synergy, {self.neutral:g} is the null model"


@dataclass(frozen=True, slots=True)
class Score:
    """A synergy score over a dose matrix.

    ``mean`` is over the combination wells, single drugs left out (the convention of SynergyFinder), with a bootstrap
    interval ``low`` .. ``high`` (None when nothing tells the noise). ``wells`` has one row per combination: a dose
    column per drug (``alpelisib_nM``), ``observed`` and ``expected`` inhibition and ``excess`` with ``excess_low``,
    ``excess_high``, all in percentage points.
    """

    metric: str
    convention: Convention
    drugs: tuple[str, ...]
    units: tuple[str, ...]
    mean: float
    low: float | None
    high: float | None
    confidence: float
    noise: str
    wells: pd.DataFrame = field(repr=False, compare=False)
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit of every excess here."""
        return self.convention.unit

    @property
    def max(self) -> float:
        """The largest excess of any combination."""
        return float(self.wells["excess"].max())

    @property
    def min(self) -> float:
        """The smallest excess of any combination."""
        return float(self.wells["excess"].min())

    def matrix(self, column: str = "excess") -> pd.DataFrame:
        """``column`` of ``wells`` as a matrix: doses of the first drug down, of the second across.

        Raises :class:`InputError` for other than two drugs.
        """
        if len(self.drugs) != 2:
            raise InputError(f"a matrix needs two drugs; this score has {len(self.drugs)} ({', '.join(self.drugs)})")
        first, second = dose_columns(self.drugs, self.units)
        return self.wells.pivot_table(index=first, columns=second, values=column)

    def of_exact_wells(self) -> Score:
        """The same score, whose intervals are called what they are where wells were simulated without noise."""
        if self.low is None:
            return self
        return replace(self, noise=f"{self.noise}: the wells have no noise, so it is their misfit, not confidence")

    def row(self) -> dict[str, float | str | None]:
        """One table row: what was scored, the mean with its limits, unit and convention."""
        return {
            "experiment": self.name,
            "drugs": " + ".join(self.drugs),
            "metric": self.metric,
            "mean": self.mean,
            "low": self.low,
            "high": self.high,
            "max": self.max,
            "unit": self.unit,
            "synergy_if": self.convention.synergy,
            "combinations": len(self.wells),
            "interval_from": self.noise,
            "notes": "; ".join(self.notes),
        }

    def _shown(self) -> Shown:
        two = len(self.drugs) == 2
        return Shown(
            str(self).split("\nnote: ")[0], self.matrix().round(1).reset_index() if two else self.wells, self.notes
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            interval = "no interval"
        else:
            interval = f"{self.confidence:.0%} interval {points(self.low)} to {points(self.high)}"
        return (
            f"{' + '.join(self.drugs)}: {self.metric} {points(self.mean)} {self.unit} ({interval}; mean of "
            f"{len(self.wells)} combinations, largest {points(self.max)}; {self.convention.synergy} is synergy). "
            f"Interval from {self.noise}."
        ) + "".join(f"\nnote: {note}" for note in self.notes)


def points(value: float, decimals: int = 2) -> str:
    """A number of percentage points with so many decimals, and no sign on a zero."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def dose_columns(drugs: tuple[str, ...], units: tuple[str, ...]) -> list[str]:
    """Names of the dose columns of a score's table: ``alpelisib_nM``."""
    return [f"{drug}_{unit}" for drug, unit in zip(drugs, units, strict=True)]


def excess_score(
    wells: Wells,
    metric: str,
    quantity: str,
    expected: Kernel,
    *,
    resamples: int,
    seed: int,
    confidence: float,
    observed: Kernel | None = None,
    notes: tuple[str, ...] = (),
) -> Score:
    """Score ``expected`` minus observed viability (observed minus expected inhibition) with bootstrap intervals.

    ``observed`` replaces the mean viability of each combination by a smoothed one (ZIP).

    Raises :class:`InputError` when there are no combinations.
    """
    import pandas as pd

    confidence = arguments.share(confidence, "confidence")
    resamples, seed = arguments.count(resamples, "resamples", _MOST_RESAMPLES), arguments.count(seed, "seed", 2**63)
    conditions = wells.conditions
    combined = conditions.combined
    if not len(combined):
        raise InputError(f"no well combines {' and '.join(wells.drugs)}; nothing to score")

    def score(means: FloatArray) -> tuple[FloatArray, FloatArray]:
        null = expected(conditions, means)
        seen = means[:, combined] if observed is None else observed(conditions, means)
        return null, seen

    null, seen = score(conditions.means[None])
    excess = PERCENT * (null - seen)[0]
    draws, noise = resampled_means(wells, conditions, resamples, seed)
    frame = pd.DataFrame(conditions.doses[combined], columns=dose_columns(wells.drugs, wells.units))
    frame["observed"] = PERCENT * (1.0 - seen[0])
    frame["expected"] = PERCENT * (1.0 - null[0])
    frame["excess"] = excess
    low = high = None
    if draws is not None:
        drawn_null, drawn_seen = score(draws)
        drawn = PERCENT * (drawn_null - drawn_seen)
        frame["excess_low"], frame["excess_high"] = _basic(excess, drawn, confidence)
        ends = _basic(excess.mean(keepdims=True), drawn.mean(axis=1, keepdims=True), confidence)
        low, high = float(ends[0][0]), float(ends[1][0])
    convention = Convention(quantity, "percentage points of inhibition", "> 0", 0.0)
    return Score(
        metric,
        convention,
        wells.drugs,
        wells.units,
        float(excess.mean()),
        low,
        high,
        confidence,
        noise,
        frame,
        wells.name,
        wells.notes + notes,
    )


def _basic(estimate: FloatArray, draws: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Basic bootstrap limits (Davison & Hinkley 1997, section 5.2): the estimate mirrored in the draws' quantiles."""
    tail = (1 - confidence) / 2
    upper, lower = np.quantile(draws, [1 - tail, tail], axis=0)
    return 2 * estimate - upper, 2 * estimate - lower
