"""Which drug at which dose, read from the one table.

A table of a screen names its drugs in columns (``drug, dose_nM`` or ``drug1, dose1_nM, drug2, dose2_nM`` ...). Any
other table is read by its treatment text: only the last step counts, and only its substances that differ between rows;
what every row has (serum, a ligand, a backbone drug) is background. Amounts become the inner unit of their kind (nM,
ng/ml, %).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, PathsimError, near_misses, raise_together
from ..units import quantity

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("cell_line", "treatment", "time_min", "readout", "value")


@dataclass(frozen=True, slots=True)
class Doses:
    """Doses of ``drugs`` (rows, drugs), each in its entry of ``units``."""

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    values: FloatArray


def check_columns(frame: pd.DataFrame) -> None:
    """Raises :class:`InputError` naming each column of the one schema that ``frame`` lacks."""
    problems = []
    for column in _NEEDED:
        if column not in frame.columns:
            close = near_misses(column, [str(name) for name in frame.columns])
            problems.append(f"column '{column}' is missing" + (f" (is '{close[0]}' meant?)" if close else ""))
    raise_together(problems, "table")


def read_doses(frame: pd.DataFrame) -> Doses:
    """Doses of every row of ``frame``, from its drug and dose columns or else from its ``treatment`` column.

    Raises:
        InputError: drug columns with several drugs (these are several experiments); or lists every treatment that does
            not read as ``name number unit + ...`` (with its row), substances given in two kinds of unit, and
            treatments whose earlier steps differ.
    """
    named = drug_columns(frame)
    if named:
        return _from_columns(frame, named)
    texts, where = np.unique(frame["treatment"].astype(str).to_numpy(), return_inverse=True)
    first_row = {int(code): int(row) for code, row in zip(*np.unique(where, return_index=True), strict=True)}
    problems: list[str] = []
    media: list[dict[str, float]] = []
    units: dict[str, str] = {}
    histories: dict[str, int] = {}
    for code, text in enumerate(texts):
        *before, last = re.split(r"\s+then\s+", str(text).strip())
        histories.setdefault(" then ".join(before), first_row[code])
        medium, unit_of, trouble = _read_medium(last)
        problems += [f"row {first_row[code] + 1}: {each}" for each in trouble]
        for name, symbol in unit_of.items():
            if units.setdefault(name, symbol) != symbol:
                problems.append(f"row {first_row[code] + 1}: {name} is in {symbol}, elsewhere in {units[name]}")
        media.append(medium)
    if len(histories) > 1:
        shown = "; ".join(f"row {row + 1}: '{text or 'nothing'}'" for text, row in list(histories.items())[:3])
        problems.append(f"treatments differ before their last step ({shown}); compare one history at a time")
    raise_together(problems, "treatments")
    names = [name for name in units if len({medium.get(name, 0.0) for medium in media}) > 1]
    values = np.array([[medium.get(name, 0.0) for name in names] for medium in media], dtype=float)
    return Doses(tuple(names), tuple(units[name] for name in names), values.reshape(len(media), len(names))[where])


def single_drug_curves(
    frame: pd.DataFrame,
) -> Iterator[tuple[dict[str, object], FloatArray, FloatArray, str]]:
    """``(key, doses, responses, unit)`` of each cell line, readout, time and drug; untreated wells are in each curve.

    Raises :class:`InputError` for a table without the columns of the one schema, or in which no drug varies.
    """
    check_columns(frame)
    by = ["cell_line", "readout", "time_min"]
    if {"drug", "dose_nM"} <= set(frame.columns):
        for (line, readout, time, drug), part in frame.groupby([*by, "drug"], sort=False):
            key = {"cell_line": line, "drug": drug, "readout": readout, "time_min": time}
            yield key, part["dose_nM"].to_numpy(dtype=float), part["value"].to_numpy(dtype=float), "nM"
        return
    for (line, readout, time), part in frame.groupby(by, sort=False):
        doses = read_doses(part)
        if not doses.drugs:
            raise InputError(f"{line}, {readout}, {time:g} min: no dose differs between the rows; no dose response")
        values = part["value"].to_numpy(dtype=float)
        for column, drug in enumerate(doses.drugs):
            alone = (np.delete(doses.values, column, axis=1) == 0).all(axis=1)
            if not (doses.values[alone, column] > 0).any():
                continue  # given only in combination
            key = {"cell_line": line, "drug": drug, "readout": readout, "time_min": time}
            yield key, doses.values[alone, column], values[alone], doses.units[column]


def drug_columns(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of drug and dose columns (``drug1``, ``dose1_nM``) of a combination screen; empty for other tables."""
    present, found = set(frame.columns), []
    for number in range(1, 10):
        pair = (f"drug{number}", f"dose{number}_nM")
        if not set(pair) <= present:
            break
        found.append(pair)
    return found


def _from_columns(frame: pd.DataFrame, named: list[tuple[str, str]]) -> Doses:
    names: list[str] = []
    problems = []
    for drug, _ in named:
        several = list(dict.fromkeys(frame[drug].astype(str)))
        if len(several) > 1:
            problems.append(f"column {drug} holds {len(several)} drugs ({', '.join(several[:4])}); these are several "
                            "experiments")  # fmt: skip
        again = names.count(several[0]) + 1
        names.append(several[0] if again == 1 else f"{several[0]} ({again})")
    raise_together(problems, "doses")
    values = frame[[dose for _, dose in named]].to_numpy(dtype=float)
    return Doses(tuple(names), ("nM",) * len(named), values)


def _read_medium(text: str) -> tuple[dict[str, float], dict[str, str], list[str]]:
    """Amounts and units of the substances in one step, and what could not be read."""
    amounts: dict[str, float] = {}
    units: dict[str, str] = {}
    problems: list[str] = []
    step = re.sub(r"\s+for\s+\S.*$", "", text.strip())
    if step.lower() == "vehicle":
        return amounts, units, problems
    for part in re.split(r"\s+\+\s+", step):
        name, _, amount = part.strip().partition(" ")
        try:
            found = quantity(amount)
        except PathsimError as error:
            problems.append(f"'{part}' is not a dose (name, number, unit): {error}")
            continue
        if found.value < 0:
            problems.append(f"'{part}' is a negative dose")
        amounts[name] = amounts.get(name, 0.0) + found.inner
        units[name] = found.unit.dimension.value
    return amounts, units, problems
