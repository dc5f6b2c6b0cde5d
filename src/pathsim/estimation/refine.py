"""Many parameter vectors at once: rough objectives for finding where a local search is worth starting.

All simulations of all vectors go through the solver in one call per group, at loose tolerances; entries of theta that
no simulation depends on (scales, offsets, noise, backgrounds) are then solved for all vectors at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy import sparse

from ..arrays import BoolArray, FloatArray, IntArray
from ..experiments.run import Runner
from ..solve import Rosenbrock
from . import terms
from .factors import Factors, FactorsOfTerm, Seen
from .likelihood import Given, Local, column_sums
from .setup import Setup
from .terms import Term

ROUGH_RTOL, ROUGHER_RTOL, CAREFUL_RTOL, ROUGHER_ATOL = 1e-4, 1e3, 1e-6, 100.0
"""Tolerances are so many times those of exact simulations, the relative one at least the first of these. What fails
roughly is tried again carefully: states that decay to nearly nothing may overshoot and blow up."""
MOST_STEPS = 1000
"""A vector whose simulation takes more steps than this is not worth starting from."""
TURNS, ITERATIONS = 10, 20
SETTLED, PROMISED, HOPELESS = 0.1, 0.01, 1e5
"""An improvement, a decrease that the next step promises, or a damping, at which a vector needs no more iterations."""


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
        self.factors = Factors([one.factors for terms in self.terms for one in terms if one.leaves], self.bend > 0)

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

    @property
    def is_given(self) -> bool:
        """Whether free entries are all that is solved for."""
        return bool(self.leaves) and isinstance(self.term.likelihood, Given)

    @cached_property
    def factors(self) -> FactorsOfTerm:
        """Which entries are but factors."""
        return FactorsOfTerm.of(self.term, self.leaves, self.k)

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
        self.value = self._value(theta, np.arange(len(theta)))

    def solve(self) -> None:
        """Leaves the best vectors and their values in ``theta`` and ``value``."""
        if self.theta.shape[1] == 0:
            return
        everything = np.arange(len(self.theta))
        with np.errstate(all="ignore"):
            self._take_turns(everything)
            self._descend(everything)

    def _take_turns(self, going: IntArray) -> None:
        """Factors of observables and of noise in closed form, in turns. At first by least squares, which is best where
        noise that grows with a factor has a size of its own for each."""
        factors = self.many.factors
        for turn in range(TURNS):
            theta, before = self.theta[going], self.value[going]
            scaled = self._multiplied(theta, going, factors.of_observables if turn else factors.by_least_squares)
            self._accept(self._multiplied(scaled, going, factors.of_noise), going)
            going = going[(scaled != theta).any(axis=1) & ~(before - self.value[going] < SETTLED)]
            if not len(going):
                return

    def _multiplied(self, theta: FloatArray, which: IntArray, best: Callable[[Seen], FloatArray]) -> FloatArray:
        """Free entries ``theta`` of the vectors ``which`` times what is ``best``."""
        numbers = self._at(theta, which)
        seen = [
            (columns.factors, *columns.term.signals(flat[:, which], numbers))
            for flat, measured in zip(self.flats, self.many.terms, strict=True)
            for columns in measured
            if columns.is_given
        ]
        if not seen:
            return theta
        factor = best(seen).T
        change = np.where((factor > 0) & np.isfinite(factor), np.log(factor), 0.0)
        return np.clip(theta + change / np.where(self.many.bend > 0, self.many.bend, 1.0), self.lower, self.upper)

    def _descend(self, going: IntArray) -> None:
        """Damped Gauss-Newton steps."""
        damping = np.full(len(self.theta), 1e-3)
        for _ in range(ITERATIONS):
            step, promised = self._step(going, damping[going])
            worth = promised > PROMISED
            if not worth.all():
                going, step = going[worth], step[worth]
            if not len(going):
                return
            before = self.value[going]
            better = self._accept(self.theta[going] + np.clip(step, -1.0, 1.0), going)
            damping[going] *= np.where(better, 0.1, 10.0)
            settled = (better & (before - self.value[going] < SETTLED)) | (damping[going] > HOPELESS)
            going = going[~settled]
            if not len(going):
                return

    def _step(self, which: IntArray, damping: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Damped Gauss-Newton steps of some vectors, and the decrease that each promises.

        An entry at a bound that its gradient pushes against stays there (D. P. Bertsekas, SIAM J. Control Optim. 20,
        221 (1982)).
        """
        gradient, fisher = self._derivatives(which)
        theta = self.theta[which]
        held = ((theta <= self.lower) & (gradient > 0)) | ((theta >= self.upper) & (gradient < 0))
        gradient[held] = 0.0
        fisher[held[:, :, None] | held[:, None, :]] = 0.0
        damped = fisher.copy()
        diagonal = np.einsum("mkk->mk", damped)
        diagonal += damping[:, None] * diagonal + 1e-10
        ok = np.isfinite(gradient).all(axis=1) & np.isfinite(fisher).all(axis=(1, 2))
        step = np.zeros(gradient.shape)
        step[ok] = -np.linalg.solve(damped[ok], gradient[ok][:, :, None])[:, :, 0]
        return step, -np.einsum("mk,mk->m", gradient, step) - 0.5 * np.einsum("mk,mkl,ml->m", step, fisher, step)

    def _accept(self, theta: FloatArray, which: IntArray) -> BoolArray:
        """Take for the vectors ``which`` those of ``theta`` that are better; which of them are."""
        old, value = self.theta[which], self.value[which]
        trial = np.clip(np.where(np.isfinite(theta), theta, old), self.lower, self.upper)
        new = self._value(trial, which)
        better = (new < value) | (~np.isfinite(value) & np.isfinite(new))
        self.theta[which[better]], self.value[which[better]] = trial[better], new[better]
        return np.asarray(better)

    def _at(self, theta: FloatArray, which: IntArray) -> FloatArray:
        """The list of numbers of the vectors ``which`` for free entries ``theta``."""
        numbers = self.numbers[:, which]
        bend = self.many.bend
        natural = np.where(bend > 0, np.exp(theta * bend), theta)
        numbers[self.rows] = natural[:, self.many.column[self.rows]].T
        return numbers

    def _value(self, theta: FloatArray, which: IntArray) -> FloatArray:
        numbers, total = self._at(theta, which), np.zeros(len(theta))
        for flat, measured in zip(self.flats, self.many.terms, strict=True):
            outputs = flat[:, which]
            for columns in measured:
                total += column_sums(columns.term.losses(outputs, numbers))
        return np.where(np.isnan(total), math.inf, total)

    def _parts(self, which: IntArray) -> list[tuple[_Columns, terms.Derivatives, list[FloatArray], list[FloatArray]]]:
        """Per term: its columns, itself, and derivatives of signal and noise by the free entry of each leaf."""
        theta = self.theta[which]
        numbers, found = self._at(theta, which), []
        bend = self.many.bend
        by_theta = np.where(bend > 0, np.exp(theta * bend) * bend, 1.0).T
        for flat, measured in zip(self.flats, self.many.terms, strict=True):
            outputs = flat[:, which]
            for columns in measured:
                if columns.leaves:
                    out = columns.term.derivatives(outputs, numbers)
                    by_signal = [out.signal[i] * by_theta[column] for i, column in columns.leaves]
                    by_noise = [out.noise[i] * by_theta[column] for i, column in columns.leaves]
                    found.append((columns, out, by_signal, by_noise))
        return found

    def _derivatives(self, which: IntArray) -> tuple[FloatArray, FloatArray]:
        m, k = len(which), self.theta.shape[1]
        gradient, fisher = np.zeros((k, m)), np.zeros((k * k, m))
        for columns, out, by_signal, by_noise in self._parts(which):
            local = out.local
            rows = [local.root * d for d in by_signal]
            noisy = local.noise_root * np.sqrt(np.maximum(1.0, local.sizes))
            noise_rows = [noisy * d for d in by_noise]
            for a, sums in enumerate(columns.single):
                gradient += sums @ (local.by_signal * by_signal[a] + local.by_sigma * by_noise[a])
                for b in range(len(columns.single)):
                    fisher += columns.pairs[a, b] @ (rows[a] * rows[b] + noise_rows[a] * noise_rows[b])
            fisher -= columns.made_up_for(local, rows, m)
        return gradient.T.copy(), fisher.T.reshape(m, k, k).copy()
