"""Steps of the reference: scipy's LSODA and BDF, and the methods of the engine on a dense numpy matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ...arrays import FloatArray
from ..extrapolation.scheme import Scheme
from ..rosenbrock.tableau import Tableau
from ..solvers import BDF, LSODA, Extrapolation, Rosenbrock, Solver
from .functions import ReferenceFunctions


class Stepper(Protocol):
    """What scipy's solvers and those on a dense matrix have in common."""

    @property
    def t(self) -> float:
        """The time reached."""

    @property
    def y(self) -> FloatArray:
        """The state there."""

    def step(self) -> bool:
        """Advance; False when that is impossible."""

    def dense_output(self) -> Callable[[float], FloatArray]:
        """The curve over the last step."""


def make_stepper(
    f: ReferenceFunctions, t: float, x: FloatArray, p: FloatArray, end: float, solver: Solver, atol: FloatArray
) -> Stepper:
    if isinstance(solver, Rosenbrock | Extrapolation):
        return MatrixStepper(f, t, x, p, end, solver, atol)
    return _ScipyStepper(f, t, x, p, end, solver)


def absolute_tolerances(solver: Solver, x: FloatArray, rates: Sequence[float] = (), span: float = 0.0) -> FloatArray:
    """Absolute tolerances of states ``x``: as given, or from their sizes (and where all are zero, from what rates make
    of them in a thousandth of ``span``); all states count as one kind here."""
    if solver.atol is not None:
        return np.full(len(x), solver.atol)
    size: FloatArray = np.abs(x)
    largest = float(size.max(initial=0.0))
    if largest == 0 and span:
        largest = 1e5 * 1e-3 * span * np.abs(np.asarray(rates, dtype=float)).max(initial=0.0)
    tolerances: FloatArray = 1e-3 * solver.rtol * np.maximum(size, 1e-5 * largest) + 1e-300
    return tolerances


class _ScipyStepper:
    def __init__(
        self, f: ReferenceFunctions, t: float, x: FloatArray, p: FloatArray, end: float, solver: LSODA | BDF
    ) -> None:
        from scipy import integrate as scipy_integrate

        method: Any = scipy_integrate.LSODA if isinstance(solver, LSODA) else scipy_integrate.BDF
        self.inner = method(
            lambda time, y: np.array(f.rates(time, y, p)),
            t,
            x,
            end,
            rtol=max(solver.rtol, 1e-13),
            atol=solver.atol,
            jac=lambda time, y: f.jacobian(time, y, p),
        )

    @property
    def t(self) -> float:
        return float(self.inner.t)

    @property
    def y(self) -> FloatArray:
        return np.asarray(self.inner.y, dtype=float)

    def step(self) -> bool:
        try:
            self.inner.step()
        except (ValueError, FloatingPointError, np.linalg.LinAlgError):
            return False
        return bool(self.inner.status != "failed")

    def dense_output(self) -> Callable[[float], FloatArray]:
        curve = self.inner.dense_output()
        return lambda t: np.asarray(curve(t), dtype=float)


class MatrixStepper:
    """A method of the engine on a dense matrix."""

    def __init__(
        self,
        f: ReferenceFunctions,
        t: float,
        x: FloatArray,
        p: FloatArray,
        end: float,
        solver: Rosenbrock | Extrapolation,
        atol: FloatArray,
    ) -> None:
        self.f, self.p, self.end, self.solver, self.atol = f, p, end, solver, atol
        self.t: float = t
        self.y: FloatArray = x.copy()
        fastest = np.abs(f.jacobian(t, x, p)).diagonal().max(initial=1e-3 / (end - t))
        self.h = 1e-3 * min(1e-3 * (end - t), 1 / fastest)
        self.last_error = 1e-4
        self._curve: Callable[[float], FloatArray] = lambda _: self.y

    def dense_output(self) -> Callable[[float], FloatArray]:
        return self._curve

    def step(self) -> bool:
        rejected, exponent = False, self.solver.method.exponent
        while True:
            remaining = self.end - self.t
            h = remaining if self.h >= 0.999999 * remaining else self.h
            if h <= 1e-15 * max(abs(self.t), 1e-300):
                return False
            self.atol = np.maximum(self.atol, absolute_tolerances(self.solver, self.y))
            y1, error, curve = one_step(self.f, self.t, self.y, self.p, h, self.solver, self.atol)
            if error <= 1.0:
                factor = 0.9 * min(error**-exponent, (self.last_error / error**2) ** exponent) if error > 0 else 6.0
                factor = min(1.0 if rejected else 6.0, max(0.2, factor))
                self.last_error = max(1e-2, error)
                self._curve = curve
                self.t, self.y, self.h = (self.end if h == remaining else self.t + h), y1, h * factor
                return True
            rejected = True
            self.h = h * max(0.1, 0.9 * error**-exponent) if math.isfinite(error) else 0.1 * h


def one_step(
    f: ReferenceFunctions,
    t: float,
    y: FloatArray,
    p: FloatArray,
    h: float,
    solver: Rosenbrock | Extrapolation,
    atol: FloatArray | None = None,
) -> tuple[FloatArray, float, Callable[[float], FloatArray]]:
    """One attempt of size ``h``: the new state, the scaled error (accept when <= 1) and the dense output."""
    try:
        if isinstance(solver, Extrapolation):
            change, estimate, D = extrapolation_parts(f, t, y, p, h, solver.method)
        else:
            change, estimate, D = rosenbrock_parts(f, t, y, p, h, solver.tableau)
    except np.linalg.LinAlgError:
        return y, math.inf, lambda _: y
    y1 = y + change
    atol = absolute_tolerances(solver, y) if atol is None else atol
    scale = atol + solver.rtol * np.maximum(np.abs(y), np.abs(y1))
    error = float(np.sqrt(np.mean((estimate / scale) ** 2)))

    def curve(time: float) -> FloatArray:
        theta = (time - t) / h
        rest = 1.0 - theta
        inner = np.zeros(len(y))
        for d in reversed(D):
            inner = d + theta * inner
        return rest * y + theta * (y1 + rest * inner)

    return y1, error if math.isfinite(error) else math.inf, curve


def extrapolation_parts(
    f: ReferenceFunctions, t: float, y: FloatArray, p: FloatArray, h: float, S: Scheme
) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """Change of the state, error and D of a step, column by column, in the symbols of
    :mod:`pathsim.solve.extrapolation.scheme`."""
    n, J = len(y), f.jacobian(t, y, p)
    found = [np.zeros(n) for _ in (S.m, S.e, *S.H)]
    for lane in range(len(S.steps[0])):
        u = y
        for r, now in enumerate(S.rounds):
            if not now.moves[lane]:
                continue
            inverse = np.linalg.inv(np.eye(n) * S.steps[now.factors[lane]][lane] / h - J)
            U = inverse @ np.array(f.rates(t + now.c[lane] * h, u, p))
            found = [sum_ + W[r][lane] * U for sum_, W in zip(found, (S.m, S.e, *S.H), strict=True)]
            u = y if now.restarts[lane] else u + U
    return found[0], found[1], found[2:]


def rosenbrock_parts(
    f: ReferenceFunctions, t: float, y: FloatArray, p: FloatArray, h: float, T: Tableau
) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """Change of the state, error and D of a step, in the symbols of :mod:`pathsim.solve.rosenbrock.tableau`."""
    n = len(y)
    inverse = np.linalg.inv(np.eye(n) / (h * T.gamma) - f.jacobian(t, y, p))
    time_derivative = np.array(f.time_derivative(t, y, p))
    U: list[FloatArray] = []
    for i in range(T.stages):
        u = y + sum((a * U[j] for j, a in enumerate(T.a[i])), start=np.zeros(n))
        right = np.array(f.rates(t + T.c[i] * h, u, p)) + h * T.d[i] * time_derivative
        right += sum((C / h * U[j] for j, C in enumerate(T.C[i])), start=np.zeros(n))
        U.append(inverse @ right)

    def total(weights: Sequence[float]) -> FloatArray:
        return sum((weight * U[j] for j, weight in enumerate(weights)), start=np.zeros(n))

    return total(T.m), total(T.e), [total(row) for row in T.H]
