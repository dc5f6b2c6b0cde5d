"""Dose-matrix files of other programs: long tables in the layouts of SynergyFinder and of the ``synergy`` package.

SynergyFinder (R package and web application): ``block_id`` (or ``PairIndex``, ``BlockId``), ``drug1``/``drug_row``/
``Drug1``, ``conc1``/``conc_r``/``Conc1``, ... ``response``, and ``conc_unit`` (or one unit per drug). ``synergy``:
``drug1.conc, drug2.conc, effect`` with optional ``drug1, drug2, drug1.units, drug2.units``. A response means what the
caller says; neither layout does. Rows are counted as an editor shows them (header = 1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...arguments import is_missing, shortened
from ...arrays import BoolArray, FloatArray, IndexArray
from ...errors import InputError, PathsimError, brief, near_misses, raise_together
from ...files import read_text
from ...table import check_columns, numeric_cells
from ...table import read_csv as read_table_file
from ...units import Dimension, quantity
from ..doses import one_name
from .wells import Response, Wells, from_arrays

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = ("block_id", "blockid", "pairindex", "pair_index", "block")
_RESPONSE = ("response", "effect", "inhibition", "viability")
_UNIT = ("conc_unit", "concunit", "unit")
_NAMES = [("drug1", "drug_row", "drugrow"), ("drug2", "drug_col", "drugcol"), ("drug3",)]
_DOSES = [
    ("conc1", "conc_r", "concrow", "conc_row", "drug1.conc"), ("conc2", "conc_c", "conccol", "conc_col", "drug2.conc"),
    ("conc3", "drug3.conc"),
]  # fmt: skip
_UNITS = [
    ("conc_unit1", "conc_r_unit", "concrowunit", "drug1.units", "drug1.unit"),
    ("conc_unit2", "conc_c_unit", "conccolunit", "drug2.units", "drug2.unit"), ("conc_unit3", "drug3.units"),
]  # fmt: skip
_PLACE = [("row",), ("col", "column")]
_REPLICATE = ("replicate", "rep", "sample", "batch")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which column of a file holds what; None where it has none."""

    block: str | None
    response: str
    replicate: str | None
    place: tuple[str, str] | None
    names: tuple[str | None, ...]
    doses: tuple[str, ...]
    units: tuple[str | None, ...]


def read_csv(path: str | Path, scale: Response, unit: str | None = None) -> list[Wells]:
    """Wells of every block of a file in the layout of SynergyFinder or of ``synergy``.

    Molar doses become nM whatever unit each row states; ``unit`` is the unit of a file that states none.

    Args:
        scale: what the response is (:class:`Response`): the file does not say.

    Raises:
        InputError: columns that are missing, blocks that name several drugs beside doses above zero (what stands beside
            dose zero, as DMSO, does not matter); and lists every row with a dose or response that is not a number, a
            negative dose, a unit that is unknown or missing among stated ones, or a well given twice with two values.
    """
    header = read_text(path).partition("\n")[0]
    frame = read_table_file(path, skipinitialspace=True, sep=max(",;\t", key=header.count))
    return from_long(frame, scale, unit, where=str(path))


def from_long(frame: pd.DataFrame, scale: Response, unit: str | None = None, where: str = "table") -> list[Wells]:
    """As :func:`read_csv` for a table already read; rows are counted with a header line."""
    check_columns(frame, (), where)
    if not len(frame):
        raise InputError(f"{where}: the table has no rows")
    layout = _layout(frame, where)
    numbers, problems = _numbers(frame, layout)
    factors, symbols = _unit_factors(frame, layout, unit, problems)
    for column, name in enumerate(layout.doses):
        problems += [
            f"row {row + 2}: {name} is negative ({numbers[row, column]:g})"
            for row in np.flatnonzero(numbers[:, column] < 0)
        ]
    keep, same = _twice(frame, layout, numbers, problems)
    if layout.block:
        problems += [
            f"row {row + 2}: {layout.block} is empty"
            for row, block in enumerate(frame[layout.block])
            if is_missing(block)
        ]
    raise_together(shortened(problems), where)
    blocks = (
        np.array([str(block).strip() for block in frame[layout.block]]) if layout.block else np.full(len(frame), "1")
    )
    found, trouble = [], []
    for block in dict.fromkeys(blocks):
        rows = np.flatnonzero((blocks == block) & keep)
        try:
            doses = numbers[rows, :-1] * factors[rows]
            names = _drug_names(frame, layout, rows, doses)
            label = f"block {block}" if layout.block else ""
            labels = [f"row {row + 2}" for row in rows]
            wells = from_arrays(doses, numbers[rows, -1], names, symbols, scale, label, labels)
        except InputError as error:
            trouble.append(str(error))
            continue
        notes = tuple(text for row, text in same.items() if blocks[row] == block)
        found.append(Wells(wells.drugs, wells.units, wells.doses, wells.viability, wells.name, wells.notes + notes))
    raise_together(trouble, where)
    return found


def _layout(frame: pd.DataFrame, where: str) -> _Layout:
    by_folded = {re.sub(r"\s+", "", str(column)).lower(): str(column) for column in frame.columns}

    def find(spellings: tuple[str, ...]) -> str | None:
        return next((by_folded[spelling] for spelling in spellings if spelling in by_folded), None)

    doses = [find(spellings) for spellings in _DOSES]
    response = find(_RESPONSE)
    problems = []
    for wanted, spellings, column in (
        ("dose of drug 1", _DOSES[0], doses[0]),
        ("dose of drug 2", _DOSES[1], doses[1]),
        ("response", _RESPONSE, response),
    ):
        if column is None:
            close = near_misses(spellings[0], by_folded)
            problems.append(
                f"no column for the {wanted} ({', '.join(spellings)})"
                + (f"; is '{by_folded[close[0]]}' meant?" if close else "")
            )
    raise_together(problems, where)
    count = 3 if doses[2] is not None else 2
    shared = find(_UNIT)
    place = tuple(find(spellings) for spellings in _PLACE)
    return _Layout(
        find(_BLOCK),
        str(response),
        find(_REPLICATE),
        (str(place[0]), str(place[1])) if place[0] and place[1] else None,
        tuple(find(_NAMES[i]) for i in range(count)),
        tuple(str(doses[i]) for i in range(count)),
        tuple(find(_UNITS[i]) or shared for i in range(count)),
    )


def _numbers(frame: pd.DataFrame, layout: _Layout) -> tuple[FloatArray, list[str]]:
    """Doses and, last, the response of every row; and every cell that is not a number."""
    import pandas as pd

    columns, problems = [*layout.doses, layout.response], []
    values = np.empty((len(frame), len(columns)))
    for position, column in enumerate(columns):
        values[:, position] = numeric_cells(frame[column])
        for row in np.flatnonzero(~np.isfinite(values[:, position])):
            given = frame[column].iloc[row]
            said = "is empty" if pd.isna(given) else f"is '{brief(str(given))}', not a finite number"
            problems.append(
                f"row {row + 2}: {column} {said}" + (" (leave out a missing well)" if said == "is empty" else "")
            )
    return values, problems


def _unit_factors(
    frame: pd.DataFrame, layout: _Layout, unit: str | None, problems: list[str]
) -> tuple[FloatArray, list[str]]:
    """What to multiply doses by (rows, drugs), and the resulting unit of each drug."""
    factors, symbols = np.ones((len(frame), len(layout.doses))), []
    for drug, column in enumerate(layout.units):
        if column is None:
            stated = np.full(len(frame), unit or "")
        else:
            stated = np.array(["" if is_missing(text) else str(text).strip() for text in frame[column]])
        if not any(stated):
            symbols.append("a.u.")
            continue
        inner: dict[str, tuple[float, str]] = {}
        for text in dict.fromkeys(stated.tolist()):
            row = int(np.flatnonzero(stated == text)[0]) + 2
            if not text:
                problems.append(f"row {row}: {column} is empty while other rows state a unit")
                continue
            try:
                one = quantity(f"1 {text}", Dimension.CONCENTRATION, Dimension.MASS_CONCENTRATION, Dimension.FRACTION)
                inner[text] = (one.inner, one.unit.dimension.value)
            except PathsimError as error:
                problems.append(f"row {row}: {error}")
        kinds = {symbol for _, symbol in inner.values()}
        if len(kinds) > 1:
            problems.append(f"{column} mixes {' and '.join(sorted(kinds))}; one drug needs one kind of unit")
        for text, (factor, _) in inner.items():
            factors[stated == text, drug] = factor
        symbols.append(next(iter(kinds), "a.u."))
    return factors, symbols


def _twice(
    frame: pd.DataFrame, layout: _Layout, numbers: FloatArray, problems: list[str]
) -> tuple[BoolArray, dict[int, str]]:
    """Rows to keep: a well listed again with its value counts once, with another value it is a problem.

    Two rows are the same well when the file tells wells apart (by replicate or plate position) and does not tell these.
    """
    keep: BoolArray = np.ones(len(frame), dtype=bool)
    notes: dict[int, str] = {}
    identity = [column for column in (layout.block, layout.replicate, *(layout.place or ())) if column]
    if layout.replicate is None and layout.place is None:
        return keep, notes
    where = [*identity, *([] if layout.place else layout.doses)]
    first: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(frame[where].astype(str).itertuples(index=False, name=None)):
        seen = first.setdefault(key, row)
        if seen == row:
            continue
        if np.array_equal(numbers[seen], numbers[row]):
            keep[row] = False
            notes[row] = f"rows {seen + 2} and {row + 2} are the same well with the same value; counted once"
        else:
            what = ", ".join(f"{name} {value}" for name, value in zip(where, key, strict=True))
            problems.append(
                f"row {row + 2}: the well of row {seen + 2} again ({what}) with another value "
                f"({numbers[row, -1]:g}, was {numbers[seen, -1]:g})"
            )
    return keep, notes


def _drug_names(frame: pd.DataFrame, layout: _Layout, rows: IndexArray, doses: FloatArray) -> list[str]:
    names: list[str] = []
    problems: list[str] = []
    for position, column in enumerate(layout.names):
        name = f"drug {position + 1}"
        if column is not None:
            advice = (
                "number the blocks in a column block_id" if layout.block is None else "one block is one pair of drugs"
            )
            name = one_name(
                frame[column].iloc[rows], doses[:, position], column, problems, f"in one block ({{}}); {advice}"
            )
        again = names.count(name) + 1
        names.append(name if again == 1 else f"{name} ({again})")
    raise_together(problems)
    return names
