"""Wells of a drug combination: doses and responses, checked row by row, in one scale.

Inside, a response is viability as a fraction of the untreated control (1 = no effect). Wells at the same doses are
replicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ... import arguments, shown
from ...arrays import FloatArray, IndexArray
from ...errors import InputError, brief, raise_together
from ...shown import Shown
from ...table import check_table, numeric_cells
from ...units import time_text
from .. import logistic
from ..doses import Doses, drug_columns, read_doses
from ..rounding import settled

if TYPE_CHECKING:
    import pandas as pd


class Response(Enum):
    """What a response number means; the value is how it is said."""

    VIABILITY_FRACTION = "viability as a fraction of control (1 = no effect)"
    VIABILITY_PERCENT = "viability in percent of control (100 = no effect)"
    INHIBITION_FRACTION = "inhibition as a fraction (0 = no effect)"
    INHIBITION_PERCENT = "inhibition in percent (0 = no effect)"
    SIGNAL = "a raw signal (counts, luminescence), to be divided by the mean untreated well"

    @classmethod
    def of_table(cls, units: set[str]) -> Response:
        """What the ``unit`` column of a table says; a fraction of control when it says nothing of percent."""
        return (
            cls.VIABILITY_PERCENT if units and all(unit.startswith("%") for unit in units) else cls.VIABILITY_FRACTION
        )

    @property
    def percent(self) -> bool:
        """Whether the control stands at 0 or 100 percent rather than 0 or 1."""
        return self in (Response.VIABILITY_PERCENT, Response.INHIBITION_PERCENT)

    def to_viability(self, values: FloatArray) -> FloatArray:
        """Viability as a fraction of control; a raw signal as it stands."""
        scaled = values / 100.0 if self.percent else values
        inhibition = self in (Response.INHIBITION_FRACTION, Response.INHIBITION_PERCENT)
        return 1.0 - scaled if inhibition else scaled


@dataclass(frozen=True, slots=True)
class Wells:
    """Measured or simulated wells of one combination experiment.

    ``doses`` (wells, drugs) in ``units``, ``viability`` (wells,) as a fraction of control, ``name`` of the block. Doses
    of a drug that are equal within rounding are made one.

    Raises :class:`InputError` for shapes that do not fit, doses that are negative and numbers that are not finite.
    """

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    doses: FloatArray = field(repr=False)
    viability: FloatArray = field(repr=False)
    name: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        drugs, units = arguments.words(self.drugs, "drugs"), arguments.words(self.units, "units")
        doses, viability = _table_of(self.doses, self.viability)
        if not len(drugs) == len(units) == doses.shape[1]:
            raise InputError(f"{doses.shape[1]} dose columns, {len(drugs)} drug names and {len(units)} units")
        if len(set(drugs)) < len(drugs):
            raise InputError(f"drugs are {', '.join(drugs)}; name each once (a drug with itself as 'A' and 'A (2)')")
        labels = [arguments.row_label(i) for i in range(len(viability))]
        raise_together(arguments.shortened(_bad_numbers(doses, viability, drugs, labels)), "wells")
        for name, value in (
            ("drugs", drugs),
            ("units", units),
            ("viability", viability),
            ("doses", np.column_stack([settled(column) for column in doses.T])),
        ):
            object.__setattr__(self, name, value)

    def _shown(self) -> Shown:
        rows = [
            {**dict(zip(self._columns, doses, strict=True)), "viability": value}
            for doses, value in zip(self.doses.tolist(), self.viability.tolist(), strict=True)
        ]
        named = f"{self.name}: " if self.name else ""
        return Shown(f"{named}{len(rows)} wells of {' + '.join(self.drugs)}", rows, self.notes)

    @property
    def _columns(self) -> list[str]:
        return [f"{drug} ({unit})" for drug, unit in zip(self.drugs, self.units, strict=True)]

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def conditions(self) -> Conditions:
        """The distinct dose combinations."""
        doses, where = np.unique(self.doses, axis=0, return_inverse=True)
        where = where.reshape(-1)
        counts = np.bincount(where)
        return Conditions(self.drugs, self.units, doses, np.bincount(where, self.viability) / counts, counts, where)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Distinct dose combinations: ``doses`` (m, drugs), ``means`` and ``counts`` (m,), ``where`` (wells,) maps back."""

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    doses: FloatArray
    means: FloatArray
    counts: IndexArray
    where: IndexArray

    @property
    def combined(self) -> IndexArray:
        """Which conditions combine drugs (two or more doses above zero)."""
        return np.flatnonzero((self.doses > 0).sum(axis=1) >= 2)

    @property
    def untreated(self) -> int | None:
        """The condition without any drug, None if it was not measured."""
        found = np.flatnonzero((self.doses == 0).all(axis=1))
        return int(found[0]) if len(found) else None

    def alone(self, drug: int) -> IndexArray:
        """Conditions with only ``drug`` above zero, by rising dose."""
        others = np.delete(self.doses, drug, axis=1)
        return np.flatnonzero((others == 0).all(axis=1) & (self.doses[:, drug] > 0))

    def text(self, condition: int) -> str:
        """The doses of a condition in words."""
        return _dose_text(self.drugs, self.units, self.doses[condition])

    def partners(self) -> IndexArray:
        """For each combination and drug, the condition with that drug alone at that dose; -1 where dose is zero.

        Raises :class:`InputError` listing every single-drug well that is missing.
        """
        combined = self.combined
        found = np.full((len(combined), len(self.drugs)), -1, dtype=np.intp)
        problems: dict[str, None] = {}
        for drug, name in enumerate(self.drugs):
            alone = {float(self.doses[i, drug]): int(i) for i in self.alone(drug)}
            for row, condition in enumerate(combined):
                dose = float(self.doses[condition, drug])
                if dose == 0:
                    continue
                if dose in alone:
                    found[row, drug] = alone[dose]
                else:
                    problems.setdefault(
                        f"{name} alone at {dose:g} {self.units[drug]} (needed for {self.text(int(condition))})"
                    )
        raise_together(list(problems), "missing single-drug wells (loewe and combination_index do without them)")
        return found


def from_arrays(
    doses: npt.ArrayLike,
    responses: npt.ArrayLike,
    drugs: Sequence[str] | None = None,
    units: Sequence[str] | str = "nM",
    scale: Response = Response.VIABILITY_FRACTION,
    name: str = "",
    rows: Sequence[str] | None = None,
) -> Wells:
    """Wells from plain arrays.

    Args:
        doses: (wells, drugs), zero where a drug is absent.
        responses: (wells,) in ``scale``.
        drugs, units: names, and dose units (one for all or one each).
        rows: how to name each well in messages; ``row 1`` ... by default.

    Raises:
        InputError: lists every row with a number that is not finite or a negative dose; responses that look like
            another scale; fewer than two drugs given.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    """
    if scale not in list(Response):
        choices = ", ".join(f"Response.{one.name}" for one in Response)
        raise InputError(f"scale is {brief(repr(scale))}; give one of {choices}")
    given, values = _table_of(doses, responses)
    names = (
        arguments.words(drugs, "drugs") if drugs is not None else tuple(f"drug {i + 1}" for i in range(given.shape[1]))
    )
    symbols = (units,) * given.shape[1] if isinstance(units, str) else arguments.words(units, "units")
    if not len(names) == len(symbols) == given.shape[1]:
        raise InputError(f"{given.shape[1]} dose columns, {len(names)} drug names and {len(symbols)} units")
    labels = list(rows) if rows is not None else [arguments.row_label(i) for i in range(len(values))]
    heading = f"combination {name}" if name else "combination"
    given = np.column_stack([settled(column) for column in given.T]) if given.size else given
    problems = arguments.shortened(_bad_numbers(given, values, names, labels))
    raise_together(problems or _wrong_scale(values, scale, labels), heading)
    used = np.atleast_1d((given > 0).any(axis=0))
    problems = [f"{drug} is given at no dose above zero" for drug, there in zip(names, used, strict=True) if not there]
    if len(names) < 2:
        problems.append("a combination needs at least two drugs")
    raise_together(problems, heading)
    if scale is Response.SIGNAL:
        return normalised(Wells(names, symbols, given, values, name))
    return Wells(names, symbols, given, scale.to_viability(values), name, _far_replicates(given, values, scale, labels))


def from_matrix(
    doses_1: Iterable[float],
    doses_2: Iterable[float],
    responses: npt.ArrayLike,
    drugs: Sequence[str] | None = None,
    units: Sequence[str] | str = "nM",
    scale: Response = Response.VIABILITY_FRACTION,
    name: str = "",
) -> Wells:
    """Wells from a dose matrix (len(doses_1), len(doses_2)); a third axis holds replicates. Raises as from_arrays.

    >>> wells = ps.synergy.from_matrix([0, 10], [0, 5, 50], [[1.0, 0.9, 0.5], [0.8, 0.6, 0.3]], ("a", "b"))
    >>> len(wells.viability)
    6
    """
    first, second = arguments.column(doses_1, "dose of drug 1"), arguments.column(doses_2, "dose of drug 2")
    values = arguments.array(responses, "response")
    if values.ndim not in (2, 3) or values.shape[:2] != (len(first), len(second)):
        raise InputError(f"the matrix has shape {values.shape}; expected ({len(first)}, {len(second)}) for these doses")
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1)
    stacked = values.reshape(len(first), len(second), -1)
    copies = stacked.shape[2]
    rows = [
        f"row {i + 1}, column {j + 1}" for i in range(len(first)) for j in range(len(second)) for _ in range(copies)
    ]
    return from_arrays(
        np.repeat(grid.reshape(-1, 2), copies, axis=0), stacked.reshape(-1), drugs, units, scale, name, rows
    )


def from_table(
    frame: pd.DataFrame,
    *,
    cell_line: str | None = None,
    readout: str | None = None,
    time_min: float | None = None,
    scale: Response | None = None,
) -> Wells:
    """Wells from one experiment of the one table (:func:`experiments` takes them all).

    Drugs and doses come from the columns of a screen or else from ``treatment``. Without a ``scale`` the table's
    ``unit`` column says it (``% of vehicle``), else values are viability fractions.

    Raises:
        InputError: when several cell lines, readouts or times are in the table and none is chosen, a treatment cannot
            be read, or anything :func:`from_arrays` objects to (rows counted from 1, without the header).

    >>> wells = ps.synergy.from_table(ps.combination_screen("pi3k_mapk", "T47D", ["alpelisib", "trametinib"], "1 uM"))
    >>> wells.drugs
    ('alpelisib', 'trametinib')
    """
    checked = check_table(frame, "combination table", first_row=1).reset_index(drop=True)
    part, problems = checked, []
    for column, chosen in (("cell_line", cell_line), ("readout", readout), ("time_min", time_min)):
        present = list(part[column].unique())
        if chosen is not None:
            part = part[part[column] == chosen]
            if part.empty:
                problems.append(f"{column} {chosen!r} is not in the table; it has {', '.join(map(str, present[:8]))}")
                break
        elif len(present) > 1:
            problems.append(
                f"the table has {len(present)} of {column} ({', '.join(map(str, present[:4]))}, ...); "
                f"choose one with {column}="
            )
    raise_together(problems, "combination table")
    return _one_experiment(part, part.index.to_numpy(), read_doses(part), scale)


def experiments(frame: pd.DataFrame, scale: Response | None = None) -> list[Wells]:
    """Wells of every combination in the one table: each cell line, readout, time and set of drugs given together.

    In a table read by its treatments every pair of drugs that occurs together is an experiment, with the wells of the
    two alone; in a screen each set of drug columns.

    Raises :class:`InputError` listing the problems of every experiment, or when no drugs are combined.

    >>> found = ps.synergy.experiments(pd.read_csv("many_screens.csv"))  # doctest: +SKIP
    """
    checked = check_table(frame, "combination table", first_row=1).reset_index(drop=True)
    named = drug_columns(checked)
    for drug, dose in named:
        checked[drug] = _names_beside_doses(checked, drug, dose)
    found, problems = [], []
    for _, part in checked.groupby(["cell_line", "readout", "time_min", *(drug for drug, _ in named)], sort=False):
        try:
            doses = read_doses(part)
            for chosen in _sets(doses, bool(named)):
                mask = (np.delete(doses.values, chosen, axis=1) == 0).all(axis=1)
                kept = Doses(
                    tuple(doses.drugs[i] for i in chosen),
                    tuple(doses.units[i] for i in chosen),
                    doses.values[mask][:, chosen],
                )
                found.append(_one_experiment(part[mask], part.index.to_numpy()[mask], kept, scale))
        except InputError as error:
            problems.append(str(error))
    raise_together(problems, "combination table")
    if not found:
        raise InputError("no row of the table combines two drugs")
    return found


def _names_beside_doses(frame: pd.DataFrame, drug: str, dose: str) -> pd.Series:
    """The drug of every row of a screen; a row at dose zero that names a solvent, or nothing, belongs to the screen's
    only drug in that column. Raises :class:`InputError` where there are several and such a row could be of any."""
    given = numeric_cells(frame[dose]) > 0
    names = frame[drug].map(lambda name: "" if arguments.is_missing(name) else str(name).strip())
    known = list(dict.fromkeys(names[given]))
    stray = ~given & ~names.isin([name for name in known if name])
    if len(known) > 1:
        raise_together(
            arguments.shortened(
                [
                    f"row {row + 1}: {drug} is '{names.iloc[row]}' at dose zero, while there are {len(known)} drugs "
                    "in the column; name the one whose control this is"
                    for row in np.flatnonzero(stray)
                ]
            ),
            "combination table",
        )
    return names.where(~stray, known[0]) if known else names


def _sets(doses: Doses, whole: bool) -> list[list[int]]:
    """Columns of the drugs of each experiment: all of a screen, else every pair that occurs together."""
    given = doses.values > 0
    if whole:
        return [list(range(len(doses.drugs)))]
    size = len(doses.drugs)
    pairs = [[i, j] for i in range(size) for j in range(i + 1, size)]
    alone = [(np.delete(given, pair, axis=1) == 0).all(axis=1) for pair in pairs]
    return [pair for pair, mask in zip(pairs, alone, strict=True) if (given[:, pair].all(axis=1) & mask).any()]


def _one_experiment(part: pd.DataFrame, rows: IndexArray, doses: Doses, scale: Response | None) -> Wells:
    if part.empty:
        raise InputError("the table has no rows")
    said = {str(unit) for unit in part["unit"].dropna().unique()} if "unit" in part.columns else set()
    line, what, time = (part[column].iloc[0] for column in ("cell_line", "readout", "time_min"))
    name = f"{line}, {what}, {time_text(float(time))}"
    labels = [f"row {row + 1}" for row in rows.tolist()]
    values = part["value"].to_numpy(dtype=float)
    return from_arrays(doses.values, values, doses.drugs, doses.units, scale or Response.of_table(said), name, labels)


def normalised(wells: Wells) -> Wells:
    """The same wells as a fraction of the mean untreated well.

    Raises :class:`InputError` when no untreated well was measured or their mean is not above zero.

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> float(ps.synergy.normalised(screen).viability.max())
    1.0
    """
    conditions = wells.conditions
    if conditions.untreated is None:
        raise InputError("no untreated well (every dose zero) to normalise by")
    control = conditions.means[conditions.untreated]
    if not control > 0:
        raise InputError(f"the untreated wells average {control:g}; nothing can be normalised by that")
    return replace(wells, viability=wells.viability / control)


def corrected_baseline(wells: Wells) -> Wells:
    """Every response moved so that the lowest fitted single-drug inhibition becomes zero (SynergyFinder, "all").

    ``y - (100 - y) / 100 * baseline`` in percent inhibition; nothing changes when no fitted inhibition is negative.

    >>> grid = [[a, b] for a in (0, 1, 10, 100) for b in (0, 1, 10, 100)]
    >>> wells = ps.synergy.from_arrays(grid, [1.05 / (1 + a / 9) / (1 + b / 9) for a, b in grid])
    >>> corrected = ps.synergy.corrected_baseline(wells)  # doctest: +SKIP
    """
    return replace(wells, viability=wells.viability * (1.0 + _baseline(wells.conditions)))


def corrected_negatives(wells: Wells) -> Wells:
    """As :func:`corrected_baseline`, for negative inhibitions only (SynergyFinder, "part").

    >>> grid = [[a, b] for a in (0, 10, 100, 1000) for b in (0, 10, 100, 1000)]
    >>> viability = [1 / (1 + a / 90) / (1 + b / 50) for a, b in grid]
    >>> screen = ps.synergy.from_arrays(grid, viability, ("alpelisib", "capivasertib"))
    >>> float(ps.synergy.corrected_negatives(screen).viability.max()) <= 1.0
    True
    """
    negative = wells.viability > 1.0
    scale = np.where(negative, 1.0 + _baseline(wells.conditions), 1.0)
    return replace(wells, viability=wells.viability * scale)


def _baseline(conditions: Conditions) -> float:
    """The lowest inhibition (fraction, at most 0) on the fitted curves of the single drugs."""
    lowest = 0.0
    for drug, name in enumerate(conditions.drugs):
        rows = list(conditions.alone(drug))
        if conditions.untreated is not None:
            rows.insert(0, conditions.untreated)
        if len(rows) < 4:
            raise InputError(f"{name} alone was measured at {len(rows)} doses; the curve behind a baseline needs four")
        doses = conditions.doses[rows, drug]
        fitted = logistic.evaluate(doses, logistic.fit_many(doses, conditions.means[None, rows]).theta)
        lowest = min(lowest, 1.0 - float(fitted.max()))
    return lowest


def _table_of(doses: object, responses: object) -> tuple[FloatArray, FloatArray]:
    """Doses (wells, drugs) and responses (wells,) as numbers. Raises InputError when they have other shapes."""
    given, values = arguments.array(doses, "dose"), arguments.array(responses, "response")
    if given.ndim != 2 or values.shape != given.shape[:1]:
        raise InputError(
            f"doses have shape {given.shape} and responses {values.shape}; expected (wells, drugs) and (wells,)"
        )
    return given, values


def _bad_numbers(doses: FloatArray, values: FloatArray, names: Sequence[str], labels: Sequence[str]) -> list[str]:
    def label(row: int) -> str:
        return labels[row]

    problems = []
    for column, name in enumerate(names):
        each = doses[:, column]
        problems += arguments.not_finite(each, f"the dose of {name}", label)
        problems += [
            f"{labels[row]}: the dose of {name} is negative ({each[row]:g})"
            for row in np.flatnonzero(each < 0).tolist()
        ]
        problems += [
            f"{labels[row]}: the dose of {name} is {each[row]:g}, too small to count with; use a smaller unit"
            for row in np.flatnonzero((each > 0) & (each < 1 / arguments.LARGEST)).tolist()
        ]
    missing = arguments.not_finite(values, "the response", label)
    return problems + [f"{problem} (leave out a missing well)" for problem in missing]


def _wrong_scale(values: FloatArray, scale: Response, labels: Sequence[str]) -> list[str]:
    """Percent among fractions and the other way round: the control tells the scale, a factor 100 is no noise."""
    if not len(values):
        return ["there are no wells"]
    if scale is Response.SIGNAL:
        return []
    large = np.flatnonzero(np.abs(values) > 5.0)
    if not scale.percent and len(large):
        if len(large) < 0.5 * len(values):
            return [f"{labels[i]}: {values[i]:g} looks like percent among fractions; use one scale" for i in large[:20]]
        return [
            f"responses up to {values.max():g} look like percent, or like a raw signal; say so with "
            "scale=Response.VIABILITY_PERCENT, INHIBITION_PERCENT or SIGNAL"
        ]
    if scale.percent and len(values) > 3 and np.abs(values).max() <= 2.0:
        return [f"responses between {values.min():g} and {values.max():g} look like fractions, not {scale.value}"]
    return []


def _far_replicates(doses: FloatArray, values: FloatArray, scale: Response, labels: Sequence[str]) -> tuple[str, ...]:
    _, where = np.unique(doses, axis=0, return_inverse=True)
    where = where.reshape(-1)
    limit = 50.0 if scale.percent else 0.5
    notes = []
    for condition in range(int(where.max()) + 1):
        rows = np.flatnonzero(where == condition)
        spread = float(np.ptp(values[rows]))
        if spread > limit:
            shown = ", ".join(labels[int(i)] for i in list(rows)[:4])
            notes.append(f"replicates differ by {spread:.3g} ({shown}); averaged as measured")
    return tuple(notes)


def _dose_text(drugs: Sequence[str], units: Sequence[str], doses: FloatArray) -> str:
    given = [f"{drug} {dose:g} {unit}" for drug, dose, unit in zip(drugs, doses, units, strict=True) if dose > 0]
    return " + ".join(given) or "untreated"
