"""Sensitivities across switches of many rows at once, for systems without events.

Where the condition that switched depends on what is differentiated by, the sensitivity of the state gains (f_before -
f_after) dtau (see :mod:`forward_jumps`); on the way back its transpose adds to every derivative its share of dtau.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from ...arrays import FloatArray, IntArray
from ..equations.differentiate import adjoint_derivatives
from ..equations.evaluate import rows_function
from ..equations.system import System
from ..integrate.recorder import LINK_JUMP, STEP_END
from .recording import Recording


class Switches(NamedTuple):
    """A switch of each row: its time (rows,), states (rows, n) in the order of the system and parameters (rows,
    p) before and after."""

    t: FloatArray
    x: FloatArray
    x_after: FloatArray
    p: FloatArray
    p_after: FloatArray

    @classmethod
    def before(cls, recording: Recording, jump_of: IntArray, rows: IntArray, number: int, place: IntArray) -> Switches:
        """Those after which ``rows`` began segment ``number``. ``jump_of`` (rows, segments): the record at whose end
        each segment ended; ``place``: the state that each recorded one is."""
        tape, system = recording.tape, recording.system
        n = len(system.states)
        records = recording.order[jump_of[rows, number - 1]]
        jumps = tape.jumps[tape.links[records, LINK_JUMP]]
        if number == 1:
            p = tape.starts[rows, 2 * n + system.n_parameters :]
        else:
            earlier = recording.order[jump_of[rows, number - 2]]
            p = tape.jumps[tape.links[earlier, LINK_JUMP], 2 * n :]
        x, x_after = np.empty((2, len(rows), n))
        x[:, place], x_after[:, place] = jumps[:, :n], jumps[:, n : 2 * n]
        return cls(tape.steps[records, STEP_END], x, x_after, p, jumps[:, 2 * n :])


class Switching:
    """Root functions of one system, their gradients, and rates, each for many rows in one call."""

    def __init__(self, system: System) -> None:
        self.system = system
        graph = system.graph
        roots = [one.root for one in system.discontinuities]
        self.gradients: list[tuple[int, str, int]] = []  # branch, kind of leaf, its number
        nodes = []
        for i, root in enumerate(roots):
            leaves = {leaf: graph.op(leaf) for leaf in graph.topological([root]) if graph.op(leaf) in ("x", "p", "t")}
            for leaf, derivative in adjoint_derivatives(graph, [root], [graph.one], leaves).items():
                number = 0 if leaves[leaf] == "t" else int(cast(int, graph.nodes[leaf][1]))
                self.gradients.append((i, leaves[leaf], number))
                nodes.append(derivative)
        self.root_functions = rows_function(graph, roots)
        self.derivatives = rows_function(graph, nodes)
        self.rates = rows_function(graph, system.rates)

    def back(self, at: Switches, S: FloatArray, Q: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Derivatives before a switch from those after it, ``S`` (rows, n) and ``Q`` (rows, p)."""
        by_x, by_p, jump = self._moves(at)
        pull = (jump * S).sum(axis=1)
        return S + by_x * pull[:, None], Q + by_p * pull[:, None]

    def across(self, at: Switches, row: IntArray, dx: FloatArray, dp: FloatArray) -> FloatArray:
        """Sensitivities of states after a switch from those before it, ``dx`` (any, n, d) and ``dp`` (any, p, d), of
        the rows ``row`` (any,)."""
        by_x, by_p, jump = self._moves(at)
        by_p = by_p[row, : dp.shape[1]]
        moment = np.einsum("rn,rnd->rd", by_x[row], dx) + np.einsum("rp,rpd->rd", by_p, dp)
        return np.asarray(dx + jump[row, :, None] * moment[:, None, :])

    def _moves(self, at: Switches) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives of the moment of each switch by states and parameters, and rates before less rates after, which
        are not looked at, and 0, where the moment is fixed."""
        with np.errstate(all="ignore"):
            before = _call(self.rates, at.t, at.x, at.p)
            by_x, by_p = self._moment(at, before)
            moved = by_x.any(axis=1) | by_p.any(axis=1)
            jump = np.zeros_like(at.x)
            jump[moved] = before[moved] - _call(self.rates, at.t[moved], at.x_after[moved], at.p_after[moved])
        return by_x, by_p, jump

    def _moment(self, at: Switches, rates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Derivatives by states and parameters of the moment at which the condition that came first switched."""
        t, x, _, p, p_after = at
        discontinuities, first = self.system.discontinuities, len(self.system.parameters)
        roots, derivatives = _call(self.root_functions, t, x, p), _call(self.derivatives, t, x, p)
        nearest = np.full(len(t), np.inf)
        by_x, by_p = np.zeros_like(x), np.zeros_like(p)
        for i, one in enumerate(discontinuities):
            root, value = roots[:, i], p[:, first + i]
            wrong = value != p_after[:, first + i]  # what switched, not what rounding would say here
            beyond = root - np.where(root < value, value, value + 1) if one.kind == "floor" else root
            if not wrong.any():
                continue
            g_x, g_p, speed = np.zeros_like(x), np.zeros_like(p), np.zeros(len(t))
            for column, (which, kind, leaf) in enumerate(self.gradients):
                if which != i:
                    continue
                if kind == "t":
                    speed += derivatives[:, column]
                elif kind == "x":
                    g_x[:, leaf] = derivatives[:, column]
                    speed += derivatives[:, column] * rates[:, leaf]
                else:
                    g_p[:, leaf] = derivatives[:, column]
            distance = np.abs(beyond) / np.abs(speed)
            chosen = wrong & (speed != 0) & np.isfinite(speed) & (distance < nearest)
            nearest[chosen] = distance[chosen]
            by_x[chosen] = -g_x[chosen] / speed[chosen, None]
            by_p[chosen] = -g_p[chosen] / speed[chosen, None]
        return by_x, by_p


def _call(function: Any, t: FloatArray, x: FloatArray, p: FloatArray) -> FloatArray:
    """Values (rows, outputs)."""
    found = function(t, x.T, p.T)
    if not found:
        return np.empty((len(t), 0))
    return np.stack([np.broadcast_to(np.asarray(value, dtype=float), t.shape) for value in found], axis=1)


@lru_cache(maxsize=64)
def switching_of(system: System) -> Switching:
    """The switches of a system, prepared once."""
    return Switching(system)
