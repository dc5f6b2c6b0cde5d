"""The likelihood of measurements given their simulated signals, at many parameter vectors at once.

Two ways from signals to a likelihood, with the same two methods (:class:`Likelihood`): :class:`Given`, where the signal
is the prediction and its noise has a size that is given, and :class:`Solved`, where scale, offset and size of the noise
are unknown, nobody cares about them, and they are at their best in closed form (or by a few Newton steps).

Bands of one gel and antibody share an unknown scale. On a logarithmic scale the best one is a mean; on the linear scale
scale and offset are a straight line, neither of them negative. Bands below detection, or a robust density, make
scale and noise a regression whose likelihood is concave in (log scale / sigma, 1 / sigma) (R. J. Olsen, Econometrica
46, 1211 (1978), for normal noise; so for every log-concave density) and is climbed by Newton's method. Since the inner
optimum is exact, the gradient by the signals is the partial derivative there (L. Schmiester et al., Bioinformatics 36,
594 (2020), on hierarchical optimisation). What is solved for is projected out of the curvature (L. Kaufman, BIT 15, 49
(1975), on variable projection).

All arrays are (measurements, m): one column per parameter vector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray, SideArray
from ..errors import InputError
from ..stats.noise import (
    LN10,
    DoubleExponential,
    Family,
    Gaussian,
    bends,
    losses,
    pulls,
    residuals,
    scale_derivative,
    scaled,
)

SMALLEST_SIGMA = 0.02
"""Least noise that is believed, as a coefficient of variation: with a scale per gel a few bands can be met exactly."""
MOST_STEPS = 100
RELATIVE = 1e-13
"""A gain below this share of the likelihood is none."""


def column_sums(x: FloatArray) -> FloatArray:
    """Sums (m,) of the columns of ``x`` (measurements, m), each with the same bits whatever is beside it.

    numpy adds a single column up in another order than several.
    """
    return np.asarray(np.ascontiguousarray(x.T).sum(axis=1))


class GroupSums:
    """Sums over the measurements of each group: ``sums @ x`` as if it were a matrix (groups, measurements).

    Args:
        group: (measurements,), numbers from 0 of which none is left out.
    """

    def __init__(self, group: IntArray) -> None:
        self.group = group
        order = np.argsort(group, kind="stable")
        self.order = None if np.array_equal(order, np.arange(len(group))) else order
        self.first = np.searchsorted(group[order], np.arange(int(group.max()) + 1))

    def __matmul__(self, x: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(x if self.order is None else x[self.order], self.first, axis=0))


@dataclass(frozen=True, eq=False)
class Local:
    """The likelihood around the signals, to second order.

    ``losses``: negative log densities. ``by_signal``, ``by_sigma``: derivatives of their sum. ``root`` and
    ``noise_root``: square roots of the expected second derivatives by signal and by sigma; ``sizes`` are 1 on average
    where the noise is right. ``bases``: within each group, orthonormal directions of ``root`` times signal that
    scale and offset make up for; ``members`` sums over groups.
    """

    losses: FloatArray
    by_signal: FloatArray
    by_sigma: FloatArray
    root: FloatArray
    noise_root: FloatArray
    sizes: FloatArray
    bases: tuple[FloatArray, ...] = ()
    members: GroupSums | None = None


class Likelihood(Protocol):
    """From signals (and given sizes of noise) of measurements to their likelihood."""

    def losses(self, signal: FloatArray, sigma: FloatArray) -> FloatArray:
        """Negative log densities; NaN where they make no sense."""

    def local(self, signal: FloatArray, sigma: FloatArray) -> Local:
        """The same with derivatives."""

    def predictions(self, signal: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expected measurements (medians), and the size of their noise."""

    def residuals(self, signal: FloatArray, sigma: FloatArray) -> FloatArray:
        """(scaled prediction - scaled measurement) / sigma; 0 for bounds that are kept."""

    def with_data(self, data: FloatArray) -> Likelihood:
        """The same for other measured values (measurements,)."""


@dataclass(frozen=True, eq=False)
class Given:
    """Measurements whose signal is the prediction and whose noise has a given size."""

    family: Family
    data: FloatArray
    side: SideArray | None = None

    def with_data(self, data: FloatArray) -> Given:
        return replace(self, data=data)

    def losses(self, signal: FloatArray, sigma: FloatArray) -> FloatArray:
        z = residuals(self.family, signal, self._data, sigma)
        return losses(self.family, z, self._data, sigma, self._side)

    def predictions(self, signal: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
        return signal, sigma

    def residuals(self, signal: FloatArray, sigma: FloatArray) -> FloatArray:
        return _kept(residuals(self.family, signal, self._data, sigma), self._side)

    def local(self, signal: FloatArray, sigma: FloatArray) -> Local:
        family, side = self.family, self._side
        z = residuals(family, signal, self._data, sigma)
        with np.errstate(all="ignore"):
            pull, steep = pulls(family, z, side), scale_derivative(signal, family.scale) / sigma
            seen = 1.0 if side is None else np.where(side == 0, 1.0, 0.0)
            return Local(
                losses(family, z, self._data, sigma, side),
                pull * steep,
                (seen - pull * z) / sigma,
                np.sqrt(bends(family, z, side)) * np.abs(steep),
                math.sqrt(family.density.information) * seen / sigma,
                z * pull,
            )

    @cached_property
    def _data(self) -> FloatArray:
        return self.data[:, None]

    @cached_property
    def _side(self) -> SideArray | None:
        return None if self.side is None else self.side[:, None]


def _kept(z: FloatArray, side: SideArray | None) -> FloatArray:
    return z if side is None else np.where((side != 0) & (side * z > 0), 0.0, z)


# ------------------------------------------------------------------------------------------------------- closed forms


@dataclass(frozen=True, slots=True)
class Unscaled:
    """The prediction is the signal; only the size of the noise is unknown."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """The prediction is an unknown scale, not negative, times the signal: one scale for each gel and antibody."""


@dataclass(frozen=True, slots=True)
class ScaledWithOffset:
    """The prediction is scale * signal + offset, neither of them negative: a background is added, never taken away."""


Form = Unscaled | Scaled | ScaledWithOffset


@dataclass(frozen=True, eq=False)
class Solution:
    """What is at its best: ``scale`` and ``offset`` (groups, m), ``sigma`` (1 or measurements, m), the ``prediction``
    (measurements, m), and where the offset is ``free`` to move (groups, m)."""

    scale: FloatArray
    offset: FloatArray
    sigma: FloatArray
    prediction: FloatArray
    free: BoolArray


@dataclass(frozen=True, eq=False)
class Solved:
    """Measurements of groups (gels) numbered from 0 in ``group``, with scale, offset and noise at their best.

    ``sd`` is the size of the noise of each measurement where it is known. Raises :class:`InputError` for what has no
    solution here: double exponential noise, and an unknown size of noise where scale and offset are found by iteration.
    """

    form: Form
    family: Family
    data: FloatArray
    group: IntArray
    sd: FloatArray | None = None
    side: SideArray | None = None

    def __post_init__(self) -> None:
        name = type(self.family).__name__
        if isinstance(self.family.density, DoubleExponential):
            raise InputError(f"{name} noise has no scales in closed form; use Normal, LogNormal or Robust")
        if self.sd is None and not self._has_line and not self._is_location:
            raise InputError(
                f"{type(self.form).__name__} with {name} noise needs the size of the noise: a column sd, or "
                f"{name}(sigma)"
            )

    @property
    def _is_location(self) -> bool:
        """On a logarithmic scale without offset, scales are shifts."""
        return self.family.scale != "lin" and not isinstance(self.form, ScaledWithOffset)

    @property
    def _has_line(self) -> bool:
        """Normal noise on the linear scale: straight lines."""
        return self.family.scale == "lin" and isinstance(self.family.density, Gaussian) and self.side is None

    @cached_property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1

    @cached_property
    def members(self) -> GroupSums:
        """Sums over the measurements of each group."""
        return GroupSums(self.group)

    @cached_property
    def least_sigma(self) -> float:
        """The smallest estimate of sigma."""
        if self.family.scale == "lin":
            return max(SMALLEST_SIGMA * float(np.mean(np.abs(self.data))), 1e-300)
        return SMALLEST_SIGMA / (LN10 if self.family.scale == "log10" else 1.0)

    @cached_property
    def _data(self) -> FloatArray:
        return self.data[:, None]

    @cached_property
    def _scaled_data(self) -> FloatArray:
        return scaled(self._data, self.family.scale)

    @cached_property
    def _side(self) -> SideArray | None:
        return None if self.side is None or not self.side.any() else self.side[:, None]

    @cached_property
    def _sd(self) -> FloatArray | None:
        return None if self.sd is None else np.asarray(self.sd, dtype=float)[:, None]

    def with_data(self, data: FloatArray) -> Solved:
        return replace(self, data=data)

    def losses(self, signal: FloatArray, sigma: FloatArray) -> FloatArray:
        found = self.solution(signal)
        z = residuals(self.family, found.prediction, self._data, found.sigma)
        return losses(self.family, z, self._data, found.sigma, self._side)

    def predictions(self, signal: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = self.solution(signal)
        return found.prediction, np.broadcast_to(found.sigma, found.prediction.shape)

    def residuals(self, signal: FloatArray, sigma: FloatArray) -> FloatArray:
        found = self.solution(signal)
        return _kept(residuals(self.family, found.prediction, self._data, found.sigma), self._side)

    def local(self, signal: FloatArray, sigma: FloatArray) -> Local:
        family, side, found = self.family, self._side, self.solution(signal)
        z = residuals(family, found.prediction, self._data, found.sigma)
        with np.errstate(all="ignore"):
            pull = pulls(family, z, side)
            steep = scale_derivative(found.prediction, family.scale) / found.sigma
            weight = np.sqrt(bends(family, z, side)) * np.abs(steep)
            scale = found.scale[self.group]
            nothing = np.zeros_like(z)
            return Local(
                losses(family, z, self._data, found.sigma, side),
                pull * steep * scale,
                nothing,
                weight * scale,
                nothing,
                z * pull,
                self._bases(weight, signal, found),
                self.members,
            )

    def _bases(self, weight: FloatArray, signal: FloatArray, found: Solution) -> tuple[FloatArray, ...]:
        """What scale and offset move, orthonormal within each group."""
        if isinstance(self.form, Unscaled):
            return ()
        first = self._normed(weight * signal, weight)
        if isinstance(self.form, Scaled):
            return (first,)
        second = np.where(found.free[self.group], weight, 0.0)
        second = second - first * (self.members @ (first * second))[self.group]
        return first, self._normed(second, weight)

    def _normed(self, direction: FloatArray, weight: FloatArray) -> FloatArray:
        """Of length 1 within each group; 0 where nothing but rounding is left."""
        length = np.sqrt(self.members @ direction**2)
        least = 1e-10 * np.sqrt(self.members @ weight**2)
        inverse = np.where(length > least, 1.0 / np.where(length > least, length, 1.0), 0.0)
        return np.asarray(direction * inverse[self.group])

    def solution(self, signal: FloatArray) -> Solution:
        """Scale, offset and noise at their best for ``signal`` (measurements, m)."""
        with np.errstate(all="ignore"):
            if self._is_location:
                return self._shifts(signal)
            if self._has_line:
                return self._lines(signal)
            return self._iterated(signal)

    # logarithmic scales without offset: a shift for each group

    def _shifts(self, signal: FloatArray) -> Solution:
        family, m = self.family, signal.shape[1]
        gap = self._scaled_data - scaled(signal, family.scale)
        plain = isinstance(family.density, Gaussian) and self._side is None
        if isinstance(self.form, Unscaled):
            shift = np.zeros((self.groups, m))
        elif self._sd is None:
            shift = (self.members @ gap) / self._counts
        else:
            weight = 1.0 / self._sd**2
            shift = (self.members @ (weight * gap)) / (self.members @ weight)
        sigma = self._sd if self._sd is not None else self._spread(gap - shift[self.group])
        if not plain:
            shift, sigma = self._climb(gap, shift, sigma)
        base = 10.0 if family.scale == "log10" else math.e
        scale = np.power(base, shift)
        prediction = scale[self.group] * signal
        return Solution(scale, np.zeros_like(scale), sigma, prediction, np.zeros(scale.shape, dtype=bool))

    def _spread(self, gap: FloatArray) -> FloatArray:
        return np.asarray(np.maximum(np.sqrt(column_sums(gap**2)[None] / len(gap)), self.least_sigma))

    def _climb(self, gap: FloatArray, shift: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Newton's method in (shift / sigma, 1 / sigma), in which the likelihood is concave.

        With known sizes of noise only the shifts move. z = u * a - tau * v, where a = shift * tau.
        """
        members, m = self.members, gap.shape[1]
        held = np.full(m, self._sd is not None)
        side = np.zeros(len(gap), dtype=np.int8)[:, None] if self._side is None else self._side
        seen = side == 0
        counted = 0.0 if self._sd is not None else float(seen.sum())
        u = np.ones((len(gap), 1)) if self._sd is None else 1.0 / self._sd
        v = gap * u
        tau = np.ones(m) if self._sd is not None else np.full(m, 2.0)
        if self._sd is None and not seen.any():
            held[:] = True
        number = members @ seen.astype(float)
        mean = (members @ np.where(seen, gap, 0.0)) / np.maximum(number, 1.0)
        a = np.where(number > 0, mean, shift) * tau
        fixed = isinstance(self.form, Unscaled)
        if fixed:
            a = np.zeros_like(a)
        least_tau = 1.0 / self.least_sigma

        def total(a: FloatArray, tau: FloatArray) -> FloatArray:
            z = u * a[self.group] - tau * v
            density = self.family.density
            found = column_sums(np.where(seen, density.loss(z), density.bound_loss(side * z)))
            return np.asarray(found - counted * np.log(tau))

        best = total(a, tau)
        going = np.isfinite(best)
        for _ in range(MOST_STEPS):
            z = u * a[self.group] - tau * v
            pull, bend = pulls(self.family, z, side), bends(self.family, z, side)
            g_a, g_t = members @ (u * pull), -column_sums(v * pull) - counted / tau
            h_aa = members @ (u**2 * bend) + 1e-12
            h_at = -(members @ (u * v * bend))
            h_tt = column_sums(v**2 * bend) + counted / tau**2
            if fixed:
                g_a, h_at = np.zeros_like(g_a), np.zeros_like(h_at)
            held |= (self._sd is None) & (tau >= least_tau) & (g_t < 0)
            down = h_tt - column_sums(h_at**2 / h_aa)
            d_t = np.where(held, 0.0, -(g_t - column_sums(h_at * g_a / h_aa)) / np.where(down > 0, down, 1.0))
            d_a = -(g_a + h_at * d_t) / h_aa
            share, left = np.ones(m), going.copy()
            gain = np.zeros(m)
            for _ in range(34):
                new_a = a + np.where(left, share, 0.0) * d_a
                new_t = np.where(left & ~held, np.minimum(tau + share * d_t, least_tau), tau)
                value = np.where(new_t > 0, total(new_a, np.where(new_t > 0, new_t, 1.0)), math.inf)
                better = left & (value <= best)
                a, tau = np.where(better, new_a, a), np.where(better, new_t, tau)
                gain = np.where(better, best - value, gain)
                best = np.where(better, value, best)
                left &= ~better
                if not left.any():
                    break
                share = np.where(left, share * 0.5, share)
            going &= ~left & ~((gain < RELATIVE * (1.0 + np.abs(best))) & (share == 1.0))
            if not going.any():
                break
        return a / tau, np.asarray(1.0 / tau[None]) if self._sd is None else self._sd

    # the linear scale with normal noise: a straight line for each group

    def _lines(self, signal: FloatArray) -> Solution:
        weight = np.ones((len(signal), 1)) if self._sd is None else 1.0 / self._sd**2
        scale, offset, free = self._line(signal, weight)
        prediction = scale[self.group] * signal + offset[self.group]
        sigma = self._spread(self._data - prediction) if self._sd is None else self._sd
        return Solution(scale, offset, sigma, prediction, free)

    def _line(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Weighted least squares of data = a x + b with a, b >= 0 in each group; whether b is free."""
        members, y, shape = self.members, self._data, (self.groups, x.shape[1])
        nothing, no = np.zeros(shape), np.zeros(shape, dtype=bool)
        if isinstance(self.form, Unscaled):
            return np.ones(shape), nothing, no
        xx = members @ (w * x**2)
        through = np.where(xx > 0, np.maximum((members @ (w * x * y)) / np.where(xx > 0, xx, 1.0), 0.0), 0.0)
        if isinstance(self.form, Scaled):
            return through, nothing, no
        sw = members @ w
        mx, my = (members @ (w * x)) / sw, (members @ (w * y)) / sw
        dx, dy = x - mx[self.group], y - my[self.group]
        spread = members @ (w * dx**2)
        line = (self._counts > 2) & (spread > 1e-24 * sw * (mx**2 + 1e-300))
        a = np.where(line, (members @ (w * dx * dy)) / np.where(line, spread, 1.0), 0.0)
        b = my - a * mx
        good, falling = line & (a >= 0) & (b >= 0), line & (a < 0)
        scale = np.where(good, a, np.where(falling, 0.0, through))
        offset = np.where(good, b, np.where(falling, np.maximum(my, 0.0), 0.0))
        return scale, offset, good | falling

    @cached_property
    def _counts(self) -> FloatArray:
        return np.bincount(self.group, minlength=self.groups).astype(float)[:, None]

    # everything else, with known sizes of noise: damped Newton steps in scale and offset, group by group

    def _iterated(self, signal: FloatArray) -> Solution:
        assert self._sd is not None
        sd = self._sd
        family, members, group, side = self.family, self.members, self.group, self._side
        derivative = scale_derivative(self._data, family.scale)
        a, b, _ = self._line(signal, (derivative / sd) ** 2)  # squares of relative errors where noise is relative
        typical = (members @ self._data) / self._counts / np.maximum((members @ signal) / self._counts, 1e-300)
        a = np.maximum(a, 1e-6 * typical)
        has_offset, has_scale = isinstance(self.form, ScaledWithOffset), not isinstance(self.form, Unscaled)
        if not has_scale:
            a = np.ones_like(a)

        def total(a: FloatArray, b: FloatArray) -> FloatArray:
            z = residuals(family, a[group] * signal + b[group], self._data, sd)
            lost = family.density.loss(z)
            if side is not None:
                lost = np.where(side == 0, lost, family.density.bound_loss(side * z))
            found = members @ lost
            return np.where(np.isfinite(found), found, math.inf)

        best, damping, calm = total(a, b), np.full(a.shape, 1e-6), np.zeros(a.shape, dtype=bool)
        for _ in range(MOST_STEPS):
            p = a[group] * signal + b[group]
            z = residuals(family, p, self._data, sd)
            pull, bend, steep = pulls(family, z, side), bends(family, z, side), scale_derivative(p, family.scale) / sd
            curve = 0.0 if family.scale == "lin" else -pull * steep / p
            g, plain, full = pull * steep, bend * steep**2, bend * steep**2 + curve
            g_a, g_b = members @ (g * signal), members @ g
            sums = [[members @ (h * signal**2), members @ (h * signal), members @ h] for h in (full, plain)]
            convex = (sums[0][0] > 0) & (sums[0][2] > 0) & (sums[0][0] * sums[0][2] > sums[0][1] ** 2)
            h_aa, h_ab, h_bb = (np.where(convex, one, other) for one, other in zip(*sums, strict=True))
            moves_a = has_scale & ((a > 0) | (g_a < 0))
            moves_b = has_offset & ((b > 0) | (g_b < 0))
            h_aa, h_bb = h_aa * (1.0 + damping) + 1e-300, h_bb * (1.0 + damping) + 1e-300
            h_ab = np.where(moves_a & moves_b, h_ab, 0.0)
            g_a, g_b = np.where(moves_a, g_a, 0.0), np.where(moves_b, g_b, 0.0)
            determinant = h_aa * h_bb - h_ab**2
            d_a = -(g_a * h_bb - g_b * h_ab) / determinant
            d_b = -(g_b * h_aa - g_a * h_ab) / determinant
            least = np.where(a > 1e-6 * typical, 0.1 * a, 0.0)
            new_a, new_b = np.maximum(a + d_a, least), np.maximum(b + d_b, 0.0)
            value = total(new_a, new_b)
            better = ~calm & (value <= best)
            gain = np.where(better, best - value, 0.0)
            a, b, best = np.where(better, new_a, a), np.where(better, new_b, b), np.where(better, value, best)
            calm |= (better & (gain <= RELATIVE * (1.0 + np.abs(best)))) | (damping > 1e12)
            damping = np.where(better, np.maximum(damping * 0.1, 1e-12), np.maximum(damping, 1e-4) * 10.0)
            if calm.all():
                break
        return Solution(a, b, sd, a[group] * signal + b[group], has_offset & (b > 0))


def likelihood_of(
    form: Form | None, family: Family, data: FloatArray, group: IntArray, sd: Sequence[float] | None, side: IntArray
) -> Likelihood:
    """The likelihood of some measurements: :class:`Given` where ``form`` is None, else :class:`Solved`."""
    bounds = side.astype(np.int8) if side.any() else None
    if form is None:
        return Given(family, data, bounds)
    known = None if sd is None else np.asarray(sd, dtype=float)
    if known is None and family.sigma is not None:
        known = np.full(len(data), family.sigma)
    return Solved(form, family, data, group, known, bounds)
