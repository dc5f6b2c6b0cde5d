"""Local optimisers: values that say how to search, and one function each that does it.

Every search keeps a ledger of evaluations, so that what could not be computed is a rejected step with a counted reason.
Searches ask for these (:mod:`.questions`), so that those of several starts can be answered together.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..errors import InputError
from .objective import Derivatives, Differentiable, Objective, Refinable
from .questions import SPENT, Question, Search, alone

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(\.\d+)?(e[-+]?\d+)?(?!\w)")
"""A number that stands alone, and is not part of a name."""


@dataclass(frozen=True, slots=True)
class TrustRegion:
    """Gauss-Newton with a trust region and bounds: the default.

    The model is the gradient with the Fisher information as Hessian; steps are those of J. J. More and D. C. Sorensen,
    SIAM J. Sci. Stat. Comput. 4, 553 (1983), in the variables that are not held at a bound. Stops when the expected
    and achieved improvement fall below ``tolerance`` log-likelihood units, or after ``most`` iterations or ``seconds``
    (with a limit of time, results depend on the machine).
    """

    tolerance: float = 1e-5
    most: int = 500
    radius: float = 1.0
    seconds: float = math.inf

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InputError(f"seconds must be positive, not {self.seconds}")


@dataclass(frozen=True, slots=True)
class LBFGSB:
    """scipy's L-BFGS-B."""

    tolerance: float = 1e-10
    most: int = 2000


@dataclass(frozen=True, slots=True)
class QuasiNewton:
    """A trust region that lives on gradients: for many parameters, where they cost far less than Fisher information.

    The Hessian is the Fisher information where the search begins, kept up to date by damped BFGS (M. J. D. Powell,
    Lect. Notes Math. 630, 144 (1978)) and computed anew after ``renew`` steps and before the search ends. Stops when
    expected and achieved improvement fall below ``tolerance`` log-likelihood units, or after ``most`` steps.
    """

    tolerance: float = 1e-3
    most: int = 500
    radius: float = 1.0
    renew: int = 40


Optimiser = TrustRegion | LBFGSB | QuasiNewton


@dataclass
class Ledger:
    """Evaluations of one search: how many, which failed and why, and the best point seen."""

    objective: Objective | Refinable | Differentiable
    evaluations: int = 0
    gradients: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    best: float = math.inf
    at: FloatArray | None = None

    def value(self, theta: FloatArray) -> Search[float]:
        """The objective; infinite where it fails."""
        value, why = yield Question("value", (theta,))
        self.evaluations += 1
        if why or not math.isfinite(value):
            self.failures[short(why or "the likelihood is not a finite number")] += 1
            return math.inf
        if value < self.best:
            self.best, self.at = value, theta.copy()
        return float(value)

    def refined(self, theta: FloatArray) -> Search[tuple[FloatArray, float]]:
        """``theta`` with what costs nothing to optimise at its best, and the value there."""
        if not hasattr(self.objective, "refined"):
            return theta, (yield from self.value(theta))
        better, value, why = yield Question("refined", (theta,))
        self.evaluations += 1
        if why or not math.isfinite(value):
            self.failures[short(why or "the likelihood is not a finite number")] += 1
            return theta, math.inf
        if value < self.best:
            self.best, self.at = value, better.copy()
        return better, value

    def derivatives(self, theta: FloatArray) -> Search[Derivatives]:
        """The objective with derivatives."""
        found: Derivatives = yield Question("derivatives", (theta,))
        self.gradients += 1
        if found.failure:
            self.failures[short(found.failure)] += 1
        elif found.value < self.best:
            self.best, self.at = found.value, theta.copy()
        return found

    def gradient(self, theta: FloatArray) -> Search[tuple[float, FloatArray]]:
        """The objective and its gradient alone; infinite and zero where it fails."""
        if not hasattr(self.objective, "gradient"):
            found = yield from self.derivatives(theta)
            return found.value, found.gradient
        value, gradient, why = yield Question("gradient", (theta,))
        self.gradients += 1
        if why:
            self.failures[short(why)] += 1
        elif value < self.best:
            self.best, self.at = value, theta.copy()
        return value, gradient


@dataclass(frozen=True)
class Ended:
    """Where a search ended and why; ``converged`` says whether that is an optimum as far as one can tell."""

    theta: FloatArray
    value: float
    converged: bool
    message: str
    iterations: int


def short(why: str) -> str:
    """The first sentence of a failure without its numbers, so that equal failures count together."""
    first = why.split(". ")[0].rstrip(".")
    return textwrap.shorten(NUMBER.sub("...", first), 160, placeholder=" ...")


def minimise(ledger: Ledger, start: FloatArray, optimiser: Optimiser) -> Search[Ended]:
    """Search from ``start``, which must be evaluable. What scipy calls back is answered at once."""
    match optimiser:
        case TrustRegion():
            return (yield from _trust_region(ledger, start, optimiser))
        case LBFGSB():
            return _lbfgsb(ledger, start, optimiser)
        case QuasiNewton():
            return (yield from quasi_newton(ledger, start, optimiser))


# ------------------------------------------------------------------------------------------------------ trust region


def _trust_region(ledger: Ledger, start: FloatArray, settings: TrustRegion) -> Search[Ended]:
    lower, upper = ledger.objective.lower, ledger.objective.upper
    until = settings.seconds + (yield SPENT)
    theta, _ = yield from ledger.refined(np.clip(start, lower, upper))
    derivatives = yield from ledger.derivatives(theta)
    if derivatives.failure:
        return Ended(theta, math.inf, False, f"the start cannot be evaluated: {derivatives.failure}", 0)
    value, radius, calm = derivatives.value, settings.radius, 0
    curvature = Curvature(len(theta))
    for iteration in range(1, settings.most + 1):
        if (yield SPENT) > until:
            return Ended(theta, value, False, f"{settings.seconds:g} s were not enough", iteration - 1)
        step, expected = bounded_step(
            derivatives.gradient, curvature.hessian(derivatives.fisher), theta, lower, upper, radius
        )
        length = float(np.linalg.norm(step))
        if expected <= 1e-3 * settings.tolerance or length < 1e-12:
            if curvature.leave():
                continue
            return Ended(theta, value, True, "no step promises an improvement", iteration)
        trial, new = yield from ledger.refined(np.clip(theta + step, lower, upper))
        ratio = (value - new) / expected if math.isfinite(new) else -1.0
        next_derivatives = (yield from ledger.derivatives(trial)) if ratio > 1e-4 else derivatives
        if ratio > 1e-4 and not next_derivatives.failure:
            calm = calm + 1 if value - new < settings.tolerance and expected < 10 * settings.tolerance else 0
            curvature.learn(trial - theta, derivatives, next_derivatives, value - new)
            theta, value, derivatives = trial, min(new, next_derivatives.value), next_derivatives
            if ratio > 0.75 and length > 0.7 * radius:
                radius *= 2.0
            elif ratio < 0.25:
                radius = 0.5 * length
            if calm >= 3:
                return Ended(theta, value, True, "improvements are below the tolerance", iteration)
        else:
            radius = 0.25 * length
            curvature.leave()
            if radius < 1e-9:
                converged = expected < 100 * settings.tolerance
                why = "no shorter step improves any more" + ("" if converged else ", although the gradient says so")
                return Ended(theta, value, converged, why, iteration)
    return Ended(theta, value, False, f"{settings.most} iterations were not enough", settings.most)


class Curvature:
    """The Hessian of the model: Fisher information, plus what gradients have taught about the rest of it.

    The rest matters where residuals are large. It is a symmetric rank-one secant approximation, used only while it has
    predicted the last improvement better than the Fisher information alone (J. E. Dennis, D. M. Gay and R. E. Welsch,
    ACM Trans. Math. Softw. 7, 348 (1981)).
    """

    def __init__(self, d: int) -> None:
        self.rest = np.zeros((d, d))
        self.used = False

    def hessian(self, fisher: FloatArray) -> FloatArray:
        return fisher + self.rest if self.used else fisher

    def leave(self) -> bool:
        """Go back to the Fisher information; whether that is a change."""
        was, self.used = self.used, False
        return was

    def learn(self, step: FloatArray, before: Derivatives, after: Derivatives, gain: float) -> None:
        plain = -float(before.gradient @ step + 0.5 * step @ before.fisher @ step)
        full = plain - 0.5 * float(step @ self.rest @ step)
        self.used = bool(self.rest.any()) and abs(full - gain) < abs(plain - gain)
        wanted = after.gradient - before.gradient - after.fisher @ step
        own = float(step @ self.rest @ step)
        if abs(own) > abs(float(step @ wanted)):  # sizing: an old approximation must not dwarf the new information
            self.rest *= abs(float(step @ wanted)) / abs(own)
        error = wanted - self.rest @ step
        along = float(error @ step)
        if abs(along) > 1e-8 * float(np.linalg.norm(error) * np.linalg.norm(step)):
            self.rest += np.outer(error, error) / along


def quasi_newton(
    ledger: Ledger, start: FloatArray, settings: QuasiNewton, fisher: FloatArray | None = None
) -> Search[Ended]:
    """Search from ``start``; ``fisher`` is the Fisher information there, where it is known (or nearly so)."""
    lower, upper = ledger.objective.lower, ledger.objective.upper
    theta = np.clip(start, lower, upper)
    value, gradient = yield from ledger.gradient(theta)
    if not math.isfinite(value):
        return Ended(theta, math.inf, False, "the start cannot be evaluated", 0)
    hessian, age, radius, calm = fisher, 0, settings.radius, 0
    for iteration in range(1, settings.most + 1):
        if hessian is None or age >= settings.renew:
            derivatives = yield from ledger.derivatives(theta)
            if derivatives.failure:
                return Ended(theta, value, False, f"no Fisher information: {derivatives.failure}", iteration)
            hessian, age = derivatives.fisher, 0
        step, expected = bounded_step(gradient, hessian, theta, lower, upper, radius)
        length = float(np.linalg.norm(step))
        if calm >= 2 or expected <= 1e-2 * settings.tolerance or length < 1e-12:
            if age == 0 or fisher is not None:
                return Ended(theta, value, True, "improvements are below the tolerance", iteration)
            hessian, calm = None, 0
            continue
        trial = np.clip(theta + step, lower, upper)
        new, new_gradient = yield from ledger.gradient(trial)
        ratio = (value - new) / expected if math.isfinite(new) else -1.0
        age += 1
        if ratio <= 1e-4:
            radius = 0.25 * length
            if radius < 1e-9:
                return Ended(theta, value, expected < 100 * settings.tolerance, "no shorter step improves", iteration)
            continue
        calm = calm + 1 if value - new < settings.tolerance and expected < 10 * settings.tolerance else 0
        hessian = _damped_bfgs(hessian, trial - theta, new_gradient - gradient)
        theta, value, gradient = trial, new, new_gradient
        if ratio > 0.75 and length > 0.7 * radius:
            radius *= 2.0
        elif ratio < 0.25:
            radius = 0.5 * length
    return Ended(theta, value, False, f"{settings.most} steps were not enough", settings.most)


def _damped_bfgs(hessian: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """The Hessian after a ``step`` that changed the gradient by ``change``; it stays positive."""
    moved = hessian @ step
    curvature, along = float(step @ moved), float(step @ change)
    if curvature <= 0:
        return hessian
    if along < 0.2 * curvature:
        share = 0.8 * curvature / (curvature - along)
        change = share * change + (1.0 - share) * moved
        along = 0.2 * curvature
    return np.asarray(hessian - np.outer(moved, moved) / curvature + np.outer(change, change) / along)


def bounded_step(
    gradient: FloatArray, hessian: FloatArray, theta: FloatArray, lower: FloatArray, upper: FloatArray, radius: float
) -> tuple[FloatArray, float]:
    """The step that minimises the quadratic model within ``radius`` and the bounds, and the decrease it promises."""
    models = Models(gradient[None], hessian[None], theta[None])
    steps, expected = bounded_steps(models, np.zeros(1, dtype=np.int64), np.array([radius]), lower, upper)
    return steps[0], float(expected[0])


class Models(NamedTuple):
    """Quadratic models, one a row: ``gradients`` (m, d), ``hessians`` (m, d, d), and where they are (m, d)."""

    gradients: FloatArray
    hessians: FloatArray
    thetas: FloatArray


def bounded_steps(
    models: Models, which: IntArray, radii: FloatArray, lower: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Steps (n, d) that minimise the models ``which`` (n,) within ``radii`` (n,) and the bounds, and the decrease (n,)
    that each promises.

    A variable whose bound a step would cross is put on it and held while the others are solved again. Models are
    decomposed once for all steps that hold the same variables.
    """
    gradients, thetas = models.gradients[which], models.thetas[which]
    d = gradients.shape[1]
    at_bound = ((gradients > 0) & (thetas <= lower)) | ((gradients < 0) & (thetas >= upper))
    free, steps, known = ~at_bound, np.zeros(gradients.shape), _Decompositions(models.hessians)
    going = np.flatnonzero(free.any(axis=1))
    here, held, pulls, room = free[going], steps[going], gradients[going], radii[going]
    for _ in range(d):
        if not len(going):
            break
        made = np.where(here, region_steps(np.where(here, pulls, 0.0), known(which[going], here), room), held)
        at = thetas[going]
        ends = at + made
        inside = np.minimum(np.maximum(ends, lower), upper)
        over = here & (ends != inside)
        steps[going] = made
        crossing = over.any(axis=1)
        if not crossing.any():
            break
        steps[going] = np.where(over, inside - at, made)
        free[going] = here & ~over
        going = going[crossing & free[going].any(axis=1)]
        here = free[going]
        held = np.where(here, 0.0, steps[going])
        pulls = gradients[going] + (models.hessians[which[going]] @ held[:, :, None])[:, :, 0]
        room = np.sqrt(np.maximum(radii[going] ** 2 - (held**2).sum(axis=1), (0.1 * radii[going]) ** 2))
    expected = _promised(models, which, steps)
    if expected.min() <= 0:
        for i in np.flatnonzero((expected <= 0) & (~at_bound).any(axis=1)):  # holding variables at bounds spoilt it
            steps[i] = _steepest(models, int(which[i]), float(radii[i]), at_bound[i], lower, upper)
            expected[i] = _promised(models, which[i : i + 1], steps[i : i + 1])[0]
    return steps, expected


def _promised(models: Models, which: IntArray, steps: FloatArray) -> FloatArray:
    """By how much each step decreases its model."""
    bent = (models.hessians[which] @ steps[:, :, None])[:, :, 0]
    return np.asarray(-(steps * (models.gradients[which] + 0.5 * bent)).sum(axis=1))


def _steepest(
    models: Models, which: int, radius: float, at_bound: BoolArray, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """The step down the gradient, within the radius and the bounds."""
    gradient, hessian, theta = models.gradients[which], models.hessians[which], models.thetas[which]
    step = np.where(at_bound, 0.0, -gradient)
    step *= radius / max(float(np.linalg.norm(step)), 1e-300)
    step = np.clip(theta + step, lower, upper) - theta
    curvature, derivative = float(step @ hessian @ step), float(gradient @ step)
    if curvature > 0:
        step *= min(1.0, -derivative / curvature)
    return np.asarray(step)


class Eigen(NamedTuple):
    """Symmetric matrices made positive: eigenvalues (n, d), shifted where one is negative, and eigenvectors (n, d, d)
    in columns."""

    values: FloatArray
    vectors: FloatArray

    @classmethod
    def of(cls, matrices: FloatArray) -> Eigen:
        values, vectors = np.linalg.eigh(matrices)
        least = values[:, :1]
        tiny = 1e-14 * np.maximum(np.maximum(-least, values[:, -1:]), 1e-300)
        return cls(np.where(least < -1e3 * tiny, values - least + tiny, np.maximum(values, tiny)), vectors)


class _Decompositions:
    """Hessians where some variables are held, the others decomposed: each once. Eigenvectors are zero for the held."""

    def __init__(self, hessians: FloatArray) -> None:
        self.hessians = hessians
        self.place: dict[tuple[int, bytes], int] = {}
        self.values: list[FloatArray] = []
        self.vectors: list[FloatArray] = []

    def __call__(self, which: IntArray, free: BoolArray) -> Eigen:
        """Of the Hessians ``which`` (n,) with the variables ``free`` (n, d)."""
        keys = [(int(one), row.tobytes()) for one, row in zip(which, free, strict=True)]
        new: dict[int, dict[tuple[int, bytes], BoolArray]] = {}
        for key, row in zip(keys, free, strict=True):
            if key not in self.place:
                new.setdefault(int(row.sum()), {})[key] = row
        for size, alike in new.items():
            self._decompose(size, alike)
        places = [self.place[key] for key in keys]
        return Eigen(np.array([self.values[i] for i in places]), np.array([self.vectors[i] for i in places]))

    def _decompose(self, size: int, alike: dict[tuple[int, bytes], BoolArray]) -> None:
        d = self.hessians.shape[1]
        here = np.array([np.flatnonzero(row) for row in alike.values()])
        of = np.array([one for one, _ in alike])[:, None, None]
        eigen = Eigen.of(self.hessians[of, here[:, :, None], here[:, None, :]])
        values = np.repeat(eigen.values[:, -1:], d, axis=1)
        values[:, :size] = eigen.values
        vectors = np.zeros((len(alike), d, d))
        vectors[np.arange(len(alike))[:, None], here, :size] = eigen.vectors
        for i, key in enumerate(alike):
            self.place[key] = len(self.values)
            self.values.append(values[i])
            self.vectors.append(vectors[i])


def region_steps(gradients: FloatArray, hessians: Eigen, radii: FloatArray) -> FloatArray:
    """argmin g s + s H s / 2 with |s| <= radius (n, d), for symmetric H; negative curvature leads to the edge.

    The shift of the eigenvalues is found by Newton's method on 1 / radius - 1 / |s|, from the left and so monotonically
    (J. J. More and D. C. Sorensen). A gradient of zero gives no step, whatever the Hessian.
    """
    parts, values = (gradients[:, None, :] @ hessians.vectors)[:, 0, :], hessians.values
    size = np.sqrt((parts**2).sum(axis=1))
    shift = np.maximum(0.0, size / radii - values[:, -1])  # not too large in any case
    for _ in range(60):
        shifted = values + shift[:, None]
        along = parts / shifted
        square = along**2
        total = square.sum(axis=1)
        over = np.sqrt(total) / radii - 1.0
        long = over > 1e-3
        if not long.any():
            break
        shift += np.where(long, over * total / np.maximum((square / shifted).sum(axis=1), 1e-300), 0.0)
    return np.asarray(-(hessians.vectors @ along[:, :, None])[:, :, 0])


# ----------------------------------------------------------------------------------------------------------- L-BFGS-B


def _lbfgsb(ledger: Ledger, start: FloatArray, settings: LBFGSB) -> Ended:
    from scipy import optimize

    objective = ledger.objective
    wall = [math.inf]

    def function(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = alone(objective, ledger.gradient(theta))
        if math.isinf(value):
            return wall[0], gradient
        wall[0] = max(abs(value) * 10, 1e6) if math.isinf(wall[0]) else wall[0]
        return value, gradient

    if not math.isfinite(function(start)[0]):
        return Ended(start, math.inf, False, "the start cannot be evaluated", 0)
    result = optimize.minimize(
        function,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(objective.lower, objective.upper, strict=True)),
        options={"maxiter": settings.most, "ftol": settings.tolerance, "maxcor": 20, "maxfun": 5 * settings.most},
    )
    return _ended(ledger, bool(result.success), str(result.message), int(result.nit))


def _ended(ledger: Ledger, converged: bool, message: str, iterations: int) -> Ended:
    assert ledger.at is not None
    return Ended(ledger.at, ledger.best, converged, message, iterations)
