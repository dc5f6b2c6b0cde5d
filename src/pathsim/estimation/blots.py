"""Measured blots: checked, divided by their loading controls, and turned into a problem."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import words
from ..checked import checked
from ..errors import PathsimError, raise_together, unknown
from ..lab import CellLine, Library, Treatment, default_library
from ..model import Model, load_model
from ..model.maths import symbol
from ..solve import Rosenbrock
from ..stats.noise import Family, LogNormal, Normal
from ..tables import Tell
from .blot_table import CENSORED, in_order, loading_controls, read_frame, with_known_names, with_problems
from .free import FreeParameter, as_free_parameters
from .lab_problem import Detector, Place, Row, assemble, with_bounds
from .likelihood import Scaled, ScaledWithOffset
from .problem import Problem
from .records import Observable

if TYPE_CHECKING:
    import pandas as pd


@checked
def blot_problem(
    model: Model | str | Path,
    blots: pd.DataFrame | str | Path,
    free: Iterable[str | FreeParameter],
    noise: Family | None = None,
    background: Collection[str] = (),
    saturation: Collection[str] = (),
    *,
    library: Library | None = None,
    solver: Rosenbrock | None = None,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
    source: str = "",
) -> Problem:
    """Blots and a model with free parameters, ready for :func:`pathsim.fit`.

    Scales per gel and antibody, and sizes of noise, are solved for in closed form.

    Args:
        blots: a table from :func:`read_blots` (or a file for it).
        free: names of parameters or initial values (bounds: a hundredth to a hundred times the model's own), or
            :class:`FreeParameter` records. ``parameter@cell line`` is fitted for one line only; nothing need be free.
        noise: :class:`~pathsim.stats.noise.LogNormal` or :class:`~pathsim.stats.noise.Normal` noise, of a given size or
            of one that is estimated for each antibody. Default: normal noise of the size that a column ``sd`` says, or
            log-normal noise where there is none.
        background: readouts whose bands have an unknown background: with log-normal noise a parameter
            ``background:<readout>`` in the readout's unit, else an offset of each gel, solved for.
        saturation: readouts whose detector saturates, at ``saturation:<readout>``: the signal of half the range.
        library: drugs and cell lines; default the bundled ones.
        solver: default ``Rosenbrock()``.
        columns, sheet, tell: of a file, as of :func:`read_blots`.
        source: what the problem and its errors call a table that is no file.

    Raises:
        InputError: listing every unknown name, every bad row with its line, and every bound that makes no sense.

    >>> problem = ps.blot_problem("pi3k_mapk", "blots.csv", free=["k_S473", "k_PTEN"])  # doctest: +SKIP
    >>> fit = ps.fit(problem, starts=20)  # doctest: +SKIP
    """
    opened = model if isinstance(model, Model) else load_model(model)
    shelf, where = (
        library or default_library(opened.version),
        str(blots) if isinstance(blots, (str, Path)) else source or "blot problem",
    )
    chosen = as_free_parameters(free)
    shelf = shelf.freeing([item.name for item in chosen])
    background, saturation = words(background, "background"), words(saturation, "saturation")
    given = read_frame(blots, columns, sheet, tell) if isinstance(blots, (str, Path)) else blots
    table, problems = with_problems(given, where)
    family: Family = noise or (Normal() if "sd" in table else LogNormal())
    lines = cell_lines(table, shelf, problems)
    known = {*opened.symbols, *opened.readouts, *loading_controls()}
    table = with_known_names(table, [*opened.readouts, *loading_controls(), *opened.symbols])
    check_readouts(table, known, [*(opened.readouts or opened.symbols), *loading_controls()], problems)
    measured = [name for name in table["readout"].unique() if name not in loading_controls()]
    problems += [
        str(unknown("measured readout", name, measured)) for name in (*background, *saturation) if name not in measured
    ]
    check_drugs(table, shelf, problems)
    if len(table) and not measured:
        problems.append("the table holds loading controls only")
    settled = [with_bounds(opened, item, lines, problems) for item in chosen]
    check_values(table, family, problems)
    check_loading(table, problems)
    raise_together(in_order(problems), where)
    loaded = divide_by_loading(table)
    bands = loaded[~loaded["readout"].isin(loading_controls())]
    observables, detector = band_observables(bands, family, background, saturation)
    return assemble(
        opened,
        bands,
        band_rows(bands, family),
        observables,
        [item for item in settled if item is not None],
        lines,
        shelf,
        detector,
        solver or Rosenbrock(),
        where,
    )


def band_observables(
    bands: pd.DataFrame, family: Family, background: Collection[str], saturation: Collection[str]
) -> tuple[dict[str, Observable], Detector]:
    """An observable for each readout, and what its detector does.

    On a logarithmic scale the background is a parameter, on the linear scale an offset that is solved for.
    """
    names = list(dict.fromkeys(bands["readout"]))
    logarithmic = family.scale != "lin"
    observables = {
        name: Observable(
            name,
            symbol(name),
            family=family,
            form=ScaledWithOffset() if name in background and not logarithmic else Scaled(),
        )
        for name in names
    }
    return observables, Detector(
        frozenset(background) if logarithmic else frozenset(),
        frozenset(saturation),
        frozenset(names) if logarithmic else frozenset(),
    )


def band_rows(bands: pd.DataFrame, family: Family) -> list[Row]:
    """Bands as records; a column ``sd`` is the size of normal noise."""
    sds = bands["sd"] if "sd" in bands and family.scale == "lin" else [float("nan")] * len(bands)
    columns = ("readout", "cell_line", "treatment", "time_min", "value", "gel", CENSORED)
    return [
        Row(readout, Place(line, treatment, float(time)), float(value), gel=str(gel), sd=float(sd), side=-int(below))
        for (readout, line, treatment, time, value, gel, below), sd in zip(
            bands[list(columns)].itertuples(index=False, name=None), sds, strict=True
        )
    ]


def check_values(table: pd.DataFrame, family: Family, problems: list[str]) -> None:
    """Says among ``problems`` which bands the noise does not allow; loading controls are checked elsewhere."""
    bands = table[~table["readout"].isin(loading_controls())]
    if family.scale != "lin":
        problems += [
            f"row {row}: value {value:g} must be positive with log-normal noise (write '<limit' for a band below "
            "detection)"
            for row, value in bands["value"].items()
            if value <= 0
        ]
    else:
        below = bands.index[bands[CENSORED]]
        problems += [f"row {row}: bands below detection need log-normal noise" for row in below]


def cell_lines(table: pd.DataFrame, library: Library, problems: list[str]) -> dict[str, CellLine]:
    """The lines that a table names; those that do not exist are said among ``problems``."""
    found: dict[str, CellLine] = {}
    for name, rows in _named(table, "cell_line"):
        try:
            found[name] = library.cell_line(name)
        except PathsimError as error:
            problems.append(f"row {_many(rows)}: {error}")
    return found


def check_readouts(table: pd.DataFrame, known: Collection[str], shown: Collection[str], problems: list[str]) -> None:
    """Says among ``problems`` which readouts are not ``known``; near ones are sought among those ``shown``."""
    for name, rows in _named(table, "readout"):
        if name not in known:
            problems.append(f"row {_many(rows)}: {unknown('readout', name, shown)}")


def check_drugs(table: pd.DataFrame, library: Library, problems: list[str]) -> None:
    """Says among ``problems`` which drugs do not exist."""
    for name, rows in _named(table, "treatment"):
        try:
            drugs = Treatment.parse(name).names
        except PathsimError:  # said already
            continue
        for drug in drugs:
            try:
                library.drug(drug)
            except PathsimError as error:
                problems.append(f"row {rows[0]}: {error}")


def _named(table: pd.DataFrame, column: str) -> list[tuple[str, pd.Index]]:
    """Every name of a column with its rows; empty ones are left out."""
    groups = table.groupby(column, sort=False).groups.items()
    return [(str(name), rows) for name, rows in groups if str(name).strip()]


def _many(rows: pd.Index) -> str:
    return f"{rows[0]}{f' and {len(rows) - 1} more' if len(rows) > 1 else ''}"


Lane = tuple[str, str, str, float, str]
"""Gel, cell line, treatment, time and replicate."""


def check_loading(table: pd.DataFrame, problems: list[str]) -> None:
    """Says among ``problems`` which loading controls cannot divide, and which bands have none in their lane.

    A table without any loading control is not divided. Else each lane of a gel needs all controls of the gel: lanes
    with different ones would not be comparable.
    """
    is_control = table["readout"].isin(loading_controls()).to_numpy()
    if not is_control.any():
        return
    seen: dict[Lane, set[str]] = {}
    of_gel: dict[str, dict[str, None]] = {}
    lanes = _lanes(table)
    columns = table[["readout", "value", CENSORED]].itertuples(name=None)
    for lane, (row, readout, value, below), control in zip(lanes, columns, is_control, strict=True):
        if not control:
            continue
        seen.setdefault(lane, set()).add(readout)
        of_gel.setdefault(lane[0], {})[readout] = None
        if below:
            problems.append(f"row {row}: the loading control {readout} is below detection; leave its lane out")
        elif value <= 0:
            problems.append(f"row {row}: the loading control {readout} is {value:g}; it must be positive")
    anywhere = list(dict.fromkeys(table["readout"][is_control]))
    for row, lane, control in zip(table.index, lanes, is_control, strict=True):
        if control or "" in lane or lane[3] != lane[3]:  # what is empty was said already
            continue
        absent = [name for name in of_gel.get(lane[0], anywhere) if name not in seen.get(lane, ())]
        if not absent:
            continue
        where = "in other lanes" if lane[0] in of_gel else f"on gel {' and '.join(map(repr, of_gel))} only"
        problems.append(
            f"row {row}: no loading control {' and '.join(absent)} in this lane of gel {lane[0]!r} (measured {where}); "
            "give it or leave the lane out"
        )


def divide_by_loading(table: pd.DataFrame) -> pd.DataFrame:
    """Bands divided by the loading control of their lane, relative to the geometric mean of the gel.

    Several controls of a lane count by their geometric mean. A column ``sd`` is divided too, and the relative errors of
    band and control add in squares. The table is one that :func:`check_loading` finds nothing wrong with.
    """
    is_control = table["readout"].isin(loading_controls()).to_numpy()
    if not is_control.any():
        return table
    lanes = _lanes(table)
    values = table["value"].to_numpy(dtype=float)
    sds = table["sd"].to_numpy(dtype=float) if "sd" in table else np.zeros(len(table))
    logs: dict[Lane, list[float]] = {}
    errors: dict[Lane, list[float]] = {}
    for i in np.flatnonzero(is_control):
        logs.setdefault(lanes[i], []).append(float(np.log(values[i])))
        errors.setdefault(lanes[i], []).append(float(sds[i] / values[i]))
    of_gel: dict[str, list[float]] = {}
    for lane, own in logs.items():
        of_gel.setdefault(lane[0], []).append(float(np.mean(own)))
    load, error = np.ones(len(table)), np.zeros(len(table))
    for i in np.flatnonzero(~is_control):
        load[i] = np.exp(np.mean(logs[lanes[i]]) - np.mean(of_gel[lanes[i][0]]))
        error[i] = np.hypot.reduce(errors[lanes[i]]) / len(errors[lanes[i]])
    divided = table.assign(value=values / load)
    return divided.assign(sd=np.hypot(sds, values * error) / load) if "sd" in table else divided


def _lanes(table: pd.DataFrame) -> list[Lane]:
    """The lane of each row; treatments are compared by what they mean, times to nine digits."""
    same: dict[str, str] = {}
    for text in table["treatment"].unique():
        try:
            same[text] = treatment_meaning(Treatment.parse(text))
        except PathsimError:  # said already
            same[text] = text
    columns = table[["gel", "cell_line", "treatment", "time_min", "replicate"]].itertuples(index=False, name=None)
    return [(gel, line, same[text], float(f"{time:.9g}"), number) for gel, line, text, time, number in columns]


def treatment_meaning(treatment: Treatment) -> str:
    """The same text for treatments that differ in units or in the order of doses only."""
    return " then ".join(
        f"{sorted((d.name, d.amount.unit.dimension.name, f'{d.amount.inner:.9g}') for d in step.doses)} {step.minutes}"
        for step in treatment.steps
    )
