"""The median-effect line of one drug or of one mixture (Chou & Talalay 1984, Adv Enzyme Regul 22:27).

``log(fa / fu) = m log(D) - m log(Dm)``: ``fa`` is the fraction affected, ``fu = 1 - fa``, ``Dm`` the median-effect
dose, ``m`` the slope, ``r`` the correlation of the points with the line. Ordinary least squares on logarithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ... import arguments
from ...arrays import FloatArray
from ...errors import InputError
from ..rounding import settled

_LEAST_SLOPE = 1e-3
"""A line as flat as this takes a thousand decades of dose for any effect: the drug does nothing."""


@dataclass(frozen=True, slots=True)
class MedianEffect:
    """A fitted line: ``logit(fa) = intercept + m ln(dose)``.

    ``covariance`` (2, 2) of intercept and slope is None for two points; ``rss`` and ``degrees_of_freedom`` are those
    of the logits. ``left_out`` are the doses whose effect was not between 0 and 1, ``seen`` the least and the largest
    effect on the line.
    """

    name: str
    unit: str
    m: float
    dm: float
    r: float | None
    points: int
    left_out: tuple[float, ...]
    seen: tuple[float, float]
    intercept: float
    rss: float
    degrees_of_freedom: int
    design: FloatArray = field(repr=False, compare=False)

    def dose(self, fa: npt.ArrayLike) -> FloatArray:
        """The dose Dx that affects the fraction ``fa``; NaN for effects that are not between 0 and 1."""
        given = arguments.array(fa, "effect")
        with np.errstate(invalid="ignore", over="ignore"):
            inside = (given > 0) & (given < 1)
            return np.asarray(np.exp((_logit(np.where(inside, given, np.nan)) - self.intercept) / self.m))

    def log_dose_variance(self, fa: npt.ArrayLike, variance: float) -> FloatArray:
        """Variance of ``ln Dx`` (delta method) when a logit has ``variance`` about the line."""
        x = np.log(self.dose(fa))
        gradient = np.stack([np.ones_like(x), x], axis=-1) / self.m
        return np.asarray(variance * np.einsum("...i,ij,...j->...", gradient, self.design, gradient))

    def __str__(self) -> str:
        r = "" if self.r is None else f", r {self.r:.4f}"
        return f"{self.name}: Dm {self.dm:.4g} {self.unit}, m {self.m:.4g}{r} ({self.points} doses)"


def _logit(share: FloatArray) -> FloatArray:
    return np.log(share) - np.log1p(-share)


def median_effect(doses: npt.ArrayLike, affected: npt.ArrayLike, name: str = "drug", unit: str = "nM") -> MedianEffect:
    """Fit the line to ``affected`` fractions (n,) at ``doses`` (n,).

    Points with an effect of 0 or less, or 1 or more, have no logit: they are left out and named in ``left_out``.

    Raises:
        InputError: numbers that are not finite, doses not above zero, fewer than two usable points at distinct doses,
            or an effect that does not rise with dose (no median-effect dose exists).

    >>> round(ps.synergy.median_effect([10, 100, 1000], [0.1, 0.5, 0.9]).dm)
    100
    """
    x, fa = settled(arguments.column(doses, "dose")), arguments.column(affected, "effect")
    if x.ndim != 1 or x.shape != fa.shape:
        raise InputError(f"{name}: doses have shape {x.shape}, effects {fa.shape}; one effect per dose is needed")
    within = (x >= 1 / arguments.LARGEST) & (x <= arguments.LARGEST)
    if not (np.isfinite(fa).all() and within.all()):
        raise InputError(f"{name}: doses must be above zero and effects finite numbers")
    usable = (fa > 0) & (fa < 1)
    left_out = tuple(float(dose) for dose in x[~usable])
    x, fa = x[usable], fa[usable]
    if len(np.unique(x)) < 2:
        raise InputError(
            f"{name}: {len(np.unique(x))} dose(s) with an effect between 0 and 1; a median-effect line needs two"
        )
    matrix = np.column_stack([np.ones(len(x)), np.log(x)])
    target = _logit(fa)
    (intercept, m), *_ = np.linalg.lstsq(matrix, target, rcond=None)
    if not m > _LEAST_SLOPE:
        raise InputError(
            f"{name}: the effect does not rise with dose (slope m = {m:.3g}); it has no median-effect dose"
        )
    rss = float(((target - matrix @ np.array([intercept, m])) ** 2).sum())
    r = float(np.corrcoef(matrix[:, 1], target)[0, 1]) if len(x) > 2 else None
    return MedianEffect(
        name,
        unit,
        m=float(m),
        dm=math.exp(-intercept / m),
        r=r,
        points=len(x),
        left_out=left_out,
        seen=(float(fa.min()), float(fa.max())),
        intercept=float(intercept),
        rss=rss,
        degrees_of_freedom=len(x) - 2,
        design=np.linalg.inv(matrix.T @ matrix),
    )
