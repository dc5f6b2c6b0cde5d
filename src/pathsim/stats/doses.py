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

from ..arguments import is_missing, shortened
from ..arrays import FloatArray
from ..errors import InputError, PathsimError, brief, raise_together
from ..table import check_table, numeric_cells
from ..units import quantity

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Doses:
    """Doses of ``drugs`` (rows, drugs), each in its entry of ``units``."""

    drugs: tuple[str, ...]
    units: tuple[str, ...]
    values: FloatArray


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

    A table that names its drugs in ``drug, dose_nM`` may name another substance, or none, in rows at dose zero.

    Raises :class:`InputError` for a table that :func:`pathsim.table.check_table` refuses (rows counted from 1, without
    the header), a row without its drug, or one in which no drug varies.
    """
    checked = check_table(frame, first_row=1).reset_index(drop=True)
    by = ["cell_line", "readout", "time_min"]
    if {"drug", "dose_nM"} <= set(checked.columns):
        yield from _named_curves(checked, by)
        return
    for (line, readout, time), part in checked.groupby(by, sort=False):
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


def _named_curves(
    frame: pd.DataFrame, by: list[str]
) -> Iterator[tuple[dict[str, object], FloatArray, FloatArray, str]]:
    """Curves of a table with the columns ``drug`` and ``dose_nM``."""
    drugs = frame["drug"].map(lambda name: None if is_missing(name) else str(name).strip())
    frame = frame.assign(dose_nM=dose_cells(frame, "dose_nM"), drug=drugs)
    unnamed = [
        row
        for row, (drug, dose) in enumerate(zip(frame["drug"], frame["dose_nM"], strict=True))
        if dose > 0 and is_missing(drug)
    ]
    raise_together([f"row {row + 1}: drug is empty at dose {frame['dose_nM'].iloc[row]:g}" for row in unnamed], "doses")
    for (line, readout, time), part in frame.groupby(by, sort=False):
        given = dict.fromkeys(part["drug"][part["dose_nM"] > 0])
        if not given:
            raise InputError(f"{line}, {readout}, {time:g} min: no dose is above zero; no dose response")
        # a control named after one of the drugs is that drug's; any other is shared
        own = part["drug"].where(part["drug"].isin(list(given)))
        for drug in given:
            curve = part[(own == drug) | (own.isna() & (part["dose_nM"] == 0))]
            key = {"cell_line": line, "drug": drug, "readout": readout, "time_min": time}
            yield key, curve["dose_nM"].to_numpy(dtype=float), curve["value"].to_numpy(dtype=float), "nM"


def dose_cells(frame: pd.DataFrame, column: str) -> FloatArray:
    """The doses of a column. Raises :class:`InputError` for every cell that is no dose, by its row."""
    values = numeric_cells(frame[column])
    problems = [
        f"row {row + 1}: {column} is '{brief(str(frame[column].iloc[row]))}', not a finite number"
        for row in np.flatnonzero(~np.isfinite(values))
    ]
    problems += [f"row {row + 1}: {column} is negative ({values[row]:g})" for row in np.flatnonzero(values < 0)]
    raise_together(shortened(problems), "doses")
    return values


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
    values = np.column_stack([dose_cells(frame, dose) for _, dose in named])
    names: list[str] = []
    problems: list[str] = []
    for place, (drug, _) in enumerate(named):
        name = one_name(
            frame[drug], values[:, place], drug, problems, "in one table ({}); these are several experiments"
        )
        again = names.count(name) + 1
        names.append(name if again == 1 else f"{name} ({again})")
    raise_together(problems, "doses")
    return Doses(tuple(names), ("nM",) * len(named), values)


def one_name(names: pd.Series, doses: FloatArray, column: str, problems: list[str], advice: str) -> str:
    """The drug that a column names where its dose is above zero; what stands at dose zero does not matter.

    Adds to ``problems`` when it names several, with ``advice`` that has a place for them, or none beside a dose.
    """
    given = names[doses > 0]
    found = list(dict.fromkeys(str(name).strip() for name in given if not is_missing(name)))
    if any(is_missing(name) for name in given):
        problems.append(f"{column} is empty beside a dose above zero")
    if len(found) > 1:
        problems.append(f"{column} names {len(found)} drugs {advice.format(', '.join(found[:4]))}")
    elsewhere = [str(name).strip() for name in names if not is_missing(name)]
    return (found or elsewhere or [column])[0]


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
