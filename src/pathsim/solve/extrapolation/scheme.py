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
from math import comb, factorial, prod
from typing import NamedTuple

from ..llvm.vector_ir import LANES

Weights = tuple[tuple[float, ...], ...]
"""One number per round and lane."""


Wholes = dict[tuple[int, int], int]
"""A weight for substep i of column n, in units of 1/ONE."""

INSIDE_SHARE = 10
"""How many times nearer the dense output is than a curve of one derivative less, to go by: with it, samples inside
steps are about as accurate as ``rtol`` says (ten published models, 20 to 1000 samples)."""

ONE = INSIDE_SHARE * factorial(9) ** 3 * 2**24
"""What weights are whole multiples of, when this is one."""


class Round(NamedTuple):
    """One substep in every lane: ``factors``, of its two factorisations; ``c``, where it ends as a part of the step;
    ``moves``, whether it counts; ``restarts``, whether the lane has another column to begin after it."""

    factors: tuple[int, ...]
    c: tuple[float, ...]
    moves: tuple[bool, ...]
    restarts: tuple[bool, ...]


class Scheme(NamedTuple):
    """One method. ``steps`` (factorisations, lanes) are the numbers of substeps of the columns; ``m``, ``e``, ``g`` and
    each row of ``H`` weigh every U: new state minus old, its error, the largest error inside the step, and D."""

    name: str
    order: int
    steps: Weights
    rounds: tuple[Round, ...]
    m: Weights
    e: Weights
    g: Weights
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

    def spread(weights: Wholes) -> Weights:
        table = [[0.0] * LANES for _ in rounds]
        for substep, weight in weights.items():
            r, lane = place[substep]
            table[r][lane] = weight / ONE
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
        g=spread(_curve_error(columns)),
        H=tuple(spread(row) for row in _inside(columns)),
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


def _over(a: int, b: int) -> int:
    """a/b, which must be whole."""
    whole, rest = divmod(a, b)
    assert rest == 0
    return whole


def _at_zero(columns: Sequence[int]) -> dict[int, int]:
    """Weights of values at 1/n for each n, by which the polynomial through them is taken at zero."""
    return {
        n: _over(ONE * prod(n for other in columns if other != n), prod(n - other for other in columns if other != n))
        for n in columns
    }


def _ends(columns: Sequence[int]) -> Wholes:
    """Weights of every U in the extrapolated change of the state."""
    return {(n, i): weight for n, weight in _at_zero(columns).items() for i in range(n)}


def _derivative(columns: Sequence[int], k: int) -> Wholes:
    """Weights of every U in H^k/k! times the k-th derivative at the end of the step."""
    weights = {}
    for n, weight in _at_zero([n for n in columns if n > k]).items():
        for back in range(k):
            weights[n, n - 1 - back] = _over(weight * n**k * (-1) ** back * comb(k - 1, back), factorial(k))
    return weights


def _curve_error(columns: Sequence[int]) -> Wholes:
    """Weights of every U in what counts as the largest error inside the step: INSIDE_SHARE of the distance between the
    dense output and a curve made of one derivative less. That is C theta (1 - theta)^(q-1), where C is how far the
    Taylor series at the end misses the state at the start."""
    found = {substep: -weight for substep, weight in _ends(columns).items()}
    q = len(columns)
    for k in range(1, q):
        for substep, weight in _derivative(columns, k).items():
            found[substep] -= (-1) ** k * weight
    largest, below = (q - 1) ** (q - 1), INSIDE_SHARE * q**q
    return {substep: _over(weight * largest, below) for substep, weight in found.items()}


def _inside(columns: Sequence[int]) -> list[Wholes]:
    """Weights of every U in D_1, D_2, ...: of the polynomial through the state at both ends, with the derivatives at
    the second.

    With s = theta - 1 and the derivatives d_k it is y1 - (y1 - y) s^q + sum_k d_k/k! (s^k - (-1)^k s^q) for even q, one
    more than there are derivatives; less the straight line, and over theta (1 - theta).
    """
    q = len(columns)
    assert q % 2 == 0
    new = _ends(columns)
    found = [dict.fromkeys(new, 0) for _ in range(q - 1)]
    parts = [({q: -1, 1: -1}, new)]
    parts += [({k: 1, q: -((-1) ** k)}, _derivative(columns, k)) for k in range(1, q)]
    for terms, weights in parts:
        for row, factor in zip(found, _in_theta(terms), strict=False):
            for substep, weight in weights.items():
                row[substep] += factor * weight
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
