"""Derivatives of likelihoods: by forward sensitivities, which least squares want, and by the adjoint.

Forward sensitivities give the Fisher information too; their cost grows with the number of parameters. The adjoint gives
the gradient alone, at the cost of a few simulations whatever that number. Both treat many parameter vectors at once.
Everything is of the negative log likelihood, without priors, on scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..experiments.run import Outcome
from ..experiments.values import scatter_add
from ..solve import Rosenbrock
from ..solve.sensitivities.forward import MOST_REFINEMENTS
from . import terms
from .likelihood import column_sums
from .objective import Derivatives, checked
from .setup import Setup
from .terms import Term

PROBES = 8
LARGEST_ERROR = 30.0
"""Of forward sensitivities, over what is tolerated; where states stand still it is in the thousands."""
TOGETHER = 64
"""Vectors whose steps are kept at the same time: more would leave the processor's cache."""
SIMULATED_TOGETHER, FEWEST_TOGETHER = 384, 8
"""Simulations whose steps and their stages are kept at the same time, for as many vectors, but not for fewer."""
NOT_FINITE = "a parameter is not a finite number"


# ----------------------------------------------------------------------------------------------- forward sensitivities


def forward_derivatives(
    setup: Setup, thetas: FloatArray, solver: Rosenbrock, refinements: int | None = MOST_REFINEMENTS
) -> list[Derivatives]:
    """Value, gradient and Fisher information at each of ``thetas`` (m, d).

    Simulations whose sensitivities are inaccurate are repeated with smaller steps, ``refinements`` times at most; with
    None nobody looks at how accurate they are.
    """
    m, d = thetas.shape
    most = max(FEWEST_TOGETHER, SIMULATED_TOGETHER // setup.simulations)
    if m > most:
        pieces = (thetas[first : first + most] for first in range(0, m, most))
        return [one for piece in pieces for one in forward_derivatives(setup, piece, solver, refinements)]
    finite: BoolArray = np.asarray(np.isfinite(thetas).all(axis=1))
    if not finite.all():
        others = iter(forward_derivatives(setup, thetas[finite], solver, refinements) if finite.any() else ())
        return [next(others) if fine else Derivatives.failed(d, NOT_FINITE) for fine in finite]
    table = setup.table(thetas)
    numbers, by_theta = setup.numbers(table), setup.number_derivatives(table)
    total, failures = _Total(m, d), [""] * m
    for part in setup.parts:
        found = part.runner.forward(numbers, by_theta, solver, refinements)
        failures = [why or found.outcome.failure(i) for i, why in enumerate(failures)]
        fine = np.array([not why for why in failures])
        moved = found.flat
        for term in part.terms:
            total.add(term, term.derivatives(found.outcome.flat, numbers), fine, moved, by_theta)
    return [Derivatives.failed(d, why) if why else checked(total.of(i)) for i, why in enumerate(failures)]


def fixed_derivatives(setup: Setup, theta: FloatArray, flats: Sequence[FloatArray]) -> Derivatives:
    """As :func:`forward_derivatives` at one vector, for simulations that stay as they are: ``flats`` (outputs, 1) of
    each part."""
    table = setup.table(theta[None])
    numbers, by_theta = setup.numbers(table), setup.number_derivatives(table)
    total = _Total(1, len(theta))
    for part, flat in zip(setup.parts, flats, strict=True):
        for term in part.terms:
            total.add(term, term.derivatives(flat, numbers), np.ones(1, dtype=bool), None, by_theta)
    return checked(total.of(0))


class _Total:
    """Likelihoods of m vectors to second order, added up term by term."""

    def __init__(self, m: int, d: int) -> None:
        self.value, self.gradient, self.fisher = np.zeros(m), np.zeros((m, d)), np.zeros((m, d, d))

    def of(self, i: int) -> Derivatives:
        return Derivatives(float(self.value[i]), self.gradient[i], self.fisher[i])

    def add(
        self,
        term: Term,
        found: terms.Derivatives,
        wanted: BoolArray,
        flat_derivatives: FloatArray | None,
        number_derivatives: FloatArray,
    ) -> None:
        """A term at the ``wanted`` vectors (m,), each by itself; ``flat_derivatives`` (m, outputs, d) None means that
        simulations do not move; ``number_derivatives`` (numbers, m, d)."""
        local = found.local
        by_theta, noise_by_theta = self._by_theta(term, found, wanted, flat_derivatives, number_derivatives)

        def of(columns: FloatArray) -> FloatArray:
            """(measurements, m) -> (wanted, measurements)"""
            return np.ascontiguousarray(columns.T[wanted])

        self.value[wanted] += of(local.losses).sum(axis=1)
        self.gradient[wanted] += (of(local.by_signal)[:, None] @ by_theta)[:, 0]
        rows = of(local.root)[:, :, None] * by_theta
        fisher = rows.transpose(0, 2, 1) @ rows
        if local.members is not None:
            for basis in local.bases:
                made_up_for = (local.members @ (of(basis)[:, :, None] * rows).transpose(1, 0, 2)).transpose(1, 0, 2)
                fisher -= made_up_for.transpose(0, 2, 1) @ made_up_for
        if noise_by_theta.any():
            self.gradient[wanted] += (of(local.by_sigma)[:, None] @ noise_by_theta)[:, 0]
            noisy = of(local.noise_root)[:, :, None] * noise_by_theta
            squares = noisy**2
            # far from the optimum noise is too small by far, and its curvature grows with the residuals; 1 there
            weighted = (of(local.sizes)[:, None] @ squares)[:, 0] / np.maximum(squares.sum(axis=1), 1e-300)
            noisy = noisy * np.sqrt(np.maximum(1.0, weighted))[:, None]
            fisher += noisy.transpose(0, 2, 1) @ noisy
        self.fisher[wanted] += fisher

    def _by_theta(
        self,
        term: Term,
        found: terms.Derivatives,
        wanted: BoolArray,
        flat_derivatives: FloatArray | None,
        number_derivatives: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Derivatives of signals and of sizes of noise by theta, (wanted, measurements, d) each."""
        shape = (int(wanted.sum()), len(term.rows), self.gradient.shape[1])
        totals = np.zeros(shape), np.zeros(shape)
        for simulated, places, *weights in zip(
            term.shape.simulated, term.sources, found.signal, found.noise, strict=True
        ):
            if simulated and flat_derivatives is None:
                continue
            leaf = None
            for total, weight in zip(totals, weights, strict=True):
                if not weight.any():
                    continue
                if leaf is None:
                    if simulated and flat_derivatives is not None:
                        leaf = flat_derivatives[wanted][:, places]
                    else:
                        leaf = number_derivatives.transpose(1, 0, 2)[wanted][:, places]
                own = weight.T[wanted]
                used = own != 0  # a sensitivity that is not finite must not spoil what does not depend on it
                if used.all():
                    total += own[:, :, None] * leaf
                else:
                    total[used] += own[used][:, None] * leaf[used]
        return totals


# ---------------------------------------------------------------------------------------------------------- adjoint


@dataclass(frozen=True, eq=False)
class Gradients:
    """At m vectors: negative log likelihoods (m,), gradients (m, d) on scale, and why where there is none.

    After a failure the value is infinite and the gradient NaN.
    """

    values: FloatArray
    gradients: FloatArray
    failures: tuple[str, ...]


def likelihood_gradient(setup: Setup, theta: FloatArray) -> tuple[float, FloatArray, str]:
    """The negative log likelihood, its gradient by theta, and the reason where there is none.

    By the adjoint; by forward sensitivities where steps that suit the states do not suit their derivatives.
    """
    if np.isfinite(theta).all() and steps_suit_sensitivities(setup, _off(setup, theta)):
        many = adjoint_gradients(setup, theta[None])
        value, gradient, why = float(many.values[0]), many.gradients[0], many.failures[0]
        return value, gradient, why or ("" if np.isfinite(gradient).all() else "the gradient is not finite")
    found = forward_derivatives(setup, theta[None], setup.rosenbrock)[0]
    return found.value, found.gradient, found.failure


def _off(setup: Setup, theta: FloatArray) -> tuple[int, ...]:
    """Entries of ``theta`` that are exactly zero, and so may leave states at rest that they would move."""
    return tuple(i for i in np.flatnonzero(theta == 0.0).tolist() if setup.scales[i] == "lin")


def steps_suit_sensitivities(setup: Setup, off: tuple[int, ...] = ()) -> bool:
    """Whether steps chosen for the states alone resolve their derivatives too, where parameters are nominal.

    They do not where a state stands still that a parameter would move. Looked at along a few random directions, once
    for each set ``off`` of parameters that are zero.
    """
    if off not in setup.suits:
        setup.suits[off] = _steps_suit(setup, off)
    return setup.suits[off]


def _steps_suit(setup: Setup, off: tuple[int, ...]) -> bool:
    with np.errstate(invalid="ignore"):
        middle = 0.5 * (setup.lower + setup.upper)
    theta = np.where(np.isfinite(setup.nominal), setup.nominal, middle)
    theta[list(off)] = 0.0
    if not np.isfinite(theta).all():
        return False
    table = setup.table(theta[None])
    directions = np.random.default_rng(0).standard_normal((len(theta), PROBES))
    derivatives = setup.number_derivatives(table) @ directions
    for part in setup.parts:
        found = part.runner.forward(setup.numbers(table), derivatives, setup.rosenbrock, refinements=0)
        if found.outcome.failure() or found.error > LARGEST_ERROR:
            return False
    return True


def adjoint_gradients(setup: Setup, thetas: FloatArray, solver: Rosenbrock | None = None) -> Gradients:
    """Negative log likelihoods and their gradients at ``thetas`` (m, d); by default with the solver of the problem."""
    chosen = solver or setup.rosenbrock
    pieces = [_adjoint(setup, thetas[i : i + TOGETHER], chosen) for i in range(0, len(thetas), TOGETHER)]
    return Gradients(
        np.concatenate([piece.values for piece in pieces]),
        np.concatenate([piece.gradients for piece in pieces]),
        tuple(why for piece in pieces for why in piece.failures),
    )


def _adjoint(setup: Setup, thetas: FloatArray, solver: Rosenbrock) -> Gradients:
    """One run of all simulations of some vectors, forth and back."""
    m = len(thetas)
    table = setup.table(thetas)
    numbers, total = setup.numbers(table), np.zeros(m)
    bars, failures = np.zeros_like(numbers), [""] * m
    with np.errstate(all="ignore"):
        for part, moving in zip(setup.parts, setup.moving, strict=True):
            recorded = part.runner.record(numbers, solver, setup.threads)
            failures = [why or recorded.outcome.failure(i) for i, why in enumerate(failures)]
            flat_bars = _term_bars(part.terms, recorded.outcome, numbers, total, bars)
            bars += recorded.pull(flat_bars, moving)
        gradients = (setup.value_table.pull(table, bars)[setup.places] * setup.by_theta(table)).T
    failed = np.array([bool(why) for why in failures])
    for i in np.flatnonzero(~np.isfinite(total) & ~failed):
        failures[i], failed[i] = "the likelihood is not a finite number", True
    gradients[failed] = np.nan
    return Gradients(np.where(failed, math.inf, total), gradients, tuple(failures))


def _term_bars(
    measured: Sequence[Term], outcome: Outcome, numbers: FloatArray, total: FloatArray, bars: FloatArray
) -> FloatArray:
    """Adds the terms to ``total`` (m,) and their derivatives to ``bars``; returns those by the outputs."""
    flat = outcome.flat
    flat_bars = np.zeros_like(flat)
    for term in measured:
        found = term.derivatives(flat, numbers)
        total += column_sums(found.local.losses)
        for simulated, places, signal, noise in zip(
            term.shape.simulated, term.sources, found.signal, found.noise, strict=True
        ):
            weight = found.local.by_signal * signal + found.local.by_sigma * noise
            scatter_add(flat_bars if simulated else bars, places, weight)
    return flat_bars
