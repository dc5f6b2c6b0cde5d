"""The equations of a model, ready to be solved: :class:`System`.

States are what is integrated. A species is stored as the amount when its symbol means an amount or its compartment
changes size, otherwise as the concentration, so that tolerances apply to the numbers people know. Everything an event
may change that is not a state lives in the parameter vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import InputError, UnsupportedModelError, raise_together, unknown
from ..model import Model
from ..model.maths import Expr, text
from ..model.records import Event, Species
from .graph import Graph
from .lowering import Lowering, Mode, ModeTable, deep_recursion

FloatArray = npt.NDArray[np.float64]


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
    """An event over graph nodes. The trigger is smooth (sees modes); everything else is direct."""

    id: str
    trigger: int
    targets: tuple[Target, ...]
    delay: int | None
    priority: int | None
    initially_true: bool
    persistent: bool
    values_from_trigger_time: bool


@dataclass(frozen=True, eq=False)
class System:
    """Equations over one expression graph.

    Vectors: states ``x`` (n,), effective parameters ``p`` (parameters, then modes). A *raw* vector (parameters, then
    initial values of states) is what users override: NaN there means "as the model computes it".
    """

    model: Model
    graph: Graph
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    defaults: FloatArray
    rates: tuple[int, ...]
    start_parameters: tuple[int, ...]
    start_states: tuple[int, ...]
    modes: tuple[Mode, ...]
    events: tuple[EventCode, ...]
    direct: Lowering

    @cached_property
    def slots(self) -> dict[str, int]:
        """Position of each overridable symbol in a raw vector."""
        return {name: i for i, name in enumerate((*self.parameters, *self.states))}

    @property
    def n_parameters(self) -> int:
        """Length of ``p``: parameters and modes."""
        return len(self.parameters) + len(self.modes)

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
        return self.graph.div(node, volume) if quality == "concentration" else self.graph.mul(node, volume)


def build_system(model: Model) -> System:
    """Derive the equations of ``model``.

    Raises :class:`InputError` (rules in a circle, numbers missing) or :class:`UnsupportedModelError`.
    """
    with deep_recursion():
        return _Builder(model).system()


class _Builder:
    """Resolves symbols for the three views; implements :class:`~pathsim.solve.lowering.Symbols`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = Graph()
        self.rules = model.rules
        self.rate_rules = {rule.variable: rule.math for rule in model.rate_rules}
        self.initial = {rule.variable: rule.math for rule in model.initial_assignments}
        self.reactions = {reaction.id: reaction for reaction in model.reactions}
        self.species = model.species_by_id
        self.by_reactions = self._reaction_terms()
        self.changed_by_events = {rule.variable for event in model.events for rule in event.assignments}
        self.stored_as_amount = {s.id for s in model.species if s.symbol_is_amount or self._volume_varies(s)}
        self.states = self._state_ids()
        self.state_index = {name: i for i, name in enumerate(self.states)}
        self.parameters = [
            item.id
            for group in (model.parameters, model.compartments, model.species)
            for item in group
            if item.id not in self.rules and item.id not in self.state_index
        ]
        self.parameter_index = {name: i for i, name in enumerate(self.parameters)}
        self.values = {p.id: p.value for p in model.parameters} | {c.id: c.size for c in model.compartments}
        self.start = Lowering(self.graph, self)
        self.direct = Lowering(self.graph, self)
        self.mode_table = ModeTable(self.graph, len(self.parameters))
        self.smooth = Lowering(self.graph, self, self.mode_table)

    def system(self) -> System:
        self._refuse_conflicts()
        start_parameters = [self._stored_at_start(name) for name in self.parameters]
        start_states = [self._stored_at_start(name) for name in self.states]
        rates = [self.graph.number(self._stored_rate(self.smooth, name)) for name in self.states]
        events = tuple(self._event(event) for event in self.model.events)
        return System(
            model=self.model,
            graph=self.graph,
            states=tuple(self.states),
            parameters=tuple(self.parameters),
            defaults=np.array([self._default(name) for name in (*self.parameters, *self.states)], dtype=float),
            rates=tuple(rates),
            start_parameters=tuple(start_parameters),
            start_states=tuple(start_states),
            modes=tuple(self.mode_table.modes),
            events=events,
            direct=self.direct,
        )

    # classification

    def _reaction_terms(self) -> dict[str, list[tuple[Expr, str, bool]]]:
        """species -> (stoichiometry, reaction, is product) for every reaction that changes it."""
        terms: dict[str, list[tuple[Expr, str, bool]]] = {}
        for reaction in self.model.reactions:
            for participants, is_product in ((reaction.reactants, False), (reaction.products, True)):
                for participant in participants:
                    found = self.species.get(participant.species)
                    if found is None:
                        raise InputError(
                            f"{self.model.source}: reaction '{reaction.id}' names the species "
                            f"'{participant.species}', which is not defined"
                        )
                    if not found.boundary and not found.constant:
                        terms.setdefault(found.id, []).append((participant.stoichiometry, reaction.id, is_product))
        return terms

    def _volume_varies(self, species: Species) -> bool:
        """Whether the amount, not the concentration, is what stays put when the compartment changes size."""
        if species.id in self.rules:
            return False
        volume = species.compartment
        drifts = volume in self.rules or volume in self.rate_rules
        return volume in self.changed_by_events or (drifts and species.id not in self.rate_rules)

    def _state_ids(self) -> list[str]:
        integrated = set(self.rate_rules) | {name for name in self.by_reactions if name not in self.rules}
        ordered = [s.id for s in self.model.species if s.id in integrated]
        return ordered + [name for name in self.rate_rules if name not in self.species]

    def _refuse_conflicts(self) -> None:
        both = sorted(set(self.rules) & set(self.rate_rules))
        problems = [f"'{name}' has both an assignment rule and a rate rule" for name in both]
        problems += [
            f"event '{event.id}' sets '{rule.variable}', which "
            + ("an assignment rule computes" if rule.variable in self.rules else "is not defined")
            for event in self.model.events
            for rule in event.assignments
            if rule.variable not in self.parameter_index and rule.variable not in self.state_index
        ]
        raise_together(problems, self.model.source)

    # symbols

    def node(self, view: Lowering, name: str) -> int:
        if name in self.rules:
            return view(self.rules[name])
        if name in self.reactions:
            return self.graph.number(view(self.reactions[name].rate))
        if name not in self.state_index and name not in self.parameter_index:
            raise unknown("symbol", name, self.model.symbols)
        if view is self.start:
            return self._symbol_at_start(name)
        return self._symbol_of_stored(view, name, self._stored(name))

    def rate(self, view: Lowering, name: str) -> int:
        graph = self.graph
        if name in self.rules:
            return self._rate_of_rule(view, name)
        if name not in self.state_index:
            if name in self.stored_as_amount and not self.species[name].symbol_is_amount:
                return self._rate_of_concentration(view, name, graph.zero)
            return graph.zero
        stored = self._stored_rate(view, name)
        if name in self.stored_as_amount and not self.species[name].symbol_is_amount:
            return self._rate_of_concentration(view, name, stored)
        return stored

    def _rate_of_rule(self, view: Lowering, name: str) -> int:
        """Total derivative of a quantity that a rule computes."""
        if view is self.start:
            refusal = f"rateOf({name}) at the initial time is not known, because a rule computes '{name}'"
            raise UnsupportedModelError(f"{self.model.source}: {refusal}")
        graph, node = self.graph, view.symbol(name)
        result = graph.derivative(node, graph.time())
        for i in graph.states_of(node):
            slope = graph.derivative(node, graph.state(i))
            result = graph.add(result, graph.mul(slope, self._stored_rate(view, self.states[i])))
        return result

    def _rate_of_concentration(self, view: Lowering, name: str, amount_rate: int) -> int:
        """d(A/V)/dt = (dA/dt - A/V dV/dt) / V."""
        graph, compartment = self.graph, self.species[name].compartment
        growth = graph.mul(view.symbol(name), self.rate(view, compartment))
        return graph.div(graph.sub(amount_rate, growth), view.symbol(compartment))

    def _stored(self, name: str) -> int:
        if name in self.state_index:
            return self.graph.state(self.state_index[name])
        return self.graph.param(self.parameter_index[name])

    def _symbol_of_stored(self, view: Lowering, name: str, stored: int) -> int:
        if name in self.stored_as_amount and not self.species[name].symbol_is_amount:
            return self.graph.div(stored, view.symbol(self.species[name].compartment))
        return stored

    def _stored_rate(self, view: Lowering, name: str) -> int:
        """The time derivative of what is stored for state ``name``."""
        graph = self.graph
        if name in self.rate_rules:
            rule = graph.number(view(self.rate_rules[name]))
            if name not in self.stored_as_amount or self.species[name].symbol_is_amount:
                return rule
            volume = self.species[name].compartment  # d(CV)/dt = V dC/dt + C dV/dt
            growth = graph.mul(view.symbol(name), self.rate(view, volume))
            return graph.add(graph.mul(view.symbol(volume), rule), growth)
        result = graph.zero
        for stoichiometry, reaction, is_product in self.by_reactions.get(name, []):
            flux = graph.mul(graph.number(view(stoichiometry)), view.symbol(reaction))
            result = graph.add(result, flux) if is_product else graph.sub(result, flux)
        species = self.species[name]
        factor = species.conversion_factor or self.model.conversion_factor
        if factor:
            result = graph.mul(result, view.symbol(factor))
        if name in self.stored_as_amount:
            return result
        return graph.div(result, view.symbol(species.compartment))

    # initial values

    def _default(self, name: str) -> float:
        """The number in a raw vector: the model's own, or NaN where the model computes it."""
        if name in self.initial:
            return math.nan
        if name in self.values:
            return self.values[name]
        species = self.species[name]
        return species.initial if species.initial_is_amount == species.symbol_is_amount else math.nan

    def _symbol_at_start(self, name: str) -> int:
        graph = self.graph
        position = self.parameter_index.get(name, -1)
        if position < 0:
            position = len(self.parameters) + self.state_index[name]
        given = graph.param(position)
        computed = self._computed_at_start(name)
        if computed is None:
            return given
        return graph.select(graph.equal(given, given), given, computed)

    def _computed_at_start(self, name: str) -> int | None:
        if name in self.initial:
            return self.graph.number(self.start(self.initial[name]))
        species = self.species.get(name)
        if species is None or species.initial_is_amount == species.symbol_is_amount or math.isnan(species.initial):
            return None
        value, volume = self.graph.const(species.initial), self.start.symbol(species.compartment)
        return self.graph.div(value, volume) if species.initial_is_amount else self.graph.mul(value, volume)

    def _stored_at_start(self, name: str) -> int:
        node = self.start.symbol(name)
        if name in self.stored_as_amount and not self.species[name].symbol_is_amount:
            return self.graph.mul(node, self.start.symbol(self.species[name].compartment))
        return node

    # events

    def _event(self, event: Event) -> EventCode:
        graph = self.graph
        assigned = {rule.variable: graph.number(self.direct(rule.math)) for rule in event.assignments}
        targets = []
        for name, value in assigned.items():
            volume = graph.one
            if name in self.stored_as_amount and not self.species[name].symbol_is_amount:
                volume = self.direct.symbol(self.species[name].compartment)
            is_state = name in self.state_index
            index = self.state_index[name] if is_state else self.parameter_index[name]
            targets.append(Target(is_state, index, graph.mul(value, volume), value, volume))
        return EventCode(
            id=event.id,
            trigger=graph.truth(self.smooth(event.trigger)),
            targets=tuple(targets),
            delay=None if event.delay is None else graph.number(self.direct(event.delay)),
            priority=None if event.priority is None else graph.number(self.direct(event.priority)),
            initially_true=event.initially_true,
            persistent=event.persistent,
            values_from_trigger_time=event.values_from_trigger_time,
        )


def jacobian(system: System) -> dict[tuple[int, int], int]:
    """Nonzero entries of d rates / d states: (row, column) -> node, row by row."""
    graph = system.graph
    entries: dict[tuple[int, int], int] = {}
    for i, rate in enumerate(system.rates):
        for j in graph.states_of(rate):
            entry = graph.derivative(rate, graph.state(j))
            if graph.value(entry) != 0:
                entries[i, j] = entry
    return entries


def time_derivative(system: System) -> list[int]:
    """Node of d rate / d t (explicit time only) for each state."""
    graph = system.graph
    leaf = graph.time()
    return [graph.derivative(rate, leaf) for rate in system.rates]


def _short(formula: str, most: int = 60) -> str:
    return formula if len(formula) <= most else formula[: most - 3] + "..."
