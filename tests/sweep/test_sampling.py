"""Samples point by point: the same as all at once, and with the properties their names promise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import qmc

from pathsim.errors import InputError
from pathsim.sweep.sampling import Method, Sample, shuffled


@pytest.mark.parametrize("method", list(Method))
def test_pieces_are_the_whole(method: Method) -> None:
    sample = Sample(method, 256, seed=4)
    whole = sample.draw(np.arange(256), 3)
    cuts = [0, 1, 7, 100, 256]
    pieces = [sample.draw(np.arange(a, b), 3) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.vstack(pieces), whole)
    np.testing.assert_array_equal(sample.draw(np.array([9, 200, 3, 9]), 3), whole[[9, 200, 3, 9]])
    assert (whole >= 0).all()
    assert (whole < 1).all()


def test_sobol_is_scipys() -> None:
    ours = Sample(Method.SOBOL, 64, seed=11).draw(np.arange(64), 5)
    theirs = qmc.Sobol(5, scramble=True, rng=np.random.default_rng(11)).random_base2(6)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("points", [1, 2, 5, 97, 1000])
def test_latin_hypercube_has_one_point_in_every_interval(points: int) -> None:
    cube = Sample(Method.LATIN_HYPERCUBE, points, seed=2).draw(np.arange(points), 4)
    for column in cube.T:
        assert sorted((column * points).astype(int)) == list(range(points))


def test_latin_hypercube_fills_evenly() -> None:
    """Its discrepancy is that of scipy's hypercubes, far below that of plain random points."""
    ours = [qmc.discrepancy(Sample(Method.LATIN_HYPERCUBE, 200, seed=s).draw(np.arange(200), 2)) for s in range(20)]
    theirs = [qmc.discrepancy(qmc.LatinHypercube(2, rng=np.random.default_rng(s)).random(200)) for s in range(20)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.5)
    cube = Sample(Method.LATIN_HYPERCUBE, 4000, seed=0).draw(np.arange(4000), 6)
    assert np.abs(np.corrcoef(cube.T) - np.eye(6)).max() < 0.06


@pytest.mark.parametrize("size", [1, 2, 3, 10, 64, 1000, 4097])
def test_shuffled_is_a_permutation(size: int) -> None:
    once = shuffled(np.arange(size, dtype=np.uint64), size, 5)
    assert sorted(once.tolist()) == list(range(size))
    if size > 60:
        assert (once != shuffled(np.arange(size, dtype=np.uint64), size, 6)).mean() > 0.9
        assert abs(np.corrcoef(np.arange(size), once.astype(float))[0, 1]) < 0.4


def test_seeds_differ() -> None:
    for method in Method:
        one, two = (Sample(method, 32, seed=s).draw(np.arange(32), 2) for s in (0, 1))
        assert (one != two).any()


@pytest.mark.parametrize(("points", "said"), [(1000, "512 or 1024"), (0, "at least 1")])
def test_bad_samples(points: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Sample(Method.SOBOL, points)
