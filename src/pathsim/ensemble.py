"""One experiment under many parameter sets: readings of dishes, bands of predictions, the shipped ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import InputError, raise_together
from .lab import CellLine, Condition, Library, Treatment, default_library
from .model import Model, models_folder
from .simulation import Plan
from .solve import Solver

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
Constants = Mapping[str, float]
"""Constants that replace the model's own; ``name@line`` is the value for one cell line."""

SHIPPED = "ensemble.csv"


@dataclass(frozen=True, slots=True)
class Dish:
    """A cell line under a treatment, read at a time (minutes from the start of the last step)."""

    cell_line: str
    treatment: str
    time_min: float
    readout: str


def with_constants(line: CellLine, constants: Constants) -> CellLine:
    """``line`` in a model with other ``constants``; what the line itself sets still wins, except over ``name@line``."""
    own = {name: value for name, value in constants.items() if "@" not in name}
    own.update(line.set)
    root = line.name.split("+")[0]
    own.update({name.split("@")[0]: value for name, value in constants.items() if name.endswith(f"@{root}")})
    return replace(line, set=MappingProxyType(own))


def read_dishes(
    model: Model,
    dishes: Sequence[Dish],
    sets: Sequence[Constants] = ({},),
    library: Library | None = None,
    solver: Solver | None = None,
    chunk: int = 24,
    lines: Mapping[str, CellLine] | None = None,
) -> FloatArray:
    """The reading of every dish under every parameter set, shape (sets, dishes).

    All sets of a ``chunk`` are simulated as one batch. ``lines`` replaces lines of the library, alterations included.
    Raises what :meth:`Plan.run` raises.
    """
    shelf = library or default_library()
    pairs = list(dict.fromkeys((dish.cell_line, dish.treatment) for dish in dishes))
    number = {pair: n for n, pair in enumerate(pairs)}
    readouts = list(dict.fromkeys(dish.readout for dish in dishes))
    column = {name: n for n, name in enumerate(readouts)}
    own_lines = {name: (lines or {}).get(name) or shelf.cell_line(name) for name, _ in pairs}
    protocols = {text: Treatment.parse(text) for _, text in pairs}
    condition = np.array([number[dish.cell_line, dish.treatment] for dish in dishes], dtype=np.int64)
    times = np.array([dish.time_min for dish in dishes], dtype=float)
    readout = np.array([column[dish.readout] for dish in dishes], dtype=np.int64)
    result = np.empty((len(sets), len(dishes)))
    for start in range(0, len(sets), chunk):
        part = sets[start : start + chunk]
        conditions = []
        for constants in part:
            own = {name: with_constants(line, constants) for name, line in own_lines.items()}
            conditions += [Condition(own[name], protocols[text]) for name, text in pairs]
        offsets = np.arange(len(part))[:, None] * len(pairs)
        plan = Plan(
            model=model,
            conditions=tuple(conditions),
            readouts=tuple(readouts),
            condition=(offsets + condition).reshape(-1),
            time_min=np.tile(times, len(part)),
            readout=np.tile(readout, len(part)),
        )
        result[start : start + chunk] = plan.run(shelf, solver).reshape(len(part), len(dishes))
    return result


def read_ensemble(path: str | Path | None = None) -> list[dict[str, float]]:
    """Parameter sets from a CSV with one column per constant; by default the sets shipped with the bundled model.

    Raises :class:`InputError` naming the file, and every row and column that is not a positive number.
    """
    import pandas as pd

    where = Path(path) if path is not None else models_folder() / SHIPPED
    try:
        frame = pd.read_csv(where, comment="#")
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{where}: cannot be read as an ensemble: {error}") from None
    problems = []
    for name in frame.columns:
        values = pd.to_numeric(frame[name], errors="coerce")
        problems += [f"row {row + 2}, column '{name}': '{frame[name].iloc[row]}' is not a positive number"
                     for row in np.flatnonzero(~(values.to_numpy() > 0))]  # fmt: skip
    raise_together(problems[:20], str(where))
    return [{str(name): float(value) for name, value in row.items()} for row in frame.to_dict("records")]


def band(values: FloatArray, low: float = 0.05, high: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Quantiles over the parameter sets (axis 0): the band that a prediction is reported with."""
    return np.quantile(values, low, axis=0), np.quantile(values, high, axis=0)


def over_sets(
    run: Callable[[Sequence[CellLine | str]], pd.DataFrame],
    lines: Sequence[str],
    sets: Sequence[Constants],
    library: Library | None = None,
) -> pd.DataFrame:
    """An assay with the model's own constants, and how far its values spread over ``sets``.

    ``run`` carries out the assay on cell lines: first on ``lines`` as they are, then with the constants of each set.
    Returns its table with columns ``low`` and ``high`` (5 and 95 % quantiles of ``value`` over the sets) behind
    ``value``.

    Raises what the assay raises; :class:`InputError` when there are no sets.
    """
    if not sets:
        raise InputError("an ensemble needs at least one parameter set")
    table = run(lines)  # which says everything that is wrong with the names at once
    known = [(library or default_library()).cell_line(name) for name in lines]
    readings = [run([with_constants(line, constants) for line in known]) for constants in sets]
    low, high = band(np.stack([reading["value"].to_numpy(dtype=float) for reading in readings]))
    place = list(table.columns).index("value") + 1
    table.insert(place, "low", low)
    table.insert(place + 1, "high", high)
    return table
