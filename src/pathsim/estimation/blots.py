"""Measured blots: checked, divided by their loading controls, and turned into a problem."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import PathsimError, raise_together, unknown
from ..lab import CellLine, Library, Treatment, default_library
from ..model import Model, load_model
from ..model.maths import symbol
from ..solve import Rosenbrock
from ..stats.noise import Family, LogNormal, Normal
from .blot_table import CENSORED, in_order, loading_controls, read_frame, with_problems
from .free import FreeParameter, as_free_parameters
from .lab_problem import Detector, Place, Row, assemble, with_bounds
from .likelihood import Scaled, ScaledWithOffset
from .problem import Problem
from .records import Observable

if TYPE_CHECKING:
    import pandas as pd


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

    Raises:
        InputError: listing every unknown name, every bad row with its line, and every bound that makes no sense.
    """
    opened = model if isinstance(model, Model) else load_model(model)
    shelf, where = library or default_library(), str(blots) if isinstance(blots, (str, Path)) else "blot problem"
    named = list(free)
    chosen = as_free_parameters(named) if named else []
    table, problems = _read(blots, where)
    family: Family = noise or (Normal() if "sd" in table else LogNormal())
    lines = cell_lines(table, shelf, problems)
    known = {*opened.symbols, *opened.readouts, *loading_controls()}
    check_readouts(table, known, [*(opened.readouts or opened.symbols), *loading_controls()], problems)
    measured = list(table["readout"].unique())
    problems += [
        str(unknown("measured readout", name, measured)) for name in (*background, *saturation) if name not in measured
    ]
    check_drugs(table, shelf, problems)
    if table["readout"].isin(loading_controls()).all():
        problems.append("the table holds loading controls only")
    settled = [with_bounds(opened, item, lines, problems) for item in chosen]
    _check_values(table, family, problems)
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


def _read(blots: pd.DataFrame | str | Path, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The table and what is wrong with it; one that was checked before keeps the lines of its file as index."""
    if isinstance(blots, (str, Path)):
        return with_problems(read_frame(blots), where)
    known = {CENSORED, "gel", "replicate"} <= set(blots.columns) and len(blots) and blots.index.min() >= 2
    return (blots, []) if known and blots[CENSORED].dtype == bool else with_problems(blots, where)


def _check_values(table: pd.DataFrame, family: Family, problems: list[str]) -> None:
    if family.scale != "lin":
        bad = table["value"] <= 0
        problems += [
            f"row {row}: value {table['value'][row]:g} must be positive with log-normal noise (write '<limit' "
            "for a band below detection)"
            for row in table.index[bad]
        ]
    elif table[CENSORED].any():
        first = table.index[table[CENSORED]][0]
        problems.append(f"row {first}: bands below detection need log-normal noise")


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


def divide_by_loading(table: pd.DataFrame) -> pd.DataFrame:
    """Bands divided by the loading control of their lane, relative to the mean of the gel."""
    import pandas as pd

    controls = table[table["readout"].isin(loading_controls())]
    if not len(controls):
        return table
    lane = ["gel", "cell_line", "treatment", "time_min", "replicate"]
    logs = controls.assign(log=np.log(controls["value"].clip(lower=1e-300)))
    loads = logs.groupby(lane, as_index=False)["log"].mean()
    loads["log"] -= loads.groupby("gel")["log"].transform("mean")
    joined = table.reset_index(names="row").merge(loads, on=lane, how="left")
    joined.index = pd.Index(joined.pop("row"))
    load = np.exp(joined.pop("log").fillna(0.0))
    is_control = joined["readout"].isin(loading_controls())
    joined["value"] = joined["value"].where(is_control, joined["value"] / load)
    return joined
