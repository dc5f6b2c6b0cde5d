"""Many parameter vectors at once: rough objectives for finding where a local search is worth starting.

All simulations of all vectors go through the solver in one call per group, at loose tolerances; entries of theta that
no simulation depends on (scales, offsets, noise, backgrounds) are then solved for all vectors at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..arrays import BoolArray, FloatArray, IntArray
from ..experiments.run import Runner
from ..solve import Rosenbrock
from ..stats.noise import LN10
from . import terms
from .likelihood import Given, Local, column_sums
from .setup import Setup
from .terms import Term

ROUGH_RTOL, ROUGHER_RTOL, CAREFUL_RTOL, ROUGHER_ATOL = 1e-4, 1e3, 1e-6, 100.0
"""Tolerances are so many times those of exact simulations, the relative one at least the first of these. What fails
roughly is tried again carefully: states that decay to nearly nothing may overshoot and blow up."""
MOST_STEPS = 1000
"""A vector whose simulation takes more steps than this is not worth starting from."""
ITERATIONS = 20
SETTLED, HOPELESS = 0.1, 1e5
"""An improvement, or a damping, at which a vector needs no further iteration."""


class ManyVectors:
    """A problem evaluated roughly at many vectors."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        exact = setup.solver if isinstance(setup.solver, Rosenbrock) else Rosenbrock()
        self.solver = replace(
            exact,
            rtol=max(exact.rtol * ROUGHER_RTOL, ROUGH_RTOL),
            atol=None if exact.atol is None else exact.atol * ROUGHER_ATOL,
            max_steps=MOST_STEPS,
        )
        self.careful = replace(self.solver, rtol=max(exact.rtol, CAREFUL_RTOL))
        values, places = setup.value_table, {int(place): i for i, place in enumerate(setup.places)}
        spoilt = np.zeros(len(setup.places), dtype=bool)
        if values.proper:  # entries that formulas use are left alone
            for i, place in enumerate(setup.places):
                spoilt[i] = values.depends_on(np.array([place]))[values.proper].any()
        self.free = np.flatnonzero(setup.outside_simulations & ~spoilt)
        column_of = {int(theta): j for j, theta in enumerate(self.free)}
        self.column = np.full(len(values.constants), -1, dtype=np.int64)
        for row, parameter in values.plain:
            self.column[row] = column_of.get(places.get(int(parameter), -1), -1)
        self.bend = setup.bend[self.free]
        self.terms = [[_Columns(term, self.column, len(self.free)) for term in part.terms] for part in setup.parts]

    def refined(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``thetas`` (m, d) with free entries near their best, and the negative log likelihood of each (m,)."""
        setup = self.setup
        thetas = np.clip(thetas, setup.lower, setup.upper)
        numbers = setup.numbers(setup.table(thetas))
        flats, good = [], np.ones(len(thetas), dtype=bool)
        for part in setup.parts:
            flat, fine, hopeless = _simulate(part.runner, numbers, good, self.solver)
            failed = good & ~fine & ~hopeless
            if failed.any():
                again, better, _ = _simulate(part.runner, numbers, failed, self.careful)
                flat[:, better], fine = again[:, better], fine | better
            flats.append(flat)
            good &= fine
        found = np.full(len(thetas), math.inf)
        if not good.any():
            return thetas, found
        rest = _Inner(self, [flat[:, good] for flat in flats], numbers[:, good], thetas[good][:, self.free])
        rest.solve()
        thetas[np.ix_(good, self.free)] = rest.theta
        found[good] = rest.value
        return thetas, np.where(np.isfinite(found), found, math.inf)


def _simulate(
    runner: Runner, numbers: FloatArray, wanted: BoolArray, solver: Rosenbrock
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Outputs (flat, m) of a part for the ``wanted`` columns of ``numbers``, which of them could be simulated, and
    which took too many steps."""
    chosen = np.flatnonzero(wanted)
    outcome = runner.run(numbers[:, chosen], solver, workers=1, give_up=True)
    flat = np.full((len(outcome.flat), len(wanted)), np.nan)
    flat[:, chosen] = outcome.flat
    fine = wanted.copy()
    fine[[chosen[vector] for failed in outcome.failures for vector, _ in failed]] = False
    hopeless = np.zeros(len(wanted), dtype=bool)
    hopeless[chosen[list(outcome.exhausted)]] = True
    return flat, fine, hopeless


class _Columns:
    """Which free entry each leaf of each measurement of a term is, as sparse sums over measurements."""

    def __init__(self, term: Term, column: IntArray, k: int) -> None:
        self.term, self.k = term, k
        self.leaves: list[tuple[int, IntArray]] = []
        for i, (simulated, places) in enumerate(zip(term.shape.simulated, term.sources, strict=True)):
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

    def made_up_for(self, local: Local, rows: Sequence[FloatArray], m: int) -> FloatArray:
        """The Fisher information (k * k, m) that scales and offsets of groups take away again."""
        lost = np.zeros((self.k**2, m))
        if local.members is None:
            return lost
        group, groups = local.members.group, len(local.members.first)
        for basis in local.bases:
            total = np.zeros((groups * self.k, m))
            for (_, columns), row in zip(self.leaves, rows, strict=True):
                total += _sums(group * self.k + columns, columns >= 0, groups * self.k) @ (basis * row)
            each = total.reshape(groups, self.k, m)
            lost += np.einsum("gam,gbm->abm", each, each).reshape(self.k**2, m)
        return lost


def _sums(target: IntArray, used: BoolArray, size: int) -> sparse.csr_array:
    where = np.flatnonzero(used)
    return sparse.csr_array((np.ones(len(where)), (target[where], where)), shape=(size, len(target)))


class _Inner:
    """Free entries of all vectors (m, k), improved together by damped Gauss-Newton steps, priors left aside."""

    def __init__(self, many: ManyVectors, flats: list[FloatArray], numbers: FloatArray, theta: FloatArray) -> None:
        self.many, self.flats, self.numbers, self.theta = many, flats, numbers, theta
        setup = many.setup
        self.lower, self.upper = setup.lower[many.free], setup.upper[many.free]
        self.rows = np.flatnonzero(many.column >= 0)
        self.value = self._value(theta)

    def solve(self) -> None:
        """Leaves the best vectors and their values in ``theta`` and ``value``."""
        m, k = self.theta.shape
        if k == 0:
            return
        with np.errstate(all="ignore"):
            for _ in range(2):
                self._accept(self._guess(_signal_factors))
                self._accept(self._guess(_noise_factors))
            damping, settled = np.full(m, 1e-3), np.zeros(m, dtype=bool)
            for _ in range(ITERATIONS):
                gradient, fisher = self._derivatives()
                diagonal = np.einsum("mkk->mk", fisher)
                diagonal += damping[:, None] * diagonal + 1e-10
                ok = np.isfinite(gradient).all(axis=1) & np.isfinite(fisher).all(axis=(1, 2))
                step = np.zeros((m, k))
                step[ok] = -np.linalg.solve(fisher[ok], gradient[ok][:, :, None])[:, :, 0]
                before = self.value
                better = self._accept(self.theta + np.clip(step, -1.0, 1.0), ~settled)
                damping = np.where(better, damping * 0.1, damping * 10.0)
                settled |= (better & (before - self.value < SETTLED)) | (damping > HOPELESS)
                if settled.all():
                    break

    def _accept(self, theta: FloatArray, wanted: BoolArray | bool = True) -> BoolArray:
        """Take the vectors that are better, where they are ``wanted`` (m,); which those are."""
        trial = np.clip(np.where(np.isfinite(theta), theta, self.theta), self.lower, self.upper)
        value = self._value(trial)
        better = wanted & ((value < self.value) | (~np.isfinite(self.value) & np.isfinite(value)))
        self.theta = np.where(better[:, None], trial, self.theta)
        self.value = np.where(better, value, self.value)
        return better

    def _at(self, theta: FloatArray) -> FloatArray:
        """The list of numbers for free entries ``theta``."""
        numbers = self.numbers.copy()
        bend = self.many.bend
        natural = np.where(bend > 0, np.exp(theta * bend), theta)
        numbers[self.rows] = natural[:, self.many.column[self.rows]].T
        return numbers

    def _value(self, theta: FloatArray) -> FloatArray:
        numbers, total = self._at(theta), np.zeros(len(theta))
        for flat, measured in zip(self.flats, self.many.terms, strict=True):
            for columns in measured:
                total += column_sums(columns.term.losses(flat, numbers))
        return np.where(np.isnan(total), math.inf, total)

    def _parts(self) -> list[tuple[_Columns, terms.Derivatives, list[FloatArray], list[FloatArray]]]:
        """Per term: its columns, itself, and derivatives of signal and noise by the free entry of each leaf."""
        numbers, found = self._at(self.theta), []
        bend = self.many.bend
        by_theta = np.where(bend > 0, np.exp(self.theta * bend) * bend, 1.0).T
        for flat, measured in zip(self.flats, self.many.terms, strict=True):
            for columns in measured:
                if columns.leaves:
                    out = columns.term.derivatives(flat, numbers)
                    by_signal = [out.signal[i] * by_theta[column] for i, column in columns.leaves]
                    by_noise = [out.noise[i] * by_theta[column] for i, column in columns.leaves]
                    found.append((columns, out, by_signal, by_noise))
        return found

    def _derivatives(self) -> tuple[FloatArray, FloatArray]:
        m, k = self.theta.shape
        gradient, fisher = np.zeros((k, m)), np.zeros((k * k, m))
        for columns, out, by_signal, by_noise in self._parts():
            local = out.local
            rows = [local.root * d for d in by_signal]
            noisy = local.noise_root * np.sqrt(np.maximum(1.0, local.sizes))
            noise_rows = [noisy * d for d in by_noise]
            for a, sums in enumerate(columns.single):
                gradient += sums @ (local.by_signal * by_signal[a] + local.by_sigma * by_noise[a])
                for b in range(len(columns.single)):
                    fisher += columns.pairs[a, b] @ (rows[a] * rows[b] + noise_rows[a] * noise_rows[b])
            fisher -= columns.made_up_for(local, rows, m)
        return gradient.T, fisher.T.reshape(m, k, k)

    def _guess(self, factors: Callable[[Given, terms.Derivatives, FloatArray, FloatArray], _Factors]) -> FloatArray:
        """Factors of observables (or of noise) in closed form where one entry is nothing else."""
        m, k = self.theta.shape
        bend = self.many.bend
        above, below, alone = np.zeros((k, m)), np.zeros((k, m)), np.tile(bend[:, None] > 0, (1, m))
        power = 1.0
        for columns, out, by_signal, by_noise in self._parts():
            likelihood = columns.term.likelihood
            if not isinstance(likelihood, Given):  # a scale is solved for already
                for sums in columns.single:
                    alone &= (sums.sum(axis=1) == 0)[:, None]
                continue
            for a, (_, column) in enumerate(columns.leaves):
                sums, rate = columns.single[a], np.where(column >= 0, bend[column], 1.0)[:, None]
                found = factors(likelihood, out, by_signal[a], by_noise[a])
                expected = np.abs(rate * found.whole)
                mixed = found.mixed | (np.abs(found.derivative - rate * found.whole) > 1e-9 * expected)
                alone &= sums @ mixed.astype(float) == 0
                above, below, power = above + sums @ found.above, below + sums @ found.below, found.power
        change = np.where(alone & (above > 0) & (below > 0), power * np.log(above / below), 0.0)
        return self.theta + (change / np.where(bend > 0, bend, 1.0)[:, None]).T


class _Factors(NamedTuple):
    """By what a quantity should be multiplied: sums of ``above`` over those of ``below``, (measurements, m) each, to a
    ``power``.

    ``whole`` is the quantity and ``derivative`` its derivative by an entry, which is nothing but a factor of it where
    the two are in proportion and the entry is not ``mixed`` up with something else.
    """

    whole: FloatArray
    derivative: FloatArray
    mixed: BoolArray
    above: FloatArray
    below: FloatArray
    power: float


def _signal_factors(likelihood: Given, out: terms.Derivatives, by_signal: FloatArray, by_noise: FloatArray) -> _Factors:
    """For observables, by weighted least squares."""
    y, sigma, scale = out.y, out.sigma, likelihood.family.scale
    if scale == "lin":
        above, below = y * likelihood.data[:, None] / sigma**2, (y / sigma) ** 2
    else:
        distance = -likelihood.residuals(y, sigma) * sigma * (LN10 if scale == "log10" else 1.0)
        above, below = np.exp(distance) / sigma**2, sigma**-2
    return _Factors(y, by_signal, np.zeros(y.shape, dtype=bool), above, below, 1.0)


def _noise_factors(likelihood: Given, out: terms.Derivatives, by_signal: FloatArray, by_noise: FloatArray) -> _Factors:
    """For sizes of noise, by root mean squares of residuals. A scale that noise grows with is no noise parameter."""
    r = likelihood.residuals(out.y, out.sigma)
    return _Factors(out.sigma, by_noise, by_signal != 0, r**2, np.ones_like(r), 0.5)
