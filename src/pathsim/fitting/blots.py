"""Measured blots: read, checked, and turned into something that can be fitted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InputError, PathsimError, raise_together, unknown
from ..lab import CellLine, Condition, Library, Treatment, default_library
from ..model import Model, load_model
from ..simulation import system_of
from ..solve import Rosenbrock
from ..table import COLUMNS, check_table
from .blot_objective import Antibody, BlotObjective
from .conditions import Dishes, Target, plain_value
from .free import FOLD, Free, as_free, on_scale

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
LOADING_CONTROLS = ("vinculin", "GAPDH", "actin", "tubulin", "Coomassie")
"""Readouts that measure how much of a lane was loaded; bands are divided by them."""
CENSORED = "censored"
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no", "", "nan")


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
    import pandas as pd

    try:
        frame = pd.read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV table: {' '.join(str(error).split())}") from None
    return check_blots(frame, str(path))


def check_blots(frame: pd.DataFrame, where: str = "blots") -> pd.DataFrame:
    """A table as :func:`read_blots` gives it, from one with text or numbers. Raises as :func:`read_blots`."""
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
    raise_together(sorted(problems, key=_row_number), where)
    table.index = table.index + 2
    return table


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
            problems += [f"row {row + 2}: lysed {table['time_min'][row]:g} min into a last step of {last:g} min"
                         for row in late[late].index]  # fmt: skip
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


def blot_problem(
    model: Model | str | Path,
    blots: pd.DataFrame | str | Path,
    free: Iterable[str | Free],
    densitometry: Densitometry | None = None,
    *,
    library: Library | None = None,
    solver: Rosenbrock | None = None,
) -> BlotObjective:
    """Blots and a model with free parameters, ready for :func:`pathsim.fit`.

    Args:
        blots: a table from :func:`read_blots` (or a file for it).
        free: names of parameters or initial values (bounds: a hundredth to a hundred times the model's own), or
            :class:`Free` records. ``parameter@cell line`` is fitted for one line only.
        densitometry: noise, background and saturation; default log-normal noise with a scale per gel and antibody.
        library: drugs and cell lines; default the bundled ones.
        solver: default ``Rosenbrock(rtol=1e-6, atol=1e-9)``.

    Raises:
        InputError: listing every unknown name, every bad row with its line, and every bound that makes no sense.
    """
    opened = model if isinstance(model, Model) else load_model(model)
    table = read_blots(blots) if isinstance(blots, (str, Path)) else _checked(blots)
    return blots_of(opened, table, as_free(free), densitometry or Densitometry(), library=library, solver=solver)


def blots_of(
    opened: Model, table: pd.DataFrame, chosen: Sequence[Free], rules: Densitometry, *, library: Library | None = None,
    solver: Rosenbrock | None = None,
) -> BlotObjective:  # fmt: skip
    """As :func:`blot_problem`, from what it reads; nothing need be free. Raises as it."""
    shelf = library or default_library()
    problems: list[str] = []
    lines = _cell_lines(table, shelf, problems)
    _check_names(opened, table, rules, shelf, problems)
    settled = [_settled(opened, item, lines, problems) for item in chosen]
    if rules.log_normal:
        bad = ~(table["value"] > 0)
        problems += [f"row {row}: value {table['value'][row]:g} must be positive with log-normal noise (write '<limit' "
                     "for a band below detection)" for row in table.index[bad]]  # fmt: skip
    elif table[CENSORED].any():
        first = table.index[table[CENSORED]][0]
        problems.append(f"row {first}: bands below detection need log-normal noise")
    raise_together(problems, "blot problem")
    loaded = _divide_by_loading(table)
    bands = loaded[~loaded["readout"].isin(LOADING_CONTROLS)]
    return _assemble(opened, bands, [item for item in settled if item is not None], rules, shelf, lines, solver)


def _checked(blots: pd.DataFrame) -> pd.DataFrame:
    known = {CENSORED, "gel", "replicate"} <= set(blots.columns) and blots.index.min() == 2
    return blots if known and blots[CENSORED].dtype == bool else check_blots(blots)


def _cell_lines(table: pd.DataFrame, library: Library, problems: list[str]) -> dict[str, CellLine]:
    found: dict[str, CellLine] = {}
    for name, rows in table.groupby("cell_line", sort=False).groups.items():
        try:
            found[str(name)] = library.cell_line(str(name))
        except PathsimError as error:
            problems.append(f"row {rows[0]}{f' and {len(rows) - 1} more' if len(rows) > 1 else ''}: {error}")
    return found


def _check_names(
    model: Model, table: pd.DataFrame, rules: Densitometry, library: Library, problems: list[str]
) -> None:
    known = {*model.symbols, *model.readouts}
    for name, rows in table.groupby("readout", sort=False).groups.items():
        if name not in known and name not in LOADING_CONTROLS:
            error = unknown("readout", str(name), [*(model.readouts or model.symbols), *LOADING_CONTROLS])
            problems.append(f"row {rows[0]}{f' and {len(rows) - 1} more' if len(rows) > 1 else ''}: {error}")
    measured = list(table["readout"].unique())
    for name in (*rules.background, *rules.saturation):
        if name not in measured:
            problems.append(str(unknown("measured readout", name, measured)))
    for name, rows in table.groupby("treatment", sort=False).groups.items():
        for drug in Treatment.parse(str(name)).names:
            try:
                library.drug(drug)
            except PathsimError as error:
                problems.append(f"row {rows[0]}: {error}")
    if table["readout"].isin(LOADING_CONTROLS).all():
        problems.append("the table holds loading controls only")


def _settled(model: Model, free: Free, lines: dict[str, CellLine], problems: list[str]) -> Free | None:
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
    return Free(free.name, lower, upper, free.scale, free.mean, free.sd)


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
    model: Model, bands: pd.DataFrame, free: Sequence[Free], rules: Densitometry, library: Library,
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
