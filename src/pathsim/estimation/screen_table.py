"""Measured plates as tables of treatments: dose responses and dose matrices, in the one schema that fits work with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checked import checked
from ..errors import InputError, PathsimError, raise_together
from ..experiments.conditions import resting_medium
from ..lab import Library, Treatment, default_library
from ..lab.treatment import Dose
from ..model import Model, load_model
from ..stats.measured import RELATIVE_COUNT, DoseResponse, read_curves
from ..stats.synergy.files import read_csv
from ..tables import Tell
from ..tables.blots import SPELLINGS as OF_BLOTS
from ..tables.curves import dose_and_time
from ..tables.headings import assigned, table_of
from ..tables.matrices import is_matrix, is_schema
from ..tables.sheet import read_sheet
from ..units import quantity, time_min, unit

if TYPE_CHECKING:
    import pandas as pd


@checked
def read_screen(
    path: str | Path,
    cell_line: str | None = None,
    time: str | None = None,
    readout: str = "viability",
    *,
    model: Model | str | Path = "pi3k_mapk",
    medium: str | None = None,
    library: Library | None = None,
    dose_unit: str | None = None,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
) -> pd.DataFrame:
    """A measured dose response or dose matrix as a table of treatments, for :func:`pathsim.problem`.

    Any layout of :func:`pathsim.read_curves` and :func:`pathsim.synergy.read_csv`. Untreated wells are what the others
    are divided by, and have no row.

    Args:
        cell_line: whose wells these are, where the file does not say; a curve's own name may be a line.
        time: how long the drug was there (``"72 h"``), where the file does not say.
        readout: ``viability`` or ``colony`` (% of vehicle), or ``GR`` where the file has GR values or counts for them.
        model: whose full medium the cells are in, unless ``medium`` says another.
        library: drugs and cell lines; default the bundled ones.
        dose_unit: of a file that states none.
        columns, sheet, tell: of the file, as of :func:`pathsim.read_blots`.

    Returns:
        ``cell_line, treatment, time_min, readout, value, replicate``.

    Raises:
        InputError: listing every curve whose line, drug, time or unit of dose is not known.

    >>> wells = ps.read_screen("plate.csv", "T47D", "72 h")  # doctest: +SKIP
    >>> problem = ps.problem("pi3k_mapk", wells, free=["k_S473"])  # doctest: +SKIP
    """
    import pandas as pd

    opened = model if isinstance(model, Model) else load_model(model)
    shelf = library or default_library(opened.version)
    base = Treatment.parse(medium) if medium else Treatment((resting_medium(opened),))
    asked = None if time is None else time_min(time)
    problems: list[str] = []
    rows: list[dict[str, Any]] = []
    if is_matrix(path, columns, sheet):
        found = read_csv(path, unit=dose_unit, columns=columns, sheet=sheet, tell=tell)
        for wells in found:
            where = f"matrix {wells.name}" if wells.name else "the matrix"
            if readout == "GR":
                problems.append(f"{where}: holds no GR values")
            _lacks(where, cell_line, asked, problems)
            for doses, value in zip(wells.doses.tolist(), wells.viability.tolist(), strict=True):
                pairs = zip(wells.drugs, doses, wells.units, strict=True)
                _add(rows, problems, shelf, base, where, cell_line, pairs, asked, readout, 100.0 * value, "1")
    else:
        _, stated = dose_and_time(path, columns, sheet)
        curves = read_curves(path, columns, unit=dose_unit, sheet=sheet, tell=tell)
        for one in curves:
            labels = one.labels
            line = _known_line(shelf, [labels.get("cell_line", ""), labels.get("series", "")]) or cell_line
            drug = labels.get("drug") or _known_drug(shelf, labels.get("series", ""))
            moment = asked if asked is not None else _moment(labels.get("time", ""), stated)
            _lacks(f"curve {one.name}", line, moment, problems)
            if not drug:
                problems.append(f"curve {one.name}: no drug is named; a column 'drug' says which it is")
                continue
            values = _values(one, readout, problems)
            for dose, value, repeat in zip(one.doses.tolist(), values, one.repeats, strict=True):
                given = [(drug, dose, one.unit)]
                _add(rows, problems, shelf, base, f"curve {one.name}", line, given, moment, readout, value, repeat)
    raise_together(list(dict.fromkeys(problems)), str(path))
    return pd.DataFrame(rows)


def is_screen(path: str | Path, columns: Mapping[str, str] | None = None, sheet: str | None = None) -> bool:
    """Whether a file holds doses in columns of their own rather than treatments.

    Raises :class:`InputError` for a file that is no table.
    """
    if is_schema(path, columns, sheet):
        return False
    if is_matrix(path, columns, sheet):
        return True
    try:
        named = assigned(table_of(read_sheet(path, sheet), OF_BLOTS, columns, needed=2), OF_BLOTS)
    except InputError:
        named = {}
    if "treatment" in named and "readout" in named:
        return False
    try:
        return dose_and_time(path, columns, sheet)[0]
    except InputError:
        return False


def _values(one: DoseResponse, readout: str, problems: list[str]) -> list[float]:
    """The curve's values as the readout has them."""
    if readout == "GR":
        if one.gr is None:
            problems.append(f"curve {one.name}: has no GR values, nor counts at the start and of untreated wells")
            return [math.nan] * len(one.doses)
        return [float(value) for value in one.gr]
    if one.gr is one.values:
        problems.append(f"curve {one.name}: holds GR values; read it as GR (--readout GR)")
    percent = 100.0 * one.values if one.response == RELATIVE_COUNT else one.in_percent().values
    return [float(value) for value in percent]


def _lacks(where: str, line: str | None, moment: float | None, problems: list[str]) -> None:
    """Says among ``problems`` what a curve does not tell of itself."""
    if not line:
        problems.append(f"{where}: no cell line is named; say which it is (--cell-line NAME, in Python cell_line=)")
    if moment is None:
        problems.append(f"{where}: the time under the drug is not said; say it (--time '72 h', in Python time=)")


def _add(
    rows: list[dict[str, Any]],
    problems: list[str],
    library: Library,
    base: Treatment,
    where: str,
    line: str | None,
    given: Iterable[tuple[str, float, str]],
    moment: float | None,
    readout: str,
    value: float,
    repeat: str,
) -> None:
    """A row for a well, unless it was left untreated."""
    doses = []
    for drug, amount, symbol in given:
        if amount == 0:
            continue
        try:
            name = library.drug(drug).name
            doses.append(Dose(name, quantity(f"{amount:.15g} {unit(symbol).symbol}")))
        except PathsimError as error:
            hint = "; say it with --unit (in Python dose_unit=)" if symbol == "a.u." else ""
            problems.append(f"{where}: the unit of its doses is not said{hint}" if hint else f"{where}: {error}")
            return
    if not doses or moment is None:
        return
    rows.append(
        {
            "cell_line": line,
            "treatment": str(base.with_added(doses)),
            "time_min": moment,
            "readout": readout,
            "value": value,
            "replicate": repeat or "1",
        }
    )


def _known_line(library: Library, names: list[str]) -> str:
    """The first of some names that is a cell line; empty where none is."""
    for name in names:
        try:
            return library.cell_line(name).name if name else ""
        except PathsimError:
            continue
    return names[0]


def _known_drug(library: Library, name: str) -> str:
    try:
        return library.drug(name).name if name else ""
    except PathsimError:
        return ""


def _moment(cell: str, stated: str) -> float | None:
    """Minutes of a cell such as ``72 h``, or of a number in a column whose name states the unit; None for neither."""
    for text in (cell, f"{cell} {stated}"):
        try:
            return time_min(text)
        except InputError:
            continue
    return None
