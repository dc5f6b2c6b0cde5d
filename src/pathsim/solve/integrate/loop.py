"""The integration loop: simulations side by side in lanes, each with its own time, step and fate.

A finished lane takes the next row from the queue, so all lanes stay busy. Everything numerical happens in machine
code that serves all lanes at once (rates, steps, dense output); this module decides what each lane does next:
sample, switch a branch, fire an event, finish, fail. It is typed Python that numba compiles
(:mod:`pathsim.solve.llvm.translate`); run as it stands, it is the readable reference of that code. Both
give the same bits. With a tape it also records every step, see :mod:`recorder`.
"""

from __future__ import annotations

import math

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4, call8, call_step
from ..llvm.layout import (
    ACCEPTED,
    AGAIN,
    AIM,
    AT_DISCONTINUITY,
    AT_REST,
    ATTEMPT,
    BAD_DELAY,
    CULPRIT,
    END,
    FIRST,
    FIRST_STAGED,
    H_NEXT,
    LANDS,
    LANES,
    LIMIT,
    LIVE,
    LIVE_ROWS,
    MAX_STEPS,
    MOST_CALLS,
    NEXT_ROW,
    NO_STEADY_STATE,
    NO_TIME,
    NOT_FINITE,
    NOT_SWITCHED,
    OK,
    OLD_ERROR,
    OWN,
    PENDING,
    REFUSED,
    REGROWN,
    ROW,
    RTOL,
    SAMPLED,
    SPAN,
    STAGED,
    STATE,
    STATUS,
    STEP_TOO_SMALL,
    STEPS_TAKEN,
    STOP,
    SWITCHED,
    T_NEXT,
    TAKEN,
    TARGET,
    TIGHTER,
    TIME,
    TINY_STEP,
    TOLERANCE,
    TOO_MANY_STEPS,
    UNDEFINED_RATE,
    UNDER_WAY,
    UNTIL_STEADY,
    WAS_REJECTED,
    WISH,
    Code,
    Discrete,
    H,
    Job,
    LaneFloats,
    LaneIntegers,
    Layout,
    Results,
    T,
    place,
)
from ..llvm.one_step import SMALLEST_RELATIVE_STEP, SMALLEST_STEP, WORTH_LANDING
from .discontinuities import flip_branches, next_known_switch, shorten
from .events import happen
from .moments import next_moment
from .recorder import Tape, forget, note_begun, note_ends, note_steps, note_taken, record_attempts
from .root_functions import find_switches, land_on_switches
from .samples import all_sampled, next_sample, sample_inside, sample_now
from .start import fastest_state, follow_scales, from_rates, no_leap, prepare_stage, stage, take

STEADY_RATE = 1e-14  # relative change in a time of the fastest state that counts as none: a hundred roundings
LONGEST_SEARCH = 1e14  # times of the fastest state after which whatever still changes never rests
STEADY_CHANGE = 1e-6  # and over a whole step: rounding in conserved totals grows with the step, so not less
SHORTEST_LOOK = 1e-6  # share of the time so far that a step takes at least whose change says anything


def run_lanes(
    code: Code,
    at: Layout,
    F: LaneFloats,
    N: LaneIntegers,
    discrete: Discrete,
    job: Job,
    results: Results,
    tape: Tape,
) -> int:
    """Simulate the rows of a job and record them if the tape has lanes; returns the number of calls to the step.

    Stops after as many calls as ``job.progress`` says, to be called again until nothing is under way.
    """
    progress = job.progress
    fresh = progress[UNDER_WAY] == 0
    if fresh:
        prepare_stage(at, F, job)
        for lane in range(LANES):
            N[ROW, lane] = N[AGAIN, lane] = -1
        next_row = job.first
        first_staged, staged = job.first, 0  # the stage holds this many rows from there on
        live = 0
        progress[UNDER_WAY] = 1
    else:
        next_row, live = progress[NEXT_ROW], progress[LIVE_ROWS]
        first_staged, staged = progress[FIRST_STAGED], progress[STAGED]
    calls = 0
    recording = tape.lanes > 0
    n8 = at.n * LANES
    share = 1.0 / max(at.n, 1)
    rtol = job.settings[RTOL]
    while live > 0 or next_row < job.last or _any_again(N):
        if calls >= progress[MOST_CALLS]:
            progress[NEXT_ROW], progress[LIVE_ROWS] = next_row, live
            progress[FIRST_STAGED], progress[STAGED] = first_staged, staged
            return calls
        for lane in range(LANES):  # idle lanes do their row again, or take the next
            while N[AGAIN, lane] >= 0:
                row = N[AGAIN, lane]
                stage(code, at, F, discrete, job, row, 1)
                take(at, F, N, discrete, job, lane, row, 0, N[ATTEMPT, lane] + 1)
                if recording:
                    forget(tape, row, lane)
                    note_taken(at, F, tape, row, lane)
                live += 1 - _begin(code, at, F, N, discrete, job, results, lane)
                if recording:
                    note_begun(at, F, N, tape, row, lane)
                if staged > 0:
                    stage(code, at, F, discrete, job, first_staged, staged)
            while N[ROW, lane] < 0 and next_row < job.last and N[AGAIN, lane] < 0:
                if next_row == first_staged + staged:
                    first_staged, staged = next_row, min(LANES, job.last - next_row)
                    stage(code, at, F, discrete, job, first_staged, staged)
                take(at, F, N, discrete, job, lane, next_row, next_row - first_staged, FIRST)
                if recording:
                    note_taken(at, F, tape, next_row, lane)
                next_row += 1
                live += 1
                if fresh and calls == 0 and lane == 0:
                    for other in range(1, LANES):
                        _copy_lane(at, F, lane, other)
                live -= _begin(code, at, F, N, discrete, job, results, lane)
                if recording:
                    note_begun(at, F, N, tape, next_row - 1, lane)
        if live == 0:
            continue
        _fill_spare_lanes(at, F, N)
        if at.n == 0:
            _jump(F)
        elif recording:
            record_attempts(code, at, tape, rtol)
        else:
            call_step(code.step, at.table, n8, at.attempts_at_once, rtol, share)
        calls += 1
        if recording:
            note_steps(at, F, N, tape)
        live -= _after_step(code, at, F, N, discrete, job, results)
        if recording:
            note_ends(at, F, N, tape)
    progress[UNDER_WAY] = 0
    return calls


def _any_again(N: IntArray) -> bool:
    """Whether a lane is to do its row again."""
    again = False
    for lane in range(LANES):
        again = again or N[AGAIN, lane] >= 0
    return again


def _fill_spare_lanes(at: Layout, F: FloatArray, N: IntArray) -> None:
    """Lanes that have run empty become copies of one that has a row."""
    for lane in range(LANES):
        if N[ROW, lane] < 0 and F[H, lane] == 0.0:
            live = 0
            while N[ROW, live] < 0:
                live += 1
            _copy_lane(at, F, live, lane)


def _copy_lane(at: Layout, F: FloatArray, origin: int, lane: int) -> None:
    """A lane without a row tries one step of another lane again and again, so that its numbers are as tame as those.

    Standing still is no way to be idle: over a tiny step numbers become subnormal, with which processors are slow.
    """
    for i in range(at.n):
        F[at.y + i, lane] = F[at.y + i, origin]
        F[at.atol + i, lane] = F[at.atol + i, origin]
    for i in range(at.n_parameters + at.n_roots):
        F[at.p + i, lane] = F[at.p + i, origin]
    for i in range(at.n_hoisted):
        F[at.k + i, lane] = F[at.k + i, origin]
    F[T, lane] = F[T, origin]
    F[OWN, lane] = F[OWN, origin]
    F[LIVE, lane] = 0.0
    F[H, lane] = F[WISH, lane] = F[WISH, origin]
    F[STOP, lane] = F[AIM, lane] = F[END, origin]
    F[LANDS, lane] = 0.0
    F[OLD_ERROR, lane] = 1e-4


def _jump(F: FloatArray) -> None:
    """A step of a system without states: time moves to the stop."""
    for lane in range(LANES):
        F[ACCEPTED, lane] = 1.0
        F[H, lane] = F[STOP, lane] - F[T, lane]
        F[T_NEXT, lane] = F[STOP, lane]
        F[WISH, lane] = F[H_NEXT, lane] = 1.0
        F[WAS_REJECTED, lane] = 0.0


def _begin(
    code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, job: Job, results: Results, lane: int
) -> int:
    """Let happen what is due at the start of a lane's row, and set out; returns 1 when the row is already done."""
    status = OK
    if at.n_events > 0:
        call2(code.prep, place(at, at.p), place(at, at.k))
        status = happen(code, at, F, N, discrete, lane)
    for i in range(at.n):
        if status == OK and not math.isfinite(F[at.y + i, lane]):
            status = NOT_FINITE
    if status == OK and _is_undefined(code, at, F, at.y, lane):
        status = UNDEFINED_RATE
    if status == OK:
        if F[OWN, lane] > 0.0:
            follow_scales(at, F, discrete, F[OWN, lane], lane, at.y, at.atol)
        F[AIM, lane] = next_sample(N, job, lane)
        sample_now(code, at, F, N, job, results, 1 << lane)
    if status != OK or all_sampled(N, job, lane):
        _finish(at, F, N, results, lane, status)
        return 1
    status = _aim(code, at, F, N, discrete, F[OWN, lane], lane)
    if status != OK:
        _finish(at, F, N, results, lane, status)
        return 1
    return 0


def _aim(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, own: float, lane: int) -> int:
    """Set what lies ahead of a lane (end, delayed event, switch known in advance; next sample) and fit its step."""
    switch = _next_switch(code, at, F, N, discrete, lane)
    if switch - F[T, lane] <= NO_TIME:  # such as ``time > 0`` at time 0: too near for a step, so it happens here
        F[T, lane] = switch
        status = _at_stop(code, at, F, N, discrete, own, lane)
        if status != OK:
            return status
        switch = _next_switch(code, at, F, N, discrete, lane)
    stop = min(F[END, lane], switch)
    for j in range(N[PENDING, lane]):
        stop = min(stop, F[at.pending_time + j, lane])
    F[STOP, lane] = stop
    cut_step(F, lane)
    return OK


def _next_switch(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, lane: int) -> float:
    """The next time known in advance at which a branch or the trigger of a timed event switches."""
    switch = next_moment(at, F, N, lane)
    if at.n_roots > 0:
        switch = min(switch, next_known_switch(code, at, F, discrete, lane))
    return switch


def cut_step(F: FloatArray, lane: int) -> None:
    """Fit the wished step to what lies ahead.

    The step lands exactly on the next sample when that leaves a fair share of it, else on the stop when that is within
    reach; and it never leaves a sliver before either. The compiled step does the same (step_ir).
    """
    to_stop, to_aim = F[STOP, lane] - F[T, lane], F[AIM, lane] - F[T, lane]
    wish = F[WISH, lane]
    distance, F[TARGET, lane] = to_stop, F[STOP, lane]
    if to_aim <= to_stop and to_aim > WORTH_LANDING * wish:
        distance, F[TARGET, lane] = to_aim, F[AIM, lane]
    if wish >= 0.999999 * distance:
        F[LANDS, lane] = 1.0
        F[H, lane] = distance
    else:
        F[LANDS, lane] = 0.0
        F[H, lane] = min(wish, 0.5 * distance)
    if not F[H, lane] > 0.0:  # a spare lane, or one whose end is its start
        F[H, lane] = TINY_STEP
        F[LANDS, lane] = 0.0


def _after_step(
    code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, job: Job, results: Results
) -> int:
    """Look at each lane after an attempt; returns how many rows ended."""
    inside = False  # whether any sample lies inside a step
    arrived = 0  # lanes, as bits, that have reached a sample, a stop or a switch
    looks = at.n_roots > 0
    for lane in range(LANES):
        N[SWITCHED, lane] = NOT_SWITCHED
        if N[ROW, lane] < 0:
            F[ACCEPTED, lane] = 0.0
            continue
        if F[ACCEPTED, lane] > 0.5:
            inside = inside or F[AIM, lane] < F[T_NEXT, lane]
            if F[AIM, lane] <= F[T_NEXT, lane] or F[STOP, lane] <= F[T_NEXT, lane]:
                arrived |= 1 << lane
    if looks:
        arrived |= find_switches(code, at, F, N, discrete)
        if at.alike != 0:
            arrived &= ~land_on_switches(F, N)
    for lane in range(LANES):
        if arrived >> lane & 1 and F[AIM, lane] <= F[T_NEXT, lane]:
            F[LIMIT, lane] = F[TAKEN, lane] + job.settings[MAX_STEPS]  # counted anew from each sample on
    if inside:
        sample_inside(code, at, F, N, job, results)
    if looks and at.n > 0:
        shorten(code, at, F, N)
    if job.settings[UNTIL_STEADY] > 0.5:
        arrived |= _find_rest(at, F, N, discrete)
    if at.n > 0:
        call4(code.commit, place(at, at.y), place(at, at.yn), place(at, ACCEPTED), at.n * LANES)
    return _advance(code, at, F, N, discrete, job, results, arrived)


def _advance(
    code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, job: Job, results: Results, arrived: int
) -> int:
    """Move accepted lanes on; let happen what is due where they arrived; returns how many rows ended."""
    done = 0
    for lane in range(LANES):
        if N[ROW, lane] < 0:
            continue
        F[H, lane] = F[H_NEXT, lane]
        status = OK
        if F[ACCEPTED, lane] > 0.5:
            F[T, lane] = F[T_NEXT, lane]
            if arrived >> lane & 1 and (N[SWITCHED, lane] == AT_DISCONTINUITY or F[T, lane] >= F[STOP, lane]):
                status = _at_stop(code, at, F, N, discrete, F[OWN, lane], lane)
        elif F[H, lane] <= SMALLEST_RELATIVE_STEP * abs(F[T, lane]) + SMALLEST_STEP:
            status = STEP_TOO_SMALL
        if status == OK and F[TAKEN, lane] >= F[LIMIT, lane]:
            status = TOO_MANY_STEPS
        if status != OK:
            if status == STEP_TOO_SMALL and _is_undefined(code, at, F, at.yn, lane):
                status = UNDEFINED_RATE
            elif status == STEP_TOO_SMALL and not _has_finite_rates(code, at, F, lane):
                status = NOT_FINITE
            _finish(at, F, N, results, lane, status)
            done += 1
    if arrived == 0:
        return done
    sample_now(code, at, F, N, job, results, arrived)
    steady = job.settings[UNTIL_STEADY] > 0.5
    for lane in range(LANES):
        if not arrived >> lane & 1 or N[ROW, lane] < 0:
            continue
        ends = all_sampled(N, job, lane)
        if ends:
            status = NO_STEADY_STATE if steady and N[SWITCHED, lane] != AT_REST else OK
        else:
            status = _aim(code, at, F, N, discrete, F[OWN, lane], lane)
        if ends or status != OK:
            _finish(at, F, N, results, lane, status)
            done += 1
    return done


def _at_stop(code: Code, at: Layout, F: FloatArray, N: IntArray, discrete: Discrete, own: float, lane: int) -> int:
    """A lane has arrived where something may happen: branches switch, events fire; and steps may have to be shorter."""
    status = OK
    if at.n_roots > 0:
        status = flip_branches(code, at, F, N, discrete, lane)
    if status == OK and at.n_events > 0:
        status = happen(code, at, F, N, discrete, lane)
    if own > 0.0:
        follow_scales(at, F, discrete, own, lane, at.y, at.atol)
    if status == OK and _is_undefined(code, at, F, at.y, lane):
        status = UNDEFINED_RATE
    if status == OK and at.n > 0 and F[T, lane] < F[END, lane]:
        for i in range(at.n):
            for other in range(LANES):
                F[at.D + i, other] = 0.0
        call4(code.rates, place(at, T), place(at, at.y), place(at, at.k), place(at, at.D))
        if own > 0.0:
            from_rates(at, F, discrete, own, lane, at.D, at.atol, F[SPAN, lane])
        fastest = 0.0
        for i in range(at.n):
            fastest = max(fastest, abs(F[at.D + i, lane]) / (abs(F[at.y + i, lane]) + F[at.atol + i, lane]))
        F[WISH, lane] = no_leap(F[WISH, lane], fastest)
    return status


def _find_rest(at: Layout, F: FloatArray, N: IntArray, discrete: Discrete) -> int:
    """Mark lanes whose step changed nothing any more; returns them as bits."""
    found = 0
    for lane in range(LANES):
        if N[ROW, lane] < 0 or F[ACCEPTED, lane] < 0.5 or N[PENDING, lane] > 0:
            continue
        if F[STOP, lane] < F[END, lane]:
            continue  # something is known to happen
        fastest = fastest_state(at, F, discrete, lane)
        if N[SWITCHED, lane] == NOT_SWITCHED and _is_steady(at, F, fastest, lane):
            N[SWITCHED, lane] = AT_REST
            found |= 1 << lane
        elif F[T_NEXT, lane] * fastest > LONGEST_SEARCH:
            F[LIMIT, lane] = F[TAKEN, lane]
    return found


def _finish(at: Layout, F: FloatArray, N: IntArray, results: Results, lane: int, status: int) -> None:
    """Write what is left to say about a row and free its lane."""
    row = N[ROW, lane]
    for i in range(at.n):
        if status == OK and not math.isfinite(F[at.y + i, lane]):
            status = NOT_FINITE
    results.ends[row, STATUS] = status
    results.ends[row, TIME] = F[T, lane]
    results.ends[row, STEPS_TAKEN] = F[TAKEN, lane]
    if status != OK:
        results.ends[row, STATE] = _below_zero(at, F, lane) if status == UNDEFINED_RATE else _culprit(at, F, lane)
        if status == BAD_DELAY:
            results.ends[row, STATE] = N[CULPRIT, lane]
        for j in range(N[SAMPLED, lane], results.values.shape[1]):
            for i in range(at.n_outputs):
                results.values[row, j, i] = math.nan
    if results.x.shape[0] > 0:
        for i in range(at.n):
            results.x[row, i] = F[at.y + i, lane]
    if results.atol.shape[0] > 0:
        for i in range(at.n):
            results.atol[row, i] = F[at.atol + i, lane]
    if N[ATTEMPT, lane] == FIRST:
        for i in range(at.n):
            if F[OWN, lane] > 0.0 and F[at.trough + i, lane] == REGROWN:
                N[AGAIN, lane] = row
    elif N[ATTEMPT, lane] == TIGHTER and status != OK:
        N[AGAIN, lane] = row
    N[ROW, lane] = -1
    F[LIVE, lane] = 0.0
    F[H, lane] = 0.0  # until it takes a row, or becomes a copy of another lane


def _has_finite_rates(code: Code, at: Layout, F: FloatArray, lane: int) -> bool:
    """Whether the rates of a lane, and where its last attempt led, are numbers; what is not one is left in its error,
    for :func:`_culprit`."""
    for i in range(at.n):
        for other in range(LANES):
            F[at.D + i, other] = 0.0
    call4(code.rates, place(at, T), place(at, at.y), place(at, at.k), place(at, at.D))
    finite = True
    for i in range(at.n):
        finite = finite and math.isfinite(F[at.D + i, lane])
    if not finite:
        for i in range(at.n):
            F[at.error + i, lane] = F[at.D + i, lane]
    grows = False
    for i in range(at.n):
        grows = grows or abs(F[at.y + i, lane]) > 1e100  # overflow is all that is wrong there
    for i in range(at.n):
        finite = finite and (grows or math.isfinite(F[at.yn + i, lane]))
    return finite


def _is_undefined(code: Code, at: Layout, F: FloatArray, x: int, lane: int) -> bool:
    """Whether a rate takes a broken power of a number that is clearly negative at the states in row ``x``."""
    if code.refuse == 0 or at.n == 0:
        return False
    call8(
        code.refuse,
        place(at, T),
        place(at, at.y),
        place(at, x),
        place(at, at.k),
        place(at, at.atol),
        place(at, at.peak),
        place(at, TOLERANCE),
        place(at, REFUSED),
    )
    return bool(F[REFUSED, lane] > 0.5)


def _below_zero(at: Layout, F: FloatArray, lane: int) -> int:
    """Of the states under broken powers (those with a peak) the one that is furthest below zero for its size."""
    worst, where = math.inf, -1
    for i in range(at.n):
        if F[at.peak + i, lane] > 0.0:
            size = F[at.y + i, lane] / F[at.peak + i, lane]
            if size < worst:
                worst, where = size, i
    return where


def _culprit(at: Layout, F: FloatArray, lane: int) -> int:
    """The state to name in a message: the first that is not finite, else the one with the largest last error."""
    worst, where = -1.0, -1
    for i in range(at.n):
        if not math.isfinite(F[at.y + i, lane]):
            return i
        size = abs(F[at.error + i, lane]) / (abs(F[at.y + i, lane]) + 1e-300)
        if not math.isfinite(size):
            return i
        if size > worst:
            worst, where = size, i
    return where


def _is_steady(at: Layout, F: FloatArray, fastest: float, lane: int) -> bool:
    """Whether the step just taken changed nothing: neither as a whole nor in what the fastest state takes to change."""
    if F[H, lane] < SHORTEST_LOOK * F[T_NEXT, lane]:
        return False
    share = STEADY_RATE * F[H, lane] * fastest + 4e-16
    for i in range(at.n):
        size = abs(F[at.yn + i, lane]) + F[at.atol + i, lane]
        change = abs(F[at.yn + i, lane] - F[at.y + i, lane])
        if change > STEADY_CHANGE * size or change > share * size:
            return False
    return True
