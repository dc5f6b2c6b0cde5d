"""Dose matrices of files as wells: whatever layout :mod:`pathsim.tables.matrices` reads, in one scale of response.

A response means what its column's name and the untreated wells say, or what the caller says. Rows are counted as an
editor shows them (header = 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...arguments import is_missing, shortened
from ...arrays import BoolArray, FloatArray, IndexArray
from ...checked import checked
from ...errors import InputError, PathsimError, brief, near_misses, raise_together
from ...table import check_columns, check_table, numeric_cells
from ...tables import Tell
from ...tables.blots import read_bands, say
from ...tables.matrices import LABEL, SPELLINGS, canonical, is_schema, read_blocks
from ...units import Dimension, quantity
from ..doses import one_name
from .wells import Response, Wells, experiments, from_arrays

if TYPE_CHECKING:
    import pandas as pd


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


@checked
def read_csv(
    path: str | Path,
    scale: Response | None = None,
    unit: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
) -> list[Wells]:
    """Wells of every dose matrix of a file: CSV, Excel or Parquet, a well a row or matrices of doses.

    Molar doses become nM whatever unit each row states; ``unit`` is the unit of a file that states none. Wells that
    were not measured are left out with a word.

    Args:
        scale: what the response is (:class:`Response`); default what its name and the untreated wells say, with a word.
        columns: names of columns in the file and what they hold (``{"Dose A": "conc1"}``).
        sheet: of an Excel file; default all sheets, each with its matrices.
        tell: takes a sentence on everything that had to be decided; default a warning.

    Raises:
        InputError: columns that are missing, blocks that name several drugs beside doses above zero (what stands beside
            dose zero, as DMSO, does not matter); a response whose scale cannot be told; and lists every row with a dose
            or response that is no number, a unit that is unknown or missing among stated ones, or a well given twice
            with two values.

    >>> experiments = ps.synergy.read_csv("matrices.xlsx")  # doctest: +SKIP
    """
    if is_schema(path, columns, sheet):
        frame = check_table(read_bands(path, columns, sheet, tell).frame, str(path))
        said = {str(text) for text in frame["unit"].dropna()} if "unit" in frame.columns else set()
        if scale is None and not any(text.startswith("%") for text in said):
            many = experiments(frame, Response.INHIBITION_PERCENT)
            values = 100.0 * np.concatenate([1.0 - wells.viability for wells in many])
            untreated = np.concatenate([(wells.doses == 0).all(axis=1) for wells in many])
            scale = _told(values, untreated, str(frame["readout"].iloc[0]), str(path), tell)
        return experiments(frame, scale)
    blocks = read_blocks(path, columns, unit, sheet, tell)
    frame = blocks.frame
    if scale is None:
        doses = [name for name in ("conc1", "conc2", "conc3") if name in frame.columns]
        untreated = (frame[doses] == 0).all(axis=1).to_numpy()
        scale = _told(frame["response"].to_numpy(dtype=float), untreated, blocks.response, str(path), tell)
    return from_long(frame, scale, where=str(path))


def _told(values: FloatArray, untreated: BoolArray, name: str, where: str, tell: Tell | None) -> Response:
    """The scale of responses, from what they are called and what untreated wells read; said in a line.

    Raises :class:`InputError` where these contradict each other, or say nothing.
    """
    level = float(values[untreated].mean()) if untreated.any() else math.nan
    largest = float(np.abs(values).max())
    folded = name.lower()
    percent = largest > 5.0
    ask = "say it with --response (in Python scale=)"
    beside = f"untreated wells average {level:.4g}" if untreated.any() else "there is no untreated well"
    if "inhibit" in folded or "kill" in folded:
        found = Response.INHIBITION_PERCENT if percent else Response.INHIBITION_FRACTION
        if level > (60.0 if percent else 0.6):
            raise InputError(f"{where}: '{name}' should be inhibition, but {beside}; {ask}")
    elif any(word in folded for word in ("viab", "surviv", "control")):
        found = Response.VIABILITY_PERCENT if percent else Response.VIABILITY_FRACTION
        if level < (40.0 if percent else 0.4):
            raise InputError(f"{where}: '{name}' should be viability, but {beside}; {ask}")
        if level > (200.0 if percent else 2.0):
            found = Response.SIGNAL
    elif not untreated.any():
        raise InputError(f"{where}: is '{name}' viability or inhibition? There is no untreated well to tell; {ask}")
    elif percent and abs(level - 100.0) <= 40.0:
        found = Response.VIABILITY_PERCENT
    elif percent and abs(level) <= 30.0:
        found = Response.INHIBITION_PERCENT
    elif not percent and abs(level - 1.0) <= 0.4:
        found = Response.VIABILITY_FRACTION
    elif not percent and abs(level) <= 0.3:
        found = Response.INHIBITION_FRACTION
    elif level > 0 and percent:
        found = Response.SIGNAL
    else:
        raise InputError(f"{where}: is '{name}' viability or inhibition? {beside}; {ask}".replace("? u", "? U"))
    say(f"{where}: '{name}' is read as {found.value}; {beside}", tell)
    return found


def from_long(frame: pd.DataFrame, scale: Response, unit: str | None = None, where: str = "table") -> list[Wells]:
    """As :func:`read_csv` for a long table already read; rows are counted with a header line. Raises likewise.

    >>> frame = pd.read_csv("matrices.csv")  # doctest: +SKIP
    >>> wells = ps.synergy.from_long(frame, ps.synergy.Response.INHIBITION_PERCENT)  # doctest: +SKIP
    """
    check_columns(frame, (), where)
    if not len(frame):
        raise InputError(f"{where}: the table has no rows")
    found = canonical([str(name) for name in frame.columns], where)
    labels = list(frame[LABEL]) if LABEL in frame.columns else [f"row {row + 2}" for row in range(len(frame))]
    layout = _layout(found, frame, where)
    numbers, problems = _numbers(frame, layout, labels)
    factors, symbols = _unit_factors(frame, layout, unit, problems, labels)
    for column, name in enumerate(layout.doses):
        problems += [
            f"{labels[row]}: {name} is negative ({numbers[row, column]:g})"
            for row in np.flatnonzero(numbers[:, column] < 0).tolist()
        ]
    keep, same = _twice(frame, layout, numbers, problems, labels)
    if layout.block:
        problems += [
            f"{labels[row]}: {layout.block} is empty"
            for row, block in enumerate(frame[layout.block])
            if is_missing(block)
        ]
    raise_together(shortened(problems), where)
    blocks = (
        np.array([str(block).strip() for block in frame[layout.block]]) if layout.block else np.full(len(frame), "1")
    )
    made, trouble = [], []
    for block in dict.fromkeys(blocks):
        rows = np.flatnonzero((blocks == block) & keep)
        try:
            doses = numbers[rows, :-1] * factors[rows]
            names = _drug_names(frame, layout, rows, doses)
            label = "" if not layout.block else f"block {block}" if block.isalnum() else block
            wells = from_arrays(
                doses, numbers[rows, -1], names, symbols, scale, label, [labels[int(row)] for row in rows]
            )
        except InputError as error:
            trouble.append(str(error))
            continue
        notes = tuple(text for row, text in same.items() if blocks[row] == block)
        made.append(Wells(wells.drugs, wells.units, wells.doses, wells.viability, wells.name, wells.notes + notes))
    raise_together(trouble, where)
    return made


def _layout(found: Mapping[str, str], frame: pd.DataFrame, where: str) -> _Layout:
    needed = {"conc1": "dose of drug 1", "conc2": "dose of drug 2", "response": "response"}
    problems = []
    for name, wanted in needed.items():
        if name not in found:
            close = near_misses(name, map(str, frame.columns))
            hint = f"; is '{close[0]}' meant?" if close else ""
            problems.append(f"no column for the {wanted} ({', '.join(SPELLINGS[name][0])}){hint}")
    raise_together(problems, where)
    numbers = ("1", "2", "3") if "conc3" in found else ("1", "2")
    place = found.get("row"), found.get("col")
    return _Layout(
        found.get("block_id"),
        found["response"],
        found.get("replicate"),
        (place[0], place[1]) if place[0] and place[1] else None,
        tuple(found.get(f"drug{number}") for number in numbers),
        tuple(found[f"conc{number}"] for number in numbers),
        tuple(found.get(f"conc_unit{number}") or found.get("conc_unit") for number in numbers),
    )


def _numbers(frame: pd.DataFrame, layout: _Layout, labels: Sequence[str]) -> tuple[FloatArray, list[str]]:
    """Doses and, last, the response of every row; and every cell that is not a number."""
    import pandas as pd

    columns, problems = [*layout.doses, layout.response], []
    values = np.empty((len(frame), len(columns)))
    for position, column in enumerate(columns):
        values[:, position] = numeric_cells(frame[column])
        for row in np.flatnonzero(~np.isfinite(values[:, position])).tolist():
            given = frame[column].iloc[row]
            said = "is empty" if pd.isna(given) else f"is '{brief(str(given))}', not a finite number"
            problems.append(
                f"{labels[row]}: {column} {said}" + (" (leave out a missing well)" if said == "is empty" else "")
            )
    return values, problems


def _unit_factors(
    frame: pd.DataFrame, layout: _Layout, unit: str | None, problems: list[str], labels: Sequence[str]
) -> tuple[FloatArray, list[str]]:
    """What to multiply doses by (rows, drugs), and the resulting unit of each drug."""
    factors, symbols = np.ones((len(frame), len(layout.doses))), []
    for drug, column in enumerate(layout.units):
        if column is None:
            stated = np.full(len(frame), unit or "")
        else:
            texts = ["" if is_missing(text) else str(text).strip() for text in frame[column]]
            stated = np.array(["" if text == "a.u." else text for text in texts])
        if not any(stated):
            symbols.append("a.u.")
            continue
        inner: dict[str, tuple[float, str]] = {}
        for text in dict.fromkeys(stated.tolist()):
            label = labels[int(np.flatnonzero(stated == text)[0])]
            if not text:
                problems.append(f"{label}: {column} is empty while other rows state a unit")
                continue
            try:
                one = quantity(f"1 {text}", Dimension.CONCENTRATION, Dimension.MASS_CONCENTRATION, Dimension.FRACTION)
                inner[text] = (one.inner, one.unit.dimension.value)
            except PathsimError as error:
                problems.append(f"{label}: {error}")
        kinds = {symbol for _, symbol in inner.values()}
        if len(kinds) > 1:
            problems.append(f"{column} mixes {' and '.join(sorted(kinds))}; one drug needs one kind of unit")
        for text, (factor, _) in inner.items():
            factors[stated == text, drug] = factor
        symbols.append(next(iter(kinds), "a.u."))
    return factors, symbols


def _twice(
    frame: pd.DataFrame, layout: _Layout, numbers: FloatArray, problems: list[str], labels: Sequence[str]
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
            notes[row] = f"{labels[seen]} and {labels[row]} are the same well with the same value; counted once"
        else:
            what = ", ".join(f"{name} {value}" for name, value in zip(where, key, strict=True))
            problems.append(
                f"{labels[row]}: the well of {labels[seen]} again ({what}) with another value "
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
