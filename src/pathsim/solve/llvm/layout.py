"""How simulations lie side by side in memory, for the loop of :mod:`pathsim.solve.integrate.loop` and what it calls.

Everything about the lanes is in two blocks with one column per lane: ``F`` of doubles and ``N`` of integers. Scalars
have fixed rows (``F[T, lane]`` is the time of a lane); arrays that depend on the model start at rows named in
:class:`Layout` (``F[at.y + i, lane]`` is its state i). Compiled code gets addresses of rows.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np

from ...arrays import FloatArray, IntArray
from .machine import machine

LANES = machine().lanes
"""Simulations side by side; on another processor perhaps as many others, see :class:`.machine.Machine`."""
DIMENSIONS = 4  # most that an array may have in compiled code
ARRAY_WORDS = 1 + DIMENSIONS
"""An array is its address and the sizes of its dimensions (0 for those it does not have)."""


class Shape(NamedTuple):
    """What the compiler has to know of an array: how many dimensions, and how many columns where that never varies."""

    dimensions: int
    columns: int = 0


Floats1 = Annotated[FloatArray, Shape(1)]
Floats2 = Annotated[FloatArray, Shape(2)]
Floats3 = Annotated[FloatArray, Shape(3)]
Floats4 = Annotated[FloatArray, Shape(4)]
Integers1 = Annotated[IntArray, Shape(1)]
Integers2 = Annotated[IntArray, Shape(2)]
LaneFloats = Annotated[FloatArray, Shape(2, LANES)]
LaneIntegers = Annotated[IntArray, Shape(2, LANES)]

# rows of F: time, step, and what the compiled step makes of them; see step_ir.POINTERS
(
    T,
    H,
    TS,
    INNER_TS,
    IG,
    THETA,
    OLD_ERROR,
    WAS_REJECTED,
    STOP,
    AIM,
    ACCEPTED,
    WISH,
    H_NEXT,
    T_NEXT,
    LANDS,
    TARGET,
    LIVE,
    TAKEN,
    LIMIT,
    END,
    EARLY,
    LATE,
    SWITCH_TIME,
    START_T,
    START_H,
    START_END,
    TOLERANCE,
    REFUSED,
    START_SPAN,
    SPAN,
    OWN,
    LEFT_WISH,
) = range(32)
N_SCALARS = 32
# rows of N
ROW, SAMPLED, SWITCHED, REPEATS, PENDING, CHANCE, NOISY, MOMENTS_LEFT, DUE, CULPRIT, ATTEMPT, AGAIN = range(12)
N_INTEGERS = 12
# values of N[ATTEMPT]: a row whose states grew again from below their absolute tolerances is done again
FIRST, TIGHTER, LAST = range(3)
# values of N[SWITCHED]
NOT_SWITCHED, AT_DISCONTINUITY, AT_REST = range(3)
# statuses, as in pathsim.solve.status
(
    OK,
    STEP_TOO_SMALL,
    TOO_MANY_STEPS,
    NOT_FINITE,
    SINGULAR,
    CHATTERING,
    NO_STEADY_STATE,
    QUEUE_FULL,
    UNDEFINED_RATE,
    BAD_DELAY,
) = range(10)
# kinds of discontinuities
LT, LE, FLOOR, EQ = range(4)
# positions in Job.settings
RTOL, ATOL, MAX_STEPS, START, UNTIL_STEADY, OWN_SHARE = range(6)
# positions in Job.progress; the first is 0 before the first call and when all rows are done
(UNDER_WAY, NEXT_ROW, FIRST_STAGED, STAGED, LIVE_ROWS, MOST_CALLS) = range(6)
# kinds of states that have a scale in common
KINDS = 4
# columns of Results.ends
STATUS, TIME, STATE, STEPS_TAKEN = range(4)

MOST_SWITCHES_AT_ONE_TIME = 1000
FEW_SWITCHES_AT_ONE_TIME = 30  # from which on rounding may be what switches
FIRST_CHANCE = 88172645463325252  # seed of the choice among simultaneous events, the same in every row
TINY_STEP = 1e-100  # of lanes that stand still
EVENTS_OF_BLOCK = 4  # as a power of two: so many events at once have their effects and timed triggers computed
REGROWN = -1e-300  # trough of a state that has come back from below its absolute tolerance
NO_TIME = 1e-280  # what happens within it happens at once: a step so short cannot be computed


class Code(NamedTuple):
    """Addresses of the compiled functions; 0 for what a system does not have."""

    start: int
    prep: int
    rates: int
    step: int
    record: int
    prepare_dense: int
    dense: int
    commit: int
    outputs: int
    root_functions: int
    switches: int
    triggers: int
    timed_triggers: int
    moments: int
    moment_roots: int
    effects: int
    refuse: int
    jacobian: int


class Layout(NamedTuple):
    """Sizes, the address of the step's pointer table, the address of F, and the first row of each array.

    ``alike`` is 1 where every lane holds the simulation of the first (extrapolation).
    """

    n: int
    n_parameters: int
    n_roots: int
    n_raw: int
    n_hoisted: int
    n_outputs: int
    computes_outputs: int
    attempts_at_once: int
    alike: int
    n_events: int
    n_untimed: int
    n_moments: int
    most_targets: int
    most_pending: int
    table: int
    base: int
    # rows of F
    y: int
    yn: int
    xs: int
    atol: int
    peak: int
    trough: int
    J: int
    U: int
    D: int
    error: int
    k: int
    p: int
    raw: int
    p_start: int
    x_start: int
    atol_start: int
    k_start: int
    o: int
    roots: int
    roots_before: int
    passing: int
    noise: int
    nothing_held: int
    switch_line: int
    triggers: int
    effects: int
    pending_time: int
    pending_values: int
    moment: int
    moment_start: int
    moment_tried: int
    moment_root: int
    moment_line: int
    # rows of N
    was_true: int
    pending_event: int
    queue: int
    due: int


class Discrete(NamedTuple):
    """``roots`` (m, 2): kind, known in advance. ``events`` (e + 1, 4): first effect, initially true, persistent,
    values from trigger time. ``untimed`` and ``timed``: events, ascending. ``moments`` (m, 2): kind, event; of timed
    events, one after the other. ``targets``: is a state, index; event after event. ``kinds`` (states,): states of one
    kind have a scale in common. ``diagonal`` (states,): where in the Jacobian a state's own entry is, or -1."""

    roots: Integers2
    events: Integers2
    untimed: Integers1
    timed: Integers1
    moments: Integers2
    targets: Integers2
    kinds: Integers1
    diagonal: Integers1


class Job(NamedTuple):
    """What to simulate: rows ``first`` to ``last`` of ``values``, which override ``columns`` of ``defaults``.

    ``sources`` are the rows of F where outputs are found after ``outputs`` has run: a state itself, or ``o``.
    ``progress`` lets a job be done in several calls, each of so many calls to the step.
    """

    defaults: Floats1
    columns: Integers1
    values: Floats2
    start_states: Floats2
    sources: Integers1
    times: Floats2
    settings: Floats1
    progress: Integers1
    first: int
    last: int


class Results(NamedTuple):
    """Where results go, row by row; ``x`` may have no rows when last states are not wanted, ``atol`` (the absolute
    tolerances that rows ended with) likewise."""

    values: Floats3
    ends: Floats2
    x: Floats2
    atol: Floats2 = np.empty((0, 0))


def place(at: Layout, row: int) -> int:
    """Address of a row of F."""
    return at.base + row * (LANES * 8)
