"""Samples are put into the step, and the segment between jumps, in which they lie."""

from __future__ import annotations

import numpy as np

from pathsim.solve.sensitivities.segments import find_segments, place_samples


def test_samples_see_what_happened_at_their_moment() -> None:
    ends = np.array([1.0, 2.0, 2.0, 3.0, 0.5, 4.0])  # two rows: jumps after the second and third step of the first
    jumped = np.array([-1, 0, 1, -1, -1, 2])
    first = np.array([0, 4, 6, 6])
    times = np.array([[0.0, 0.7, 1.0, 1.5, 2.0, 2.1, 3.0]] * 3)
    found = find_segments(ends, jumped, first, times, False)
    assert found.many.tolist() == [3, 2, 1]
    assert found.cuts.tolist() == [[0, 2, 3, 4], [4, 6, 6, 6], [6, 6, 6, 6]]
    assert found.segment[0].tolist() == [0, 0, 0, 0, 2, 2, 2]
    assert found.place[0].tolist() == [-1, 0, 0, 1, -1, 3, 3]
    assert found.segment[1].tolist() == [0] * 7
    assert found.place[1].tolist() == [-1, 5, 5, 5, 5, 5, 5]
    assert found.place[2].tolist() == [-1] * 7  # a row without a step


def test_a_jump_at_the_end_of_a_row() -> None:
    found = find_segments(np.array([1.0, 2.0]), np.array([-1, 0]), np.array([0, 2]), np.array([[1.9, 2.0]]), False)
    assert found.segment.tolist() == [[0, 1]]
    assert found.place.tolist() == [[1, -1]]


def test_compiled_code_gives_what_python_gives() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 30, 20)
    first = np.concatenate([[0], np.cumsum(sizes)])
    ends = np.concatenate([np.sort(rng.integers(1, 12, size)) * 0.5 for size in sizes])
    jumped = np.where(rng.random(len(ends)) < 0.3, 0, -1)
    times = np.sort(rng.integers(0, 14, (20, 9)) * 0.5, axis=1)
    for steady in (False, True):
        found = find_segments(ends, jumped, first, times, steady)
        jumps = (jumped >= 0).astype(np.int64)
        before = np.concatenate([[0], np.cumsum(jumps)])
        segment, place = np.zeros_like(found.segment), np.empty_like(found.place)
        place_samples(ends, jumps, before, first, times, segment, place, np.array([int(steady)]))
        np.testing.assert_array_equal(found.segment, segment)
        np.testing.assert_array_equal(found.place, place)
        # a sample lies in its segment
        rows, columns = np.nonzero(found.place >= 0)
        k = found.segment[rows, columns]
        assert (found.cuts[rows, k] <= found.place[rows, columns]).all()
        assert (found.place[rows, columns] < found.cuts[rows, k + 1]).all()
