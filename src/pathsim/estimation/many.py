"""Many parameter vectors at once: rough objectives for finding where a local search is worth starting.

All simulations of all vectors go through the solver in one call per group, at loose tolerances; scales, offsets and
noise are then solved for every vector at the same time.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ..arrays import BoolArray, FloatArray, IntArray
from ..experiments.run import Runner
from ..solve import Rosenbrock
from .measurements import Kind
from .scales import BENDS, LN10, scale_slope, scaled

if TYPE_CHECKING:
    from .problem import Problem


ROUGH_RTOL, CAREFUL_RTOL, ROUGHER_ATOL = 1e-4, 1e-6, 100.0
"""What fails roughly is tried again carefully: states that decay to nearly nothing may overshoot and blow up."""
MOST_STEPS = 1000
"""A vector whose simulation takes more steps than this is not worth starting from."""
ROUNDS = 20
SETTLED, HOPELESS = 0.1, 1e5
"""An improvement, or a damping, at which a vector needs no further round."""


class ManyVectors:
    """A problem evaluated at many vectors; ``inner`` marks entries of theta no simulation depends on."""

    def __init__(self, problem: Problem, inner: BoolArray) -> None:
        self.problem = problem
        exact = problem.solver if isinstance(problem.solver, Rosenbrock) else Rosenbrock()
        self.solver = replace(
            exact, rtol=max(exact.rtol, ROUGH_RTOL), atol=exact.atol * ROUGHER_ATOL, max_steps=MOST_STEPS
        )
        self.careful = replace(self.solver, rtol=max(exact.rtol, CAREFUL_RTOL))
        estimated = [i for i, p in enumerate(problem.parameters) if p.estimated]
        plain = {int(row): int(column) for row, column in problem.value_table.plain}
        proper = problem.value_table.proper
        places = {i: theta for theta, i in enumerate(estimated)}
        middle = problem.table_values(np.where(np.isfinite(problem.theta), problem.theta, 0.5))
        spoilt = np.zeros(len(estimated), dtype=bool)
        if proper:  # entries that formulas use are left alone
            used = problem.value_table.jacobian(middle)[:, estimated].tocsr()[proper]
            spoilt[used.nonzero()[1]] = True
        self.free = np.flatnonzero(inner & ~spoilt)
        column_of = {int(theta): j for j, theta in enumerate(self.free)}
        self.column = np.full(len(problem.value_table.constants), -1, dtype=np.int64)
        for row, parameter in plain.items():
            self.column[row] = column_of.get(places.get(parameter, -1), -1)
        self.bend = np.array([BENDS[problem.scales[i]] for i in self.free])
        self.kinds = [[_Columns(kind, self.column, len(self.free)) for kind in plan.kinds] for plan in problem.plans]

    def refined(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``thetas`` (m, d) with free entries near their best, and the negative log posterior of each (m,)."""
        problem = self.problem
        thetas = np.clip(thetas, problem.lower, problem.upper)
        values = np.stack([problem.value_table(problem.table_values(theta)) for theta in thetas], axis=1)
        flats, good = [], np.ones(len(thetas), dtype=bool)
        for plan in problem.plans:
            flat, fine = _simulate(plan.runner, values, good, self.solver)
            if (good & ~fine).any():
                again, better = _simulate(plan.runner, values, good & ~fine, self.careful)
                flat[:, better], fine = again[:, better], fine | better
            flats.append(flat)
            good &= fine
        found = np.full(len(thetas), math.inf)
        if not good.any():
            return thetas, found
        inner = thetas[good][:, self.free]
        rest = _Inner(self, [flat[:, good] for flat in flats], values[:, good], inner)
        rest.solve()
        thetas[np.ix_(good, self.free)] = rest.theta
        found[good] = rest.value
        if any(p.prior is not None for p in problem.estimated):
            for i in np.flatnonzero(np.isfinite(found)):
                found[i] -= problem.log_prior(thetas[i])
        return thetas, np.where(np.isfinite(found), found, math.inf)


def _simulate(runner: Runner, values: FloatArray, good: BoolArray, solver: Rosenbrock) -> tuple[FloatArray, BoolArray]:
    """Outputs (flat, m) of a part for the columns of ``values``, and which of them could be simulated."""
    chosen, fine = np.flatnonzero(good), np.zeros_like(good)
    outcome = runner.run(values[:, chosen], solver, workers=1, give_up=True)
    flat = np.full((len(outcome.flat), len(good)), np.nan)
    flat[:, chosen] = outcome.flat
    fine[chosen] = [not outcome.failure(column) for column in range(len(chosen))]
    return flat, fine


class _Columns:
    """Which free entry each leaf of each measurement of a kind is, as sparse sums over measurements."""

    def __init__(self, kind: Kind, column: IntArray, k: int) -> None:
        self.kind, self.k = kind, k
        self.leaves: list[tuple[int, IntArray]] = []
        for i, (simulated, places) in enumerate(zip(kind.shape.simulated, kind.sources, strict=True)):
            if not simulated and (column[places] >= 0).any():
                self.leaves.append((i, column[places]))

    @cached_property
    def single(self) -> list[sparse.csr_array]:
        """For each leaf, sums over measurements into entries (k, measurements)."""
        return [_sums(columns, columns >= 0, self.k) for _, columns in self.leaves]

    @cached_property
    def pairs(self) -> dict[tuple[int, int], sparse.csr_array]:
        """For each pair of leaves, sums into entries of the Fisher information (k * k, measurements)."""
        found = {}
        for a, (_, first) in enumerate(self.leaves):
            for b, (_, second) in enumerate(self.leaves):
                found[a, b] = _sums(first * self.k + second, (first >= 0) & (second >= 0), self.k**2)
        return found


def _sums(target: IntArray, used: BoolArray, size: int) -> sparse.csr_array:
    where = np.flatnonzero(used)
    return sparse.csr_array((np.ones(len(where)), (target[where], where)), shape=(size, len(target)))


class _Inner:
    """Free entries of all vectors (m, k), improved together by damped Gauss-Newton steps, priors left aside."""

    def __init__(self, many: ManyVectors, flats: list[FloatArray], values: FloatArray, theta: FloatArray) -> None:
        self.many, self.flats, self.values, self.theta = many, flats, values, theta
        problem = many.problem
        self.lower, self.upper = problem.lower[many.free], problem.upper[many.free]
        self.rows = np.flatnonzero(many.column >= 0)
        self.value = self._value(theta)

    def solve(self) -> None:
        """Leaves the best vectors and their values in ``theta`` and ``value``."""
        m, k = self.theta.shape
        if k == 0:
            return
        with np.errstate(all="ignore"):
            for _ in range(2):
                self._accept(self._guess(noise=False))
                self._accept(self._guess(noise=True))
            damping, settled = np.full(m, 1e-3), np.zeros(m, dtype=bool)
            for _ in range(ROUNDS):
                gradient, fisher = self._slopes()
                diagonal = np.einsum("mkk->mk", fisher)
                diagonal += damping[:, None] * diagonal + 1e-10
                ok = np.isfinite(gradient).all(axis=1) & np.isfinite(fisher).all(axis=(1, 2))
                step = np.zeros((m, k))
                step[ok] = -np.linalg.solve(fisher[ok], gradient[ok][:, :, None])[:, :, 0]
                before = self.value
                better = self._accept(self.theta + np.clip(step, -1.0, 1.0))
                damping = np.where(better, damping * 0.1, damping * 10.0)
                settled |= (better & (before - self.value < SETTLED)) | (damping > HOPELESS)
                if settled.all():
                    break

    def _accept(self, theta: FloatArray) -> BoolArray:
        trial = np.clip(np.where(np.isfinite(theta), theta, self.theta), self.lower, self.upper)
        value = self._value(trial)
        better = (value < self.value) | (~np.isfinite(self.value) & np.isfinite(value))
        self.theta = np.where(better[:, None], trial, self.theta)
        self.value = np.where(better, value, self.value)
        return better

    def _at(self, theta: FloatArray) -> FloatArray:
        """The value list for free entries ``theta``."""
        values = self.values.copy()
        bend = self.many.bend
        natural = np.where(bend > 0, np.exp(theta * bend), theta)
        values[self.rows] = natural[:, self.many.column[self.rows]].T
        return values

    def _value(self, theta: FloatArray) -> FloatArray:
        values, total = self._at(theta), np.zeros(len(theta))
        for flat, kinds in zip(self.flats, self.many.kinds, strict=True):
            for columns in kinds:
                y, sigma = columns.kind.function(_leaves(columns.kind, flat, values))
                total -= log_densities(columns.kind, y, sigma).sum(axis=0)
        return np.where(np.isnan(total), math.inf, total)

    def _parts(self) -> list[tuple[_Columns, FloatArray, FloatArray, FloatArray, list[FloatArray], list[FloatArray]]]:
        """Per kind: its columns, observable, noise, residual, and slopes of both by the free entry of each leaf."""
        values, found = self._at(self.theta), []
        bend = self.many.bend
        stretch = np.where(bend > 0, np.exp(self.theta * bend) * bend, 1.0).T
        for flat, kinds in zip(self.flats, self.many.kinds, strict=True):
            for columns in kinds:
                kind, count = columns.kind, len(columns.kind.shape.simulated)
                out = kind.slopes(_leaves(kind, flat, values))
                y, sigma = out[0], out[1]
                by_y = [out[2 + i] * stretch[column] for i, column in columns.leaves]
                by_sigma = [out[2 + count + i] * stretch[column] for i, column in columns.leaves]
                found.append((columns, y, sigma, residuals(kind, y, sigma), by_y, by_sigma))
        return found

    def _slopes(self) -> tuple[FloatArray, FloatArray]:
        m, k = self.theta.shape
        gradient, fisher = np.zeros((k, m)), np.zeros((k * k, m))
        for columns, y, sigma, r, by_y, by_sigma in self._parts():
            laplace = columns.kind.shape.distribution == "laplace"
            pull, size = (np.sign(r), np.abs(r)) if laplace else (r, r**2)
            stretch = scale_slope(y, columns.kind.shape.scale) / sigma
            dr, dn = [stretch * d for d in by_y], [d / sigma for d in by_sigma]
            noisy = np.sqrt(np.maximum(1.0, size)) if not laplace else 1.0
            for a, sums in enumerate(columns.single):
                gradient += sums @ (pull * dr[a] + (1.0 - size) * dn[a])
                for b in range(len(columns.single)):
                    weight = dr[a] * dr[b] + 2.0 * (noisy * dn[a]) * (noisy * dn[b])
                    fisher += columns.pairs[a, b] @ weight
        return gradient.T, fisher.T.reshape(m, k, k)

    def _guess(self, *, noise: bool) -> FloatArray:
        """Factors of observables (or of noise) in closed form where one entry is nothing else."""
        m, k = self.theta.shape
        bend = self.many.bend
        above, below, alone = np.zeros((k, m)), np.zeros((k, m)), np.tile(bend[:, None] > 0, (1, m))
        for columns, y, sigma, r, by_y, by_sigma in self._parts():
            for a, (_, column) in enumerate(columns.leaves):
                sums, rate = columns.single[a], np.where(column >= 0, bend[column], 1.0)[:, None]
                whole, slope = (sigma, by_sigma[a]) if noise else (y, by_y[a])
                if noise:  # a scale that noise grows with is no noise parameter
                    alone &= sums @ (by_y[a] != 0).astype(float) == 0
                alone &= sums @ (np.abs(slope - rate * whole) > 1e-9 * np.abs(rate * whole)).astype(float) == 0
                if noise:
                    over, under = r**2, np.ones_like(r)
                elif columns.kind.shape.scale == "lin":
                    over, under = y * columns.kind.data[:, None] / sigma**2, (y / sigma) ** 2
                else:
                    base = LN10 if columns.kind.shape.scale == "log10" else 1.0
                    over, under = np.exp(-r * sigma * base) / sigma**2, sigma**-2
                above, below = above + sums @ over, below + sums @ under
        change = np.where(alone & (above > 0) & (below > 0), np.log(above / below), 0.0)
        if noise:
            change *= 0.5
        return self.theta + (change / np.where(bend > 0, bend, 1.0)[:, None]).T


def _leaves(kind: Kind, outputs: FloatArray, values: FloatArray) -> list[FloatArray]:
    """As :meth:`Kind.leaves`, each (measurements, m)."""
    if not len(kind.sources):  # formulas that are plain numbers
        return [np.zeros((len(kind.rows), values.shape[1]))]
    return kind.leaves(outputs, values)


def residuals(kind: Kind, y: FloatArray, sigma: FloatArray) -> FloatArray:
    """As :meth:`Kind.residuals`, for y and sigma (measurements, m)."""
    return (scaled(y, kind.shape.scale) - scaled(kind.data, kind.shape.scale)[:, None]) / sigma


def log_densities(kind: Kind, y: FloatArray, sigma: FloatArray) -> FloatArray:
    """As :meth:`Kind.log_densities`, for y and sigma (measurements, m)."""
    with np.errstate(all="ignore"):
        r = residuals(kind, y, sigma)
        spread = np.log(sigma) + kind._log_stretch[:, None]
        if kind.shape.distribution == "laplace":
            return -math.log(2.0) - spread - np.abs(r)
        found: FloatArray = -0.5 * math.log(2.0 * math.pi) - spread - 0.5 * r**2
        return found


def density_slopes(kind: Kind, y: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """As :meth:`Kind.density_slopes`, for y and sigma (measurements, m)."""
    r = residuals(kind, y, sigma)
    by_residual = -np.sign(r) if kind.shape.distribution == "laplace" else -r
    return by_residual / sigma * scale_slope(y, kind.shape.scale), -(1.0 + by_residual * r) / sigma
