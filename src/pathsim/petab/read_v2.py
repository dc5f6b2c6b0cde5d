"""PEtab version 2: its tables as a :class:`~pathsim.estimation.records.Description`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError, UnsupportedModelError, raise_together, unknown
from ..estimation.priors import check_prior
from ..estimation.records import Description, Measurement, Observable, Part, Prior, TableParameter
from ..experiments.experiment import Change, Experiment, Period
from ..model import load_model
from ..model.maths import Expr, substitute, symbol
from ..stats.noise import Family, Laplace, LogLaplace, LogNormal, Normal
from .check import (
    CONDITIONS_V2,
    EXPERIMENTS,
    MEASUREMENTS,
    OBSERVABLES,
    PARAMETERS,
    cell_faults,
    gathered,
    meaning_faults,
)
from .formulas import tree
from .read_v1 import check_overrides, filled, split_cell

_NOISE: dict[str, Family] = {
    "normal": Normal(),
    "laplace": Laplace(),
    "log-normal": LogNormal(),
    "log-laplace": LogLaplace(),
}


def read_v2(source: Path, contents: dict[str, Any]) -> Description:
    """The problem whose YAML file says ``contents``. Raises :class:`InputError` with every problem found."""
    from petab import v2

    _refuse_extensions(source, contents)
    problems: list[str] = []
    for kind in (PARAMETERS, OBSERVABLES, CONDITIONS_V2, EXPERIMENTS, MEASUREMENTS):
        problems += cell_faults(source.parent, kind, contents.get(f"{kind.name}_files") or [])
    raise_together(problems, str(source))
    tables = _Tables(source.parent, contents)
    aliases = {
        entry.petab_id: symbol(entry.model_id)
        for table in tables.read(v2.MappingTable, "mapping_files")
        for entry in table.elements
        if entry.model_id and entry.model_id != entry.petab_id
    }
    parameters = {
        row.id: gathered(problems, _parameter, row, aliases, source)
        for table in tables.read(v2.ParameterTable, "parameter_files")
        for row in table.elements
    }
    raise_together(problems, str(source))
    observables = {
        row.id: _observable(row, aliases)
        for table in tables.read(v2.ObservableTable, "observable_files")
        for row in table.elements
    }
    conditions = {
        row.id: tuple(_change(change, aliases) for change in row.changes)
        for table in tables.read(v2.ConditionTable, "condition_files")
        for row in table.elements
    }
    experiments: dict[str, Experiment] = {"": Experiment("", (Period(0.0, ()),), carries=True)}
    for table in tables.read(v2.ExperimentTable, "experiment_files"):
        experiments |= {row.id: _experiment(row, conditions, source) for row in table.elements}
    read = tuple(parameter for parameter in parameters.values() if parameter)
    description = Description(str(source), 2, read, _parts(source, contents, observables, experiments))
    raise_together(meaning_faults(description), str(source))
    return description


def _refuse_extensions(source: Path, contents: dict[str, Any]) -> None:
    """Extensions that change what the problem means."""
    extensions = contents.get("extensions") or {}
    needed = sorted(
        name for name, entry in extensions.items() if not isinstance(entry, dict) or entry.get("required", True)
    )
    if needed:
        raise UnsupportedModelError(f"{source}: the PEtab extension '{needed[0]}' is required, but unknown to pathsim")


class _Tables:
    """Reads the tables that a problem file names."""

    def __init__(self, folder: Path, contents: dict[str, Any]) -> None:
        self.folder = folder
        self.contents = contents

    def read(self, kind: Any, key: str) -> list[Any]:
        """All tables of one kind. Raises :class:`InputError` with the file and what petab says of it."""
        tables = []
        for name in self.contents.get(key) or []:
            try:
                tables.append(kind.from_tsv(name, self.folder))
            except FileNotFoundError:
                raise InputError(f"{self.folder / name}: no such file") from None
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{self.folder / name}: {' '.join(str(error).split())}") from None
        return tables


def _named(name: str, aliases: dict[str, Expr]) -> str:
    return aliases[name].name if name in aliases else name


def _parameter(row: Any, aliases: dict[str, Expr], source: Path) -> TableParameter:
    lower = -math.inf if row.lb is None else float(row.lb)
    upper = math.inf if row.ub is None else float(row.ub)
    nominal = math.nan if row.nominal_value is None else float(row.nominal_value)
    prior = None
    if row.estimate:
        distribution = str(getattr(row.prior_distribution, "value", row.prior_distribution) or "")
        if distribution:
            values = tuple(float(value) for value in row.prior_parameters)
            check_prior(distribution, values, f"{source}, parameter '{row.id}'")
            prior = Prior(distribution, values, truncated=True)
        elif math.isfinite(lower) and math.isfinite(upper):
            prior = Prior("uniform", (lower, upper), truncated=True)
    return TableParameter(_named(row.id, aliases), "lin", lower, upper, nominal, bool(row.estimate), prior)


def _observable(row: Any, aliases: dict[str, Expr]) -> Observable:
    for column, formula in (("observableFormula", row.formula), ("noiseFormula", row.noise_formula)):
        if formula is None:
            raise InputError(f"observable table, observable '{row.id}': there is no {column}")
    return Observable(
        row.id,
        substitute(tree(row.formula), aliases),
        substitute(tree(row.noise_formula), aliases),
        _NOISE[str(getattr(row.noise_distribution, "value", row.noise_distribution))],
        tuple(str(item) for item in row.observable_placeholders),
        tuple(str(item) for item in row.noise_placeholders),
    )


def _change(change: Any, aliases: dict[str, Expr]) -> Change:
    return Change(_named(change.target_id, aliases), substitute(tree(change.target_value), aliases))


def _experiment(row: Any, conditions: dict[str, tuple[Change, ...]], source: Path) -> Experiment:
    periods: list[Period] = []
    problems: list[str] = []
    for period in row.sorted_periods:
        changes: list[Change] = []
        for name in period.condition_ids:
            if name not in conditions:
                problems.append(f"experiment '{row.id}': {unknown('condition', name, conditions)}")
            changes += conditions.get(name, ())
        targets = [change.target for change in changes]
        twice = sorted({target for target in targets if targets.count(target) > 1})
        problems += [f"experiment '{row.id}', time {period.time:g}: '{name}' is set more than once" for name in twice]
        periods.append(Period(float(period.time), tuple(changes)))
    raise_together(problems, str(source))
    return Experiment(row.id, tuple(periods), carries=True)


def _parts(
    source: Path, contents: dict[str, Any], observables: dict[str, Observable], experiments: dict[str, Experiment]
) -> tuple[Part, ...]:
    table = _measurement_table(source, contents.get("measurement_files") or [])
    models = contents.get("model_files") or {}
    if not models:
        raise InputError(f"{source}: the problem names no model")
    chosen = table["modelId"] if "modelId" in table else pd.Series([None] * len(table))
    used = [str(cell) if filled(cell) else next(iter(models)) for cell in chosen]
    problems = [
        f"measurement {i + 1}: {unknown('model', name, models)}" for i, name in enumerate(used) if name not in models
    ]
    if len(models) > 1:
        problems += [
            f"measurement {i + 1}: several models, so modelId must say which"
            for i, cell in enumerate(chosen)
            if not filled(cell)
        ]
    raise_together(problems, str(source))
    parts = []
    for name, entry in models.items():
        if entry["language"] != "sbml":
            raise UnsupportedModelError(
                f"{source}: model '{name}' is written in '{entry['language']}'; pathsim reads PEtab models in sbml"
            )
        rows = table[[one == name for one in used]]
        measurements, problems = _measurements(rows, observables, experiments)
        raise_together(problems, str(source))
        parts.append(Part(load_model(source.parent / entry["location"]), observables, experiments, measurements, rows))
    return tuple(parts)


def _measurement_table(source: Path, names: list[str]) -> pd.DataFrame:
    if not names:
        raise InputError(f"{source}: the problem names no measurement table")
    frames = []
    for name in names:
        try:
            frames.append(pd.read_csv(source.parent / name, sep="\t"))
        except FileNotFoundError:
            raise InputError(f"{source.parent / name}: no such file") from None
        missing = [column for column in ("observableId", "time", "measurement") if column not in frames[-1]]
        raise_together([f"there is no column '{column}'" for column in missing], str(source.parent / name))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _measurements(
    table: pd.DataFrame, observables: dict[str, Observable], experiments: dict[str, Experiment]
) -> tuple[tuple[Measurement, ...], list[str]]:
    measurements: list[Measurement] = []
    problems: list[str] = []
    columns = {str(name): table[name].tolist() for name in table.columns}
    empty = [None] * len(table)
    for i, name in enumerate(columns["observableId"]):
        observable = observables.get(str(name))
        cell = columns.get("experimentId", empty)[i]
        experiment = str(cell) if filled(cell) else ""
        if observable is None:
            problems.append(f"measurement {i + 1}: {unknown('observable', str(name), observables)}")
            continue
        if experiment not in experiments:
            problems.append(f"measurement {i + 1}: {unknown('experiment', experiment, experiments)}")
            continue
        overrides = gathered(problems, split_cell, columns.get("observableParameters", empty)[i], i + 1)
        noise = gathered(problems, split_cell, columns.get("noiseParameters", empty)[i], i + 1)
        if overrides is None or noise is None:
            continue
        problems += check_overrides(i + 1, observable, overrides, noise)
        time, value = float(columns["time"][i]), float(columns["measurement"][i])
        measurements.append(Measurement(observable.id, experiment, time, value, overrides, noise))
    return tuple(measurements), problems
