"""A whole problem as one JSON file and back: what stands beside a fit, so that its folder alone is enough to go on.

The file holds the models with all their equations, the measured tables, experiments, observables, parameters with
bounds and priors, and the solver. Everything is plain data, checked piece by piece when it is read; a checksum tells a
file that was changed since.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError, brief
from ..experiments.experiment import Experiment
from ..files import read_json, write_whole
from ..model import Model
from ..model.maths import ARITY, Expr
from ..model.stored import FormulaTable, formulas, from_json, to_json
from ..solve import Rosenbrock
from ..solve.rosenbrock.tableau import RODAS5P
from ..stats.noise import Family, Laplace, Log10Laplace, Log10Normal, LogLaplace, LogNormal, Normal, Robust
from ..stored_records import plain, record_of
from .likelihood import Scaled, ScaledWithOffset, Unscaled
from .observables import ROW
from .problem import Problem
from .records import Description, Measurement, Observable, Part, TableParameter

PROBLEM_FILE = "problem.json"
FORMAT = "pathsim problem 1"
FAMILIES = (Normal, LogNormal, Log10Normal, Laplace, LogLaplace, Log10Laplace, Robust)
FORMS = (Unscaled, Scaled, ScaledWithOffset)
OPERATIONS = {**ARITY, ROW: 2}
KIND = "is"
"""The entry that names the class of a noise family or of what is solved for."""


def keep_problem(folder: Path, description: Description, solver: Rosenbrock) -> None:
    """Write a problem into a folder; not one with a noise family or tableau of one's own, which no file describes."""
    families = {type(observable.family) for part in description.parts for observable in part.observables.values()}
    if solver.tableau is not RODAS5P or not families <= {*FAMILIES}:
        return
    table, models = FormulaTable(OPERATIONS), list[Model]()
    writers: dict[type, Callable[[Any], Any]] = {
        Expr: table.add,
        **{kind: lambda value: {KIND: type(value).__name__, **plain(value)} for kind in (*FAMILIES, *FORMS)},
    }
    parts = []
    for part in description.parts:
        if part.model not in models:
            models.append(part.model)
        written = {name: plain(getattr(part, name), writers) for name in ("observables", "experiments", "measurements")}
        parts.append({"model": models.index(part.model), **written, "table": _columns(part.table)})
    content = {
        "source": description.source,
        "version": description.version,
        "solver": {"rtol": solver.rtol, "atol": solver.atol, "max_steps": solver.max_steps},
        "parameters": plain(description.parameters),
        "formulas": table.content,
        "models": [json.loads(to_json(model)) for model in models],
        "parts": parts,
    }
    whole = {"format": FORMAT, "checksum": _checksum(content), **content}
    write_whole(folder / PROBLEM_FILE, json.dumps(whole) + "\n")


def kept_problem(folder: Path) -> Problem | None:
    """The problem in a folder, None where there is none. Raises :class:`InputError` for what is not as written."""
    path = folder / PROBLEM_FILE
    if not path.exists():
        return None
    content = read_json(path, dict)
    if content.pop("format", None) != FORMAT:
        raise InputError(f"{path}: not a problem in the format '{FORMAT}'; fit again into a new folder")
    if content.pop("checksum", None) != _checksum(content):
        raise InputError(f"{path}: changed since it was written, which a fit cannot go on from")
    try:
        return _read(content, str(path))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not as it was written: {brief(str(error))}") from None


def _read(content: dict[str, Any], where: str) -> Problem:
    nodes = formulas(content["formulas"], OPERATIONS)
    models = [from_json(json.dumps(model).encode()) for model in content["models"]]

    def formula(number: Any) -> Expr:
        if type(number) is not int or not 0 <= number < len(nodes):
            raise ValueError(f"is {brief(repr(number))}, not the number of a formula")
        return nodes[number]

    def named(*kinds: type) -> Callable[[Any], Any]:
        known = {kind.__name__: kind for kind in kinds}

        def read(value: Any) -> Any:
            if not isinstance(value, dict) or value.get(KIND) not in known:
                raise ValueError(f"is {brief(repr(value))}, none of {', '.join(known)}")
            rest = {name: item for name, item in value.items() if name != KIND}
            return record_of(known[value[KIND]], rest, where)

        return read

    readers: dict[Any, Callable[[Any], Any]] = {
        Expr: formula,
        Family: named(*FAMILIES),
        **{form: named(form) for form in FORMS},
    }
    parts = []
    for part in content["parts"]:
        observables = {n: record_of(Observable, item, where, readers) for n, item in part["observables"].items()}
        experiments = {n: record_of(Experiment, item, where, readers) for n, item in part["experiments"].items()}
        measurements = tuple([record_of(Measurement, item, where, readers) for item in part["measurements"]])
        table = _table(part["table"], len(measurements))
        parts.append(Part(models[part["model"]], observables, experiments, measurements, table))
    parameters = tuple([record_of(TableParameter, item, where) for item in content["parameters"]])
    solver = record_of(Rosenbrock, content["solver"], where)
    return Problem(Description(str(content["source"]), int(content["version"]), parameters, tuple(parts)), solver)


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """A table as lists of plain cells."""
    columns = {str(name): [_cell(cell) for cell in table[name].tolist()] for name in table.columns}
    return {"index_name": table.index.name, "index": [_cell(label) for label in table.index], "columns": columns}


def _cell(cell: Any) -> Any:
    return math.nan if cell is None or cell is pd.NA else plain(cell)


def _table(content: dict[str, Any], rows: int) -> pd.DataFrame:
    lists = {"index": content["index"], **content["columns"]}
    for name, cells in lists.items():
        if len(cells) != rows or not all(isinstance(cell, (str, float, int, bool)) for cell in cells):
            raise ValueError(f"column '{name}' of a table is not {rows} plain cells")
    return pd.DataFrame(content["columns"], index=pd.Index(content["index"], name=content["index_name"]))


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
