"""One experiment under many parameter sets: readings of dishes, bands of predictions, the shipped ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, PathsimError, SimulationError, raise_together
from ..lab import CellLine, Condition, Library, Treatment, default_library
from ..model import Model, models_folder
from ..solve import Solver
from ..table import read_csv
from .simulation import Plan, system_of

if TYPE_CHECKING:
    import pandas as pd

Study = TypeVar("Study")
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
    """``line`` in a model with other ``constants``.

    What the line itself sets or scales still applies, except where ``name@line`` gives the line's number; of an altered
    line (``T47D+PTEN_loss``) that may be ``name@T47D``, on which the alteration then acts.
    """
    own = {name: value for name, value in constants.items() if "@" not in name}
    own.update(line.set)
    for whose in (line.name.split("+")[0], line.name):
        own.update({name.split("@")[0]: value for name, value in constants.items() if name.endswith(f"@{whose}")})
    fixed = {name.split("@")[0] for name in constants if name.endswith(f"@{line.name}")}
    scale = {name: factor for name, factor in line.scale.items() if name not in fixed}
    return replace(line, set=MappingProxyType(own), scale=MappingProxyType(scale))


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


def load_parameter_sets(path: str | Path | None = None) -> list[dict[str, float]]:
    """Parameter sets from a CSV with one column per constant; by default the sets shipped with the bundled model.

    Raises :class:`InputError` naming the file, and every row and column that is not a number.
    """
    import pandas as pd

    where = Path(path) if path is not None else models_folder() / SHIPPED
    frame = read_csv(where, comment="#")
    problems = [] if len(frame) else ["there is no parameter set in it"]
    for name in frame.columns:
        values = pd.to_numeric(frame[name], errors="coerce")
        problems += [f"row {row + 2}, column '{name}': '{frame[name].iloc[row]}' is not a number"
                     for row in np.flatnonzero(~np.isfinite(values.to_numpy(dtype=float)))]  # fmt: skip
    raise_together(problems[:20], str(where))
    return [{str(name): float(value) for name, value in row.items()} for row in frame.to_dict("records")]


def choose_sets(model: Model, wanted: int | str | Path) -> list[dict[str, float]]:
    """The first ``wanted`` shipped parameter sets, or all those of a file, for ``model``.

    Raises :class:`InputError` for more sets than there are, and for constants that the model does not have.
    """
    system, problems = system_of(model), []
    sets = load_parameter_sets() if isinstance(wanted, int) else load_parameter_sets(wanted)
    for name in sets[0]:
        try:
            system.slot(name.split("@")[0])
        except PathsimError as error:
            problems.append(str(error))
    if not isinstance(wanted, int):
        raise_together(problems, str(wanted))
        return sets
    if problems:
        raise InputError(f"the shipped parameter sets belong to pi3k_mapk, not to {model.id}; give a file of its own")
    if not 1 <= wanted <= len(sets):
        raise InputError(f"{wanted} parameter sets are asked for; 1 to {len(sets)} are shipped")
    return sets[:wanted]


def band(values: FloatArray, low: float = 0.05, high: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Quantiles over the parameter sets (axis 0): the band that a prediction is reported with."""
    return np.quantile(values, low, axis=0), np.quantile(values, high, axis=0)


@dataclass(frozen=True, eq=False)
class Repeats(Generic[Study]):
    """A study with the model's own constants (``own``), the same under parameter sets (``others``), and in words what
    went wrong with the sets under which it could not be carried out (``failures``)."""

    own: Study
    others: tuple[Study, ...]
    failures: tuple[str, ...] = ()


def repeat(
    run: Callable[[Sequence[CellLine | str]], Study],
    lines: Sequence[str],
    sets: Sequence[Constants],
    library: Library | None = None,
    tell: Callable[[str], None] | None = None,
) -> Repeats[Study]:
    """Carry out a study on cell ``lines`` as they are, then on the same lines with the constants of each set.

    Args:
        run: the study, any assay or whatever stands on assays; it gets the lines.
        tell: called with a sentence as sets are done.

    Raises:
        InputError: there are no sets, or what the study raises on the lines as they are.
        SimulationError: the study failed under every set.
    """
    if not sets:
        raise InputError("an ensemble needs at least one parameter set")
    own = run(lines)  # which says everything that is wrong with the names at once
    known = [(library or default_library()).cell_line(name) for name in lines]
    others: list[Study] = []
    failures: list[str] = []
    for number, constants in enumerate(sets, start=1):
        try:
            others.append(run([with_constants(line, constants) for line in known]))
            said = "done"
        except PathsimError as error:
            said = f"left out: {error}"
            failures.append(f"parameter set {number}: {error}")
        if tell is not None:
            tell(f"parameter set {number} of {len(sets)}: {said}")
    if not others:
        raise SimulationError(f"the study failed under all {len(sets)} parameter sets; {failures[0]}")
    return Repeats(own, tuple(others), tuple(failures))


def over_sets(
    run: Callable[[Sequence[CellLine | str]], pd.DataFrame],
    lines: Sequence[str],
    sets: Sequence[Constants],
    library: Library | None = None,
    tell: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """An assay with the model's own constants, and how far its values spread over ``sets``.

    ``run`` carries out the assay on cell lines: first on ``lines`` as they are, then with the constants of each set.
    Returns its table with columns ``low`` and ``high`` (5 and 95 % quantiles of ``value`` over the sets) behind
    ``value``. Sets under which the assay fails are left out, which ``tell`` hears about. Raises as :func:`repeat`.
    """
    found = repeat(run, lines, sets, library)
    if tell is not None:
        for sentence in found.failures:
            tell(f"left out of the band: {sentence}")
    return with_low_and_high(found.own, found.others, {"value": ("low", "high")})


def with_low_and_high(
    table: pd.DataFrame, others: Iterable[pd.DataFrame], columns: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """``table`` with the band of some ``columns`` behind each, from tables of ``others`` with the same rows.

    ``columns``: a column and the names of the lower and the upper end of its band.
    """
    result = table.copy()
    readings = list(others)
    for name, ends in columns.items():
        values = np.stack([reading[name].to_numpy(dtype=float) for reading in readings])
        add_band(result, name, ends, band(values))
    return result


def add_band(table: pd.DataFrame, column: str, ends: tuple[str, str], values: tuple[Any, Any]) -> None:
    """Put the lower and the upper end of a band into ``table`` behind ``column``."""
    place = list(table.columns).index(column) + 1
    for shift, (name, end) in enumerate(zip(ends, values, strict=True)):
        table.insert(place + shift, name, end)
