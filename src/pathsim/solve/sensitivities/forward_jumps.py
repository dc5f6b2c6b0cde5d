"""Sensitivities across switches and events, row by row, of systems with events (of others: :mod:`switches`).

Where a condition switches at a time tau that depends on the parameters, state and sensitivity jump: with f the rates
before and after, x(t) = x(tau) + f (t - tau), so the sensitivity of the state at fixed time gains (f_before - f_after)
dtau, and what an event assigns is differentiated along the moving moment (E. N. Rozenvasser, Automation and Remote
Control 28, 1967). The events are gone through once more by the code that carried them out, so in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.differentiate import forward_derivatives
from ..equations.evaluate import array_function, python_function
from ..integrate.discontinuities import beyond, is_wrong, land, release
from ..integrate.engine import Engine
from ..integrate.events import execute, fire, next_event
from ..integrate.moments import find_moments
from ..integrate.workspace import Once
from ..llvm.calls import call2, call4
from ..llvm.layout import (
    CHANCE,
    DUE,
    FIRST_CHANCE,
    MOST_SWITCHES_AT_ONE_TIME,
    PENDING,
    Code,
    Discrete,
    Layout,
    T,
    place,
)


@dataclass
class _Waiting:
    """The derivatives of an event that waits: of its moment, and of the values it took when it was triggered."""

    event: int
    moment: FloatArray
    values: list[FloatArray]


class _Queue(NamedTuple):
    """What a simulation remembers of its events from jump to jump: the queue, true triggers, the state of chance."""

    times: FloatArray
    values: FloatArray
    events: IntArray
    was_true: IntArray
    chance: int


class _Lane(NamedTuple):
    """One lane of a workspace, as the integration loop has it."""

    code: Code
    at: Layout
    F: FloatArray
    N: IntArray
    discrete: Discrete


class JumpSensitivities:
    """What crossings of one system need: the engine, plain rates, and derivatives of root functions and effects.

    States are in elimination order outside, in the order of the system inside.
    """

    def __init__(self, engine: Engine) -> None:
        system = self.system = engine.system
        self.engine, self.order = engine, np.asarray(engine.order)
        graph, n, base = system.graph, len(system.states), system.n_parameters
        self.rates = python_function(graph, system.rates)
        seeds = {graph.state(i): graph.param(base + i) for i in range(n)}
        seeds |= {graph.param(i): graph.param(base + n + i) for i in range(base)}
        seeds[graph.time()] = graph.param(2 * base + n)

        def function(nodes: Sequence[int]) -> Any:
            return array_function(graph, forward_derivatives(graph, nodes, seeds))

        self.root_derivatives = [function([one.root]) for one in system.discontinuities]
        moments = [one for event in system.events for one in event.moments]
        self.moment_derivative: Once[int, Any] = Once(lambda m: function([moments[m].root]))
        self.effect_derivatives = [
            function(
                [
                    graph.zero if event.delay is None else event.delay,
                    *(target.value for target in event.targets),
                    *(target.volume for target in event.targets),
                ]
            )
            for event in system.events
        ]

    @contextmanager
    def lane(self, t: float, x: FloatArray, p: FloatArray) -> Iterator[_Lane]:
        """The first lane of a borrowed workspace at this time, state (elimination order) and parameters."""
        engine = self.engine
        code = engine.addresses(engine.output_code(()))
        with engine.lent(()) as memory:
            at, F = memory.layout, memory.F
            F[T, 0] = t
            F[at.y : at.y + len(x), 0] = x
            F[at.p : at.p + len(p), 0] = p
            F[at.passing : at.passing + at.n_roots, 0] = F[at.noise : at.noise + at.n_roots, 0] = 0.0
            call2(code.prep, place(at, at.p), place(at, at.k))
            yield _Lane(code, at, F, memory.N, engine.discrete)


@lru_cache(maxsize=64)
def jumps_of(engine: Engine) -> JumpSensitivities:
    """What crossings of one system need, prepared once."""
    return JumpSensitivities(engine)


def _derivatives(
    function: Any, t: float, x: FloatArray, p: FloatArray, dx: FloatArray, dp: FloatArray, dt: FloatArray
) -> list[FloatArray]:
    """Values of derivatives, an array over directions for each output; none shares memory with another."""
    with np.errstate(all="ignore"):
        found = function(np.float64(t), x, [*p, *dx, *dp, dt])
    return [np.array(np.broadcast_to(np.asarray(value, dtype=float), dt.shape)) for value in found]


@dataclass
class Crossing:
    """The events of one simulation (of a system that has some), followed from jump to jump with ``d`` directions.

    Everything is decided by the code of the integration loop itself, so that it happens in the same order as it did.
    """

    jumps: JumpSensitivities
    d: int
    waits: list[_Waiting] = field(default_factory=list)
    queue: _Queue | None = None
    moments: FloatArray = field(default_factory=lambda: np.empty(0))
    p: FloatArray = field(default_factory=lambda: np.empty(0))

    def begin(
        self, x: FloatArray, p: FloatArray, x_after: FloatArray, p_after: FloatArray, dx: FloatArray, dp: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Sensitivities after what happens at the start."""
        self.p = p.copy()
        was_true = np.array([event.initially_true for event in self.jumps.system.events], dtype=np.int64)
        nothing = np.empty(0)
        self.queue = _Queue(nothing, nothing, nothing.astype(np.int64), was_true, FIRST_CHANCE)
        with self.jumps.lane(0.0, x, self.p) as lane:
            self._find_moments(lane)
            self._look_at(lane, lane.discrete.timed)
            return self._happen(lane, x_after, p_after, dx, dp, np.zeros(self.d))

    def cross(
        self, t: float, x: FloatArray, x_after: FloatArray, p_after: FloatArray, dx: FloatArray, dp: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Sensitivities after a jump at ``t`` from those before, ``dx`` (n, d) and ``dp`` (p, d)."""
        assert self.queue is not None
        due = [item for item, time in zip(self.waits, self.queue.times, strict=True) if time <= t]
        with self.jumps.lane(t, x, self.p) as lane:
            self._look_at(lane, np.unique(lane.discrete.moments[self.moments == t, 1]))
            moment = due[0].moment if due else self._moment(lane, self._rows(dx), dp)
            return self._happen(lane, x_after, p_after, dx, dp, moment)

    def _find_moments(self, lane: _Lane) -> None:
        """When timed events are due, as the row found out at its start."""
        code, at, F, _, discrete = lane
        if at.n_moments > 0:
            find_moments(code, at, F, discrete, T, at.p, at.moment)
        self.moments = F[at.moment : at.moment + at.n_moments, 0].copy()

    def _look_at(self, lane: _Lane, events: IntArray) -> None:
        """List timed events as due."""
        lane.N[lane.at.due : lane.at.due + len(events), 0] = events
        lane.N[DUE, 0] = len(events)

    def waiting(self) -> FloatArray:
        """Sensitivities of all that waits, (numbers, d): of each event its moment, then its values."""
        rows = [row for item in self.waits for row in (item.moment, *item.values)]
        return np.array(rows).reshape(len(rows), self.d)

    def set_apart(self, d: int) -> None:
        """Let there be ``d`` directions, and one more for each number that waits, along which it alone moves."""
        count = len(self.waiting())
        self.d = d + count
        own = iter(np.eye(self.d)[d:])
        for item in self.waits:
            item.moment, item.values = next(own), [next(own) for _ in item.values]

    def _happen(
        self, lane: _Lane, x_after: FloatArray, p_after: FloatArray, dx: FloatArray, dp: FloatArray, moment: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        derivatives, parameters = self._rows(dx), dp.copy()
        moves = bool(np.any(moment))
        t = float(lane.F[T, 0])
        if moves:
            derivatives += np.outer(self.jumps.rates(t, self._state(lane), self.p), moment)
        if lane.at.n_roots > 0:
            land(lane.code, lane.at, lane.F, lane.discrete, 0)
        self._events(lane, derivatives, parameters, moment)
        self.p = p_after.copy()
        if moves:
            derivatives -= np.outer(self.jumps.rates(t, self._inner(x_after), self.p), moment)
        result = np.empty_like(dx)
        result[:] = derivatives[self.jumps.order]
        return result, parameters

    def _inner(self, x: FloatArray) -> FloatArray:
        """States in the order of the system."""
        inner = np.empty(len(x))
        inner[self.jumps.order] = x
        return inner

    def _rows(self, dx: FloatArray) -> FloatArray:
        rows = np.empty_like(dx)
        rows[self.jumps.order] = dx
        return rows

    def _state(self, lane: _Lane) -> FloatArray:
        return self._inner(lane.F[lane.at.y : lane.at.y + lane.at.n, 0])

    def _parameters(self, lane: _Lane) -> FloatArray:
        return lane.F[lane.at.p : lane.at.p + lane.at.n_parameters + lane.at.n_roots, 0].copy()

    def _moment(self, lane: _Lane, dx: FloatArray, dp: FloatArray) -> FloatArray:
        """Derivative of the time at which a root function crosses its level: -dm / (dm/dt along the solution)."""
        code, at, F, _, discrete = lane
        best, moment = math.inf, np.zeros(self.d)
        t, x, p = float(F[T, 0]), self._state(lane), self.p
        rates = np.array(self.jumps.rates(t, x, p))
        still = np.zeros((len(dp), 1))
        for m in np.flatnonzero(self.moments == t)[:1]:
            function = self.jumps.moment_derivative(int(m))
            speed = float(_derivatives(function, t, x, p, rates[:, None], still, np.ones(1))[0][0])
            return -_derivatives(function, t, x, p, dx, dp, np.zeros(self.d))[0] / speed
        if at.n_roots == 0:
            return moment
        call4(code.root_functions, place(at, T), place(at, at.y), place(at, at.k), place(at, at.roots))
        roots = F[at.roots : at.roots + at.n_roots, 0].copy()
        for m, root in enumerate(roots):
            branch = p[at.n_parameters + m]
            if not is_wrong(int(discrete.roots[m, 0]), branch, root):
                continue
            function = self.jumps.root_derivatives[m]
            speed = float(_derivatives(function, t, x, p, rates[:, None], still, np.ones(1))[0][0])
            if speed == 0 or not math.isfinite(speed):
                continue
            distance = abs(beyond(int(discrete.roots[m, 0]), branch, root)) / abs(speed)
            if distance < best:
                best = distance
                moment = -_derivatives(function, t, x, p, dx, dp, np.zeros(self.d))[0] / speed
        return moment

    # events

    def _events(self, lane: _Lane, dx: FloatArray, dp: FloatArray, moment: FloatArray) -> None:
        self._restore(lane)
        for _ in range(MOST_SWITCHES_AT_ONE_TIME + lane.at.n_events):
            at, N = lane.at, lane.N
            before = N[at.was_true : at.was_true + at.n_events, 0].copy()
            fire(*lane, 0)
            self._note_triggers(lane, before, dx, dp, moment)
            chosen = next_event(*lane, 0)
            if chosen < 0:
                if not release(lane.code, at, lane.F, lane.discrete, 0):
                    break
                continue
            self._assign(lane, chosen, dx, dp, moment)
            execute(*lane, 0, chosen)
        self._remember(lane)

    def _note_triggers(self, lane: _Lane, before: IntArray, dx: FloatArray, dp: FloatArray, moment: FloatArray) -> None:
        """Sensitivities of what has just been triggered; nothing of what has just been forgotten."""
        at, N = lane.at, lane.N
        x, p = self._state(lane), self._parameters(lane)
        for e, event in enumerate(self.jumps.system.events):
            now = N[at.was_true + e, 0]
            if now and not before[e]:
                delay, *derivatives = _derivatives(
                    self.jumps.effect_derivatives[e], float(lane.F[T, 0]), x, p, dx, dp, moment
                )
                self.waits.append(_Waiting(e, moment + delay, derivatives[: len(event.targets)]))
            elif before[e] and not now and not event.persistent:
                self.waits = [item for item in self.waits if item.event != e]

    def _assign(self, lane: _Lane, chosen: int, dx: FloatArray, dp: FloatArray, moment: FloatArray) -> None:
        """Sensitivities of the targets of the event that is carried out next."""
        at, F = lane.at, lane.F
        item = self.waits.pop(chosen)
        event = self.jumps.system.events[item.event]
        k = len(event.targets)
        first = int(lane.discrete.events[item.event, 0]) + at.effects + 2
        values, volumes = F[first : first + 2 * k : 2, 0], F[first + 1 : first + 1 + 2 * k : 2, 0]
        x, p = self._state(lane), self._parameters(lane)
        derivatives = _derivatives(self.jumps.effect_derivatives[item.event], float(F[T, 0]), x, p, dx, dp, moment)[1:]
        changes = derivatives[:k]
        if event.values_from_trigger_time:
            here = at.pending_values + at.most_targets * chosen
            values, changes = F[here : here + k, 0], item.values
        for i, target in enumerate(event.targets):
            rows = dx if target.is_state else dp
            rows[target.index] = changes[i] * volumes[i] + values[i] * derivatives[k + i]

    def _restore(self, lane: _Lane) -> None:
        """Put the queue into the lane."""
        assert self.queue is not None
        at, F, N, queue = lane.at, lane.F, lane.N, self.queue
        count = len(queue.times)
        F[at.pending_time : at.pending_time + count, 0] = queue.times
        F[at.pending_values : at.pending_values + count * at.most_targets, 0] = queue.values
        N[at.pending_event : at.pending_event + count, 0] = queue.events
        N[at.was_true : at.was_true + at.n_events, 0] = queue.was_true
        N[PENDING, 0], N[CHANCE, 0] = count, queue.chance

    def _remember(self, lane: _Lane) -> None:
        """Take the queue out of the lane."""
        at, F, N = lane.at, lane.F, lane.N
        count = int(N[PENDING, 0])
        self.queue = _Queue(
            F[at.pending_time : at.pending_time + count, 0].copy(),
            F[at.pending_values : at.pending_values + count * at.most_targets, 0].copy(),
            N[at.pending_event : at.pending_event + count, 0].copy(),
            N[at.was_true : at.was_true + at.n_events, 0].copy(),
            int(N[CHANCE, 0]),
        )
