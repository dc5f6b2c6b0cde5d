"""What reactions cannot change: conserved moieties, found from the stoichiometry alone.

A moiety is a weighted sum of amounts that every reaction leaves as it is: weights w with w N = 0 for the stoichiometric
matrix N (species x reactions). See C. Reder, J. theor. Biol. 135:175 (1988); S. Schuster and T. Höfer, J. Chem. Soc.
Faraday Trans. 87:2561 (1991).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .maths import Expr
from .records import Model

Row = dict[int, int]


@dataclass(frozen=True, slots=True)
class Moiety:
    """A conserved total: ``weights`` (integers without a common divisor) times the amounts of ``species``."""

    species: tuple[str, ...]
    weights: tuple[int, ...]

    def __str__(self) -> str:
        terms = [
            (" - " if weight < 0 else " + ") + ("" if abs(weight) == 1 else f"{abs(weight)} ") + name
            for name, weight in zip(self.species, self.weights, strict=True)
        ]
        return "".join(terms).removeprefix(" + ").strip()


def conserved_moieties(model: Model) -> tuple[Moiety, ...]:
    """A basis of the moieties that the reactions of ``model`` conserve, those with few species first.

    Weights are positive wherever the network allows it. Species that nothing changes are left out, and so is every
    total that a rate rule or an event can change.
    """
    free = [item.id for item in model.species if not item.boundary and not item.constant and item.id not in model.rules]
    stoichiometry = Stoichiometry.of(model, free)
    changed = {rule.variable for rule in model.rate_rules}
    changed |= {rule.variable for event in model.events for rule in event.assignments}
    rows = [row for name, row in zip(free, stoichiometry.rows, strict=True) if row and name not in changed]
    names = [name for name, row in zip(free, stoichiometry.rows, strict=True) if row and name not in changed]
    found = _positive(rows, null_space(rows))
    found.sort(key=lambda weights: (len(weights), sorted(weights)))
    return tuple(
        Moiety(tuple(names[i] for i in sorted(weights)), tuple(weights[i] for i in sorted(weights)))
        for weights in found
    )


@dataclass(frozen=True)
class Stoichiometry:
    """How much each of some species gains in each process: ``rows[i]`` maps processes to whole numbers.

    Reactions come first. Where a stoichiometry or a conversion factor is not a fixed number, the species gets a process
    of its own, so that nothing is taken for conserved that may not be.
    """

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, model: Model, species: Sequence[str]) -> Stoichiometry:
        """The rows of ``species``."""
        index = {name: i for i, name in enumerate(species)}
        fixed = _fixed_numbers(model)
        rows: list[dict[int, Fraction]] = [{} for _ in species]
        own = len(model.reactions)
        for j, reaction in enumerate(model.reactions):
            for participants, sign in ((reaction.reactants, -1), (reaction.products, 1)):
                for participant in participants:
                    i = index.get(participant.species)
                    if i is None:
                        continue
                    amount = _number(participant.stoichiometry, fixed)
                    name = model.species_by_id[participant.species].conversion_factor or model.conversion_factor
                    factor = fixed.get(name) if name else 1.0
                    if amount is None or factor is None or not math.isfinite(amount * factor):
                        rows[i][own + i] = Fraction(1)
                    else:
                        rows[i][j] = rows[i].get(j, Fraction(0)) + sign * _fraction(amount) * _fraction(factor)
        return cls(tuple(_whole(row) for row in _cleared(rows)))


def null_space(rows: Sequence[Row]) -> list[Row]:
    """Integer weights w (row number -> weight) with sum w_i rows_i = 0: a basis in which every vector has a row of its
    own with weight 1 in no other. Fraction-free elimination, sparsest rows first."""
    waiting = [(dict(row), {i: 1}) for i, row in enumerate(rows)]
    found: list[Row] = []
    while waiting:
        position = min(range(len(waiting)), key=lambda k: (len(waiting[k][0]), len(waiting[k][1]), k))
        pivot, history = waiting.pop(position)
        if not pivot:
            found.append(history)
            continue
        column = min(pivot, key=lambda j: (sum(j in row for row, _ in waiting), j))
        for k, (row, past) in enumerate(waiting):
            if column in row:
                a, b = pivot[column], row[column]
                common = math.gcd(a, b)
                a, b = a // common, -b // common
                waiting[k] = _reduced(_combined(row, a, pivot, b), _combined(past, a, history, b))
    return found


def _combined(first: Row, a: int, second: Row, b: int) -> Row:
    """a*first + b*second without zeros."""
    total = {key: a * value for key, value in first.items()}
    for key, value in second.items():
        total[key] = total.get(key, 0) + b * value
    return {key: value for key, value in total.items() if value}


def _reduced(row: Row, history: Row) -> tuple[Row, Row]:
    common = math.gcd(*row.values(), *history.values())
    if common <= 1:
        return row, history
    return (
        {key: value // common for key, value in row.items()},
        {key: value // common for key, value in history.items()},
    )


def _positive(rows: Sequence[Row], basis: list[Row]) -> list[Row]:
    """A basis of the same space with positive weights as far as there is one.

    Where ``basis`` itself is not positive: for each species that is conserved at all, the vertex of least total weight
    among positive weights (a linear programme); of these, the shortest independent ones.
    """
    signed = [_signed(weights) for weights in basis]
    if all(min(weights.values()) > 0 for weights in signed):
        return signed
    members = sorted({i for weights in basis for i in weights})
    candidates = {tuple(sorted(weights.items())) for weights in signed if min(weights.values()) > 0}
    candidates |= {tuple(sorted(weights.items())) for weights in _vertices(rows, members)}
    ordered = [dict(items) for items in sorted(candidates, key=lambda items: (len(items), items))]
    chosen: list[Row] = []
    for weights in (*ordered, *signed):
        if len(chosen) < len(basis) and not null_space([*chosen, weights]):
            chosen.append(weights)
    return chosen


def _vertices(rows: Sequence[Row], members: Sequence[int]) -> Iterable[Row]:
    import numpy as np
    from scipy.optimize import linprog

    columns = {j: k for k, j in enumerate(sorted({j for i in members for j in rows[i]}))}
    balance = np.zeros((len(columns), len(members)))
    for k, i in enumerate(members):
        for j, value in rows[i].items():
            try:
                balance[columns[j], k] = value
            except OverflowError:  # beyond what the programme below can hold
                return
    bounds: list[tuple[float, float | None]] = [(0.0, None)] * len(members)
    for k in range(len(members)):
        bounds[k] = 1.0, 1.0
        answer = linprog(np.ones(len(members)), A_eq=balance, b_eq=np.zeros(len(columns)), bounds=bounds)
        bounds[k] = 0.0, None
        if not answer.success:
            continue
        near = [Fraction(float(weight)).limit_denominator(1000) for weight in np.asarray(answer.x)]
        weights = _whole(dict(zip(members, near, strict=True)))
        if weights and not _image(rows, weights):
            yield weights


def _image(rows: Sequence[Row], weights: Row) -> Row:
    total: Row = {}
    for i, weight in weights.items():
        total = _combined(total, 1, rows[i], weight)
    return total


def _signed(weights: Row) -> Row:
    """The vector or its negative, whichever has more positive weights; without common divisor."""
    common = math.gcd(*weights.values())
    sign = 1 if sum(value > 0 for value in weights.values()) * 2 >= len(weights) else -1
    return {key: sign * value // common for key, value in weights.items()}


def _fixed_numbers(model: Model) -> dict[str, float]:
    """Parameters whose value nothing changes."""
    changed = set(model.rules) | {rule.variable for rule in (*model.rate_rules, *model.initial_assignments)}
    changed |= {rule.variable for event in model.events for rule in event.assignments}
    return {parameter.id: parameter.value for parameter in model.parameters if parameter.id not in changed}


def _number(expr: Expr, fixed: Mapping[str, float]) -> float | None:
    if expr.op == "number":
        return expr.value
    return fixed.get(expr.name) if expr.op == "symbol" else None


def _fraction(value: float) -> Fraction:
    """A written decimal as the fraction it means."""
    near = Fraction(value).limit_denominator(1_000_000)
    return near if float(near) == value else Fraction(value)


def _cleared(rows: Iterable[dict[int, Fraction]]) -> list[dict[int, Fraction]]:
    """Every process multiplied by its denominators, which changes no conservation."""
    kept = [{j: value for j, value in row.items() if value} for row in rows]
    scale: dict[int, int] = {}
    for row in kept:
        for j, value in row.items():
            scale[j] = math.lcm(scale.get(j, 1), value.denominator)
    return [{j: value * scale[j] for j, value in row.items()} for row in kept]


def _whole(row: Mapping[int, Fraction]) -> Row:
    """The row times its common denominator, without zeros."""
    kept = {key: value for key, value in row.items() if value}
    scale = math.lcm(*(value.denominator for value in kept.values())) if kept else 1
    return {key: int(value * scale) for key, value in kept.items()}
