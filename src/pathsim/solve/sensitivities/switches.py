"""Sensitivities across switches of many rows at once, for systems without events.

Where the condition that switched depends on what is differentiated by, the sensitivity of the state gains (f_before -
f_after) dtau (see :mod:`forward_jumps`); on the way back its transpose adds to every derivative its share of dtau.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np

from ...arrays import FloatArray
from ..equations.differentiate import adjoint_derivatives
from ..equations.evaluate import rows_function
from ..equations.system import System


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

    def back(
        self,
        t: FloatArray,
        x: FloatArray,
        x_after: FloatArray,
        p: FloatArray,
        p_after: FloatArray,
        S: FloatArray,
        Q: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Derivatives before a switch from those after it, ``S`` (rows, n) and ``Q`` (rows, p).

        ``t`` (rows,), states (rows, n) in the order of the system, parameters (rows, p) before and after.
        """
        by_x, by_p, jump = self._moves(t, x, x_after, p, p_after)
        pull = (jump * S).sum(axis=1)
        return S + by_x * pull[:, None], Q + by_p * pull[:, None]

    def across(
        self,
        t: FloatArray,
        x: FloatArray,
        x_after: FloatArray,
        p: FloatArray,
        p_after: FloatArray,
        dx: FloatArray,
        dp: FloatArray,
    ) -> FloatArray:
        """Sensitivities of the states after a switch from those before it, ``dx`` (rows, n, d) and ``dp`` (rows, p, d);
        the others as in :meth:`back`."""
        by_x, by_p, jump = self._moves(t, x, x_after, p, p_after)
        moment = np.einsum("rn,rnd->rd", by_x, dx) + np.einsum("rp,rpd->rd", by_p[:, : dp.shape[1]], dp)
        return np.asarray(dx + jump[:, :, None] * moment[:, None, :])

    def _moves(
        self, t: FloatArray, x: FloatArray, x_after: FloatArray, p: FloatArray, p_after: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives of the moment of each switch by states and parameters, and rates before less rates after, which
        are not looked at, and 0, where the moment is fixed."""
        with np.errstate(all="ignore"):
            before = _call(self.rates, t, x, p)
            by_x, by_p = self._moment(t, x, p, p_after, before)
            moved = by_x.any(axis=1) | by_p.any(axis=1)
            jump = np.zeros_like(x)
            jump[moved] = before[moved] - _call(self.rates, t[moved], x_after[moved], p_after[moved])
        return by_x, by_p, jump

    def _moment(
        self, t: FloatArray, x: FloatArray, p: FloatArray, p_after: FloatArray, rates: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Derivatives by states and parameters of the moment at which the condition that came first switched."""
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
