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

from ...arrays import FloatArray
from ...errors import InputError, raise_together
from .. import logistic
from ..doses import Doses, check_columns, drug_columns, read_doses

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

    ``doses`` (wells, drugs) in ``units``, ``viability`` (wells,) as a fraction of control, ``name`` of the block.
    """

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    doses: FloatArray = field(repr=False)
    viability: FloatArray = field(repr=False)
    name: str = ""
    notes: tuple[str, ...] = ()

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
    counts: npt.NDArray[np.intp]
    where: npt.NDArray[np.intp]

    @property
    def combined(self) -> npt.NDArray[np.intp]:
        """Which conditions combine drugs (two or more doses above zero)."""
        return np.flatnonzero((self.doses > 0).sum(axis=1) >= 2)

    @property
    def untreated(self) -> int | None:
        """The condition without any drug, None if it was not measured."""
        found = np.flatnonzero((self.doses == 0).all(axis=1))
        return int(found[0]) if len(found) else None

    def alone(self, drug: int) -> npt.NDArray[np.intp]:
        """Conditions with only ``drug`` above zero, by rising dose."""
        others = np.delete(self.doses, drug, axis=1)
        return np.flatnonzero((others == 0).all(axis=1) & (self.doses[:, drug] > 0))

    def text(self, condition: int) -> str:
        """The doses of a condition in words."""
        return _dose_text(self.drugs, self.units, self.doses[condition])

    def partners(self) -> npt.NDArray[np.intp]:
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
    """
    given, values = np.asarray(doses, dtype=float), np.asarray(responses, dtype=float)
    if given.ndim != 2 or values.shape != given.shape[:1]:
        raise InputError(
            f"doses have shape {given.shape} and responses {values.shape}; expected (wells, drugs) and (wells,)"
        )
    names = tuple(drugs) if drugs is not None else tuple(f"drug {i + 1}" for i in range(given.shape[1]))
    symbols = (units,) * given.shape[1] if isinstance(units, str) else tuple(units)
    if not len(names) == len(symbols) == given.shape[1]:
        raise InputError(f"{given.shape[1]} dose columns, {len(names)} drug names and {len(symbols)} units")
    labels = list(rows) if rows is not None else [f"row {i + 1}" for i in range(len(values))]
    heading = f"combination {name}" if name else "combination"
    problems = _bad_numbers(given, values, names, labels)
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
    """Wells from a dose matrix (len(doses_1), len(doses_2)); a third axis holds replicates. Raises as from_arrays."""
    first, second = np.asarray(list(doses_1), dtype=float), np.asarray(list(doses_2), dtype=float)
    values = np.asarray(responses, dtype=float)
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
    """
    check_columns(frame)
    part, problems = frame, []
    for column, chosen in (("cell_line", cell_line), ("readout", readout), ("time_min", time_min)):
        present = list(part[column].unique())
        if chosen is not None:
            part = part[part[column] == chosen]
            if part.empty:
                problems.append(f"{column} {chosen!r} is not in the table; it has {', '.join(map(str, present[:8]))}")
                break
        elif len(present) > 1:
            problems.append(f"the table has {len(present)} of {column} ({', '.join(map(str, present[:4]))}, ...); "
                            f"choose one with {column}=")  # fmt: skip
    raise_together(problems, "combination table")
    rows = np.flatnonzero(frame.index.isin(part.index)) if frame.index.is_unique else np.arange(len(part))
    return _one_experiment(part, rows, read_doses(part), scale)


def experiments(frame: pd.DataFrame, scale: Response | None = None) -> list[Wells]:
    """Wells of every combination in the one table: each cell line, readout, time and set of drugs given together.

    In a table read by its treatments every pair of drugs that occurs together is an experiment, with the wells of the
    two alone; in a screen each set of drug columns.

    Raises :class:`InputError` listing the problems of every experiment, or when no drugs are combined.
    """
    check_columns(frame)
    numbered = frame.reset_index(drop=True)
    named = [drug for drug, _ in drug_columns(frame)]
    found, problems = [], []
    for _, part in numbered.groupby(["cell_line", "readout", "time_min", *named], sort=False):
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


def _sets(doses: Doses, whole: bool) -> list[list[int]]:
    """Columns of the drugs of each experiment: all of a screen, else every pair that occurs together."""
    given = doses.values > 0
    if whole:
        return [list(range(len(doses.drugs)))]
    size = len(doses.drugs)
    pairs = [[i, j] for i in range(size) for j in range(i + 1, size)]
    alone = [(np.delete(given, pair, axis=1) == 0).all(axis=1) for pair in pairs]
    return [pair for pair, mask in zip(pairs, alone, strict=True) if (given[:, pair].all(axis=1) & mask).any()]


def _one_experiment(part: pd.DataFrame, rows: npt.NDArray[np.intp], doses: Doses, scale: Response | None) -> Wells:
    said = {str(unit) for unit in part["unit"].unique()} if "unit" in part.columns else set()
    line, what, time = (part[column].iloc[0] for column in ("cell_line", "readout", "time_min"))
    name = f"{line}, {what}, {float(time):g} min"
    labels = [f"row {row + 1}" for row in rows.tolist()]
    values = part["value"].to_numpy(dtype=float)
    return from_arrays(doses.values, values, doses.drugs, doses.units, scale or Response.of_table(said), name, labels)


def normalised(wells: Wells) -> Wells:
    """The same wells as a fraction of the mean untreated well.

    Raises :class:`InputError` when no untreated well was measured or their mean is not above zero.
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
    """
    return replace(wells, viability=wells.viability * (1.0 + _baseline(wells.conditions)))


def corrected_negatives(wells: Wells) -> Wells:
    """As :func:`corrected_baseline`, for negative inhibitions only (SynergyFinder, "part")."""
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


def _bad_numbers(doses: FloatArray, values: FloatArray, names: Sequence[str], labels: Sequence[str]) -> list[str]:
    problems = []
    for row, column in np.argwhere(~np.isfinite(doses)).tolist():
        problems.append(f"{labels[row]}: the dose of {names[column]} is {doses[row, column]}, not a finite number")
    for row, column in np.argwhere(doses < 0).tolist():
        problems.append(f"{labels[row]}: the dose of {names[column]} is negative ({doses[row, column]:g})")
    return problems + [
        f"{labels[row]}: the response is {values[row]}, not a finite number (leave out a missing well)"
        for row in np.flatnonzero(~np.isfinite(values)).tolist()
    ]


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
        return [f"responses up to {values.max():g} look like percent, or like a raw signal; say so with "
                "scale=Response.VIABILITY_PERCENT, INHIBITION_PERCENT or SIGNAL"]  # fmt: skip
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
