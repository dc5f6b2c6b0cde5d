"""Extrapolation of the linearly implicit Euler method as data: what each lane does in each round, and what it counts.

From (t, y), column j takes n_j substeps of H/n_j, all with the Jacobian of the start (P. Deuflhard, SIAM Review 27
(1985) 505; E. Hairer and G. Wanner, Solving Ordinary Differential Equations II, 2nd edition, section IV.9):

    (I n_j/H - J) U = f(t + (i+1) H/n_j, u),   u <- u + U      for i = 0 ... n_j - 1, from u = y

The ends of the columns have an expansion in the powers of H/n_j. The polynomial through them, taken at zero, is a new
state of as high an order as there are columns; without the shortest column, of one order less: the difference is the
error. Derivatives at the end of the step come from backward differences in the same way, the k-th from columns of more
than k substeps (what happens beside the start of a step would spoil them). With both ends they make the dense output

    y(t + theta H) = (1-theta) y + theta (y1 + (1-theta) (D_1 + theta (D_2 + theta (D_3 + ...)))).

All of it is linear in the U. Lane by lane the longest columns come first; a lane that has ended one takes a short one,
so that 8 columns on 4 lanes take 11 rounds and two factorisations, on 8 lanes 9 rounds and one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb, factorial
from typing import NamedTuple

from ..llvm.vector_ir import LANES

Weights = tuple[tuple[float, ...], ...]
"""One number per round and lane."""


class Round(NamedTuple):
    """One substep in every lane: ``factors``, of its two factorisations; ``c``, where it ends as a part of the step;
    ``moves``, whether it counts; ``restarts``, whether the lane has another column to begin after it."""

    factors: tuple[int, ...]
    c: tuple[float, ...]
    moves: tuple[bool, ...]
    restarts: tuple[bool, ...]


class Scheme(NamedTuple):
    """One method. ``steps`` (factorisations, lanes) are the numbers of substeps of the columns; ``m``, ``e`` and each
    row of ``H`` weigh every U: new state minus old, error, and D."""

    name: str
    order: int
    steps: Weights
    rounds: tuple[Round, ...]
    m: Weights
    e: Weights
    H: tuple[Weights, ...]

    def __repr__(self) -> str:
        return self.name

    @property
    def stages(self) -> int:
        return len(self.rounds)

    @property
    def exponent(self) -> float:
        """The step size that an error allows goes with the error to the power of minus this."""
        return 1 / self.order

    @property
    def error_is_last_stage(self) -> bool:
        return False


def scheme(columns: Sequence[int]) -> Scheme:
    """The method with columns of so many substeps, ascending."""
    long, short = list(columns[::-1][:LANES]), list(columns[: max(0, len(columns) - LANES)])
    if len(short) > LANES or len(long) < LANES:
        raise ValueError(f"{len(columns)} columns do not fill {LANES} lanes once or twice")
    tasks = [[long[lane], *short[lane : lane + 1]] for lane in range(LANES)]
    rounds = tuple(_round(tasks, r) for r in range(max(sum(task) for task in tasks)))
    place = {
        (n, i): (sum(task[:b]) + i, lane)
        for lane, task in enumerate(tasks)
        for b, n in enumerate(task)
        for i in range(n)
    }

    def spread(weights: Mapping[tuple[int, int], Fraction]) -> Weights:
        table = [[0.0] * LANES for _ in rounds]
        for substep, weight in weights.items():
            r, lane = place[substep]
            table[r][lane] = float(weight)
        return tuple(tuple(row) for row in table)

    new, other = _ends(columns), _ends(columns[1:])
    order = len(columns)
    steps = [long, [short[lane] if lane < len(short) else long[lane] for lane in range(LANES)]]
    return Scheme(
        name=f"Extrapolation{order}",
        order=order,
        steps=tuple(tuple(float(n) for n in row) for row in steps[: 2 if short else 1]),
        rounds=rounds,
        m=spread(new),
        e=spread({substep: weight - other.get(substep, 0) for substep, weight in new.items()}),
        H=tuple(spread(row) for row in _inside(columns, new)),
    )


def _round(tasks: Sequence[Sequence[int]], r: int) -> Round:
    """Round ``r`` of lanes that do their columns one after the other; a lane that has none left stands still."""
    factors, c, moves, restarts = [], [], [], []
    for task in tasks:
        b = next((b for b in range(len(task)) if r < sum(task[: b + 1])), len(task) - 1)
        done = r - sum(task[:b]) + 1
        factors.append(b)
        c.append(min(1.0, done / task[b]))
        moves.append(done <= task[b])
        restarts.append(done == task[b] and b + 1 < len(task))
    return Round(tuple(factors), tuple(c), tuple(moves), tuple(restarts))


def _at_zero(columns: Sequence[int]) -> dict[int, Fraction]:
    """Weights of values at 1/n for each n, by which the polynomial through them is taken at zero."""
    weights = {}
    for n in columns:
        weights[n] = Fraction(1)
        for other in columns:
            if other != n:
                weights[n] *= Fraction(n, n - other)
    return weights


def _ends(columns: Sequence[int]) -> dict[tuple[int, int], Fraction]:
    """Weights of every U in the extrapolated change of the state."""
    return {(n, i): weight for n, weight in _at_zero(columns).items() for i in range(n)}


def _derivative(columns: Sequence[int], k: int) -> dict[tuple[int, int], Fraction]:
    """Weights of every U in H^k times the k-th derivative at the end of the step."""
    weights = {}
    for n, weight in _at_zero([n for n in columns if n > k]).items():
        for back in range(k):
            weights[n, n - 1 - back] = weight * n**k * (-1) ** back * comb(k - 1, back)
    return weights


def _inside(columns: Sequence[int], new: Mapping[tuple[int, int], Fraction]) -> list[dict[tuple[int, int], Fraction]]:
    """Weights of every U in D_1, D_2, ...: of the polynomial through the state at both ends, with the derivatives at
    the second.

    With s = theta - 1 and the derivatives d_k it is y1 - (y1 - y) s^q + sum_k d_k/k! (s^k - (-1)^k s^q) for even q, one
    more than there are derivatives; less the straight line, and over theta (1 - theta).
    """
    most = len(columns) - 1
    q = most + 1
    assert q % 2 == 0
    found: list[dict[tuple[int, int], Fraction]] = [{} for _ in range(most)]

    def add(terms: Mapping[int, int], weights: Mapping[tuple[int, int], Fraction]) -> None:
        for power, factor in enumerate(_in_theta(terms)):
            for substep, weight in weights.items():
                found[power][substep] = found[power].get(substep, Fraction(0)) + factor * weight

    add({q: -1, 1: -1}, new)
    for k in range(1, most + 1):
        derivative = _derivative(columns, k)
        add({k: 1, q: -((-1) ** k)}, {substep: weight / factorial(k) for substep, weight in derivative.items()})
    return found


def _in_theta(terms: Mapping[int, int]) -> list[int]:
    """Coefficients in powers of theta of a sum of factor*(theta - 1)^power that is 0 at both ends, over
    theta (1 - theta)."""
    degree = max(terms)
    whole = [
        sum(factor * comb(power, j) * (-1) ** (power - j) for power, factor in terms.items() if power >= j)
        for j in range(degree + 1)
    ]
    assert whole[0] == 0
    quotient: list[int] = []
    carried = 0
    for coefficient in whole[1:]:  # over theta, then over 1 - theta
        carried += coefficient
        quotient.append(carried)
    assert quotient.pop() == 0
    return quotient


EXTRAPOLATION8 = scheme(range(2, 10))
"""Order 8, compared with order 7. Of columns 1 ... 8, 2 ... 9 and shorter ones, these need the least work at tolerances
below 1e-6."""
