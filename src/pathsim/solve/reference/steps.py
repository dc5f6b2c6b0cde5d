"""Steps of the reference: scipy's LSODA and BDF, and Rosenbrock methods on a dense numpy matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ...arrays import FloatArray
from ..solvers import BDF, LSODA, Rosenbrock, Solver
from .functions import ReferenceFunctions


class Stepper(Protocol):
    """What scipy's solvers and the numpy Rosenbrock have in common."""

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
    if isinstance(solver, Rosenbrock):
        return RosenbrockStepper(f, t, x, p, end, solver, atol)
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


class RosenbrockStepper:
    """A Rosenbrock method on a dense matrix, in the symbols of :mod:`pathsim.solve.rosenbrock.tableau`."""

    def __init__(
        self,
        f: ReferenceFunctions,
        t: float,
        x: FloatArray,
        p: FloatArray,
        end: float,
        solver: Rosenbrock,
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
        rejected, exponent = False, self.solver.tableau.exponent
        while True:
            remaining = self.end - self.t
            h = remaining if self.h >= 0.999999 * remaining else self.h
            if h <= 1e-15 * max(abs(self.t), 1e-300):
                return False
            self.atol = np.maximum(self.atol, absolute_tolerances(self.solver, self.y))
            y1, error, curve = rosenbrock_step(self.f, self.t, self.y, self.p, h, self.solver, self.atol)
            if error <= 1.0:
                factor = 0.9 * min(error**-exponent, (self.last_error / error**2) ** exponent) if error > 0 else 6.0
                factor = min(1.0 if rejected else 6.0, max(0.2, factor))
                self.last_error = max(1e-2, error)
                self._curve = curve
                self.t, self.y, self.h = (self.end if h == remaining else self.t + h), y1, h * factor
                return True
            rejected = True
            self.h = h * max(0.1, 0.9 * error**-exponent) if math.isfinite(error) else 0.1 * h


def rosenbrock_step(
    f: ReferenceFunctions,
    t: float,
    y: FloatArray,
    p: FloatArray,
    h: float,
    solver: Rosenbrock,
    atol: FloatArray | None = None,
) -> tuple[FloatArray, float, Callable[[float], FloatArray]]:
    """One attempt of size ``h``: the new state, the scaled error (accept when <= 1) and the dense output."""
    T, n = solver.tableau, len(y)
    matrix = np.eye(n) / (h * T.gamma) - f.jacobian(t, y, p)
    time_derivative = np.array(f.time_derivative(t, y, p))
    U: list[FloatArray] = []
    u = y
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return y, math.inf, lambda _: y
    for i in range(T.stages):
        u = y + sum((a * U[j] for j, a in enumerate(T.a[i])), start=np.zeros(n))
        right = np.array(f.rates(t + T.c[i] * h, u, p)) + h * T.d[i] * time_derivative
        right += sum((C / h * U[j] for j, C in enumerate(T.C[i])), start=np.zeros(n))
        U.append(inverse @ right)
    zero = np.zeros(n)
    y1 = y + sum((m * U[j] for j, m in enumerate(T.m)), start=zero)
    estimate = sum((e * U[j] for j, e in enumerate(T.e)), start=zero)
    atol = absolute_tolerances(solver, y) if atol is None else atol
    scale = atol + solver.rtol * np.maximum(np.abs(y), np.abs(y1))
    error = float(np.sqrt(np.mean((estimate / scale) ** 2)))
    D = [sum((w * U[j] for j, w in enumerate(row)), start=np.zeros(n)) for row in T.H]

    def curve(time: float) -> FloatArray:
        theta = (time - t) / h
        rest = 1.0 - theta
        inner = zero
        for d in reversed(D):
            inner = d + theta * inner
        return rest * y + theta * (y1 + rest * inner)

    return y1, error if math.isfinite(error) else math.inf, curve
