"""The likelihood of densitometry: scales, offsets and noise that nobody cares about are solved for, not searched.

Bands of one gel and antibody share an unknown scale. With log-normal noise, log band = log scale + log signal + noise:
the best scales are means and the best noise a mean square. With normal noise, band = scale * signal + offset + noise: a
straight line per gel. Bands below detection make the log-normal case a censored regression, whose likelihood is concave
in (log scale / sigma, 1 / sigma) (R. J. Olsen, Econometrica 46, 1211 (1978)) and is climbed by Newton's method. Since
the inner optimum is exact, the gradient by the signals is the partial derivative there (L. Schmiester et al.,
Bioinformatics 36, 594 (2020), on hierarchical optimisation).

For least squares the likelihood is written as a sum of squares: a residual per band, and per estimated sigma one of
size sqrt(2 n (log sigma + c)) (A. Raue et al., PLoS ONE 8, e74335 (2013)). What is solved for is projected out of their
Jacobian (L. Kaufman, BIT 15, 49 (1975), on variable projection), which leaves the gradient exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from ..arrays import BoolArray, FloatArray, IntArray

SMALLEST_SIGMA = 0.02
"""Least noise that is believed, as a coefficient of variation: with a scale per gel a few bands can be met exactly."""
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True, eq=False)
class Solved:
    """Bands of one antibody with scale, offset and noise at their best.

    ``value``: negative log likelihood; ``by_signal`` (bands,): its derivative by each signal; ``weights`` (bands,
    bands): its expected second derivative, positive semidefinite. ``scale`` and ``offset`` are per gel; ``sigma`` is of
    the logarithm (log-normal) or in the units of the bands (normal). ``predicted`` (bands,) are medians.
    ``residuals`` (bands, and one more where sigma is estimated) have half their squares add up to ``value`` but for a
    constant; ``bend`` (bands,) is the derivative of each by its own signal, ``solved_for`` (residuals, k) are the
    derivatives by what is at its best.
    """

    value: float
    by_signal: FloatArray
    weights: FloatArray
    scale: FloatArray
    offset: FloatArray
    sigma: float
    predicted: FloatArray
    residuals: FloatArray
    bend: FloatArray
    solved_for: FloatArray

    def by_residual(self) -> FloatArray:
        """Derivatives (residuals, bands) of the residuals by the signals, what is solved for following."""
        direct = np.zeros((len(self.residuals), len(self.bend)))
        np.fill_diagonal(direct, self.bend)
        sizes = np.linalg.norm(self.solved_for, axis=0)
        used = self.solved_for[:, sizes > 0] / sizes[sizes > 0]
        basis, values, _ = np.linalg.svd(used, full_matrices=False)
        basis = basis[:, values > 1e-10]
        return np.asarray(direct - basis @ (basis.T @ direct))


def log_normal(
    bands: FloatArray, censored: BoolArray, gel: IntArray, signal: FloatArray, sigma: float | None = None
) -> Solved:
    """Log-normal noise. ``gel`` numbers the gels from 0; censored bands hold the detection limit; ``signal`` > 0."""
    y, mu = np.log(bands), np.log(signal)
    gels = int(gel.max()) + 1
    if censored.any():
        shift, spread = _censored(y - mu, censored, gel, gels, sigma)
    else:
        counts = np.bincount(gel, minlength=gels)
        shift = np.bincount(gel, y - mu, minlength=gels) / np.maximum(counts, 1)
        spread = max(math.sqrt(float(np.mean((y - mu - shift[gel]) ** 2))), SMALLEST_SIGMA) if sigma is None else sigma
    z = (y - mu - shift[gel]) / spread
    log_tail, hazard = log_ndtr(z), _hazard(z)
    density = np.where(censored, -log_tail, 0.5 * z**2 + math.log(spread) + HALF_LOG_TWO_PI + y)
    by_mu = np.where(censored, hazard, -z) / spread
    bend = np.where(censored, hazard * (z + hazard), 1.0) / spread**2
    weights = _without_means(bend, gel, gels)
    stretch = 1.0 / signal
    far = np.sqrt(np.maximum(-2.0 * log_tail, 1e-300))
    residuals, by_z = np.where(censored, far, z), np.where(censored, -hazard / far, 1.0)
    solved_for = [-by_z / spread * (gel == g) for g in range(gels)]
    if sigma is None and not censored.all():
        own = -by_z * z if spread > SMALLEST_SIGMA * (1 + 1e-12) else np.zeros(len(z))
        residuals, solved_for = _with_noise(residuals, solved_for, own, int((~censored).sum()), spread, SMALLEST_SIGMA)
    return Solved(
        float(density.sum()), by_mu * stretch, weights * np.outer(stretch, stretch), np.exp(shift), np.zeros(gels),
        spread, np.exp(shift)[gel] * signal, residuals, -by_z / spread * stretch, np.stack(solved_for, axis=1),
    )  # fmt: skip


def _with_noise(
    residuals: FloatArray, solved_for: list[FloatArray], by_log_sigma: FloatArray, seen: int, sigma: float, least: float
) -> tuple[FloatArray, list[FloatArray]]:
    """Residuals with the one that stands for the size of the noise, and what they depend on with the noise.

    ``by_log_sigma`` is zero where the noise is held at its ``least``.
    """
    size = math.sqrt(2.0 * seen * (math.log(sigma / least) + 0.5))
    columns = [np.append(column, 0.0) for column in solved_for]
    return np.append(residuals, size), [*columns, np.append(by_log_sigma, seen / size if by_log_sigma.any() else 0.0)]


def _hazard(z: FloatArray) -> FloatArray:
    """phi(z) / Phi(z), also far out in the tail."""
    result: FloatArray = np.exp(-0.5 * z**2 - HALF_LOG_TWO_PI - log_ndtr(z))
    return result


def _without_means(bend: FloatArray, gel: IntArray, gels: int) -> FloatArray:
    """diag(bend) with the direction of each gel's scale taken out."""
    matrix = np.diag(bend)
    for g in range(gels):
        own = np.where(gel == g, bend, 0.0)
        total = own.sum()
        if total > 0:
            matrix -= np.outer(own, own) / total
    return matrix


def _censored(
    d: FloatArray, censored: BoolArray, gel: IntArray, gels: int, sigma: float | None
) -> tuple[FloatArray, float]:
    """Shifts per gel and sigma of a censored regression of ``d`` on gels."""
    seen = ~censored
    tau = 1.0 / (sigma or 0.5)
    a = np.zeros(gels)
    for g in range(gels):
        own = d[(gel == g) & seen] if (seen & (gel == g)).any() else d[gel == g]
        a[g] = (own.mean() if own.size else 0.0) * tau
    hold_tau = sigma is not None or not seen.any()
    best = _climb_value(d, censored, gel, a, tau)
    for _ in range(100):
        gradient, hessian = _climb_slopes(d, censored, gel, gels, a, tau)
        if hold_tau:
            gradient[-1], hessian[-1, :], hessian[:, -1], hessian[-1, -1] = 0.0, 0.0, 0.0, -1.0
        step = np.linalg.lstsq(-hessian + 1e-12 * np.eye(gels + 1), gradient, rcond=None)[0]
        share = 1.0
        while share > 1e-10:
            new_a, new_tau = a + share * step[:-1], min(tau + share * step[-1], 1.0 / SMALLEST_SIGMA)
            value = _climb_value(d, censored, gel, new_a, new_tau) if new_tau > 0 else -math.inf
            if value >= best:
                break
            share *= 0.5
        else:
            break
        a, tau, gain, best = new_a, new_tau, value - best, value
        at_most = tau >= 1.0 / SMALLEST_SIGMA
        hold_tau = hold_tau or (at_most and gradient[-1] > 0)
        if gain < 1e-13 * (1.0 + abs(best)) and share == 1.0:
            break
    return a / tau, 1.0 / tau


def _climb_value(d: FloatArray, censored: BoolArray, gel: IntArray, a: FloatArray, tau: float) -> float:
    z = tau * d - a[gel]
    return float(np.where(censored, log_ndtr(z), math.log(tau) - 0.5 * z**2).sum())


def _climb_slopes(
    d: FloatArray, censored: BoolArray, gel: IntArray, gels: int, a: FloatArray, tau: float
) -> tuple[FloatArray, FloatArray]:
    z = tau * d - a[gel]
    hazard = _hazard(z)
    by_z = np.where(censored, hazard, -z)
    bend = np.where(censored, hazard * (z + hazard), 1.0)
    gradient, hessian = np.zeros(gels + 1), np.zeros((gels + 1, gels + 1))
    gradient[:-1] = -np.bincount(gel, by_z, minlength=gels)
    seen = float((~censored).sum())
    gradient[-1] = float(by_z @ d) + seen / tau
    hessian[np.arange(gels), np.arange(gels)] = -np.bincount(gel, bend, minlength=gels)
    hessian[:-1, -1] = hessian[-1, :-1] = np.bincount(gel, bend * d, minlength=gels)
    hessian[-1, -1] = -float(bend @ d**2) - seen / tau**2
    return gradient, hessian


def normal(
    bands: FloatArray, gel: IntArray, signal: FloatArray, has_offset: bool, sigma: FloatArray | float | None = None
) -> Solved:
    """Normal noise of equal size for all bands of the antibody, or of known size ``sigma`` for each.

    Scales and offsets are not negative: a background is added, never taken away.
    """
    gels = int(gel.max()) + 1
    known = 1.0 if sigma is None else np.asarray(sigma, dtype=float)
    w = 1.0 / np.broadcast_to(known, bands.shape) ** 2
    scale, offset = np.zeros(gels), np.zeros(gels)
    free_offset = np.zeros(gels, dtype=bool)
    for g in range(gels):
        own = gel == g
        scale[g], offset[g], free_offset[g] = _line(bands[own], signal[own], w[own], has_offset)
    predicted = scale[gel] * signal + offset[gel]
    r = bands - predicted
    square = float(w @ r**2)
    floor = max(SMALLEST_SIGMA * float(np.mean(np.abs(bands))), 1e-300)
    if sigma is None:
        spread = max(math.sqrt(square / len(bands)), floor)
        w = w / spread**2
        value = len(bands) * (math.log(spread) + HALF_LOG_TWO_PI) + 0.5 * square / spread**2
    else:
        spread = float(np.mean(1.0 / np.sqrt(w)))
        value = 0.5 * square + len(bands) * HALF_LOG_TWO_PI - 0.5 * float(np.log(w).sum())
    slope = scale[gel]
    weights = np.diag(w * slope**2)
    for g in range(gels):
        own = gel == g
        basis = [np.where(own, signal, 0.0)] + ([np.where(own, 1.0, 0.0)] if free_offset[g] else [])
        B = np.stack(basis, axis=1) * np.sqrt(w)[:, None]
        Q = np.linalg.qr(B)[0] if np.linalg.matrix_rank(B) == B.shape[1] else np.zeros((len(bands), 0))
        moved = Q * (np.sqrt(w) * slope)[:, None]
        weights -= moved @ moved.T
    root = np.sqrt(w)
    residuals = r * root
    solved_for = [-root * signal * (gel == g) for g in range(gels) if scale[g] > 0]
    solved_for += [-root * (gel == g) for g in range(gels) if free_offset[g]]
    solved_for = solved_for or [np.zeros(len(bands))]
    if sigma is None:
        own = -residuals if spread > floor * (1 + 1e-12) else np.zeros(len(bands))
        residuals, solved_for = _with_noise(residuals, solved_for, own, len(bands), spread, floor)
    return Solved(value, -w * r * slope, weights, scale, offset, spread, predicted, residuals, -root * slope,
                  np.stack(solved_for, axis=1))  # fmt: skip


def _line(y: FloatArray, x: FloatArray, w: FloatArray, has_offset: bool) -> tuple[float, float, bool]:
    """Weighted least squares y = a x + b with a, b >= 0; whether b is free."""
    if not len(y):
        return 0.0, 0.0, False
    sw, mx, my = w.sum(), float(w @ x) / w.sum(), float(w @ y) / w.sum()
    if has_offset and len(y) > 2:
        spread = float(w @ (x - mx) ** 2)
        if spread > 1e-24 * sw * (mx**2 + 1e-300):
            a = float(w @ ((x - mx) * (y - my))) / spread
            b = my - a * mx
            if a >= 0 and b >= 0:
                return a, b, True
            if a < 0:
                return 0.0, max(my, 0.0), True
    through = float(w @ x**2)
    return (max(float(w @ (x * y)) / through, 0.0) if through > 0 else 0.0), 0.0, False
