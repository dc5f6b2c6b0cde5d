"""The equations of a model, ready to be solved: :class:`System`.

States are what is integrated. A species is stored as the amount when its symbol means an amount or its compartment
changes size, otherwise as the concentration, so that tolerances apply to the numbers people know. Everything an event
may change that is not a state lives in the parameter vector.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...arrays import FloatArray
from ...errors import InputError, raise_together, unknown
from ...model import Model
from ...model.maths import deep_recursion, text
from ...model.records import Species
from .graph import Graph
from .lowering import Discontinuity, Lowering


@dataclass(frozen=True, slots=True)
class Target:
    """Where an event writes ``node``, the product of ``value`` and ``volume``.

    ``volume`` is the compartment of a concentration stored as an amount, else 1. It counts at the moment of execution,
    even where ``value`` counts at the moment of the trigger.
    """

    is_state: bool
    index: int
    node: int
    value: int
    volume: int


@dataclass(frozen=True, slots=True)
class EventCode:
    """An event over graph nodes, all direct but for the trigger, which is located (sees branches).

    A ``timed`` event is one whose trigger follows from time and parameters that no event changes. Its trigger is direct
    too and switches at moments known in advance, where the root functions of ``moments`` cross zero.
    """

    id: str
    trigger: int
    targets: tuple[Target, ...]
    delay: int | None
    priority: int | None
    initially_true: bool
    persistent: bool
    values_from_trigger_time: bool
    timed: bool
    moments: tuple[Discontinuity, ...]


@dataclass(frozen=True, eq=False)
class System:
    """Equations over one expression graph.

    The last states may be the courses of conditions that move with time by themselves: nothing depends on them, but the
    control of the step size then sees such a condition move and steps over none of its changes.

    Vectors: states ``x`` (n,), effective parameters ``p`` (parameters, then branches). A *raw* vector (parameters, then
    initial values of states) is what users override: NaN there means "as the model computes it".

    ``undefined`` is true where a rate takes a broken power of a number that is negative: inside a step that counts as
    zero, a state that has got there is told.
    """

    model: Model
    graph: Graph
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    defaults: FloatArray
    rates: tuple[int, ...]
    start_parameters: tuple[int, ...]
    start_states: tuple[int, ...]
    discontinuities: tuple[Discontinuity, ...]
    events: tuple[EventCode, ...]
    direct: Lowering
    undefined: int

    @cached_property
    def slots(self) -> dict[str, int]:
        """Position of each overridable symbol in a raw vector."""
        return {name: i for i, name in enumerate((*self.parameters, *self.states))}

    @cached_property
    def event_ids(self) -> tuple[str, ...]:
        """Names of the events."""
        return tuple(event.id for event in self.events)

    @property
    def n_parameters(self) -> int:
        """Length of ``p``: parameters and branches."""
        return len(self.parameters) + len(self.discontinuities)

    def raw(self, overrides: Mapping[str, float] | None = None) -> FloatArray:
        """The model's own numbers with ``overrides`` put in, shape (parameters + states,).

        Raises :class:`InputError` for an unknown symbol, one that a rule computes, or a value that is not a number.
        """
        vector = self.defaults.copy()
        problems: list[str] = []
        for name, value in (overrides or {}).items():
            if math.isnan(value):
                problems.append(f"'{name}' is set to NaN, which is not a number")
            else:
                vector[self.slot(name)] = value
        raise_together(problems)
        return vector

    def slot(self, name: str) -> int:
        """Position of ``name`` in a raw vector. Raises :class:`InputError` when it cannot be set."""
        found = self.slots.get(name)
        if found is not None:
            return found
        if name in self.model.rules:
            formula = text(self.model.rules[name])
            raise InputError(f"'{name}' cannot be set: the model computes it by the rule {name} := {_short(formula)}")
        if any(reaction.id == name for reaction in self.model.reactions):
            raise InputError(f"'{name}' is a reaction; set the constants of its rate law instead")
        raise unknown("parameter or species", name, self.slots, f"(model '{self.model.id}')")

    def output(self, name: str) -> int:
        """The node of an output: a model symbol with SBML's meaning, ``amount(S)`` or ``concentration(S)``.

        Raises :class:`InputError` for a name the model does not have.
        """
        asked, _, inner = name.partition("(")
        species = self.model.species_by_id.get(inner.removesuffix(")").strip()) if inner else None
        if asked.strip() in ("amount", "concentration") and inner:
            if species is None:
                raise unknown("species", inner.removesuffix(")").strip(), self.model.species_by_id)
            return self._quality(species, asked.strip())
        if name not in self.model.symbols:
            if name == "time":
                return self.graph.time()
            if name in self.states:
                return self.graph.state(self.states.index(name))
            raise unknown("output", name, self.model.symbols, f"(model '{self.model.id}')")
        with deep_recursion():
            return self.graph.number(self.direct.symbol(name))

    def outputs(self, names: Iterable[str]) -> list[int]:
        """:meth:`output` for each name."""
        return [self.output(name) for name in names]

    def _quality(self, species: Species, quality: str) -> int:
        with deep_recursion():
            node = self.direct.symbol(species.id)
            if quality == ("amount" if species.symbol_is_amount else "concentration"):
                return node
            volume = self.direct.symbol(species.compartment)
        return self.graph.quotient(node, volume) if quality == "concentration" else self.graph.mul(node, volume)


def jacobian(system: System) -> dict[tuple[int, int], int]:
    """Nonzero entries of d rates / d states: (row, column) -> node, row by row."""
    graph = system.graph
    entries: dict[tuple[int, int], int] = {}
    for i, rate in enumerate(system.rates):
        gradient = graph.gradient(rate)
        for j in graph.states_of(rate):
            entry = gradient.get(graph.state(j), graph.zero)
            if graph.value(entry) != 0:
                entries[i, j] = entry
    return entries


def without_rate(system: System, zeros: Container[int]) -> list[int]:
    """States whose rates vanish, whatever the states, where the parameters ``zeros`` (positions in p) are zero."""
    graph, none = system.graph, set[int]()
    for node in graph.topological(system.rates):
        op, args = graph.op(node), [child in none for child in graph.args(node)]
        if op == "p":
            vanishes = graph.nodes[node][1] in zeros
        elif op == "mul":
            vanishes = any(args)
        elif op == "div":
            vanishes = args[0]
        elif op == "sel":
            vanishes = args[1] and args[2]
        else:
            vanishes = graph.value(node) == 0.0 or (op in ("add", "sub", "neg") and all(args))
        if vanishes:
            none.add(node)
    return [i for i, rate in enumerate(system.rates) if rate in none]


def time_derivative(system: System) -> list[int]:
    """Node of d rate / d t (explicit time only) for each state."""
    graph = system.graph
    leaf = graph.time()
    return [graph.derivative(rate, leaf) for rate in system.rates]


def _short(formula: str, most: int = 60) -> str:
    return formula if len(formula) <= most else formula[: most - 3] + "..."
