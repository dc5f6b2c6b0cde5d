"""Segments of recorded rows between jumps, and the steps their samples lie in.

:func:`place_samples` is compiled by :mod:`pathsim.solve.llvm.loops`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.layout import Floats1, Floats2, Integers1, Integers2
from ..llvm.loops import compiled


class Segments(NamedTuple):
    """Row i has ``many[i]`` segments; segment k are the records ``order[cuts[i, k]:cuts[i, k + 1]]``.

    ``segment`` and ``place`` (rows, times): in which segment a sample is, and in which record's step (a position in
    order; -1 where the segment begins). A sample taken where something happens sees what happened.
    """

    many: IntArray
    cuts: IntArray
    segment: IntArray
    place: IntArray


def find_segments(
    ends: FloatArray, jumped: IntArray, first: IntArray, times: FloatArray, until_steady: bool
) -> Segments:
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
    segment, place = np.zeros((2, n, times.shape[1]), dtype=np.int64)
    found = Segments(count, cuts, segment, place)
    compiled(place_samples)(
        np.ascontiguousarray(ends),
        jumps,
        before,
        first,
        np.ascontiguousarray(times),
        found.segment,
        found.place,
        np.array([int(until_steady)]),
    )
    return found


class NthSegments(NamedTuple):
    """The k-th segment of every row that has one: of ``rows[i]`` the records ``order[first[i]:last[i]]`` and the
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


def segment_by_segment(found: Segments, rows: IntArray, times: FloatArray) -> list[NthSegments]:
    """The segments of some rows, first those that come first; ``times`` (n, samples) are those of all rows."""
    segments = []
    for number in range(int(found.many[rows].max(initial=0))):
        here = rows[found.many[rows] > number]
        chosen = found.segment[here] == number
        which, sample = np.nonzero(chosen)
        row = here[which]
        last = np.cumsum(chosen.sum(axis=1))
        first = np.concatenate([[0], last[:-1]])
        samples = np.stack([found.place[row, sample], sample], axis=1)
        segments.append(
            NthSegments(
                here, found.cuts[here, number], found.cuts[here, number + 1], first, last, samples, times[row, sample]
            )
        )
    return segments


def place_samples(
    ends: Floats1,
    jumps: Integers1,
    before: Integers1,
    first: Integers1,
    times: Floats2,
    segment: Integers2,
    place: Integers2,
    steady: Integers1,
) -> int:
    """Fill ``segment`` and ``place``; ``before[r]`` counts the jumps before record r."""
    for row in range(first.shape[0] - 1):
        begin, end = first[row], first[row + 1]
        for sample in range(times.shape[1]):
            time = times[row, sample]
            place[row, sample] = -1
            if end == begin:
                continue
            if steady[0] > 0:
                segment[row, sample] = before[end] - before[begin]
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
            segment[row, sample] = before[low] - before[begin]
            if low > begin and jumps[low - 1] > 0 and ends[low - 1] == time:
                continue
            place[row, sample] = low
    return 0
