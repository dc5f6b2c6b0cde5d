"""Points of a sample by their number, without drawing the ones before: a chunk of a sweep needs only its own.

Sobol sequences come from scipy (Owen-scrambled, Joe-Kuo directions), which can skip. A Latin hypercube needs a random
permutation per dimension; here it is a keyed bijection (a Feistel network with cycle walking, Black & Rogaway 2002),
so that its i-th element costs the same whatever the size, and no list of the size of the sweep is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ..arrays import FloatArray, IntArray, WordArray
from ..errors import InputError


class Method(Enum):
    """How points fill the unit cube."""

    SOBOL = "sobol"
    LATIN_HYPERCUBE = "latin hypercube"


@dataclass(frozen=True, slots=True)
class Sample:
    """``points`` points in the unit cube of as many dimensions as there are ranges."""

    method: Method
    points: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.points < 1:
            raise InputError(f"[sample] points is {self.points}; at least 1 is needed")
        if self.method is Method.SOBOL and self.points & (self.points - 1):
            near = 1 << self.points.bit_length()
            raise InputError(
                f"[sample] points is {self.points}; a Sobol sample is balanced only at powers of 2 "
                f"({near // 2} or {near})"
            )

    def draw(self, numbers: IntArray, dimensions: int) -> FloatArray:
        """The points with these numbers, shape (len(numbers), dimensions), in [0, 1)."""
        if len(numbers) == 0 or dimensions == 0:
            return np.zeros((len(numbers), dimensions))
        if self.method is Method.SOBOL:
            wanted, where = np.unique(numbers, return_inverse=True)
            runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1)  # two where a chunk spans two lines
            drawn = [_sobol(int(run[0]), int(run[-1]) + 1, dimensions, self.seed) for run in runs]
            return np.vstack(drawn)[where]
        return np.column_stack(
            [_latin(numbers.astype(np.uint64), self.points, self.seed, column) for column in range(dimensions)]
        )


def _sobol(first: int, last: int, dimensions: int, seed: int) -> FloatArray:
    from scipy.stats import qmc  # slow to load, and only wanted here

    engine = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if first:
        engine.fast_forward(first)
        return engine.random(last - first)
    start = engine.random(1)  # drawn on its own, since scipy warns of any first draw that is no power of 2
    return np.vstack([start, engine.random(last - 1)]) if last > 1 else start


def _latin(numbers: WordArray, points: int, seed: int, dimension: int) -> FloatArray:
    """One coordinate: each of ``points`` equal intervals holds exactly one point."""
    key = (seed << 20) + 2 * dimension
    place = shuffled(numbers, points, key)
    jitter = (_mix(numbers + np.uint64(1), key + 1) >> np.uint64(11)).astype(float) * 2.0**-53
    return np.minimum((place.astype(float) + jitter) / points, np.nextafter(1.0, 0.0))


def shuffled(numbers: WordArray, size: int, key: int) -> WordArray:
    """Where a random permutation of ``range(size)``, chosen by ``key``, sends ``numbers``."""
    half = max(1, -(-(size - 1).bit_length() // 2))
    result = _feistel(numbers, half, key)
    while (outside := result >= size).any():  # the network permutes a power of 4; walk on until back inside
        result[outside] = _feistel(result[outside], half, key)
    return result


def _feistel(numbers: WordArray, half: int, key: int) -> WordArray:
    mask = np.uint64((1 << half) - 1)
    left, right = numbers >> np.uint64(half), numbers & mask
    for turn in range(6):
        left, right = right, left ^ (_mix(right, (key << 3) + turn) & mask)
    return (left << np.uint64(half)) | right


def _mix(words: WordArray, key: int) -> WordArray:
    """Random-looking words (the splitmix64 finaliser: Steele, Lea, Flood 2014)."""
    start = np.uint64((key * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF)
    with np.errstate(over="ignore"):
        z = words * np.uint64(0x9E3779B97F4A7C15) + start
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
