"""Densitometry as a table: read, and checked row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, PathsimError, raise_together
from ..lab import Treatment
from ..lab.protocols import protocols
from ..table import COLUMNS, check_table, read_csv

if TYPE_CHECKING:
    import pandas as pd

TOTAL_PROTEIN = "Coomassie"
"""A stain of everything in a lane; it divides the lane's bands like the loading controls of the protocols."""
CENSORED = "censored"
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "", "nan")


def loading_controls() -> frozenset[str]:
    """Readouts that measure how much of a lane was loaded; bands are divided by them."""
    return frozenset({*protocols().loading_controls, TOTAL_PROTEIN})


def read_blots(path: str | Path) -> pd.DataFrame:
    """Read densitometry: a CSV in the one schema with ``gel`` and ``replicate``.

    Missing ``gel`` or ``replicate`` columns mean one gel, one replicate. A band below detection has ``<limit`` as its
    value, or its limit and ``true`` in a column ``censored``. Readouts that are loading controls (vinculin, GAPDH, ...)
    divide the bands of their lane.

    Returns:
        The table with float values, and a boolean column ``censored``; its index is the line in the file.

    Raises:
        InputError: naming every bad row with its line.
    """
    return check_blots(read_frame(path), str(path))


def read_frame(path: str | Path) -> pd.DataFrame:
    """A CSV file as text, unchecked. Raises :class:`InputError` for a file that is none."""
    return read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False)


def check_blots(frame: pd.DataFrame, where: str = "blots") -> pd.DataFrame:
    """A table as :func:`read_blots` gives it, from one with text or numbers. Raises as :func:`read_blots`."""
    table, problems = with_problems(frame, where)
    raise_together(problems, where)
    return table


def with_problems(frame: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """As :func:`check_blots`, but with what is wrong with rows, in their order; their bad numbers are NaN.

    Raises :class:`InputError` when columns are missing.
    """
    import pandas as pd

    table = frame.reset_index(drop=True).copy()
    problems: list[str] = []
    if "value" in table.columns:
        text = table["value"].astype(str).str.strip()
        below = text.str.startswith("<")
        table["value"] = text.where(~below, text.str.lstrip("<").str.strip())
        given = table[CENSORED].astype(str).str.strip().str.lower() if CENSORED in table else below.map(str).str.lower()
        odd = ~given.isin([*TRUE, *FALSE])
        problems += [f"row {i + 2}: {CENSORED} is '{given[i]}', neither true nor false" for i in np.flatnonzero(odd)]
        table[CENSORED] = given.isin(TRUE) | below
    for column, default in (("gel", "gel 1"), ("replicate", 1)):
        if column not in table.columns:
            table[column] = default
    if "sd" in table.columns and (table["sd"].astype(str).str.strip() == "").all():
        table = table.drop(columns="sd")
    try:
        table = check_table(table, where)
    except InputError as error:
        problems += _lines_of(str(error), where)
        if not set(COLUMNS) <= set(table.columns):
            raise_together(problems, where)
        for column in ("time_min", "value", *(["sd"] if "sd" in table else [])):
            table[column] = pd.to_numeric(table[column], errors="coerce").astype(float)
    if not len(table):
        problems.append("the table has no rows")
    said = {problem.split(":")[0] for problem in problems}
    problems += [problem for problem in _row_problems(table) if problem.split(":")[0] not in said]
    table.index = table.index + 2
    return table, in_order(problems)


def in_order(problems: list[str]) -> list[str]:
    """Problems by their row, those of the table as a whole first."""
    return sorted(problems, key=_row_number)


def _lines_of(message: str, where: str) -> list[str]:
    """The separate problems of an error that lists several."""
    lines = [line.strip() for line in message.splitlines()]
    return lines[1:] if len(lines) > 1 else [message.removeprefix(f"{where}: ")]


def _row_problems(table: pd.DataFrame) -> list[str]:
    problems = []
    for treatment, rows in table.groupby("treatment").groups.items():
        try:
            parsed = Treatment.parse(str(treatment))
        except PathsimError as error:
            problems += [f"row {row + 2}: {error}" for row in rows]
            continue
        last = parsed.steps[-1].minutes
        if last is not None:
            late = table.loc[rows, "time_min"] > last
            problems += [
                f"row {row + 2}: lysed {table['time_min'][row]:g} min into a last step of {last:g} min"
                for row in late[late].index
            ]
    key = ["cell_line", "treatment", "time_min", "readout", "gel", "replicate"]
    doubled = table.duplicated(key, keep="first")
    for row in table.index[doubled]:
        same = (table[key] == table.loc[row, key]).all(axis=1)
        problems.append(f"row {row + 2}: the same band as row {same.idxmax() + 2} (give lanes that repeat a replicate)")
    if "sd" in table.columns:
        problems += [f"row {row + 2}: sd must be positive" for row in table.index[~(table["sd"] > 0)]]
    return problems


def _row_number(problem: str) -> int:
    """Which row a problem is about; -1 for the table as a whole."""
    words = problem.split()
    number = words[1].rstrip(":") if len(words) > 1 and words[0] == "row" else ""
    return int(number) if number.isdigit() else -1
