"""The objective of fits: the negative log posterior of a problem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..arrays import FloatArray
from . import priors
from .gradients import (
    adjoint_gradients,
    fixed_derivatives,
    forward_derivatives,
    likelihood_gradient,
    steps_suit_sensitivities,
)
from .likelihood import column_sums
from .objective import Derivatives, checked
from .optimise import Ledger, TrustRegion, minimise
from .questions import alone
from .refine import ManyVectors
from .setup import Setup

ROWS_TOGETHER, MOST_TOGETHER = 128, 20
"""Simulations of searches that go on in step, a vector each, and searches at most."""
MOST_ROUGH = 512
"""Vectors that are simulated roughly at the same time."""
FORWARD_PAYS = 24
"""Up to so many parameters forward sensitivities cost little more than the adjoint."""


class Posterior:
    """Likelihood times priors of a problem, negative logarithm; see :mod:`pathsim.estimation.objective`.

    Raises :class:`InputError` for a problem that is not solved by Rosenbrock, whose steps gradients differentiate.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, self.solver = setup, setup.rosenbrock
        self.names, self.scales, self.lower, self.upper = setup.names, setup.scales, setup.lower, setup.upper

    def __reduce__(self) -> tuple[object, ...]:
        """Other processes make their own plan and machine code."""
        return Posterior, (self.setup,)

    @property
    def content(self) -> str:
        """What the problem and its solver are, as a text that identifies them."""
        return f"{self.setup.description.content} {self.solver!r}"

    def value(self, theta: FloatArray) -> tuple[float, str]:
        values, failures = self.values(np.asarray(theta)[None])
        return float(values[0]), failures[0]

    def values(self, thetas: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
        """Values at many vectors (m, d) at once, and the reasons where they are infinite."""
        numbers, flats, failures = self._simulated(thetas)
        total = np.zeros(len(thetas))
        for part, flat in zip(self.setup.parts, flats, strict=True):
            for term in part.terms:
                total += column_sums(term.losses(flat, numbers))
        for i, theta in enumerate(thetas):
            if not failures[i] and not math.isfinite(total[i]):
                failures[i] = "the likelihood is not a finite number"
            total[i] = math.inf if failures[i] else total[i] - self._log_prior(theta)
        return total, tuple(failures)

    def _simulated(self, thetas: FloatArray) -> tuple[FloatArray, list[FloatArray], list[str]]:
        """The list of numbers (numbers, m), outputs of each part (outputs, m), and what failed."""
        numbers, outcomes = self.setup.run(thetas)
        failures = [next((why for one in outcomes if (why := one.failure(i))), "") for i in range(len(thetas))]
        return numbers, [outcome.flat for outcome in outcomes], failures

    def signals(self, theta: FloatArray) -> FloatArray:
        """See :meth:`.setup.Setup.signals`."""
        return self.setup.signals(theta)

    def _log_prior(self, theta: FloatArray) -> float:
        return float(sum(self.setup.log_priors(theta).values())) if self.setup.has_priors else 0.0

    @cached_property
    def searches_together(self) -> int:
        """How many searches are worth going on in step: so many that simulations of a vector each fill the lanes."""
        return min(MOST_TOGETHER, max(1, ROWS_TOGETHER // self.setup.simulations))

    def refined(self, theta: FloatArray) -> tuple[FloatArray, float, str]:
        """``theta`` with what no simulation depends on at its best for the simulations it gives, and the value there.

        Such parameters need no simulation, so this costs little more than one (P. Weber et al., IFAC Proceedings 44,
        11730 (2011), on exploiting that).
        """
        return self.refined_each(theta[None])[0]

    def refined_each(self, thetas: FloatArray) -> list[tuple[FloatArray, float, str]]:
        """:meth:`refined` at many vectors (m, d) at once."""
        inner = self.setup.outside_simulations
        if not inner.any():
            values, failures = self.values(thetas)
            return [(theta, float(value), why) for theta, value, why in zip(thetas, values, failures, strict=True)]
        _, flats, failed = self._simulated(thetas)
        found = []
        for i, theta in enumerate(thetas):
            if failed[i]:
                found.append((theta, math.inf, failed[i]))
                continue
            around = _Around(self, theta, [flat[:, i : i + 1] for flat in flats])
            ended = alone(around, minimise(Ledger(around), theta[inner], TrustRegion(tolerance=1e-3, most=40)))
            if not math.isfinite(ended.value):
                found.append((theta, math.inf, ended.message))
                continue
            better = theta.copy()
            better[inner] = ended.theta
            found.append((better, ended.value, ""))
        return found

    @cached_property
    def _many(self) -> ManyVectors:
        return ManyVectors(self.setup)

    def refined_many(self, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Many vectors at once, roughly: see :class:`.refine.ManyVectors`."""
        firsts = range(0, max(len(thetas), 1), MOST_ROUGH)
        pieces = [self._many.refined(thetas[first : first + MOST_ROUGH]) for first in firsts]
        thetas, found = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        if self.setup.has_priors:
            for i in np.flatnonzero(np.isfinite(found)):
                found[i] -= self._log_prior(thetas[i])
        return thetas, found

    def derivatives(self, theta: FloatArray) -> Derivatives:
        return self.derivatives_each(np.asarray(theta)[None])[0]

    def derivatives_each(self, thetas: FloatArray) -> list[Derivatives]:
        """:meth:`derivatives` at many vectors (m, d) at once."""
        found = forward_derivatives(self.setup, thetas, self.solver)
        return [self._with_priors(one, theta) for one, theta in zip(found, thetas, strict=True)]

    def derivatives_many(self, thetas: FloatArray) -> list[Derivatives]:
        """Derivatives at many vectors at once, roughly: the error of sensitivities is not controlled."""
        found = forward_derivatives(self.setup, thetas, self._many.solver, refinements=None)
        return [self._with_priors(one, theta) for one, theta in zip(found, thetas, strict=True)]

    @property
    def derivatives_suffice(self) -> bool:
        """Whether derivatives cost little more than values, and nothing can be solved for without simulations."""
        return len(self.names) <= FORWARD_PAYS and not self.setup.outside_simulations.any()

    def steered_many(self, thetas: FloatArray, fishers: FloatArray) -> list[Derivatives]:
        """As :meth:`derivatives_many`, with Fisher information ``fishers`` (m, d, d) of points nearby where that is
        quicker.

        That is so where parameters are many: the adjoint gives gradients alone.
        """
        setup = self.setup
        if thetas.shape[1] <= FORWARD_PAYS or not steps_suit_sensitivities(setup):
            return self.derivatives_many(thetas)
        found = adjoint_gradients(setup, thetas, self._many.solver)
        made = []
        for i, theta in enumerate(thetas):
            if found.failures[i]:
                made.append(Derivatives.failed(len(theta), found.failures[i]))
                continue
            value, gradient = self._less_priors(float(found.values[i]), found.gradients[i], theta)
            made.append(checked(Derivatives(value, gradient, fishers[i])))
        return made

    def gradient(self, theta: FloatArray) -> tuple[float, FloatArray, str]:
        """Value and gradient alone, which cost a few simulations whatever the number of parameters."""
        value, gradient, why = likelihood_gradient(self.setup, theta)
        if why:
            return math.inf, np.zeros(len(theta)), why
        return *self._less_priors(value, gradient, theta), ""

    def _less_priors(self, value: float, gradient: FloatArray, theta: FloatArray) -> tuple[float, FloatArray]:
        """A negative log likelihood and its gradient with the priors taken in."""
        gradient = gradient.copy()
        for i, prior, x, steepness in self.setup.priors(theta):
            gradient[i] -= priors.derivative(prior, x) * steepness
        return value - self._log_prior(theta), gradient

    def _with_priors(self, found: Derivatives, theta: FloatArray) -> Derivatives:
        if found.failure or not self.setup.has_priors:
            return found
        fisher = found.fisher.copy()
        for i, prior, x, steepness in self.setup.priors(theta):
            step = 1e-5 * max(abs(x), 1e-3)
            bend = (
                -(priors.derivative(prior, x + step) - priors.derivative(prior, x - step)) / (2 * step) * steepness**2
            )
            fisher[i, i] += max(bend, 0.0)
        return checked(Derivatives(*self._less_priors(found.value, found.gradient, theta), fisher))


class _Around:
    """The objective over parameters outside the simulations, which stay as they are."""

    def __init__(self, whole: Posterior, theta: FloatArray, flats: Sequence[FloatArray]) -> None:
        inner = whole.setup.outside_simulations
        self.whole, self.theta, self.inner, self.flats = whole, theta, inner, flats
        self.lower, self.upper = whole.lower[inner], whole.upper[inner]
        self.names = tuple(name for name, chosen in zip(whole.names, inner, strict=True) if chosen)
        self.scales = tuple(scale for scale, chosen in zip(whole.scales, inner, strict=True) if chosen)

    def _full(self, inner: FloatArray) -> FloatArray:
        theta = self.theta.copy()
        theta[self.inner] = inner
        return theta

    def value(self, theta: FloatArray) -> tuple[float, str]:
        full, setup = self._full(theta), self.whole.setup
        numbers = setup.numbers(setup.table(full[None]))
        total = -self.whole._log_prior(full)
        for part, flat in zip(setup.parts, self.flats, strict=True):
            for term in part.terms:
                total += float(term.losses(flat, numbers).sum())
        return (total, "") if math.isfinite(total) else (math.inf, "the likelihood is not a finite number")

    def derivatives(self, theta: FloatArray) -> Derivatives:
        full = self._full(theta)
        found = self.whole._with_priors(fixed_derivatives(self.whole.setup, full, self.flats), full)
        fisher = found.fisher[np.ix_(self.inner, self.inner)]
        return Derivatives(found.value, found.gradient[self.inner], fisher, found.failure)
