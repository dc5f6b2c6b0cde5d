"""The model of a problem, made ready for experiments: symbols the tables add, a clock that can start anywhere, and
events that remember across periods whether their triggers were already true.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import UnsupportedModelError
from ..model import Model
from ..model.maths import TIME, Expr, deep_recursion, number, symbol, uses_time
from ..model.records import Event, Parameter, Reaction, Rule
from ..solve import System, build_system
from .experiment import STEADY_STATE, Experiment
from .timecourse import system_of

CLOCK = "_start_time"
CLOCK_RATE = "_clock_rate"
WAS_TRUE = "_was_true_"


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Equations of one part. ``clock`` is the time formulas speak of; ``carried`` are the parameter slots whose values
    a period leaves to the next; ``triggers`` are (slot, trigger) of events that remember. ``has_moments``: whether
    something may happen at a moment of its own (events, formulas of time).
    """

    system: System
    clock: Expr = TIME
    carried: tuple[int, ...] = ()
    triggers: tuple[tuple[int, Expr], ...] = ()
    has_moments: bool = False

    def node(self, formula: Expr) -> int:
        """The graph node of a formula over symbols of the model."""
        system = self.system
        with deep_recursion():
            return system.graph.number(system.direct(with_clock(formula, self.clock)))

    @property
    def n_parameters(self) -> int:
        """Slots of a raw vector that are parameters; initial values of states follow."""
        return len(self.system.parameters)


def prepare(
    model: Model, experiments: Iterable[Experiment], extra: Iterable[str] = (), asked: Iterable[Expr] = ()
) -> Dynamics:
    """The equations of ``model`` with ``extra`` parameters, as ``experiments`` need them.

    ``asked`` are the formulas that measurements ask for; where they, the model or the changes speak of time and not
    everything starts at 0, equations get a clock of their own. Raises :class:`UnsupportedModelError` where events with
    delays meet experiments of several periods.
    """
    used = list(experiments)
    periods = [period for experiment in used for period in experiment.periods]
    several = any(
        (experiment.carries and len(experiment.periods) > 1) or _rests_before_zero(experiment) for experiment in used
    )
    changed = [change.value for period in periods for change in period.changes]
    in_model = _speaks_of_time(model)
    timed = in_model or any(uses_time(formula) for formula in (*changed, *asked))
    has_moments = timed or bool(model.events)
    own = model
    parameters = [Parameter(name, float("nan")) for name in extra]
    clock = TIME
    rests = any(period.start == STEADY_STATE for period in periods)
    later = any(period.start not in (STEADY_STATE, 0.0) for period in periods)
    if (timed and later) or (in_model and rests):
        clock = Expr("plus", (Expr("times", (TIME, symbol(CLOCK_RATE))), symbol(CLOCK)))
        parameters += [Parameter(CLOCK, 0.0), Parameter(CLOCK_RATE, 1.0)]
        model = _on_clock(model, clock)
    remembered: list[tuple[str, Expr]] = []
    if several and model.events:
        _refuse_delays(model)
        before = [float(event.initially_true) for event in model.events]
        model, remembered = _with_memory(model)
        parameters += [Parameter(name, value) for (name, _), value in zip(remembered, before, strict=True)]
    if model is own and not parameters:
        system = system_of(model)
    else:
        system = build_system(replace(model, parameters=(*model.parameters, *parameters)))
    initial = {rule.variable for rule in model.initial_assignments}
    written = {rule.variable for event in model.events for rule in event.assignments}
    carried = [i for i, name in enumerate(system.parameters) if name in initial | written]
    triggers = tuple((system.slots[name], trigger) for name, trigger in remembered)
    return Dynamics(system, clock, tuple(carried), triggers, has_moments)


def _rests_before_zero(experiment: Experiment) -> bool:
    """Whether the experiment starts at minus infinity on one clock with the rest (version 2)."""
    return experiment.carries and experiment.periods[0].start == STEADY_STATE


def _speaks_of_time(model: Model) -> bool:
    rules = (*model.assignment_rules, *model.rate_rules, *model.initial_assignments)
    formulas = [rule.math for rule in rules] + [reaction.rate for reaction in model.reactions]
    for event in model.events:
        formulas += [event.trigger, *(rule.math for rule in event.assignments)]
    return any(uses_time(formula) for formula in formulas)


def refuse_clock(model: Model, form: str) -> None:
    """Raise :class:`UnsupportedModelError` for a model whose equations speak of time; ``form`` is where it runs on."""
    if _speaks_of_time(model):
        raise UnsupportedModelError(
            f"{model.source}: the model uses time itself, which starts anew with each step of a treatment in pathsim "
            f"and runs on in {form}"
        )


def _refuse_delays(model: Model) -> None:
    for event in model.events:
        if event.delay is not None:
            raise UnsupportedModelError(
                f"{model.source}: event '{event.id}' has a delay; assignments that wait when a new period starts would "
                "be lost, so experiments of several periods cannot be combined with it"
            )


def _on_clock(model: Model, clock: Expr) -> Model:
    def shifted(expr: Expr) -> Expr:
        return with_clock(expr, clock)

    def rules(given: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(replace(rule, math=shifted(rule.math)) for rule in given)

    def moved(reaction: Reaction) -> Reaction:
        return replace(reaction, rate=shifted(reaction.rate))

    return replace(
        model,
        reactions=tuple(moved(reaction) for reaction in model.reactions),
        assignment_rules=rules(model.assignment_rules),
        rate_rules=rules(model.rate_rules),
        initial_assignments=rules(model.initial_assignments),
        events=tuple(
            replace(
                event,
                trigger=shifted(event.trigger),
                assignments=rules(event.assignments),
                delay=None if event.delay is None else shifted(event.delay),
                priority=None if event.priority is None else shifted(event.priority),
            )
            for event in model.events
        ),
    )


def _with_memory(model: Model) -> tuple[Model, list[tuple[str, Expr]]]:
    """Each event twice: one copy takes its trigger to have been false before the start, the other true.

    A parameter per event says which copy may act, so that a period can begin with what its predecessor left.
    """
    events: list[Event] = []
    remembered: list[tuple[str, Expr]] = []
    for i, event in enumerate(model.events):
        name = f"{WAS_TRUE}{i}"
        was_true = Expr("ne", (symbol(name), number(0)))
        for before, gate in ((False, Expr("not", (was_true,))), (True, was_true)):
            trigger = Expr("and", (gate, event.trigger))
            events.append(replace(event, id=f"{event.id}_{int(before)}", trigger=trigger, initially_true=before))
        remembered.append((name, event.trigger))
    return replace(model, events=tuple(events)), remembered


def with_clock(expr: Expr, clock: Expr) -> Expr:
    """``expr`` with the time of the simulation replaced by ``clock``."""
    if expr.op == "time":
        return clock
    if not expr.args:
        return expr
    return expr._replace(args=tuple(with_clock(arg, clock) for arg in expr.args))
