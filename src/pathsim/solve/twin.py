"""The trusted twin: one simulation at a time in plain Python, numpy and scipy.

It shares the expression graph with the engine and nothing else: rates are evaluated by Python, steps are taken by
scipy's LSODA or BDF or by a dense numpy Rosenbrock, discontinuities are located by bisection, and events follow the
SBML Level 3 rules step by step. Short enough to read, slow enough not to be used for sweeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .evaluate import python_function
from .solvers import Bdf, Lsoda, Rosenbrock, Solver
from .status import Status
from .system import EventCode, FloatArray, System, jacobian, time_derivative
from .tableau import RODAS5P

MOST_SWITCHES_AT_ONE_TIME = 1000
LONGEST = 1e9  # time units within which a steady state must be reached
STEADY = 1e-12  # relative change per time unit that counts as none


@dataclass(frozen=True, slots=True)
class Run:
    """One simulation: ``values`` (times, outputs), NaN after a failure; the last state and parameters; the status."""

    values: FloatArray
    status: Status
    time: float
    state: int
    x: FloatArray
    p: FloatArray
    steps: int


class TwinFunctions:
    """The Python functions of a system, made once."""

    def __init__(self, system: System, outputs: Sequence[int]) -> None:
        graph = system.graph
        entries = jacobian(system)
        self.system = system
        self.start = python_function(graph, [*system.start_parameters, *system.start_states])
        self.rates = python_function(graph, system.rates)
        self.jacobian_values = python_function(graph, list(entries.values()))
        self.time_derivative = python_function(graph, time_derivative(system))
        self.margins = python_function(graph, [mode.margin for mode in system.modes])
        self.triggers = python_function(graph, [event.trigger for event in system.events])
        self.outputs = python_function(graph, outputs)
        self.rows = [i for i, _ in entries]
        self.columns = [j for _, j in entries]
        nothing = graph.zero
        self.effects = [
            python_function(
                graph,
                [
                    nothing if event.delay is None else event.delay,
                    nothing if event.priority is None else event.priority,
                    *(target.node for target in event.targets),
                ],
            )
            for event in system.events
        ]

    def jacobian(self, t: float, x: Sequence[float], p: Sequence[float]) -> FloatArray:
        """Dense d rates / d states, shape (n, n)."""
        n = len(self.system.states)
        matrix = np.zeros((n, n))
        matrix[self.rows, self.columns] = self.jacobian_values(t, x, p)
        return matrix


def integrate(
    functions: TwinFunctions,
    raw: FloatArray,
    times: FloatArray,
    solver: Solver,
    start_state: FloatArray | None = None,
    start_time: float = 0.0,
) -> Run:
    """Simulate one row of raw parameters and sample the outputs at ``times`` (ascending, none before the start).

    ``start_state`` replaces the model's own initial state. Failures come back as a status, never as an exception.
    """
    with np.errstate(all="ignore"):
        return _Simulation(functions, raw, times, solver, start_state, start_time).run()


@dataclass
class _Pending:
    """An event that fired and waits for its moment; ``values`` are None when they are taken at that moment."""

    time: float
    event: int
    values: list[float] | None


def settle(functions: TwinFunctions, raw: FloatArray, solver: Solver, start_state: FloatArray | None = None) -> Run:
    """Integrate until nothing moves any more: the steady state reached from the start state.

    A stiffly stable method takes ever longer steps towards a steady state and turns into Newton's method there, while
    it keeps every conserved total; so the time course itself finds the state its conserved totals select.
    """
    exact = Rosenbrock(rtol=min(solver.rtol, 1e-6), atol=solver.atol, max_steps=solver.max_steps)
    with np.errstate(all="ignore"):
        return _Simulation(functions, raw, np.array([LONGEST]), exact, start_state, 0.0, until_steady=True).run()


class _Simulation:
    def __init__(
        self,
        functions: TwinFunctions,
        raw: FloatArray,
        times: FloatArray,
        solver: Solver,
        start_state: FloatArray | None,
        start_time: float,
        until_steady: bool = False,
    ) -> None:
        system = functions.system
        self.f = functions
        self.system = system
        self.times = times
        self.solver = solver
        self.t = start_time
        self.until_steady = until_steady
        self.steady = False
        n_parameters = len(system.parameters)
        effective = functions.start(start_time, [], raw)
        self.p = np.array(effective[:n_parameters] + [0.0] * len(system.modes))
        self.x = np.array(effective[n_parameters:], dtype=float) if start_state is None else np.array(start_state)
        self.was_true = [event.initially_true for event in system.events]
        self.pending: list[_Pending] = []
        self.values = np.full((len(times), len(functions.outputs(0.0, self.x, self.p))), np.nan)
        self.sampled = 0
        self.steps = 0
        self.chance = np.random.default_rng(0)
        self.switches_here = 0
        self.last_switch = -math.inf

    def run(self) -> Run:
        status = self._start()
        while status is Status.OK and self.sampled < len(self.times) and not self.steady:
            status = self._smooth_stretch()
        if status is Status.OK and self.until_steady and not self.steady and not self._is_steady():
            status = Status.NO_STEADY_STATE
        if status is Status.OK and not np.isfinite(self.x).all() and len(self.x):
            status = Status.NOT_FINITE
        return Run(self.values, status, self.t, self._culprit(), self.x, self.p, self.steps)

    def _start(self) -> Status:
        self._set_modes()
        status = self._events()
        if status is Status.OK and not np.isfinite(self.f.rates(self.t, self.x, self.p)).all():
            status = Status.NOT_FINITE
        self._sample_until(self.t, lambda _: self.x)
        return status

    # continuous part

    def _smooth_stretch(self) -> Status:
        """Integrate until a mode switches, a delayed event is due, or everything is sampled."""
        end = min([self.times[-1], *(item.time for item in self.pending)])
        if end > self.t and len(self.x):
            status = self._integrate_to(end)
        else:
            status = self._jump_to(end)
        return status if status is not Status.OK else self._events()

    def _integrate_to(self, end: float) -> Status:
        """Steps until ``end`` or a switch; leaves t, x at the end of the stretch."""
        stepper = _stepper(self.f, self.t, self.x, self.p, end, self.solver)
        while self.t < end:
            if self.steps >= self.solver.max_steps:
                return Status.TOO_MANY_STEPS
            self.steps += 1
            if not stepper.step():
                return Status.STEP_TOO_SMALL
            start, stop, curve = self.t, stepper.t, stepper.dense_output()
            switch = self._first_switch(start, stop, curve)
            reached = stop if switch is None else switch
            due_here = any(item.time <= reached for item in self.pending)
            # at the end of the stretch events may still act, and a sample taken there must see them
            self._sample_until(reached, curve, inclusive=switch is None and not due_here)
            self.t = reached
            self.x = stepper.y.copy() if switch is None else curve(switch)
            if not np.isfinite(self.x).all():
                return Status.NOT_FINITE
            if switch is not None:
                return self._flip_modes()
            if self.until_steady and not self.pending and self._is_steady():
                self.steady = True
                self.values[:] = self.f.outputs(self.t, self.x, self.p)
                return Status.OK
        return Status.OK

    def _is_steady(self) -> bool:
        """Whether every state changes by less than STEADY of itself per time unit, rounding in the rates aside."""
        rates = np.abs(np.array(self.f.rates(self.t, self.x, self.p)))
        rounding = 1e-15 * np.abs(self.f.jacobian(self.t, self.x, self.p)) @ np.abs(self.x)
        return bool(np.all(rates <= STEADY * (np.abs(self.x) + self.solver.atol) + rounding))

    def _jump_to(self, end: float) -> Status:
        """Without states nothing but time moves; modes may still switch on the way."""
        x = self.x
        start = self.t
        while True:
            switch = self._first_switch(start, end, lambda _: x) if end > start else None
            reached = end if switch is None else switch
            self._sample_until(reached, lambda _: x, inclusive=switch is None and not self.pending)
            self.t = reached
            if switch is None:
                return Status.OK
            return self._flip_modes()

    # modes

    def _set_modes(self) -> None:
        """Bring every mode into agreement with its margin, here and now; modes may depend on each other."""
        for _ in range(len(self.system.modes) + 1):
            wrong = self._wrong_modes(self.t, self.x)
            if not wrong:
                return
            self._correct(wrong)

    def _wrong_modes(self, t: float, x: FloatArray) -> list[int]:
        """Modes whose margin contradicts them at (t, x)."""
        first = len(self.system.parameters)
        wrong = []
        for i, margin in enumerate(self.f.margins(t, x, self.p)):
            value, kind = self.p[first + i], self.system.modes[i].kind
            if kind == "floor":
                bad = not value <= margin < value + 1 and math.isfinite(margin)
            else:
                bad = (margin > 0 if kind == "lt" else margin >= 0) != bool(value)
            if bad:
                wrong.append(i)
        return wrong

    def _first_switch(self, start: float, stop: float, curve: Callable[[float], FloatArray]) -> float | None:
        """The first time in (start, stop] at which a mode is wrong, to the last bit; None when all stay right."""
        if not self.system.modes:
            return None
        for fraction in (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0):
            late = stop if fraction == 1.0 else start + fraction * (stop - start)
            if self._wrong_modes(late, curve(late)):
                break
        else:
            return None
        early = start
        while True:
            middle = early + 0.5 * (late - early)
            if middle <= early or middle >= late:
                return late
            if self._wrong_modes(middle, curve(middle)):
                late = middle
            else:
                early = middle

    def _flip_modes(self) -> Status:
        if self.t == self.last_switch or self.t - self.last_switch < 1e-14 * abs(self.t):
            self.switches_here += 1
        else:
            self.switches_here = 0
        self.last_switch = self.t
        if self.switches_here > MOST_SWITCHES_AT_ONE_TIME:
            return Status.CHATTERING
        self._set_modes()
        return Status.OK

    def _correct(self, wrong: list[int]) -> None:
        first = len(self.system.parameters)
        margins = self.f.margins(self.t, self.x, self.p)
        for i in wrong:
            if self.system.modes[i].kind == "floor":
                self.p[first + i] = math.floor(margins[i])
            else:
                self.p[first + i] = 1.0 - self.p[first + i]

    # events (SBML Level 3 Version 2, section 4.11)

    def _events(self) -> Status:
        """Everything that happens at the present moment; samples due now are taken afterwards."""
        for _ in range(MOST_SWITCHES_AT_ONE_TIME):
            self._fire()
            due = [item for item in self.pending if item.time <= self.t]
            if not due:
                self._sample_until(self.t, lambda _: self.x)
                return Status.OK
            self._execute(self._next_of(due))
            self._set_modes()
        return Status.CHATTERING

    def _fire(self) -> None:
        """Note every trigger that turned true; forget pending ones that need their trigger to stay true."""
        now = [bool(value) for value in self.f.triggers(self.t, self.x, self.p)]
        for i, event in enumerate(self.system.events):
            if now[i] and not self.was_true[i]:
                delay, _, *values = self.f.effects[i](self.t, self.x, self.p)
                keep = values if event.values_from_trigger_time else None
                self.pending.append(_Pending(self.t + delay, i, keep))
            elif self.was_true[i] and not now[i] and not event.persistent:
                self.pending = [item for item in self.pending if item.event != i]
        self.was_true = now

    def _next_of(self, due: list[_Pending]) -> _Pending:
        """The one of highest priority; SBML asks for a random choice among equals, ours is the same in every run."""
        priorities = [self._priority(item) for item in due]
        first = [item for item, priority in zip(due, priorities, strict=True) if priority == max(priorities)]
        return first[0] if len(first) == 1 else first[int(self.chance.integers(len(first)))]

    def _priority(self, item: _Pending) -> float:
        event: EventCode = self.system.events[item.event]
        if event.priority is None:
            return -math.inf
        return self.f.effects[item.event](self.t, self.x, self.p)[1]

    def _execute(self, item: _Pending) -> None:
        self.pending.remove(item)
        values = item.values
        if values is None:
            values = self.f.effects[item.event](self.t, self.x, self.p)[2:]
        for target, value in zip(self.system.events[item.event].targets, values, strict=True):
            (self.x if target.is_state else self.p)[target.index] = value

    # samples

    def _sample_until(self, t: float, curve: Callable[[float], FloatArray], inclusive: bool = True) -> None:
        while self.sampled < len(self.times):
            wanted = self.times[self.sampled]
            if wanted > t or (wanted == t and not inclusive):
                return
            self.values[self.sampled] = self.f.outputs(wanted, curve(wanted), self.p)
            self.sampled += 1

    def _culprit(self) -> int:
        """The state that is not finite or changes fastest, for the message."""
        if not len(self.x):
            return -1
        bad = np.flatnonzero(~np.isfinite(self.x))
        if bad.size:
            return int(bad[0])
        speed = np.abs(np.array(self.f.rates(self.t, self.x, self.p))) / (np.abs(self.x) + self.solver.atol)
        bad = np.flatnonzero(~np.isfinite(speed))
        return int(bad[0]) if bad.size else int(np.argmax(speed))


class _Stepper(Protocol):
    """What scipy's solvers and the numpy Rosenbrock have in common."""

    t: float
    y: FloatArray

    def step(self) -> bool:
        """Advance; False when that is impossible."""

    def dense_output(self) -> Callable[[float], FloatArray]:
        """The curve over the last step."""


def _stepper(f: TwinFunctions, t: float, x: FloatArray, p: FloatArray, end: float, solver: Solver) -> _Stepper:
    if isinstance(solver, Rosenbrock):
        return RosenbrockStepper(f, t, x, p, end, solver)
    return _ScipyStepper(f, t, x, p, end, solver)


class _ScipyStepper:
    def __init__(self, f: TwinFunctions, t: float, x: FloatArray, p: FloatArray, end: float, solver: Lsoda | Bdf) -> None:
        from scipy import integrate as scipy_integrate

        method: Any = scipy_integrate.LSODA if isinstance(solver, Lsoda) else scipy_integrate.BDF
        self.inner = method(
            lambda time, y: np.array(f.rates(time, y, p)), t, x, end,
            rtol=max(solver.rtol, 1e-13), atol=solver.atol, jac=lambda time, y: f.jacobian(time, y, p),
        )  # fmt: skip

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
    """Rodas5P on a dense matrix, in the symbols of :mod:`pathsim.solve.tableau`."""

    def __init__(
        self, f: TwinFunctions, t: float, x: FloatArray, p: FloatArray, end: float, solver: Rosenbrock
    ) -> None:
        self.f, self.p, self.end, self.solver = f, p, end, solver
        self.t, self.y = t, x.copy()
        self.h = 1e-6 * (end - t)
        self.last_error = 1e-4
        self._curve: Callable[[float], FloatArray] = lambda _: self.y

    def dense_output(self) -> Callable[[float], FloatArray]:
        return self._curve

    def step(self) -> bool:
        rejected = False
        while True:
            remaining = self.end - self.t
            h = remaining if self.h >= 0.999999 * remaining else self.h
            if h <= 1e-15 * max(abs(self.t), 1e-300):
                return False
            y1, error, curve = rodas5p_step(self.f, self.t, self.y, self.p, h, self.solver)
            if error <= 1.0:
                factor = 0.9 * min(error**-0.2, (self.last_error / error**2) ** 0.2) if error > 0 else 6.0
                factor = min(1.0 if rejected else 6.0, max(0.2, factor))
                self.last_error = max(1e-2, error)
                self._curve = curve
                self.t, self.y, self.h = (self.end if h == remaining else self.t + h), y1, h * factor
                return True
            rejected = True
            self.h = h * max(0.1, 0.9 * error**-0.2) if math.isfinite(error) else 0.1 * h


def rodas5p_step(
    f: TwinFunctions, t: float, y: FloatArray, p: FloatArray, h: float, solver: Rosenbrock
) -> tuple[FloatArray, float, Callable[[float], FloatArray]]:
    """One attempt of size ``h``: the new state, the scaled error (accept when <= 1) and the dense output."""
    T, n = RODAS5P, len(y)
    matrix = np.eye(n) / (h * T.gamma) - f.jacobian(t, y, p)
    slope_in_time = np.array(f.time_derivative(t, y, p))
    U: list[FloatArray] = []
    u = y
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return y, math.inf, lambda _: y
    for i in range(T.stages):
        u = y + sum((a * U[j] for j, a in enumerate(T.a[i])), start=np.zeros(n))
        right = np.array(f.rates(t + T.c[i] * h, u, p)) + h * T.d[i] * slope_in_time
        right += sum((C / h * U[j] for j, C in enumerate(T.C[i])), start=np.zeros(n))
        U.append(inverse @ right)
    y1 = u + U[-1]
    scale = solver.atol + solver.rtol * np.maximum(np.abs(y), np.abs(y1))
    error = float(np.sqrt(np.mean((U[-1] / scale) ** 2)))
    D = [sum((w * U[j] for j, w in enumerate(row)), start=np.zeros(n)) for row in T.H]

    def curve(time: float) -> FloatArray:
        theta = (time - t) / h
        rest = 1.0 - theta
        return rest * y + theta * (y1 + rest * (D[0] + theta * (D[1] + theta * D[2])))

    return y1, error if math.isfinite(error) else math.inf, curve
