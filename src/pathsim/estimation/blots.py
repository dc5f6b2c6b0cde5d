"""Measured blots: read, checked, and turned into something that can be fitted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, PathsimError, raise_together, unknown
from ..experiments.simulation import system_of
from ..lab import CellLine, Condition, Library, Treatment, default_library
from ..model import Model, load_model
from ..solve import Rosenbrock
from .blot_objective import Antibody, BlotObjective
from .blot_table import CENSORED, LOADING_CONTROLS, check_blots, in_order, read_blots, read_frame, with_problems
from .conditions import Dishes, Target, plain_value
from .free import FOLD, FreeParameter, as_free_parameters, on_scale

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Densitometry:
    """How bands become numbers.

    ``log_normal``: noise in proportion to the band, one sigma per antibody, else normal noise with one sigma per
    antibody (or the table's ``sd``). ``background``: readouts whose bands have an unknown background. ``saturation``:
    readouts whose film saturates at an unknown signal.
    """

    log_normal: bool = True
    background: tuple[str, ...] = ()
    saturation: tuple[str, ...] = ()


def blot_problem(
    model: Model | str | Path,
    blots: pd.DataFrame | str | Path,
    free: Iterable[str | FreeParameter],
    densitometry: Densitometry | None = None,
    *,
    library: Library | None = None,
    solver: Rosenbrock | None = None,
) -> BlotObjective:
    """Blots and a model with free parameters, ready for :func:`pathsim.fit`.

    Args:
        blots: a table from :func:`read_blots` (or a file for it).
        free: names of parameters or initial values (bounds: a hundredth to a hundred times the model's own), or
            :class:`FreeParameter` records. ``parameter@cell line`` is fitted for one line only.
        densitometry: noise, background and saturation; default log-normal noise with a scale per gel and antibody.
        library: drugs and cell lines; default the bundled ones.
        solver: default ``Rosenbrock(rtol=1e-6, atol=1e-9)``.

    Raises:
        InputError: listing every unknown name, every bad row with its line, and every bound that makes no sense.
    """
    opened = model if isinstance(model, Model) else load_model(model)
    return blots_of(
        opened, blots, as_free_parameters(free), densitometry or Densitometry(), library=library, solver=solver
    )


def blots_of(
    opened: Model, blots: pd.DataFrame | str | Path, chosen: Sequence[FreeParameter], rules: Densitometry | None = None,
    *,
    library: Library | None = None, solver: Rosenbrock | None = None,
) -> BlotObjective:  # fmt: skip
    """As :func:`blot_problem`, but nothing need be free, and noise is normal where rules are left out and the table has
    a column ``sd``. Raises as it."""
    shelf, where = library or default_library(), str(blots) if isinstance(blots, (str, Path)) else "blot problem"
    table, problems = _read(blots, where)
    rules = rules or Densitometry(log_normal="sd" not in table)
    lines = _cell_lines(table, shelf, problems)
    _check_names(opened, table, rules, shelf, problems)
    settled = [_settled(opened, item, lines, problems) for item in chosen]
    if rules.log_normal:
        bad = table["value"] <= 0
        problems += [f"row {row}: value {table['value'][row]:g} must be positive with log-normal noise (write '<limit' "
                     "for a band below detection)" for row in table.index[bad]]  # fmt: skip
    elif table[CENSORED].any():
        first = table.index[table[CENSORED]][0]
        problems.append(f"row {first}: bands below detection need log-normal noise")
    raise_together(in_order(problems), where)
    loaded = _divide_by_loading(table)
    bands = loaded[~loaded["readout"].isin(LOADING_CONTROLS)]
    return _assemble(opened, bands, [item for item in settled if item is not None], rules, shelf, lines, solver)


def _read(blots: pd.DataFrame | str | Path, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The table and what is wrong with it; one that was checked before keeps the lines of its file as index."""
    if isinstance(blots, (str, Path)):
        return with_problems(read_frame(blots), where)
    known = {CENSORED, "gel", "replicate"} <= set(blots.columns) and len(blots) and blots.index.min() >= 2
    return (blots, []) if known and blots[CENSORED].dtype == bool else with_problems(blots, where)


def _cell_lines(table: pd.DataFrame, library: Library, problems: list[str]) -> dict[str, CellLine]:
    found: dict[str, CellLine] = {}
    for name, rows in _named(table, "cell_line"):
        try:
            found[name] = library.cell_line(name)
        except PathsimError as error:
            problems.append(f"row {rows[0]}{f' and {len(rows) - 1} more' if len(rows) > 1 else ''}: {error}")
    return found


def _named(table: pd.DataFrame, column: str) -> list[tuple[str, pd.Index]]:
    """Every name of a column with its rows; empty ones are left out."""
    groups = table.groupby(column, sort=False).groups.items()
    return [(str(name), rows) for name, rows in groups if str(name).strip()]


def _check_names(model: Model, table: pd.DataFrame, rules: Densitometry, library: Library, problems: list[str]) -> None:
    known = {*model.symbols, *model.readouts}
    for name, rows in _named(table, "readout"):
        if name not in known and name not in LOADING_CONTROLS:
            error = unknown("readout", name, [*(model.readouts or model.symbols), *LOADING_CONTROLS])
            problems.append(f"row {rows[0]}{f' and {len(rows) - 1} more' if len(rows) > 1 else ''}: {error}")
    measured = list(table["readout"].unique())
    for name in (*rules.background, *rules.saturation):
        if name not in measured:
            problems.append(str(unknown("measured readout", name, measured)))
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
    if table["readout"].isin(LOADING_CONTROLS).all():
        problems.append("the table holds loading controls only")


def _settled(
    model: Model, free: FreeParameter, lines: dict[str, CellLine], problems: list[str]
) -> FreeParameter | None:
    """The parameter with both bounds."""
    system = system_of(model)
    try:
        system.slot(free.parameter)
    except InputError as error:
        problems.append(str(error))
        return None
    if free.line and free.line not in lines:
        problems.append(f"{free.name}: {unknown('cell line of the table', free.line, lines)}")
        return None
    if free.lower is not None and free.upper is not None:
        return free
    value = plain_value(system, free.parameter, lines.get(free.line))
    if not (math.isfinite(value) and value > 0):
        problems.append(f"{free.name}: its value in the model is {value:g}, so lower and upper must be given")
        return None
    lower, upper = free.lower or value / FOLD, free.upper or value * FOLD
    return FreeParameter(free.name, lower, upper, free.scale, free.mean, free.sd)


def _divide_by_loading(table: pd.DataFrame) -> pd.DataFrame:
    """Bands divided by the loading control of their lane, relative to the mean of the gel."""
    import pandas as pd

    controls = table[table["readout"].isin(LOADING_CONTROLS)]
    if not len(controls):
        return table
    lane = ["gel", "cell_line", "treatment", "time_min", "replicate"]
    logs = controls.assign(log=np.log(controls["value"].clip(lower=1e-300)))
    loads = logs.groupby(lane, as_index=False)["log"].mean()
    loads["log"] -= loads.groupby("gel")["log"].transform("mean")
    joined = table.reset_index(names="row").merge(loads, on=lane, how="left")
    joined.index = pd.Index(joined.pop("row"))
    load = np.exp(joined.pop("log").fillna(0.0))
    is_control = joined["readout"].isin(LOADING_CONTROLS)
    joined["value"] = joined["value"].where(is_control, joined["value"] / load)
    return joined


def _assemble(
    model: Model, bands: pd.DataFrame, free: Sequence[FreeParameter], rules: Densitometry, library: Library,
    lines: dict[str, CellLine], solver: Rosenbrock | None,
) -> BlotObjective:  # fmt: skip
    pairs = list(dict.fromkeys(zip(bands["cell_line"], bands["treatment"], strict=True)))
    conditions = [Condition(lines[line], Treatment.parse(text)) for line, text in pairs]
    times = np.unique(bands["time_min"].to_numpy(dtype=float))
    readouts = list(dict.fromkeys(bands["readout"]))
    system = system_of(model)
    targets = [Target(item.parameter, item.line) for item in free]
    dishes = Dishes(model, conditions, targets, times, [system.output(name) for name in readouts], library,
                    solver or Rosenbrock())  # fmt: skip
    raise_together([
        f"'{target.parameter}' cannot be estimated: every cell line of the table sets it to a number of its own; "
        f"fit it for a line, as '{target.parameter}@{next(iter(lines))}'"
        for target in dishes.without_effect
    ], "blot problem")  # fmt: skip
    place = {pair: i for i, pair in enumerate(pairs)}
    condition = np.array([place[pair] for pair in zip(bands["cell_line"], bands["treatment"], strict=True)])
    moment = np.searchsorted(times, bands["time_min"].to_numpy(dtype=float))
    antibodies = []
    for number, name in enumerate(readouts):
        rows = np.flatnonzero((bands["readout"] == name).to_numpy())
        gels, gel = np.unique(bands["gel"].astype(str).to_numpy()[rows], return_inverse=True)
        antibodies.append(
            Antibody(
                name=name, rows=rows, condition=condition[rows], time=moment[rows],
                output=np.full(len(rows), number), value=bands["value"].to_numpy(dtype=float)[rows],
                censored=bands[CENSORED].to_numpy(dtype=bool)[rows], gel=gel, gels=tuple(gels),
                sd=bands["sd"].to_numpy(dtype=float)[rows] if "sd" in bands.columns else None,
                background=name in rules.background, saturates=name in rules.saturation,
            )
        )  # fmt: skip
    return BlotObjective(dishes, tuple(free), tuple(antibodies), rules.log_normal, bands, lines)


__all__ = ["Densitometry", "blot_problem", "check_blots", "on_scale", "read_blots"]
