"""Stretches of recorded rows between jumps, and the steps their samples lie in.

:func:`place_samples` is compiled by :mod:`pathsim.solve.llvm.loops`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.loops import compiled


class Stretches(NamedTuple):
    """Row i has ``many[i]`` stretches; stretch k are the records ``order[cuts[i, k]:cuts[i, k + 1]]``.

    ``stretch`` and ``place`` (rows, times): in which stretch a sample is, and in which record's step (a position in
    order; -1 where the stretch begins). A sample taken where something happens sees what happened.
    """

    many: IntArray
    cuts: IntArray
    stretch: IntArray
    place: IntArray


def find_stretches(
    ends: FloatArray, jumped: IntArray, first: IntArray, times: FloatArray, until_steady: bool
) -> Stretches:
    """From ends of steps and what followed them (-1 for nothing), both row by row; row i's begin at ``first[i]``."""
    jumps = (jumped >= 0).astype(np.int64)
    before = np.concatenate([[0], np.cumsum(jumps)])
    count = before[first[1:]] - before[first[:-1]] + 1
    n = len(count)
    cuts = np.tile(first[1:, None], (1, int(count.max(initial=1)) + 1))
    cuts[:, 0] = first[:-1]
    where = np.flatnonzero(jumps)
    row = np.searchsorted(first, where, side="right") - 1
    cuts[row, before[where] - before[first[row]] + 1] = where + 1
    stretch, place = np.zeros((2, n, times.shape[1]), dtype=np.int64)
    found = Stretches(count, cuts, stretch, place)
    compiled(place_samples)(
        np.ascontiguousarray(ends), jumps, before, first, np.ascontiguousarray(times), found.stretch, found.place,
        np.array([int(until_steady)]),
    )  # fmt: skip
    return found


class Round(NamedTuple):
    """The k-th stretch of every row that has one: of ``rows[i]`` the records ``order[first[i]:last[i]]`` and the
    samples ``first_sample[i]`` to ``last_sample[i]``; ``samples`` (s, 2) are position of the record and number, at
    ``times``.
    """

    rows: IntArray
    first: IntArray
    last: IntArray
    first_sample: IntArray
    last_sample: IntArray
    samples: IntArray
    times: FloatArray


def rounds_of(found: Stretches, rows: IntArray, times: FloatArray) -> list[Round]:
    """The stretches of some rows, round by round; ``times`` (n, samples) are those of all rows."""
    rounds = []
    for number in range(int(found.many[rows].max(initial=0))):
        here = rows[found.many[rows] > number]
        chosen = found.stretch[here] == number
        which, sample = np.nonzero(chosen)
        row = here[which]
        last = np.cumsum(chosen.sum(axis=1))
        first = np.concatenate([[0], last[:-1]])
        samples = np.stack([found.place[row, sample], sample], axis=1)
        rounds.append(
            Round(
                here, found.cuts[here, number], found.cuts[here, number + 1], first, last, samples, times[row, sample]
            )
        )
    return rounds


def place_samples(
    ends: FloatArray, jumps: IntArray, before: IntArray, first: IntArray, times: FloatArray, stretch: IntArray,
    place: IntArray, steady: IntArray,
) -> int:  # fmt: skip
    """Fill ``stretch`` and ``place``; ``before[r]`` counts the jumps before record r."""
    for row in range(first.shape[0] - 1):
        begin, end = first[row], first[row + 1]
        for sample in range(times.shape[1]):
            time = times[row, sample]
            place[row, sample] = -1
            if end == begin:
                continue
            if steady[0] > 0:
                stretch[row, sample] = before[end] - before[begin]
                if jumps[end - 1] == 0:
                    place[row, sample] = end - 1
                continue
            if time <= 0.0:
                continue
            low, high = begin, end - 1  # the first step that ends at or after, else the last
            while low < high:
                middle = (low + high) // 2
                if ends[middle] < time:
                    low = middle + 1
                else:
                    high = middle
            while low < end and jumps[low] > 0 and ends[low] == time:
                low += 1  # whatever follows at the same moment
            stretch[row, sample] = before[low] - before[begin]
            if low > begin and jumps[low - 1] > 0 and ends[low - 1] == time:
                continue
            place[row, sample] = low
    return 0
