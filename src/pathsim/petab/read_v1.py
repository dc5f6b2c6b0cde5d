"""PEtab version 1: its tables as a :class:`~pathsim.estimation.records.Description`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError, raise_together, unknown
from ..estimation.priors import check_prior
from ..estimation.records import Description, Measurement, Observable, Part, Prior, TableParameter
from ..experiments.experiment import STEADY_STATE, Change, Experiment, Period
from ..model import Model, load_model
from ..model.maths import Expr, number, symbols
from ..stats.noise import Family, Laplace, Log10Laplace, Log10Normal, LogLaplace, LogNormal, Normal
from .check import CONDITIONS_V1, MEASUREMENTS, OBSERVABLES, PARAMETERS, cell_faults, flag, gathered, meaning_faults
from .formulas import parse

_SCALES = ("lin", "log", "log10")
_FAMILIES: dict[tuple[str, str], Family] = {
    ("lin", "normal"): Normal(),
    ("log", "normal"): LogNormal(),
    ("log10", "normal"): Log10Normal(),
    ("lin", "laplace"): Laplace(),
    ("log", "laplace"): LogLaplace(),
    ("log10", "laplace"): Log10Laplace(),
}
_PRIORS = {
    "uniform": ("uniform", False),
    "normal": ("normal", False),
    "laplace": ("laplace", False),
    "logNormal": ("log-normal", False),
    "logLaplace": ("log-laplace", False),
    "parameterScaleUniform": ("uniform", True),
    "parameterScaleNormal": ("normal", True),
    "parameterScaleLaplace": ("laplace", True),
}


def read_v1(source: Path, contents: dict[str, Any]) -> Description:
    """The problem whose YAML file says ``contents``. Raises :class:`InputError` with every problem found."""
    from petab import v1

    folder = source.parent
    parameter_files = contents["parameter_file"]
    files = [parameter_files] if isinstance(parameter_files, str) else parameter_files
    problems = cell_faults(folder, PARAMETERS, files)
    for problem in contents["problems"]:
        for kind in (CONDITIONS_V1, OBSERVABLES, MEASUREMENTS):
            problems += cell_faults(folder, kind, problem[f"{kind.name}_files"])
    raise_together(problems, str(source))
    table = _together(v1.get_parameter_df, folder, files)
    _require(table, ("estimate",), "parameter table", source)
    table = table[~table.index.duplicated()]
    parameters = [gathered(problems, _parameter, str(name), row, source) for name, row in table.iterrows()]
    parts: list[Part] = []
    for problem in contents["problems"]:
        parts.append(_part(folder, problem, source, sum(len(part.table) for part in parts), problems))
    raise_together(problems, str(source))
    read = tuple(parameter for parameter in parameters if parameter)
    description = Description(str(source), 1, read, tuple(parts))
    raise_together(meaning_faults(description), str(source))
    return description


def _parameter(name: str, row: pd.Series[Any], source: Path) -> TableParameter:
    scale = row.get("parameterScale", "lin")
    if not filled(scale):
        scale = "lin"
    if scale not in _SCALES:
        raise unknown("parameterScale", str(scale), _SCALES, f"({source}, parameter '{name}')")
    lower, upper = number_in(row, "lowerBound", -math.inf), number_in(row, "upperBound", math.inf)
    nominal = number_in(row, "nominalValue", math.nan)
    estimated = flag(row["estimate"]) is True
    if not estimated and math.isnan(nominal):
        raise InputError(f"{source}: parameter '{name}' is not estimated and has no nominalValue")
    return TableParameter(name, scale, lower, upper, nominal, estimated, _prior(name, row, source))


def _prior(name: str, row: pd.Series[Any], source: Path) -> Prior | None:
    kind = row.get("objectivePriorType")
    given = filled(row.get("objectivePriorParameters"))
    where = f"{source}, parameter '{name}'"
    if not filled(kind):
        if given:
            raise InputError(f"{where}: objectivePriorParameters are given, but no objectivePriorType")
        return None
    if kind not in _PRIORS:
        raise unknown("objectivePriorType", str(kind), _PRIORS, f"({where})")
    distribution, on_scale = _PRIORS[str(kind)]
    if not given:
        if distribution == "uniform":  # between the bounds
            return None
        raise InputError(f"{where}: the prior '{kind}' needs its objectivePriorParameters")
    values = tuple(float(value) for value in str(row["objectivePriorParameters"]).split(";"))
    check_prior(distribution, values, where)
    return Prior(distribution, values, on_scale)


def _part(folder: Path, problem: dict[str, Any], source: Path, before: int, problems: list[str]) -> Part:
    """One of the problems of a file; ``before`` counts the measurements of those before it, ``problems`` grows."""
    from petab import v1

    if len(problem["sbml_files"]) != 1:
        raise InputError(f"{source}: one SBML file per problem is expected, not {len(problem['sbml_files'])}")
    model = load_model(folder / problem["sbml_files"][0])
    conditions = _together(v1.get_condition_df, folder, problem["condition_files"])
    observables = _together(v1.get_observable_df, folder, problem["observable_files"])
    table = _together(v1.get_measurement_df, folder, problem["measurement_files"])
    table = table.set_axis(range(before, before + len(table)))
    _require(table, ("observableId", "simulationConditionId", "time", "measurement"), "measurement table", source)
    _require(observables, ("observableFormula", "noiseFormula"), "observable table", source)
    read = {str(name): gathered(problems, _observable, str(name), row, source) for name, row in observables.iterrows()}
    by_id = {name: observable for name, observable in read.items() if observable}
    conditions.index = conditions.index.astype(str)
    experiments, measurements, found = _measurements(table, read, conditions, model, source)
    problems += found
    return Part(model, by_id, experiments, measurements, table)


def _together(read: Callable[[str], pd.DataFrame], folder: Path, names: list[str]) -> pd.DataFrame:
    """Tables of one kind under each other. Raises :class:`InputError` with the file and what petab says of it."""
    frames = []
    for name in names:
        try:
            frames.append(read(str(folder / name)))
        except FileNotFoundError:
            raise InputError(f"{folder / name}: no such file") from None
        except (ValueError, KeyError, TypeError, AssertionError, AttributeError) as error:
            raise InputError(f"{folder / name}: {' '.join(str(error).split())}") from None
    return frames[0] if len(frames) == 1 else pd.concat(frames)


def _require(table: pd.DataFrame, columns: tuple[str, ...], kind: str, source: Path) -> None:
    missing = [f"the {kind} has no column '{column}'" for column in columns if column not in table]
    raise_together(missing, str(source))


def _observable(name: str, row: pd.Series[Any], source: Path) -> Observable:
    where = f"{source}, observable '{name}'"
    scale: Any = row.get("observableTransformation", "lin")
    scale = scale if filled(scale) else "lin"
    if scale not in _SCALES:
        raise unknown("observableTransformation", str(scale), _SCALES, f"({where})")
    noise: Any = row.get("noiseDistribution", "normal")
    noise = noise if filled(noise) else "normal"
    if noise not in ("normal", "laplace"):
        raise unknown("noiseDistribution", str(noise), ("normal", "laplace"), f"({where})")
    family = _FAMILIES[scale, noise]
    formula, sigma = parse(row["observableFormula"], where), parse(row["noiseFormula"], where)
    used = symbols(formula) | symbols(sigma)
    return Observable(
        name,
        formula,
        sigma,
        family,
        _placeholders("observableParameter", name, used),
        _placeholders("noiseParameter", name, used),
    )


def _placeholders(prefix: str, name: str, used: set[str]) -> tuple[str, ...]:
    found = [re.fullmatch(rf"{prefix}(\d+)_{re.escape(name)}", text) for text in used]
    count = max((int(match[1]) for match in found if match), default=0)
    return tuple(f"{prefix}{i}_{name}" for i in range(1, count + 1))


def _measurements(
    table: pd.DataFrame, observables: dict[str, Observable | None], conditions: pd.DataFrame, model: Model, source: Path
) -> tuple[dict[str, Experiment], tuple[Measurement, ...], list[str]]:
    experiments: dict[str, Experiment] = {}
    measurements: list[Measurement] = []
    problems: list[str] = []
    columns = {name: table[name].tolist() for name in table.columns}
    empty = [None] * len(table)
    before = columns.get("preequilibrationConditionId", empty)
    for i, (observable, simulated) in enumerate(
        zip(columns["observableId"], columns["simulationConditionId"], strict=True)
    ):
        names = [str(name) for name in (before[i], simulated) if filled(name)]
        missing = [name for name in names if name not in conditions.index]
        if missing:
            problems.append(f"measurement {i + 1}: unknown condition '{missing[0]}'")
            continue
        found = observables.get(str(observable))
        if found is None and str(observable) in observables:
            continue  # its formula is among the problems
        if found is None:
            problems.append(f"measurement {i + 1}: {unknown('observable', str(observable), observables)}")
            continue
        overrides = gathered(problems, split_cell, columns.get("observableParameters", empty)[i], i + 1)
        noise = gathered(problems, split_cell, columns.get("noiseParameters", empty)[i], i + 1)
        if overrides is None or noise is None:
            continue
        problems += check_overrides(i + 1, found, overrides, noise)
        key = " then ".join(names)
        if key not in experiments:
            made = gathered(problems, _experiment, key, names, conditions, model, source)
            experiments[key] = made or Experiment(key, (Period(0.0, ()),), carries=False)
        time, value = float(columns["time"][i]), float(columns["measurement"][i])
        measurements.append(Measurement(found.id, key, time, value, overrides, noise))
    return experiments, tuple(measurements), problems


def _experiment(key: str, names: list[str], conditions: pd.DataFrame, model: Model, source: Path) -> Experiment:
    periods: list[Period] = []
    for start, name in zip((STEADY_STATE, 0.0)[-len(names) :], names, strict=True):
        changes = []
        for target, cell in conditions.loc[name].items():
            if target == "conditionName":
                continue
            text = str(cell).strip()
            value = number(math.nan) if not filled(cell) or text.lower() == "nan" else parse(cell, f"{source}, {name}")
            changes.append(Change(str(target), value))
        periods.append(Period(start, tuple(changes)))
    return Experiment(key, tuple(periods), carries=False)


def filled(cell: object) -> bool:
    """Whether a cell of a table holds anything."""
    return not (cell is None or (isinstance(cell, float) and math.isnan(cell)) or cell == "" or cell is pd.NA)


def number_in(row: pd.Series[Any], column: str, default: float) -> float:
    """The number in ``column``, or ``default`` where the cell is empty or the column missing."""
    cell: Any = row.get(column)
    return float(cell) if filled(cell) else default


def split_cell(cell: object, line: int) -> tuple[Expr, ...]:
    """What ``observableParameters`` or ``noiseParameters`` hold: numbers and names between semicolons."""
    if not filled(cell):
        return ()
    if isinstance(cell, (int, float)):
        return (number(float(cell)),)
    return tuple(parse(text, f"measurement {line}") for text in str(cell).split(";") if text.strip())


def check_overrides(
    line: int, observable: Observable, overrides: tuple[Expr, ...], noise: tuple[Expr, ...]
) -> list[str]:
    """Problems with the number of values that fill an observable's placeholders."""
    problems = []
    for column, given, wanted in (
        ("observableParameters", overrides, observable.placeholders),
        ("noiseParameters", noise, observable.noise_placeholders),
    ):
        if len(given) != len(wanted):
            problems.append(
                f"measurement {line}: observable '{observable.id}' takes {len(wanted)} {column}, not {len(given)}"
            )
    return problems
