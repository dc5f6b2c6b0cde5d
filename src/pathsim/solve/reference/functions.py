"""A system as plain Python functions: what the reference evaluates instead of machine code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...arrays import FloatArray
from ..equations.evaluate import Numbers, python_function
from ..equations.system import System, jacobian, time_derivative


class ReferenceFunctions:
    """The Python functions of a system, made once."""

    def __init__(self, system: System, outputs: Sequence[int]) -> None:
        graph = system.graph
        entries = jacobian(system)
        self.system = system
        self.start = python_function(graph, [*system.start_parameters, *system.start_states])
        self.rates = python_function(graph, system.rates)
        self.jacobian_values = python_function(graph, list(entries.values()))
        self.time_derivative = python_function(graph, time_derivative(system))
        self.root_functions = python_function(graph, [one.root for one in system.discontinuities])
        self.triggers = python_function(graph, [event.trigger for event in system.events])
        self.moments = [(one, python_function(graph, [one.root])) for event in system.events for one in event.moments]
        self.undefined = python_function(graph, [system.undefined])
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
                    *(target.value for target in event.targets),
                    *(target.volume for target in event.targets),
                ],
            )
            for event in system.events
        ]

    def jacobian(self, t: float, x: Numbers, p: Numbers) -> FloatArray:
        """Dense d rates / d states, shape (n, n)."""
        n = len(self.system.states)
        matrix = np.zeros((n, n))
        matrix[self.rows, self.columns] = self.jacobian_values(t, x, p)
        return matrix
