"""Local sensitivity: by how many percent a readout moves when a parameter moves by one percent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..checked import checked
from ..errors import InputError, PathsimError, SimulationError, raise_together, repeated, unknown
from ..experiments.conditions import resting_medium
from ..experiments.timecourse import system_of
from ..experiments.wells import WellReadings
from ..lab import CellLine, Library, default_library
from ..model import Model, load_model
from ..parts import in_parts
from ..progress import announced, bar
from ..solve import Rosenbrock, Solver
from ..sweep.axes import Axis, Kind, Range, read_axis
from ..sweep.design import Design, line_settings
from ..sweep.protocol import read_media, read_protocol
from ..threads import Workers
from ..units import times_min

if TYPE_CHECKING:
    import pandas as pd

Interval = str | tuple[float, float]
"""``(low, high)`` sampled evenly, or text: ``"0.5 .. 2"``, ``"0.5 .. 2 log"``."""

TIGHT = Rosenbrock(rtol=1e-9, atol=1e-12)
AT_ONCE = 512
"""Sets of parameters simulated at once, after which progress is told."""
LEAST_AT_ONCE = 64
"""Wells that are worth sending to a worker elsewhere."""
_CONSTANTS = ("source", "estimate", "calibrated")


@dataclass(frozen=True, eq=False)
class Setup:
    """One condition whose readouts are looked at while parameters vary."""

    design: Design

    @property
    def columns(self) -> dict[str, object]:
        """What every row of a result begins with."""
        design = self.design
        return {
            "cell_line": design.lines[0][0],
            "treatment": design.protocols[0].text,
            "time_min": design.times[0],
        }

    @property
    def names(self) -> list[str]:
        """The parameters that vary."""
        return [axis.name for axis in self.design.axes]

    def read(self, values: FloatArray, workers: Workers, most_failures: float = 0.0) -> FloatArray:
        """Readouts (n, readouts) for parameter values (n, axes); NaN for sets that could not be simulated.

        Raises :class:`SimulationError` naming the first such set when they are more than a share ``most_failures``.
        """
        found = np.empty((len(values), len(self.design.readouts)))
        failures: dict[int, str] = {}
        with bar("sets of parameters", len(values)) as further:
            for first, read in in_parts(_Readings(self), values, workers, least=LEAST_AT_ONCE, most=AT_ONCE):
                found[first : first + len(read.values)] = read.values[:, 0, :]
                failures |= {first + row: said for row, said in read.failures.items()}
                further(len(read.values))
        if len(failures) > most_failures * len(values):
            row = min(failures)
            share = f"{len(failures)} of {len(values)}"
            where = ", ".join(f"{name} {value:g}" for name, value in zip(self.names, values[row], strict=True))
            blamed = _where_they_fail(self.names, values, np.asarray(np.isnan(found).any(axis=1)))
            raise SimulationError(
                f"{share} sets of parameters failed, {blamed}; narrow its range; with {where}: {failures[row]}"
            )
        return found


@dataclass(frozen=True, eq=False)
class _Readings:
    """Readings of a condition for parameter values (n, axes)."""

    setup: Setup

    def __call__(self, values: FloatArray, threads: int | None) -> WellReadings:
        design = self.setup.design
        axes = {name: values[:, i] for i, name in enumerate(self.setup.names)}
        return design.measure(design.protocols[0], np.zeros(len(values), dtype=np.int64), axes, threads)


def _where_they_fail(names: Sequence[str], values: FloatArray, failed: BoolArray) -> str:
    """Which parameter tells sets that failed from the others best, in words."""
    ranks = np.argsort(np.argsort(values, axis=0), axis=0)
    gaps = ranks[failed].mean(axis=0) - (ranks[~failed].mean(axis=0) if not failed.all() else len(values) / 2)
    worst = int(np.argmax(np.abs(gaps)))
    return f"most of them where {names[worst]} is {'large' if gaps[worst] > 0 else 'small'}"


def set_up(
    model: Model | str | Path,
    cell_line: CellLine | str,
    treatment: str,
    readouts: Sequence[str] | str,
    time: str | float,
    axes: Sequence[Axis],
    library: Library | None,
    solver: Solver,
) -> Setup:
    """Check everything that was asked. Raises :class:`InputError` listing all that is wrong."""
    opened = model if isinstance(model, Model) else load_model(model)
    shelf = library or default_library(opened.version)
    problems: list[str] = []
    names = [readouts] if isinstance(readouts, str) else list(readouts)
    if not names:
        problems.append("no readout is named")
    line = CellLine("unknown")
    moments = [0.0]
    try:
        line = shelf.cell_line(cell_line) if isinstance(cell_line, str) else cell_line
    except PathsimError as error:
        problems.append(str(error))
    try:
        moments = times_min(time) if isinstance(time, str) else [float(time)]
    except PathsimError as error:
        problems.append(str(error))
    if len(moments) != 1 or not moments[0] >= 0:
        problems.append(f"sensitivities are of one time from 0 on, not of {time!r}")
    try:
        protocol = read_protocol(treatment, [], shelf, resting_medium(opened), moments[0])
    except PathsimError as error:
        problems.append(str(error))
    known = set(opened.symbols)
    problems += [str(unknown("readout", name, opened.readouts)) for name in names if name not in known]
    slots = system_of(opened).slots
    for axis in axes:
        if axis.name not in slots:
            problems.append(str(unknown("parameter", axis.name, slots)))
    raise_together(problems, "sensitivity")
    settings = line_settings([line], opened)
    media = read_media([line], shelf)
    design = Design(opened, settings, (protocol,), tuple(axes), None, (moments[0],), tuple(names), solver, 0, media)
    design.check()
    return Setup(design)


def of_each(lines: Sequence[CellLine | str], study: Callable[[CellLine | str], pd.DataFrame]) -> pd.DataFrame:
    """The tables of a study of each line, below each other. Raises :class:`InputError` where no line is named."""
    import pandas as pd

    if not lines:
        raise InputError("no cell line is named")
    return pd.concat([study(line) for line in lines], ignore_index=True)


@checked
@announced("elasticities")
def elasticities(
    model: Model | str | Path,
    cell_line: CellLine | str | Sequence[CellLine | str],
    treatment: str,
    readouts: Sequence[str] | str,
    time: str | float = "24 h",
    parameters: Sequence[str] | None = None,
    *,
    step: float = 1e-3,
    library: Library | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
) -> pd.DataFrame:
    """Elasticities d ln(readout) / d ln(parameter) of a condition, the whole protocol included.

    The steady state before the treatment is found anew for every parameter value, as a cell line that always had that
    value would have it. Central differences in the logarithm, at tight tolerances.

    Args:
        cell_line: a line, or several, whose rows follow each other.
        treatment: treatment text; ``time`` (``"24 h"`` or minutes) counts from its last step.
        parameters: names; default every constant of the model that has a source, is estimated or calibrated (all
            constants where the model annotates none), above zero in this line.
        step: half the difference in ln(parameter); the error falls with its square.
        workers: a number of threads of this machine, or who else works, as of :func:`pathsim.fit`.

    Returns:
        One row per readout and parameter: ``cell_line, treatment, time_min, readout, readout_value, parameter,
        parameter_value, elasticity``, the largest (in size) first for each readout.

    Raises:
        InputError: unknown names; a parameter or readout at zero, which has no elasticity. SimulationError.

    >>> table = ps.sensitivity.elasticities("pi3k_mapk", "T47D", "serum 10 %", "pAKT_S473", "1 h", ["PTEN_total"])
    >>> float(table["elasticity"].iloc[0]) < 0
    True
    """
    import pandas as pd

    if not isinstance(cell_line, CellLine | str):
        return of_each(
            cell_line,
            lambda line: elasticities(
                model, line, treatment, readouts, time, parameters, step=step, library=library, solver=solver,
                workers=workers,
            ),
        )  # fmt: skip
    opened = model if isinstance(model, Model) else load_model(model)
    names = list(parameters) if parameters is not None else None
    if names is not None and not names:
        raise InputError("no parameter is named")
    if not 0 < step < 0.5:
        raise InputError(f"step is {step!r}; it is a small change of ln(parameter), such as 1e-3")
    asked = names if names is not None else _constants(opened)
    axes = [Axis(name, Kind.SCALE, "", Range(0.5, 2.0, True)) for name in asked]
    setup = set_up(opened, cell_line, treatment, readouts, time, axes, library, solver or TIGHT)
    own = setup.design.settings(setup.design.protocols[0], np.zeros(1, dtype=np.int64), {n: np.ones(1) for n in asked})
    slots = list(system_of(opened).slots)
    value_of = {slots[column]: float(value) for column, value in zip(own.columns, own.media[-1][0], strict=True)}
    kept = [name for name in asked if value_of[name] != 0 and np.isfinite(value_of[name])]
    if names is not None:
        still = [name for name in names if name not in kept]
        raise_together([f"'{name}' is {value_of[name]:g} here, so it has no elasticity" for name in still])
    factors = np.ones((1 + 2 * len(kept), len(asked)))
    for i, name in enumerate(kept):
        factors[1 + 2 * i, asked.index(name)] = np.exp(step)
        factors[2 + 2 * i, asked.index(name)] = np.exp(-step)
    values = setup.read(factors, workers)
    zero = [name for name, column in zip(setup.design.readouts, values.T, strict=True) if not (column > 0).all()]
    raise_together([f"readout '{name}' is not above zero here, so it has no elasticity" for name in zero])
    logs = np.log(values)
    found = (logs[1::2] - logs[2::2]) / (2 * step)
    frames = [
        pd.DataFrame(
            {
                **setup.columns,
                "readout": readout,
                "readout_value": values[0, i],
                "parameter": kept,
                "parameter_value": [value_of[name] for name in kept],
                "elasticity": found[:, i],
            }
        ).sort_values("elasticity", key=np.abs, ascending=False, kind="stable")
        for i, readout in enumerate(setup.design.readouts)
    ]
    return pd.concat(frames, ignore_index=True)


def intervals(values: Mapping[str, Interval] | None, factors: Mapping[str, Interval] | None) -> list[Axis]:
    """Axes from intervals of parameter values and of factors on the line's own values."""
    problems: list[str] = []
    axes: list[Axis] = []
    for kind, given in ((Kind.PARAMETER, values or {}), (Kind.SCALE, factors or {})):
        for name, interval in given.items():
            text = interval if isinstance(interval, str) else f"{float(interval[0])!r} .. {float(interval[1])!r}"
            try:
                axis = read_axis(name, kind, text)
            except PathsimError as error:
                problems.append(str(error))
                continue
            if not isinstance(axis.points, Range):
                problems.append(f"{name}: '{text}' is not an interval; write for example '0.5 .. 2 log'")
            axes.append(axis)
    names = [axis.name for axis in axes]
    problems += [f"'{name}' is varied twice" for name in sorted(repeated(names))]
    if not axes and not problems:
        problems.append("no parameter is varied")
    raise_together(problems, "sensitivity")
    return axes


def at_shares(axes: Sequence[Axis], shares: FloatArray) -> FloatArray:
    """Points of the unit cube (n, axes) as values of the axes."""
    columns = [axis.points.at(shares[:, i]) for i, axis in enumerate(axes) if isinstance(axis.points, Range)]
    return np.column_stack(columns)


def _constants(model: Model) -> list[str]:
    """Constants of a model whose numbers come from somewhere, else all of its constants."""
    noted = {item.name for item in model.annotations if item.kind in _CONSTANTS and not item.is_rule}
    system = system_of(model)
    constants = {parameter.id for parameter in model.parameters}
    own = dict(zip(system.slots, system.defaults, strict=True))
    return [
        name
        for name in system.parameters
        if name in constants and (name in noted or not noted) and np.isfinite(own[name])
    ]
