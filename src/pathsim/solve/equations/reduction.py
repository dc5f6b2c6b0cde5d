"""A smaller system for many rows that share most of their numbers, such as the wells of a screen.

Of a model with a hundred states a screen changes a dozen parameters and reads one output. All else is the same in every
row, so it is worked out once, when the code is made: parameters become numbers in the formulas, states that nothing can
move become numbers too, states from which no output is reached go, and of every conserved total one state follows from
the others. What is left moves as it does in the whole system.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import FloatArray, IntArray
from ...model.moieties import conserved_moieties
from ...model.records import Species
from .elimination import eliminate
from .evaluate import python_function
from .graph import FUNCTIONS, Graph
from .system import System

SOLUTIONS = 8
"""Linear systems that a step solves with one factorisation."""


@dataclass(frozen=True, slots=True)
class Total:
    """A conserved sum: ``weights`` (state of the whole system -> weight) times states; the ``dependent`` one has weight
    1 and follows from the sum and the others."""

    dependent: int
    weights: tuple[tuple[int, float], ...]

    def of(self, x: FloatArray) -> FloatArray:
        """The sum in states (rows, states), (rows,). Row by row the same bits, however many there are."""
        return np.asarray(sum(weight * x[:, state] for state, weight in self.weights))


@dataclass(frozen=True, eq=False)
class Reduction:
    """What is left of a whole system for rows that go on from given states.

    ``system`` and its ``outputs``; it takes values for the slots ``columns``: first those of the settings of the whole
    system that stand at ``settings``, then the ``totals``, which follow from the states that rows start from.
    ``states`` (of the whole system) are what it integrates. ``still``: how many states never move.
    """

    system: System
    outputs: tuple[int, ...]
    columns: IntArray
    settings: IntArray
    totals: tuple[Total, ...]
    states: IntArray
    still: int

    @property
    def slack(self) -> float:
        """How much larger errors may be for the root mean square over states to be as in the whole system: states that
        never move made none, and those that follow from totals as much as others."""
        moving = len(self.states) + len(self.totals)
        return math.sqrt((moving + self.still) / moving)


def reduced(system: System, columns: Sequence[int], outputs: Sequence[int]) -> Reduction | None:
    """What is left of ``system`` for rows that differ in the raw slots ``columns`` and in the states they start from.

    The states must come from the model's own start, by way of other values for these columns. None where nothing is
    left, and for systems that are not reduced: with events or branches, with amounts whose symbols are concentrations,
    and for columns that are initial values.
    """
    n_parameters = len(system.parameters)
    if system.events or system.discontinuities or any(slot >= n_parameters for slot in columns):
        return None
    if any(system.output(name) != system.graph.state(i) for i, name in enumerate(system.states)):
        return None
    values, starts = _known(system, frozenset(columns))
    still = _still(system, values, starts)
    asked = (*outputs, system.undefined)
    reached = _reached(system, values, still, asked)
    if not reached:
        return None
    totals = _totals(system, reached, outputs)
    dependent = {one.dependent: number for number, one in enumerate(totals)}
    states = [i for i in reached if i not in dependent]
    kept = [i for i, value in enumerate(values) if value is None]
    graph, slot_of, place = Graph(), {i: k for k, i in enumerate(kept)}, {i: k for k, i in enumerate(states)}

    def parameter(i: int) -> int:
        return graph.param(slot_of[i])

    def state(i: int) -> int:
        if i not in dependent:
            return graph.state(place.get(i, len(states) + i))  # what is not reached stands in terms that fold away
        node = graph.param(len(kept) + dependent[i])
        for other, weight in totals[dependent[i]].weights:
            if other != i:
                node = graph.sub(node, graph.mul(graph.const(weight), graph.state(place[other])))
        return node

    shared = _defaults(system, slot_of)
    moved = _Copy(
        system.graph, graph, _or_known(values.__getitem__, graph, parameter), _or_known(still.get, graph, state)
    )
    started = _Copy(system.graph, graph, _or_known(shared.get, graph, parameter), _or_known(still.get, graph, state))
    own = range(len(kept), len(kept) + len(totals))
    taken = [number for number, slot in enumerate(columns) if slot in slot_of]
    names = (*(system.parameters[i] for i in kept), *(f"total {number + 1}" for number in range(len(totals))))
    small = System(
        model=system.model,
        graph=graph,
        states=tuple(system.states[i] for i in states),
        parameters=names,
        defaults=np.concatenate([system.defaults[kept], np.zeros(len(totals) + len(states))]),
        rates=tuple(moved(system.rates[i] for i in states)),
        start_parameters=(*started(system.start_parameters[i] for i in kept), *map(graph.param, own)),
        start_states=(graph.zero,) * len(states),
        discontinuities=(),
        events=(),
        direct=system.direct,
        undefined=moved([system.undefined])[0],
    )
    return Reduction(
        system=small,
        outputs=tuple(moved(outputs)),
        columns=np.array([*(slot_of[columns[number]] for number in taken), *own], dtype=np.int64),
        settings=np.array(taken, dtype=np.int64),
        totals=totals,
        states=np.array(states, dtype=np.int64),
        still=len(still),
    )


class _Copy:
    """Nodes of one graph in another, with other leaves for parameters and states; what becomes constant is folded."""

    def __init__(
        self, origin: Graph, target: Graph, parameter: Callable[[int], int], state: Callable[[int], int]
    ) -> None:
        self.origin, self.target = origin, target
        self.leaves = {"p": parameter, "x": state}
        self.known: dict[int, int] = {}

    def __call__(self, nodes: Iterable[int]) -> list[int]:
        asked = list(nodes)
        for node in self.origin.topological(asked, stop=self.known.__contains__):
            if node not in self.known:
                self.known[node] = self._copied(node)
        return [self.known[node] for node in asked]

    def _copied(self, node: int) -> int:
        target, op = self.target, self.origin.op(node)
        if op in self.leaves:
            return self.leaves[op](int(self.origin.nodes[node][1]))  # type: ignore[call-overload]
        args = [self.known[child] for child in self.origin.args(node)]
        match op:
            case "const":
                return target.const(float(self.origin.value(node)))  # type: ignore[arg-type]
            case "t":
                return target.time()
            case "rcp":
                return target.div(target.one, args[0])
            case "div":
                return target.quotient(*args)
            case "lt":
                return target.less(*args)
            case "le":
                return target.less_equal(*args)
            case "eq":
                return target.equal(*args)
            case "and":
                return target.both(*args)
            case "or":
                return target.either(*args)
            case "not":
                return target.negate(*args)
            case "sel":
                return target.select(*args)
            case "abs":
                return target.absolute(*args)
            case "add" | "sub" | "neg" | "mul" | "pow":
                return int(getattr(target, op)(*args))
        assert op in FUNCTIONS, op
        return target.call(op, args[0])


def _or_known(known: Callable[[int], float | None], graph: Graph, leaf: Callable[[int], int]) -> Callable[[int], int]:
    """Leaves by their number: a constant where a number is ``known``, else ``leaf``."""

    def node(i: int) -> int:
        value = known(i)
        return leaf(i) if value is None else graph.const(value)

    return node


def _defaults(system: System, but: Container[int]) -> dict[int, float]:
    """The model's own numbers by raw slot, of all slots ``but`` some."""
    return {i: value for i, value in enumerate(system.defaults.tolist()) if i not in but}


def _known(system: System, columns: frozenset[int]) -> tuple[list[float | None], list[float | None]]:
    """Effective parameters and states at the start where they are the same in all rows, else None."""
    graph = Graph()
    copied = _Copy(system.graph, graph, _or_known(_defaults(system, columns).get, graph, graph.param), graph.state)
    nodes = copied([*system.start_parameters, *system.start_states])
    values = [graph.value(node) for node in nodes]
    return values[: len(system.parameters)], values[len(system.parameters) :]


def _still(system: System, values: Sequence[float | None], starts: Sequence[float | None]) -> dict[int, float]:
    """States that stay where they start in all rows: as many as hold each other there."""
    still = {i: value for i, value in enumerate(starts) if value is not None and math.isfinite(value)}
    while True:
        graph, rates = _rates(system, values, still)
        moving = [i for i in still if graph.value(rates[i]) != 0.0]
        if not moving:
            return still
        for i in moving:
            del still[i]


def _rates(
    system: System, values: Sequence[float | None], still: dict[int, float], more: Sequence[int] = ()
) -> tuple[Graph, list[int]]:
    """The rates of all states, and ``more`` nodes behind them, with what is known put in."""
    graph = Graph()
    parameter = _or_known(values.__getitem__, graph, graph.param)
    state = _or_known(still.get, graph, graph.state)
    return graph, _Copy(system.graph, graph, parameter, state)([*system.rates, *more])


def _reached(
    system: System, values: Sequence[float | None], still: dict[int, float], asked: Sequence[int]
) -> list[int]:
    """States on which ``asked`` nodes depend, now or later."""
    graph, nodes = _rates(system, values, still, asked)
    found: set[int] = set()
    waiting = {i for node in nodes[len(system.states) :] for i in graph.states_of(node)}
    while waiting:
        found |= waiting
        waiting = {j for i in waiting for j in graph.states_of(nodes[i])} - found
    return sorted(found)


def _totals(system: System, reached: Sequence[int], outputs: Sequence[int]) -> tuple[Total, ...]:
    """Totals of states that are all reached, each with a state of its own to follow from the rest.

    That is the one which is largest at the model's own start (as a rule the unmodified form), so that little is lost in
    the difference, and none that is read: a step holds its errors against each state that it integrates, and what
    remains of a total is less accurate than those where it gets small.
    """
    index = {name: i for i, name in enumerate(system.states)}
    inside, species = set(reached), system.model.species_by_id
    weighed = []
    for moiety in conserved_moieties(system.model):
        members = [index.get(name, -1) for name in moiety.species]
        if inside.issuperset(members) and len({_measure(species[name]) for name in moiety.species}) == 1:
            weighed.append(dict(zip(members, map(float, moiety.weights), strict=True)))
    read = {i for node in outputs for i in system.graph.states_of(node)}
    starts = python_function(system.graph, system.start_states)(0.0, [], system.defaults)
    found = []
    for weights in weighed:
        shared = {i for other in weighed if other is not weights for i in other}
        own = [i for i in weights if i not in shared and i not in read]
        if own:
            dependent = max(own, key=lambda i: (starts[i], -i))
            found.append(Total(dependent, tuple((i, weight / weights[dependent]) for i, weight in weights.items())))
    return _worthwhile(system, inside, found)


def _worthwhile(system: System, reached: Container[int], totals: Sequence[Total]) -> tuple[Total, ...]:
    """The totals that make steps cheaper, one after another.

    A state that follows from many others takes them all into the rates that it is in: where a model's totals run over
    most of its states, the Jacobian fills up, and factors cost more than the state that is saved.
    """
    needs = {
        i: {j for j in system.graph.states_of(rate) if j in reached}
        for i, rate in enumerate(system.rates)
        if i in reached
    }
    taken, least = [], _work(needs)
    for one in totals:
        others = {i for i, _ in one.weights} - {one.dependent}
        trial = {
            i: (states | others) - {one.dependent} if one.dependent in states else states
            for i, states in needs.items()
            if i != one.dependent
        }
        if (work := _work(trial)) <= least:
            taken.append(one)
            needs, least = trial, work
    return tuple(taken)


def _work(needs: Mapping[int, Collection[int]]) -> int:
    """Multiply-adds of one factorisation and its solutions, from the states that the rate of each state depends on."""
    place = {state: k for k, state in enumerate(needs)}
    found = eliminate(len(needs), [(place[i], place[j]) for i, states in needs.items() for j in states])
    return found.multiply_adds + SOLUTIONS * sum(map(len, found.rows))


def _measure(species: Species) -> tuple[bool, str]:
    """What the number of a species means: weights of amounts hold for concentrations of one compartment too."""
    return species.symbol_is_amount, "" if species.symbol_is_amount else species.compartment
