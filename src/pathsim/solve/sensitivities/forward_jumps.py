"""Tangents across switches and events.

Where a condition switches at a time tau that depends on the parameters, state and tangent jump: with f the rates before
and after, x(t) = x(tau) + f (t - tau), so the tangent of the state at fixed time gains (f_before - f_after) dtau, and
what an event assigns is differentiated along the moving moment (E. N. Rozenvasser, Automation and Remote Control 28,
1967). The events are gone through once more in the order in which the simulation carried them out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...arrays import FloatArray
from ..equations.differentiate import tangents
from ..equations.evaluate import array_function
from ..equations.system import System
from ..integrate.batch import twin_functions

MOST_AT_ONE_TIME = 1000


@dataclass
class _Pending:
    """An event that waits: when, the tangent of when, which, and values with their tangents if taken already."""

    time: float
    slope: FloatArray
    event: int
    values: list[float] | None
    slopes: list[FloatArray]


class JumpTangents:
    """What crossings of one system need: plain functions of margins, triggers and effects, and their tangents.

    States are in elimination order outside, in the order of the system inside.
    """

    def __init__(self, system: System, order: Any) -> None:
        self.system, self.order = system, order
        self.plain = twin_functions(system, ())
        graph, n, base = system.graph, len(system.states), system.n_parameters
        seeds = {graph.state(i): graph.param(base + i) for i in range(n)}
        seeds |= {graph.param(i): graph.param(base + n + i) for i in range(base)}
        seeds[graph.time()] = graph.param(2 * base + n)

        def function(nodes: Sequence[int]) -> Any:
            return array_function(graph, tangents(graph, nodes, seeds))

        self.margin_slopes = [function([mode.margin]) for mode in system.modes]
        self.effect_slopes = [
            function([
                graph.zero if event.delay is None else event.delay,
                *(target.value for target in event.targets),
                *(target.volume for target in event.targets),
            ])
            for event in system.events
        ]  # fmt: skip


def _slopes(function: Any, t: float, x: FloatArray, p: FloatArray, dx: FloatArray, dp: FloatArray,
            dt: FloatArray) -> list[FloatArray]:  # fmt: skip
    """Values of a tangent function, one array over directions for each output."""
    with np.errstate(all="ignore"):
        found = function(np.float64(t), x, [*p, *dx, *dp, dt])
    return [np.broadcast_to(np.asarray(value, dtype=float), dt.shape) for value in found]


@dataclass
class Crossing:
    """The events of one simulation, followed from jump to jump with ``d`` directions."""

    jumps: JumpTangents
    d: int
    was_true: list[bool] = field(default_factory=list)
    pending: list[_Pending] = field(default_factory=list)
    p: FloatArray = field(default_factory=lambda: np.empty(0))

    def begin(
        self, x: FloatArray, p: FloatArray, x_after: FloatArray, p_after: FloatArray, dx: FloatArray, dp: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Tangents after what happens at the start."""
        self.was_true = [event.initially_true for event in self.jumps.system.events]
        self.p = p.copy()
        return self._happen(0.0, x, x_after, p_after, dx, dp, np.zeros(self.d))

    def cross(
        self, t: float, x: FloatArray, x_after: FloatArray, p_after: FloatArray, dx: FloatArray, dp: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Tangents after a jump at ``t`` from those before, ``dx`` (n, d) and ``dp`` (p, d)."""
        inner = self._inner(x)
        due = [item for item in self.pending if item.time <= t]
        moment = due[0].slope if due else self._moment(t, inner, self._rows(dx), dp)
        return self._happen(t, x, x_after, p_after, dx, dp, moment)

    def waiting(self) -> FloatArray:
        """Tangents of all that waits, (numbers, d): of each event its moment, then its values."""
        rows = [slope for item in self.pending for slope in (item.slope, *item.slopes)]
        return np.array(rows).reshape(len(rows), self.d)

    def set_apart(self, d: int) -> None:
        """Let there be ``d`` directions, and one more for each number that waits, along which it alone moves."""
        count = len(self.waiting())
        self.d = d + count
        own = iter(np.eye(self.d)[d:])
        for item in self.pending:
            item.slope, item.slopes = next(own), [next(own) for _ in item.slopes]

    def _happen(
        self, t: float, x: FloatArray, x_after: FloatArray, p_after: FloatArray, dx: FloatArray, dp: FloatArray,
        moment: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:  # fmt: skip
        plain = self.jumps.plain
        now, slopes, parameters = self._inner(x), self._rows(dx), dp.copy()
        moves = bool(np.any(moment))
        if moves:
            slopes += np.outer(plain.rates(t, now, self.p), moment)
        self._settle(t, now)
        for _ in range(MOST_AT_ONE_TIME):
            self._fire(t, now, slopes, parameters, moment)
            due = [item for item in self.pending if item.time <= t]
            if not due:
                break
            self._execute(t, now, slopes, parameters, moment, self._first_of(t, now, due))
            self._settle(t, now)
        now, self.p = self._inner(x_after), p_after.copy()
        if moves:
            slopes -= np.outer(plain.rates(t, now, self.p), moment)
        result = np.empty_like(dx)
        result[:] = slopes[self.jumps.order]
        return result, parameters

    def _inner(self, x: FloatArray) -> FloatArray:
        inner = np.empty(len(x))
        inner[self.jumps.order] = x
        return inner

    def _rows(self, dx: FloatArray) -> FloatArray:
        rows = np.empty_like(dx)
        rows[self.jumps.order] = dx
        return rows

    # modes

    def _wrong(self, t: float, x: FloatArray) -> list[int]:
        first, modes = len(self.jumps.system.parameters), self.jumps.system.modes
        self.margins = self.jumps.plain.margins(t, x, self.p)
        return [i for i, margin in enumerate(self.margins) if modes[i].contradicts(self.p[first + i], margin)]

    def _settle(self, t: float, x: FloatArray) -> None:
        first = len(self.jumps.system.parameters)
        for _ in range(len(self.jumps.system.modes) + 1):
            wrong = self._wrong(t, x)
            if not wrong:
                return
            for i in wrong:
                if self.jumps.system.modes[i].kind == "floor":
                    self.p[first + i] = math.floor(self.margins[i])
                else:
                    self.p[first + i] = 1.0 - self.p[first + i]

    def _moment(self, t: float, x: FloatArray, dx: FloatArray, dp: FloatArray) -> FloatArray:
        """Tangent of the time at which a margin crosses its level: -dm / (dm/dt along the solution)."""
        nothing = np.zeros(self.d)
        wrong = self._wrong(t, x)
        if not wrong:
            return nothing
        rates = np.array(self.jumps.plain.rates(t, x, self.p))
        best, moment = math.inf, nothing
        still = np.zeros((len(dp), 1))
        for i in wrong:
            function = self.jumps.margin_slopes[i]
            speed = float(_slopes(function, t, x, self.p, rates[:, None], still, np.ones(1))[0][0])
            if speed == 0 or not math.isfinite(speed):
                continue
            distance = abs(self._beyond(i)) / abs(speed)
            if distance < best:
                best = distance
                moment = -_slopes(function, t, x, self.p, dx, dp, nothing)[0] / speed
        return moment

    def _beyond(self, i: int) -> float:
        """How far the margin of mode i is behind the level it crossed."""
        margin = self.margins[i]
        if self.jumps.system.modes[i].kind != "floor":
            return margin
        value = self.p[len(self.jumps.system.parameters) + i]
        return float(margin - (value if margin < value else value + 1))

    # events, as pathsim.solve.reference.integrate has them

    def _fire(self, t: float, x: FloatArray, dx: FloatArray, dp: FloatArray, moment: FloatArray) -> None:
        plain, system = self.jumps.plain, self.jumps.system
        for e, trigger in enumerate(plain.triggers(t, x, self.p)):
            now, event = bool(trigger), system.events[e]
            if now and not self.was_true[e]:
                delay, _, *values = plain.effects[e](t, x, self.p)
                slope, *slopes = _slopes(self.jumps.effect_slopes[e], t, x, self.p, dx, dp, moment)
                k = len(event.targets)
                kept = values[:k] if event.values_from_trigger_time else None
                self.pending.append(_Pending(t + delay, moment + slope, e, kept, slopes[:k]))
            elif not now and self.was_true[e] and not event.persistent:
                self.pending = [item for item in self.pending if item.event != e]
            self.was_true[e] = now

    def _first_of(self, t: float, x: FloatArray, due: Sequence[_Pending]) -> _Pending:
        effects, events = self.jumps.plain.effects, self.jumps.system.events
        priorities = [
            -math.inf if events[item.event].priority is None else effects[item.event](t, x, self.p)[1] for item in due
        ]
        return due[priorities.index(max(priorities))]

    def _execute(
        self, t: float, x: FloatArray, dx: FloatArray, dp: FloatArray, moment: FloatArray, item: _Pending
    ) -> None:
        targets = self.jumps.system.events[item.event].targets
        k = len(targets)
        _, _, *now = self.jumps.plain.effects[item.event](t, x, self.p)
        _, *slopes = _slopes(self.jumps.effect_slopes[item.event], t, x, self.p, dx, dp, moment)
        values, changes = (now[:k], slopes[:k]) if item.values is None else (item.values, item.slopes)
        for i, target in enumerate(targets):
            volume, growth = now[k + i], slopes[k + i]
            value, change = values[i] * volume, changes[i] * volume + values[i] * growth
            if target.is_state:
                x[target.index], dx[target.index] = value, change
            else:
                self.p[target.index], dp[target.index] = value, change
        self.pending = [other for other in self.pending if other is not item]
