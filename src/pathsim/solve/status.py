"""How a simulation ended: a value per row, with a sentence of advice, never a crash of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Status(IntEnum):
    """Zero is success; everything else left the rest of the row's values NaN."""

    OK = 0
    STEP_TOO_SMALL = 1
    TOO_MANY_STEPS = 2
    NOT_FINITE = 3
    SINGULAR = 4
    CHATTERING = 5
    NO_STEADY_STATE = 6
    QUEUE_FULL = 7
    UNDEFINED_RATE = 8
    BAD_DELAY = 9

    def sentence(self, state: str, time: float, time_unit: str = "") -> str:
        """What happened to which state when, and what to try."""
        when = f"at time {time:.6g}{' ' + time_unit if time_unit else ''}"
        return _SENTENCES[self].format(state=state or "a state", when=when)


def culprit(status: int, number: int, states: Sequence[str], events: Sequence[str]) -> str:
    """The name of the state, or of the event, by whose number a simulation ended; empty for none."""
    if number < 0:
        return ""
    return events[number] if status == Status.BAD_DELAY else states[number]


_SENTENCES = {
    Status.OK: "finished",
    Status.STEP_TOO_SMALL: (
        "the step size became too small {when}; '{state}' changes fastest there. The solution may blow up in finite "
        "time, or the tolerances may be too tight: check the rates of '{state}', or raise rtol and atol"
    ),
    Status.TOO_MANY_STEPS: (
        "the limit on steps was reached {when}; '{state}' limited the step. Raise max_steps, loosen rtol, or shorten "
        "the simulation"
    ),
    Status.NOT_FINITE: (
        "'{state}' is not a finite number {when}. Check for a division by zero, a logarithm or power of a negative "
        "number, or a parameter without a value"
    ),
    Status.SINGULAR: "the equations could not be solved {when} (singular matrix; '{state}' has the largest entry)",
    Status.CHATTERING: (
        "a condition on '{state}' switches on and off without end {when}. Give the condition a hysteresis, or replace "
        "it by a smooth function"
    ),
    Status.NO_STEADY_STATE: (
        "no steady state was found: '{state}' still changes most {when}. It may grow without bound or oscillate; "
        "simulate the time course instead, or look at the reactions of '{state}'"
    ),
    Status.QUEUE_FULL: (
        "more than a million executions of delayed events wait {when}: an event triggers itself faster than its delay "
        "carries it out. Check the triggers of the events with delays"
    ),
    Status.UNDEFINED_RATE: (
        "a rate takes a root or a broken power of a negative number {when}, which is not a number. Look "
        "at '{state}' there, and at what makes and consumes it; or write max(0, ...) around the base if that is meant"
    ),
    Status.BAD_DELAY: (
        "the event '{state}' was triggered {when}, and its delay was negative or not a number. A delay is zero or "
        "longer: check its formula, or write max(0, ...) around it if that is meant"
    ),
}
