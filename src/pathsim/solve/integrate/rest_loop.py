"""The loops over rows at rest, a lane to each: their parameters, rates, Jacobian and outputs.

Written so that they can be compiled (:mod:`pathsim.solve.llvm.loops`); run as they stand they give the same bits.
``lanes`` (groups, 8) are the rows in the lanes of each group, the last repeated where lanes are spare; ``P`` and ``K``
(groups, any, 8) their parameters with branches, and hoisted values; ``X`` (rows, states), in elimination order.
"""

from __future__ import annotations

from ...arrays import FloatArray, IntArray
from ..llvm.calls import call2, call4
from ..llvm.layout import (
    LANES,
    START_T,
    Code,
    Discrete,
    Floats1,
    Floats2,
    Floats3,
    Integers1,
    Integers2,
    LaneFloats,
    Layout,
    T,
    place,
)
from .discontinuities import settle


def load_rows(
    code: Code,
    at: Layout,
    F: LaneFloats,
    discrete: Discrete,
    defaults: Floats1,
    columns: Integers1,
    settings: Floats2,
    given: Floats2,
    lanes: Integers2,
    times: Floats1,
    X: Floats2,
    starts: Floats2,
    P: Floats3,
    K: Floats3,
) -> None:
    """Fill ``starts`` (rows, states), ``P`` and ``K`` from the raw values: ``settings`` (rows, columns) of some
    ``columns``, ``defaults`` of the others; ``given`` (rows or 0, states) are the states that rows start from."""
    n_p = at.n_parameters + at.n_roots
    for group in range(lanes.shape[0]):
        for lane in range(LANES):
            row = lanes[group, lane]
            for i in range(at.n_raw):
                F[at.raw + i, lane] = defaults[i]
            for j in range(columns.shape[0]):
                F[at.raw + columns[j], lane] = settings[row, j]
            F[START_T, lane] = 0.0
        call4(code.start, place(at, START_T), place(at, at.raw), place(at, at.p), place(at, at.x_start))
        for lane in range(LANES):
            row = lanes[group, lane]
            if given.shape[0] > 0:
                for i in range(at.n):
                    F[at.x_start + i, lane] = given[row, i]
            for m in range(at.n_roots):
                F[at.p + at.n_parameters + m, lane] = 0.0
        _put(at, F, lanes, group, times, X)
        call2(code.prep, place(at, at.p), place(at, at.k))
        if at.n_roots > 0:
            for lane in range(LANES):
                settle(code, at, F, discrete, lane, T, at.y, at.p, at.k, at.nothing_held)
        for lane in range(LANES):
            row = lanes[group, lane]
            for i in range(at.n):
                starts[row, i] = F[at.x_start + i, lane]
            for i in range(n_p):
                P[group, i, lane] = F[at.p + i, lane]
            for i in range(at.n_hoisted):
                K[group, i, lane] = F[at.k + i, lane]


def rates_of_rows(
    code: Code,
    at: Layout,
    F: LaneFloats,
    lanes: Integers2,
    times: Floats1,
    X: Floats2,
    K: Floats3,
    rates: Floats2,
) -> None:
    """``rates`` (rows, states) where rows are."""
    for group in range(lanes.shape[0]):
        _put(at, F, lanes, group, times, X)
        _put_hoisted(at, F, group, K)
        _rates(code, at, F, lanes, group, rates)


def equations_of_rows(
    code: Code,
    at: Layout,
    F: LaneFloats,
    lanes: Integers2,
    times: Floats1,
    X: Floats2,
    K: Floats3,
    wanted: Integers1,
    rates: Floats2,
    entries: Floats2,
) -> None:
    """``rates`` and ``entries`` (rows, entries) of the Jacobian of groups with a row that is ``wanted`` (not 0)."""
    for group in range(lanes.shape[0]):
        some = False
        for lane in range(LANES):
            if wanted[lanes[group, lane]] != 0:
                some = True
        if some:
            _put(at, F, lanes, group, times, X)
            _put_hoisted(at, F, group, K)
            call4(code.jacobian, place(at, T), place(at, at.y), place(at, at.k), place(at, at.J))
            for lane in range(LANES):
                row = lanes[group, lane]
                for i in range(entries.shape[1]):
                    entries[row, i] = F[at.J + i, lane]
            _rates(code, at, F, lanes, group, rates)


def outputs_of_rows(
    code: Code,
    at: Layout,
    F: LaneFloats,
    lanes: Integers2,
    times: Floats1,
    X: Floats2,
    P: Floats3,
    values: Floats2,
) -> None:
    """Outputs ``values`` (rows, outputs)."""
    for group in range(lanes.shape[0]):
        _put(at, F, lanes, group, times, X)
        for i in range(P.shape[1]):
            for lane in range(LANES):
                F[at.p + i, lane] = P[group, i, lane]
        call4(code.outputs, place(at, T), place(at, at.y), place(at, at.p), place(at, at.o))
        for lane in range(LANES):
            row = lanes[group, lane]
            for i in range(values.shape[1]):
                values[row, i] = F[at.o + i, lane]


def _put(at: Layout, F: FloatArray, lanes: IntArray, group: int, times: FloatArray, X: FloatArray) -> None:
    """Bring times and states of a group into the workspace."""
    for lane in range(LANES):
        row = lanes[group, lane]
        F[T, lane] = times[row]
        for i in range(at.n):
            F[at.y + i, lane] = X[row, i]


def _put_hoisted(at: Layout, F: FloatArray, group: int, K: FloatArray) -> None:
    for i in range(at.n_hoisted):
        for lane in range(LANES):
            F[at.k + i, lane] = K[group, i, lane]


def _rates(code: Code, at: Layout, F: FloatArray, lanes: IntArray, group: int, rates: FloatArray) -> None:
    """The rates of the group in the workspace."""
    for i in range(at.n):
        for lane in range(LANES):
            F[at.U + i, lane] = 0.0  # the compiled code adds to it
    call4(code.rates, place(at, T), place(at, at.y), place(at, at.k), place(at, at.U))
    for lane in range(LANES):
        row = lanes[group, lane]
        for i in range(at.n):
            rates[row, i] = F[at.U + i, lane]
