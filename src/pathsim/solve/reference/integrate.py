"""The reference: one simulation at a time in plain Python, numpy and scipy.

It shares the expression graph with the engine and nothing else: rates are evaluated by Python, steps are taken by
scipy's LSODA or BDF or by a dense numpy Rosenbrock, branches are located by bisection, and events follow the
SBML Level 3 rules step by step. Short enough to read, slow enough not to be used for sweeps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...arrays import FloatArray
from ..equations.system import EventCode
from ..rosenbrock.tableau import RODAS5P
from ..solvers import LONGEST, Rosenbrock, Solver
from ..status import Status
from .functions import ReferenceFunctions
from .steps import absolute_tolerances, make_stepper

MOST_SWITCHES_AT_ONE_TIME = 1000
FEW_SWITCHES_AT_ONE_TIME = 30
CLEARLY = 100.0  # errors that one step may make by which a state is clearly below zero
ROUNDING = 1e-12  # share of the time by which a delay may miss zero and still stand for none
STEADY = 1e-14  # relative change in a time of the fastest state that counts as none


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


def integrate(
    functions: ReferenceFunctions,
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


def settle(
    functions: ReferenceFunctions, raw: FloatArray, solver: Solver, start_state: FloatArray | None = None
) -> Run:
    """Integrate until nothing moves any more: the steady state reached from the start state.

    A stiffly stable method takes ever longer steps towards a steady state and turns into Newton's method there, while
    it keeps every conserved total; so the time course itself finds the state its conserved totals select.
    """
    tableau = solver.tableau if isinstance(solver, Rosenbrock) else RODAS5P
    exact = Rosenbrock(min(solver.rtol, 1e-6), solver.atol, solver.max_steps, tableau)
    with np.errstate(all="ignore"):
        return _Simulation(functions, raw, np.array([LONGEST]), exact, start_state, 0.0, until_steady=True).run()


class _Simulation:
    def __init__(
        self,
        functions: ReferenceFunctions,
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
        self.p = np.array(effective[:n_parameters] + [0.0] * len(system.discontinuities))
        self.x = np.array(effective[n_parameters:], dtype=float) if start_state is None else np.array(start_state)
        fastest = np.abs(functions.jacobian(start_time, self.x, self.p)).diagonal().max(initial=0.0)
        span = 1e3 / fastest if until_steady and fastest > 0 else times[-1] - start_time
        self.atol = absolute_tolerances(solver, self.x, self.f.rates(start_time, self.x, self.p), span)
        self.peak = np.abs(self.x)
        self.was_true = [event.initially_true for event in system.events]
        self.pending: list[_Pending] = []
        self.values = np.full((len(times), len(functions.outputs(0.0, self.x, self.p))), np.nan)
        self.sampled = 0
        self.steps = 0
        self.limit = solver.max_steps  # counted anew from each sample on
        self.chance = np.random.default_rng(0)
        self.switches_here = 0
        self.last_switch = -math.inf
        self.passing: dict[int, float] = {}  # equalities that hold for the moment, and their root functions there
        self.noise = np.zeros(len(system.discontinuities))  # root functions no larger than this are rounding
        self.noisy = 0
        self.moments = self._find_moments(times[-1])  # at which triggers of timed events switch, ascending
        self.bad_delay = -1

    def run(self) -> Run:
        status = self._start()
        while status is Status.OK and self.sampled < len(self.times) and not self.steady:
            status = self._segment()
        if status is Status.OK and self.until_steady and not self.steady and not self._is_steady():
            status = Status.NO_STEADY_STATE
        if status is Status.OK and not np.isfinite(self.x).all() and len(self.x):
            status = Status.NOT_FINITE
        return Run(self.values, status, self.t, self._culprit(), self.x, self.p, self.steps)

    def _start(self) -> Status:
        self._set_branches()
        status = self._events()
        if status is Status.OK and not np.isfinite(self.f.rates(self.t, self.x, self.p)).all():
            status = Status.NOT_FINITE
        self._sample_until(self.t, lambda _: self.x)
        return status

    # continuous part

    def _segment(self) -> Status:
        """Integrate until a branch switches, a delayed event is due, or everything is sampled."""
        end = min([self.times[-1], *(item.time for item in self.pending), *self.moments[:1]])
        if end - self.t > 4 * np.spacing(abs(end)) and len(self.x):
            status = self._integrate_to(end)
        else:
            status = self._jump_to(end)
        return status if status is not Status.OK else self._events()

    def _integrate_to(self, end: float) -> Status:
        """Steps until ``end`` or a switch; leaves t, x at the end of the segment."""
        self.atol = np.maximum(self.atol, absolute_tolerances(self.solver, self.x))
        stepper = make_stepper(self.f, self.t, self.x, self.p, end, self.solver, self.atol)
        while self.t < end:
            if self.steps >= self.limit:
                return Status.TOO_MANY_STEPS
            self.steps += 1
            if not stepper.step():
                return Status.STEP_TOO_SMALL
            start, stop, curve = self.t, stepper.t, stepper.dense_output()
            switch = self._first_switch(start, stop, curve)
            reached = stop if switch is None else switch
            self.peak = np.maximum(self.peak, np.abs(self.x))
            if self._is_undefined(reached, stepper.y if switch is None else curve(switch)):
                return self._stop_where_undefined(start, reached, curve)
            due_here = self._is_due(reached)
            # at the end of the segment events may still act, and a sample taken there must see them
            self._sample_until(reached, curve, inclusive=switch is None and not due_here)
            self.t = reached
            self.x = stepper.y.copy() if switch is None else curve(switch)
            if not np.isfinite(self.x).all():
                return Status.NOT_FINITE
            if switch is not None:
                return self._flip_branches()
            if self.until_steady and not self.pending and not self.moments and self._is_steady():
                self.steady = True
                self.values[:] = self.f.outputs(self.t, self.x, self.p)
                return Status.OK
        return Status.OK

    def _is_undefined(self, t: float, x: FloatArray) -> bool:
        """Whether a rate takes a broken power of a number that is clearly negative; states that are no further below
        zero than errors of steps add up to count as zero."""
        limit = CLEARLY * (self.atol + self.solver.rtol * self.peak)
        return bool(self.f.undefined(t, np.where((x < 0) & (x >= -limit), 0.0, x), self.p)[0])

    def _stop_where_undefined(self, early: float, late: float, curve: Callable[[float], FloatArray]) -> Status:
        """Go on to the first moment of a step at which a rate is no number."""
        while True:
            middle = early + 0.5 * (late - early)
            if middle <= early or middle >= late:
                break
            if self._is_undefined(middle, curve(middle)):
                late = middle
            else:
                early = middle
        self._sample_until(early, curve)
        self.t, self.x = late, curve(late)
        return Status.UNDEFINED_RATE

    def _is_steady(self) -> bool:
        """Whether every state changes by less than STEADY of itself while the fastest one would, rounding aside."""
        rates = np.abs(np.array(self.f.rates(self.t, self.x, self.p)))
        jacobian = np.abs(self.f.jacobian(self.t, self.x, self.p))
        rounding, fastest = 1e-15 * jacobian @ np.abs(self.x), jacobian.diagonal().max(initial=0.0)
        return bool(np.all(rates <= STEADY * fastest * (np.abs(self.x) + self.atol) + rounding))

    def _jump_to(self, end: float) -> Status:
        """Without states nothing but time moves; branches may still switch on the way."""
        x = self.x
        start = self.t
        while True:
            switch = self._first_switch(start, end, lambda _: x) if end > start else None
            reached = end if switch is None else switch
            due_here = bool(self.pending) or self._is_due(reached)
            self._sample_until(reached, lambda _: x, inclusive=switch is None and not due_here)
            self.t = reached
            if switch is None:
                return Status.OK
            return self._flip_branches()

    # branches

    def _set_branches(self) -> None:
        """Bring every branch into agreement with its root function, here and now; branches may depend on each other."""
        for _ in range(len(self.system.discontinuities) + 1):
            wrong = self._wrong_branches(self.t, self.x)
            if not wrong:
                return
            self._correct(wrong)

    def _wrong_branches(self, t: float, x: FloatArray) -> list[int]:
        """Branches whose root function contradicts them at (t, x)."""
        first, discontinuities = len(self.system.parameters), self.system.discontinuities
        roots = self.f.root_functions(t, x, self.p)
        return [
            i
            for i, root in enumerate(roots)
            if discontinuities[i].contradicts(self.p[first + i], root)
            and self.passing.get(i) != root
            and not 0 < abs(self._beyond(i, root)) <= self.noise[i]
        ]

    def _beyond(self, i: int, root: float) -> float:
        """How far a root function is from the level that its branch switches at."""
        if self.system.discontinuities[i].kind != "floor":
            return root
        value = float(self.p[len(self.system.parameters) + i])
        return root - (value if root < value else value + 1)

    def _first_switch(self, start: float, stop: float, curve: Callable[[float], FloatArray]) -> float | None:
        """The first time in (start, stop] at which a branch is wrong, to the last bit; None when all stay right."""
        if not self.system.discontinuities:
            return None
        early, dip = start, self._room(start, curve)
        before = dip
        for fraction in (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0):
            late = stop if fraction == 1.0 else start + fraction * (stop - start)
            if self._wrong_branches(late, curve(late)):
                return self._bisect(early, late, curve)
            room = self._room(late, curve)
            looks = np.array([before, dip, room])
            lowest = self._lowest(start, stop, fraction, looks, curve) if early > start else None
            if lowest is not None:
                return self._bisect(max(start, late - 0.25 * (stop - start)), lowest, curve)
            early, before, dip = late, dip, room
        return None

    def _bisect(self, early: float, late: float, curve: Callable[[float], FloatArray]) -> float:
        while True:
            middle = early + 0.5 * (late - early)
            if middle <= early or middle >= late:
                return late
            if self._wrong_branches(middle, curve(middle)):
                late = middle
            else:
                early = middle

    def _room(self, t: float, curve: Callable[[float], FloatArray]) -> list[float]:
        """How far each root function is from its switch (floors have two sides); negative where a branch is wrong."""
        first, room = len(self.system.parameters), []
        for i, root in enumerate(self.f.root_functions(t, curve(t), self.p)):
            value = self.p[first + i]
            if self.system.discontinuities[i].kind == "floor":
                room += [root - value, value + 1 - root]
            else:
                room.append(root if value > 0 else -root)
        return room

    def _lowest(
        self, start: float, stop: float, fraction: float, looks: FloatArray, curve: Callable[[float], FloatArray]
    ) -> float | None:
        """A time between three looks when a branch is wrong though right at all three, where a root function dips."""
        from scipy.optimize import minimize_scalar

        first, middle, last = looks
        with np.errstate(all="ignore"):
            bend = first - 2 * middle + last
            low = middle - 0.125 * (last - first) ** 2 / bend
            dipping = (bend > 0) & (np.abs(first - last) <= 2 * bend) & (low < 0.2 * bend)
        for branch in np.flatnonzero(dipping):
            span = (start + (fraction - 0.25) * (stop - start), start + fraction * (stop - start))
            found = minimize_scalar(
                lambda t, branch=branch: self._room(t, curve)[branch],
                bounds=span,
                method="bounded",
                options={"xatol": 1e-14},
            )
            if self._wrong_branches(float(found.x), curve(float(found.x))):
                return float(found.x)
        return None

    def _flip_branches(self) -> Status:
        if self.t == self.last_switch or self.t - self.last_switch < 1e-14 * abs(self.t):
            self.switches_here += 1
        else:
            self.switches_here = 0
        self.last_switch = self.t
        self._pass_equalities()
        self._set_branches()
        if not self.system.events:
            self._release()
        if self.switches_here > FEW_SWITCHES_AT_ONE_TIME:
            self._leave_alone()
            self.switches_here = 0
        self.noisy = self.noisy + 1 if self.noise.any() else 0
        return Status.CHATTERING if self.noisy > MOST_SWITCHES_AT_ONE_TIME else Status.OK

    def _pass_equalities(self) -> None:
        """Equalities that were stepped over between two neighbouring doubles hold until :meth:`_release`."""
        first = len(self.system.parameters)
        for i, root in enumerate(self.f.root_functions(self.t, self.x, self.p)):
            if self.system.discontinuities[i].kind == "eq" and self.p[first + i] * root < 0:
                self.p[first + i] = 0.0
                self.passing[i] = root

    def _release(self) -> bool:
        """Let equalities that were passed over end; returns whether there were any."""
        passed = bool(self.passing)
        self.passing = {}
        if passed:
            self._set_branches()
        return passed

    def _leave_alone(self) -> None:
        """Leave branches alone whose root functions are no larger than what the tolerance of the states makes them."""
        up, down = (self.f.root_functions(self.t, self.x + 10 * sign * self.atol, self.p) for sign in (1, -1))
        self.noise = np.nan_to_num(np.abs(np.array(up) - np.array(down)), posinf=0.0)

    def _take_sides(self) -> None:
        """After an event, branches that are left alone take the side they are on, however near."""
        first, discontinuities = len(self.system.parameters), self.system.discontinuities
        roots = self.f.root_functions(self.t, self.x, self.p)
        self._correct(
            [
                i
                for i, root in enumerate(roots)
                if self.noise[i] > 0 and discontinuities[i].contradicts(self.p[first + i], root)
            ]
        )

    def _correct(self, wrong: list[int]) -> None:
        first = len(self.system.parameters)
        roots = self.f.root_functions(self.t, self.x, self.p)
        for i in wrong:
            self.p[first + i] = self.system.discontinuities[i].corrected(float(self.p[first + i]), roots[i])

    # events (SBML Level 3 Version 2, section 4.11)

    def _events(self) -> Status:
        """Everything that happens at the present moment; samples due now are taken afterwards."""
        while self.moments and self.moments[0] <= self.t:
            self.moments.pop(0)
        for _ in range(MOST_SWITCHES_AT_ONE_TIME + len(self.system.events)):
            self._fire()
            if self.bad_delay >= 0:
                return Status.BAD_DELAY
            due = [item for item in self.pending if item.time <= self.t]
            if not due:
                if self._release():
                    continue
                if self._is_undefined(self.t, self.x):
                    return Status.UNDEFINED_RATE
                self._sample_until(self.t, lambda _: self.x)
                return Status.OK
            self._execute(self._next_of(due))
            self._take_sides()
            self._set_branches()
        return Status.CHATTERING

    def _is_due(self, t: float) -> bool:
        """Whether an event may act at ``t``: a delayed one, or one whose trigger switches there."""
        return any(item.time <= t for item in self.pending) or any(moment <= t for moment in self.moments[:1])

    def _find_moments(self, end: float) -> list[float]:
        """The doubles up to ``end`` from which on the root functions of timed events are on their other side, by
        bisection; they are linear in time."""
        found = []
        for one, root in self.f.moments:
            late, early = end, self.t
            before = one.contradicts(0.0, root(early, self.x, self.p)[0])
            if one.contradicts(0.0, root(late, self.x, self.p)[0]) == before:
                continue
            while early < (middle := early + 0.5 * (late - early)) < late:
                if one.contradicts(0.0, root(middle, self.x, self.p)[0]) == before:
                    early = middle
                else:
                    late = middle
            found.append(float(late))
        return sorted(found)

    def _fire(self) -> None:
        """Note every trigger that turned true; forget pending ones that need their trigger to stay true."""
        now = [bool(value) for value in self.f.triggers(self.t, self.x, self.p)]
        for i, event in enumerate(self.system.events):
            if now[i] and not self.was_true[i]:
                delay, _, *values = self.f.effects[i](self.t, self.x, self.p)
                if not delay >= -ROUNDING * abs(self.t):
                    self.bad_delay = i
                    return
                keep = values[: len(event.targets)] if event.values_from_trigger_time else None
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
        targets = self.system.events[item.event].targets
        now = self.f.effects[item.event](self.t, self.x, self.p)[2:]
        values = now[: len(targets)] if item.values is None else item.values
        for target, value, volume in zip(targets, values, now[len(targets) :], strict=True):
            (self.x if target.is_state else self.p)[target.index] = value * volume

    # samples

    def _sample_until(self, t: float, curve: Callable[[float], FloatArray], inclusive: bool = True) -> None:
        while self.sampled < len(self.times):
            wanted = self.times[self.sampled]
            if wanted > t or (wanted == t and not inclusive):
                return
            self.values[self.sampled] = self.f.outputs(wanted, curve(wanted), self.p)
            self.sampled += 1
            self.limit = self.steps + self.solver.max_steps

    def _culprit(self) -> int:
        """The state that is not finite, takes a rate where it is none, or changes fastest, for the message."""
        if self.bad_delay >= 0:
            return self.bad_delay
        if not len(self.x):
            return -1
        if self._is_undefined(self.t, self.x):
            under = self.system.graph.states_of(self.system.undefined)
            return min(under, key=lambda i: float(self.x[i] / max(self.peak[i], 1e-300)), default=-1)
        bad = np.flatnonzero(~np.isfinite(self.x))
        if bad.size:
            return int(bad[0])
        speed = np.abs(np.array(self.f.rates(self.t, self.x, self.p))) / (np.abs(self.x) + self.atol)
        bad = np.flatnonzero(~np.isfinite(speed))
        return int(bad[0]) if bad.size else int(np.argmax(speed))
