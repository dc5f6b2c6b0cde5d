"""Growth-rate inhibition: drug response corrected for how fast cells divide (Hafner et al. 2016, Nat Methods 13:521).

``GR = 2 ** (log2(x / x0) / log2(x_control / x0)) - 1``: 1 is undisturbed growth, 0 complete arrest, below 0 net loss of
cells. The curve is ``GR(c) = GRinf + (1 - GRinf) / (1 + (c / GEC50) ** h)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .. import arguments, shown
from ..arrays import FloatArray
from ..errors import InputError, raise_together
from ..names import listing
from ..shown import Shown
from . import hill
from .curve import Curve, Estimate, Potency

SLOPES = (0.1, 5.0)
"""Limits of the Hill slope in the reference implementations of the method."""

_MOST_DOUBLINGS = 50.0
"""How many times as fast as the control cells may grow: beyond, the control does not tell a growth rate."""

_LEAST_COUNT = 1e-100


@dataclass(frozen=True, slots=True)
class Metrics:
    """GR metrics of one dose response.

    ``gr50``: dose where GR is 0.5, or the bound; ``gr_max``: the lower of the mean GR values at the two highest doses;
    ``gr_aoc``: area over the curve of measured means on log dose, per width (0: no effect); ``gec50``, ``gr_inf``,
    ``h``: of the fitted curve.
    """

    gr50: Potency
    gr_max: float
    gr_aoc: float
    gec50: Estimate
    gr_inf: Estimate
    h: Estimate
    curve: Curve = field(repr=False)

    def row(self) -> dict[str, float | str | None]:
        """One table row with every metric, interval limits, relation and unit."""
        return {
            "gr50": self.gr50.value,
            "gr50_relation": self.gr50.relation,
            "gr50_low": self.gr50.low,
            "gr50_high": self.gr50.high,
            "dose_unit": self.gr50.unit,
            "gr_max": self.gr_max,
            "gr_aoc": self.gr_aoc,
            "gec50": self.gec50.value,
            "gr_inf": self.gr_inf.value,
            "gr_inf_low": self.gr_inf.low,
            "gr_inf_high": self.gr_inf.high,
            "h": self.h.value,
            "intervals": self.curve.meaning,
            "notes": "; ".join(self.curve.notes),
        }

    def _shown(self) -> Shown:
        rows = [
            {"": "GR50", "estimate": str(self.gr50)},
            {"": "GRmax", "estimate": f"{self.gr_max:.4g}"},
            {"": "GR_AOC", "estimate": f"{self.gr_aoc:.4g}"},
            {"": "GRinf", "estimate": str(self.gr_inf)},
            {"": "GEC50", "estimate": str(self.gec50)},
            {"": "h", "estimate": str(self.h)},
        ]
        return Shown("GR metrics (GR: 1 undisturbed growth, 0 arrest, below 0 loss of cells)", rows, self.curve.notes)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def __str__(self) -> str:
        return (
            f"GR50    {self.gr50}\nGRmax   {self.gr_max:.4g}\nGR_AOC  {self.gr_aoc:.4g}\nGRinf   {self.gr_inf}\n"
            f"GEC50   {self.gec50}{'' if self.gec50.value is None else f' {self.gr50.unit}'}\nh       {self.h}\n"
            f"(brackets: {self.curve.meaning})\n"
            "(GR: 1 undisturbed growth, 0 arrest, below 0 loss of cells)"
        )


def values(counts: npt.ArrayLike, control: npt.ArrayLike, start: npt.ArrayLike) -> FloatArray:
    """GR values of cell counts, with the counts of the untreated ``control`` at the same time and at the ``start``.

    The three broadcast against each other. A count of zero counts as 1e-6 of the start, so that GR nears -1.

    Raises:
        InputError: lists every row with a count that is not finite or negative, a start not above zero, or a control
            that did not grow (GR compares growth rates; without growth there is nothing to compare).

    >>> ps.growth_rate.values([800.0, 200.0, 50.0], control=800.0, start=200.0).round(3).tolist()
    [1.0, 0.0, -0.5]
    """
    given = [arguments.array(v, name) for v, name in ((counts, "cell count"), (control, "control"), (start, "start"))]
    try:
        x, untreated, first = np.broadcast_arrays(*given)
    except ValueError:
        shapes = ", ".join(str(each.shape) for each in given)
        raise InputError(
            f"growth rate: counts, control and start have shapes {shapes}; give one control and start, "
            "or one for each count"
        ) from None
    problems = []
    for name, values_ in (("cell count", x), ("control", untreated), ("start", first)):
        problems += arguments.not_finite(values_.reshape(-1), name)
    problems += [f"row {i + 1}: cell count {v:g} is negative" for i, v in enumerate(x.flat) if v < 0]
    problems += [f"row {i + 1}: start {v:g} is not above zero" for i, v in enumerate(first.flat) if v <= _LEAST_COUNT]
    problems += [
        f"row {i + 1}: the control did not grow ({c:g} from {s:g} at the start)"
        for i, (c, s) in enumerate(zip(untreated.flat, first.flat, strict=True))
        if c <= s
    ]
    raise_together(arguments.shortened(problems), "growth rate")
    growth = np.log2(np.maximum(x / first, 1e-6)) / np.log2(untreated / first)
    far = np.flatnonzero(growth.reshape(-1) > _MOST_DOUBLINGS)
    raise_together(
        arguments.shortened(
            [
                f"row {i + 1}: cells grew {growth.reshape(-1)[i]:.3g} times as fast as the control, which hardly grew"
                for i in far
            ]
        ),
        "growth rate",
    )
    return np.asarray(2.0**growth - 1.0)


def metrics(
    doses: Iterable[float],
    counts: Iterable[float],
    control: npt.ArrayLike,
    start: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    unit: str = "nM",
) -> Metrics:
    """GR metrics from cell counts (n,) at ``doses`` (n,), with the untreated ``control`` and the ``start`` counts (both
    one number or one per well). Raises :class:`InputError` as :func:`values` and :func:`pathsim.stats.hill.fit`.

    >>> found = ps.growth_rate.metrics([0, 10, 100, 1000], [800, 600, 300, 120], control=800, start=200)
    >>> found.gr50.reached
    True
    """
    found = arguments.column(counts, "cell count")
    for name, given in (("control", control), ("start", start)):
        shape = arguments.array(given, name).shape
        if shape not in ((), found.shape):
            raise InputError(
                f"growth rate: {len(found)} cell counts and a {name} of shape {shape}; give one, or one per well"
            )
    return from_values(doses, values(found, control, start), confidence=confidence, unit=unit)


def from_values(
    doses: Iterable[float], gr: Iterable[float], *, confidence: float = 0.95, unit: str = "nM", exact: bool = False
) -> Metrics:
    """GR metrics from GR values (n,) at ``doses`` (n,); wells at one dose are replicates.

    ``exact``: as of :func:`pathsim.stats.hill.fit`. Raises :class:`InputError` as :func:`pathsim.stats.hill.fit`.

    >>> ps.growth_rate.from_values([0, 10, 100, 1000], [1.0, 0.8, 0.3, -0.2]).gr_max
    -0.2
    """
    curve = hill.fit(doses, gr, top=1.0, confidence=confidence, unit=unit, slopes=SLOPES, exact=exact)
    treated = curve.doses > 0
    levels, where = np.unique(curve.doses[treated], return_inverse=True)
    means = np.bincount(where, curve.responses[treated]) / np.bincount(where)
    area = area_over(levels, means)
    return Metrics(curve.ic50, float(means[-2:].min()), area, curve.ec50, curve.bottom, curve.h, curve)


def area_over(doses: FloatArray, gr: FloatArray) -> float:
    """The area over a GR curve (n,) at ascending ``doses`` (n,): mean of 1 - GR over the logarithm of the dose.

    >>> import numpy as np
    >>> ps.growth_rate.area_over(np.array([1.0, 10.0, 100.0]), np.array([1.0, 0.5, 0.0]))
    0.5
    """
    logs = np.log10(doses)
    return float(np.trapezoid(1.0 - gr, logs) / (logs[-1] - logs[0]))


__all__ = [
    "Metrics",
    "area_over",
    "from_values",
    "metrics",
    "values",
]
__dir__ = listing(__all__)
