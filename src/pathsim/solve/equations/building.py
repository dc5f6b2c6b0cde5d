"""From a model to its equations: which symbols are states, what their rates are, and how everything begins."""

from __future__ import annotations

import math

import numpy as np

from ...errors import InputError, UnsupportedModelError, raise_together, unknown
from ...garbage import none_looked_for
from ...model import Model
from ...model.maths import Expr, deep_recursion
from ...model.records import Event, Species
from .graph import Graph
from .lowering import Discontinuity, DiscontinuityTable, Lowering, linear_in_time
from .negative_bases import negative_under_broken_powers
from .system import EventCode, System, Target


@none_looked_for()
def build_system(model: Model) -> System:
    """Derive the equations of ``model``.

    Raises :class:`InputError` (rules in a circle, numbers missing) or :class:`UnsupportedModelError`.
    """
    with deep_recursion():
        return _Builder(model).system()


class _Builder:
    """Resolves symbols for the three views; implements :class:`~pathsim.solve.equations.lowering.Symbols`."""

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
        self.written_parameters = {
            self.parameter_index[name] for name in self.changed_by_events if name in self.parameter_index
        }
        self.values = {p.id: p.value for p in model.parameters} | {c.id: c.size for c in model.compartments}
        self.start = Lowering(self.graph, self)
        self.direct = Lowering(self.graph, self)
        self.discontinuity_table = DiscontinuityTable(self.graph, len(self.parameters))
        graph, table = self.graph, self.discontinuity_table
        self.trial_table = DiscontinuityTable(graph, len(self.parameters))
        self.trial = Lowering(graph, self, self.trial_table, power=graph.pow_inside_a_step)
        self.located = Lowering(graph, self, table, power=graph.pow_inside_a_step)
        self.smooth = Lowering(graph, self, table, graph.div, graph.pow_inside_a_step, self.located)

    def system(self) -> System:
        self._refuse_conflicts()
        start_parameters = [self._stored_at_start(name) for name in self.parameters]
        start_states = [self._stored_at_start(name) for name in self.states]
        rates = [self.graph.number(self._stored_rate(self.smooth, name)) for name in self.states]
        events = tuple(self._event(event) for event in self.model.events)
        courses = self._courses_of_conditions()
        names = [f"condition {number}" for number in range(1, len(courses) + 1)]
        return System(
            model=self.model,
            graph=self.graph,
            states=(*self.states, *names),
            parameters=tuple(self.parameters),
            defaults=np.array(
                [*(self._default(name) for name in (*self.parameters, *self.states)), *(0.0 for _ in names)]
            ),
            rates=(*rates, *courses),
            start_parameters=tuple(start_parameters),
            start_states=(*start_states, *(self.graph.zero for _ in names)),
            discontinuities=tuple(self.discontinuity_table.discontinuities),
            events=events,
            direct=self.direct,
            undefined=self._undefined(),
        )

    def _undefined(self) -> int:
        """Where rates as they are written take a broken power of a negative number that a step would take for zero: in
        the branches that a step is taken in, and that hold at its end."""
        if not self.graph.clamped:
            return self.graph.zero
        graph, result = self.graph, self.graph.one
        for view in (self.direct, Lowering(graph, self, self.discontinuity_table, located=self.located)):
            rates = [graph.number(self._stored_rate(view, name)) for name in self.states]
            result = graph.both(result, negative_under_broken_powers(graph, rates))
        return result

    def _courses_of_conditions(self) -> list[int]:
        """How fast conditions move by time alone, for those that do so in any way but at a constant speed."""
        graph, derivatives = self.graph, []
        for one in self.discontinuity_table.discontinuities:
            derivative = graph.derivative(one.root, graph.time())
            if graph.masks[derivative] and linear_in_time(graph, one.root) is None and derivative not in derivatives:
                derivatives.append(derivative)
        return derivatives

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
            partial = graph.derivative(node, graph.state(i))
            result = graph.add(result, graph.mul(partial, self._stored_rate(view, self.states[i])))
        return result

    def _rate_of_concentration(self, view: Lowering, name: str, amount_rate: int) -> int:
        """d(A/V)/dt = (dA/dt - A/V dV/dt) / V."""
        graph, compartment = self.graph, self.species[name].compartment
        growth = graph.mul(view.symbol(name), self.rate(view, compartment))
        return view.divide(graph.sub(amount_rate, growth), view.symbol(compartment))

    def _stored(self, name: str) -> int:
        if name in self.state_index:
            return self.graph.state(self.state_index[name])
        return self.graph.param(self.parameter_index[name])

    def _symbol_of_stored(self, view: Lowering, name: str, stored: int) -> int:
        if name in self.stored_as_amount and not self.species[name].symbol_is_amount:
            return view.divide(stored, view.symbol(self.species[name].compartment))
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
        return view.divide(result, view.symbol(species.compartment))

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
        return self.start.divide(value, volume) if species.initial_is_amount else self.graph.mul(value, volume)

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
        delay = None if event.delay is None else graph.number(self.direct(event.delay))
        constant = None if delay is None else graph.value(delay)
        if constant is not None and not constant >= 0:
            raise InputError(
                f"{self.model.source}: event '{event.id}' has a delay of {constant:g}; a delay is zero or longer"
            )
        moments = self._moments(event.trigger)
        return EventCode(
            id=event.id,
            trigger=(self.located if moments is None else self.direct).condition(event.trigger),
            targets=tuple(targets),
            delay=delay,
            priority=None if event.priority is None else graph.number(self.direct(event.priority)),
            initially_true=event.initially_true,
            persistent=event.persistent,
            values_from_trigger_time=event.values_from_trigger_time,
            timed=moments is not None,
            moments=moments or (),
        )

    def _moments(self, trigger: Expr) -> tuple[Discontinuity, ...] | None:
        """Where a trigger switches that follows from time, linearly, and from parameters that no event changes; else
        None."""
        graph, table = self.graph, self.trial_table
        found: list[Discontinuity] = []
        for leaf in self._leaves(self.trial.condition(trigger)):
            number = -1 if graph.op(leaf) != "p" else int(graph.nodes[leaf][1])  # type: ignore[call-overload]
            if number < len(self.parameters):
                if number < 0 or number in self.written_parameters:
                    return None
                continue
            one = table.discontinuities[number - len(self.parameters)]
            if one.kind not in ("lt", "le") or linear_in_time(graph, one.root) is None:
                return None
            inner = [int(graph.nodes[node][1]) for node in self._leaves(one.root) if graph.op(node) == "p"]  # type: ignore[call-overload]
            if any(i >= len(self.parameters) or i in self.written_parameters for i in inner):
                return None
            found.append(one)
        return tuple(found)

    def _leaves(self, node: int) -> list[int]:
        """States, parameters and time that a node follows from."""
        return [leaf for leaf in self.graph.topological([node]) if self.graph.op(leaf) in ("x", "p", "t")]
