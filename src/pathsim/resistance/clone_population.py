"""A culture of clones: growth from the pathway model, births and deaths one by one where cells are few.

Each clone is the parental line with a set of alterations. Its net growth and death rate at a dose are those of the
model after two weeks at that dose. Over a step the number of cells of a clone follows the exact law of the linear
birth-death process (Bailey 1964, The Elements of Stochastic Processes, 8.6), or its mean where the culture is treated
as deterministic; both have the same mean, and differ by the square root of the number of cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..arrays import FloatArray, IntArray
from ..errors import SimulationError
from ..experiments.readings import simulate_conditions
from ..lab import CellLine, Condition, Library, Treatment
from ..lab.clones import Clone
from ..lab.protocols import protocols
from ..model import Model
from ..threads import Workers
from ..units import number_text

SETTLED_DAYS = 14.0


@dataclass(frozen=True, eq=False)
class Culture:
    """Clones of one line: ``members`` are sets of positions in ``clones``; ``lines`` the cell lines they are."""

    model: Model
    parental: CellLine
    clones: tuple[Clone, ...]
    members: tuple[frozenset[int], ...]
    lines: tuple[CellLine, ...]
    library: Library

    @property
    def names(self) -> list[str]:
        """What each member carries: ``parental``, ``PTEN_loss``, ``PTEN_loss+MAPK_up``."""
        return ["+".join(self.clones[i].alteration for i in sorted(one)) or "parental" for one in self.members]

    def start(self, cells: float) -> FloatArray:
        """Expected numbers before any drug: single changes at their frequency, nothing double."""
        numbers = np.zeros(len(self.members))
        for i, one in enumerate(self.members):
            if len(one) == 1:
                numbers[i] = cells * self.clones[next(iter(one))].frequency
        numbers[0] = cells - numbers.sum()
        return numbers

    def rates(self, drug: str, doses_nM: Sequence[float], workers: Workers = None) -> tuple[FloatArray, FloatArray]:
        """Birth and death rates (doses, members) in 1/day after two weeks at each dose.

        Lines one after another: those who share the work then let few of them come to rest more than once."""
        texts = [f"serum 10 % + {drug} {number_text(dose)} nM" if dose else "serum 10 %" for dose in doses_nM]
        treatments = [Treatment.parse(text) for text in texts]
        conditions = [Condition(line, treatment) for line in self.lines for treatment in treatments]
        ends = [(SETTLED_DAYS - 1) * 1440, SETTLED_DAYS * 1440]
        names = protocols(self.model.version).names
        readouts = [names.cell_count, names.hazard]
        found = simulate_conditions(self.model, conditions, ends, readouts, self.library, workers=workers)
        values = found.reshape(len(self.lines), len(treatments), 2, 2).transpose(1, 0, 2, 3)
        net = np.log(values[:, :, 1, 0] / values[:, :, 0, 0])
        death = np.maximum(values[:, :, 1, 1] * 1440, np.maximum(-net, 0.0))
        if not np.isfinite(net).all():
            raise SimulationError(f"{self.parental} under {drug}: a clone has no growth rate")
        return net + death, death

    def arising(self, drugged: bool) -> tuple[FloatArray, FloatArray]:
        """Probabilities (members, members), from row to column: per division, and per day."""
        n = len(self.members)
        position = {one: i for i, one in enumerate(self.members)}
        by_division, by_day = np.zeros((n, n)), np.zeros((n, n))
        for i, one in enumerate(self.members):
            for j, clone in enumerate(self.clones):
                if j not in one:
                    to = position.get(one | {j})
                    if to is not None and clone.genetic:
                        by_division[i, to] = clone.rate
                    elif to is not None and drugged:
                        by_day[i, to] = clone.rate
                elif not clone.genetic and not drugged:
                    by_day[i, position[one - {j}]] = clone.fading
        return by_division, by_day


def make_culture(
    model: Model, parental: CellLine, clones: Sequence[Clone], library: Library, most_changes: int = 3
) -> Culture:
    """All clones with up to ``most_changes`` changes."""
    sets = [frozenset(c) for size in range(most_changes + 1) for c in combinations(range(len(clones)), size)]
    lines = []
    for one in sets:
        line = parental
        for i in sorted(one):
            line = line.altered(library.alterations[clones[i].alteration])
        lines.append(line)
    return Culture(model, parental, tuple(clones), tuple(sets), tuple(lines), library)


def step_mean(
    cells: FloatArray, birth: FloatArray, death: FloatArray, by_division: FloatArray, by_day: FloatArray, days: float
) -> FloatArray:
    """Expected cells (members,) after ``days``."""
    grown = cells * np.exp((birth - death) * days)
    divisions = birth * cells * _grown_days(birth - death, days)
    new = divisions[:, None] * by_division + (grown[:, None] * -np.expm1(-by_day * days))
    return np.asarray(grown + new.sum(axis=0) - new.sum(axis=1))


def step_random(
    cells: IntArray,
    birth: FloatArray,
    death: FloatArray,
    by_division: FloatArray,
    by_day: FloatArray,
    days: float,
    random: np.random.Generator,
) -> IntArray:
    """As :func:`step_mean`, cell by cell: whole numbers drawn from the law of the birth-death process."""
    net = birth - death
    growth = np.exp(net * days)
    same = np.abs(net) * days < 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.where(same, death * days / (1 + death * days), death * (growth - 1) / (birth * growth - death))
        share = np.where(same, birth * days / (1 + birth * days), birth * (growth - 1) / (birth * growth - death))
    survivors = random.binomial(cells, 1 - np.clip(lost, 0.0, 1.0))
    grown = survivors.copy()
    some = survivors > 0
    grown[some] += random.negative_binomial(survivors[some], np.clip(1 - share[some], 1e-12, 1.0))
    divisions = birth * cells * _grown_days(net, days)
    result = grown.copy()
    for i in np.flatnonzero(grown):
        for j in np.flatnonzero(by_division[i] + by_day[i]):
            drawn = random.poisson(divisions[i] * by_division[i, j]) if by_division[i, j] else 0
            drawn += random.binomial(grown[i], -np.expm1(-by_day[i, j] * days)) if by_day[i, j] else 0
            moved = min(int(drawn), int(result[i]))
            result[i] -= moved
            result[j] += moved
    return np.asarray(result)


def _grown_days(net: FloatArray, days: float) -> FloatArray:
    """Integral of exp(net t) over a step."""
    x = net * days
    return np.asarray(days * np.where(np.abs(x) < 1e-9, 1 + x / 2, np.expm1(x) / np.where(x == 0, 1.0, x)))
