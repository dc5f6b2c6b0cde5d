"""A problem of the lab as a PEtab problem that other tools can fit: tables of version 2, which :mod:`.version_1` turns
into those of version 1.

Everything done to a cell is arithmetic on the parameter vector, so a cell line under a treatment is a row of periods
and a period a list of parameters: writing is a rename. What a fit in pathsim solves for (scale, offset, size of noise)
becomes parameters that start at their best.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..estimation.likelihood import SMALLEST_SIGMA, ScaledWithOffset, Solved, Unscaled
from ..estimation.observables import ROW
from ..estimation.problem import Problem
from ..estimation.records import Observable, Part, TableParameter
from ..estimation.terms import Term
from ..experiments.dynamics import refuse_clock
from ..experiments.experiment import Experiment, Period
from ..experiments.timecourse import system_of
from ..files import write_whole
from ..model import Model
from ..model.maths import Expr, nodes, substitute, symbol
from ..model.sbml_export import sbml_text
from ..stats.noise import LN10, Log10Laplace, Log10Normal, LogLaplace, LogNormal, Normal
from ..stats.noise import Laplace as LaplaceNoise
from .version_1 import as_version_1

LARGEST_SIGMA = 5.0
"""An estimated spread of the logarithm that is no information at all."""
FOLD = 1e4
"""How far a scale, an offset or the size of normal noise may be from where it starts."""
HEADERS = {
    "parameter": "parameterId lowerBound upperBound nominalValue estimate priorDistribution priorParameters",
    "condition": "conditionId targetId targetValue",
    "experiment": "experimentId time conditionId",
    "observable": "observableId observableFormula noiseFormula noiseDistribution observablePlaceholders "
    "noisePlaceholders",
    "measurement": "observableId experimentId time measurement observableParameters noiseParameters",
}
_DISTRIBUTIONS = {
    Normal: ("normal", 1.0),
    LogNormal: ("log-normal", 1.0),
    Log10Normal: ("log-normal", LN10),
    LaplaceNoise: ("laplace", 1.0),
    LogLaplace: ("log-laplace", 1.0),
    Log10Laplace: ("log-laplace", LN10),
}
"""The name of a family in PEtab, and the size of its noise there over that here."""


@checked
def write(problem: Problem, folder: str | Path, theta: FloatArray | None = None, version: Literal[1, 2] = 2) -> Path:
    """Write a problem made from tables of the lab, starting at ``theta`` (default: the nominal values).

    ``version`` is that of PEtab. In version 1 steps of a treatment after the first are events of the model, and time
    zero is the start of the first step.

    Returns:
        The path of ``problem.yaml``.

    Raises:
        InputError: for what PEtab has no form for: measurements below a detection limit, observables of several
            simulated rows, robust noise, in version 1 a free parameter that a line scales or a drug adds to;
            UnsupportedModelError: a model with explicit time, whose clock would not
            restart with each step.

    >>> path = ps.petab.write(problem, "problem", fit.theta)  # doctest: +SKIP
    """
    if len(problem.description.parts) != 1:
        raise InputError("a problem with one model can be written, not one with several")
    part = problem.description.parts[0]
    refuse_clock(part.model, "PEtab")
    _refuse_bounds(part)
    tables = _Tables({*part.model.symbols})
    at = problem.vector(theta)
    values = dict(zip((p.id for p in problem.parameters), problem.table_values(at).tolist(), strict=True))
    names = _names(problem, part, tables)
    for parameter in problem.parameters:
        tables.parameters.append(_parameter(parameter, names[parameter.id], values[parameter.id]))
    experiments = _Experiments(part, names, tables).write()
    _Observables(problem, part, at, names, tables).write(experiments)
    return (
        _version_2(Path(folder), part.model, tables) if version == 2 else _version_1(Path(folder), part.model, tables)
    )


@dataclass
class _Tables:
    """Rows of the PEtab tables, and the ids that are taken."""

    taken: set[str]
    parameters: list[tuple[object, ...]] = field(default_factory=list)
    conditions: list[tuple[object, ...]] = field(default_factory=list)
    experiments: list[tuple[object, ...]] = field(default_factory=list)
    observables: list[tuple[object, ...]] = field(default_factory=list)
    measurements: list[tuple[object, ...]] = field(default_factory=list)

    def new(self, wanted: str) -> str:
        """An id that nothing else has: ``wanted``, or that with a number."""
        base = identifier(wanted)
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name


def _refuse_bounds(part: Part) -> None:
    below = [row for row, one in zip(part.table.index, part.measurements, strict=True) if one.side]
    if below:
        shown = ", ".join(map(str, below[:10])) + (f" and {len(below) - 10} more" if len(below) > 10 else "")
        raise InputError(
            f"rows {shown}: PEtab has no measurements below a detection limit; leave these rows out to export the rest"
        )


def _names(problem: Problem, part: Part, tables: _Tables) -> dict[str, str]:
    """The ids of parameters in the table: what no experiment sets keeps the name it has in the model."""
    touched = _targets(part)
    found = {}
    for parameter in problem.parameters:
        name, _, line = parameter.id.partition("@")
        if name in part.model.symbols:
            own = name in touched or bool(line)
            found[parameter.id] = tables.new(f"{name}__{line or 'all_lines'}") if own else name
        else:
            found[parameter.id] = tables.new(parameter.id.replace(":", "_"))
    return found


def _targets(part: Part) -> set[str]:
    """Everything that an experiment sets."""
    periods = [period for experiment in part.experiments.values() for period in experiment.periods]
    return {change.target for period in periods for change in period.changes}


def _parameter(item: TableParameter, name: str, value: float) -> tuple[object, ...]:
    within = min(max(value, item.lower), item.upper)
    return name, item.lower, item.upper, within, str(item.estimated).lower(), *_prior(item)


def _prior(item: TableParameter) -> tuple[str, str]:
    """A normal prior on the scale the parameter is searched on, as PEtab says it of the value."""
    if item.prior is None:
        return "", ""
    mean, sd = item.prior.parameters
    if item.scale == "lin":
        return "normal", f"{mean!r};{sd!r}"
    unit = LN10 if item.scale == "log10" else 1.0
    return "log-normal", f"{mean * unit!r};{sd * unit!r}"


# --------------------------------------------------------------------------------------------------------- experiments


class _Experiments:
    """Experiments whose periods each set everything, as ones in which periods keep what those before them set."""

    def __init__(self, part: Part, names: Mapping[str, str], tables: _Tables) -> None:
        self.part, self.tables = part, tables
        self.renamed = {old: symbol(new) for old, new in names.items()}
        system = system_of(part.model)
        own = zip((*system.parameters, *system.states), system.defaults.tolist(), strict=True)
        self.defaults = {name: number(value) for name, value in own if not math.isnan(value)}
        self.defaults |= {old: new for old, new in names.items() if old in system.slots}
        self.states = set(system.states)
        self._conditions: dict[tuple[tuple[str, str], ...], str] = {}
        self.targets = sorted(_targets(part) - self.states)
        """What any experiment sets: all set it at the beginning, so that lines share their steady states."""

    def write(self) -> dict[str, str]:
        """The ids of the experiments."""
        return {name: self._experiment(name, one) for name, one in self.part.experiments.items()}

    def _experiment(self, name: str, experiment: Experiment) -> str:
        found = self.tables.new(identifier(name)[:60])
        before: dict[str, str] = {}
        for i, period in enumerate(experiment.periods):
            settings = self._settings(period)
            now = {target: settings.pop(target, self.defaults.get(target, "0.0")) for target in self.targets}
            changes = {target: value for target, value in now.items() if before.get(target) != value} | settings
            text = f"{found}__{'rest' if i == 0 else i}"
            self.tables.experiments.append((found, period.start, self._condition(text, changes)))
            before = now
        return found

    def _settings(self, period: Period) -> dict[str, str]:
        return {change.target: formula(substitute(change.value, self.renamed)) for change in period.changes}

    def _condition(self, text: str, settings: Mapping[str, str]) -> str:
        """The id of a condition; equal settings share one. Nothing to set is no condition."""
        if not settings:
            return ""
        key = tuple(sorted(settings.items()))
        if key not in self._conditions:
            self._conditions[key] = name = self.tables.new(text[:60])
            self.tables.conditions += [(name, target, value) for target, value in key]
        return self._conditions[key]


# --------------------------------------------------------------------------------------------------------- observables


class _Observables:
    """Observables and measurements, with the parameters that only they know."""

    def __init__(self, problem: Problem, part: Part, at: FloatArray, names: Mapping[str, str], tables: _Tables) -> None:
        self.part, self.tables = part, tables
        self.renamed = {old: symbol(new) for old, new in names.items()}
        self.numbers, (self.outcome,) = problem.setup.run(at[None])
        self.outcome.refuse_failures()
        self.terms: dict[str, list[Term]] = {}
        for term in problem.setup.parts[0].terms:
            for name in dict.fromkeys(part.measurements[row].observable for row in term.rows):
                self.terms.setdefault(name, []).append(term)

    def write(self, experiments: Mapping[str, str]) -> None:
        """Everything; ``experiments`` are the ids of the experiments."""
        for name, observable in self.part.observables.items():
            rows = [i for i, one in enumerate(self.part.measurements) if one.observable == name]
            if rows:
                self._observable(observable, rows, experiments)

    def _observable(self, observable: Observable, rows: Sequence[int], experiments: Mapping[str, str]) -> None:
        name = self.tables.new(f"obs_{observable.id}")
        if any(node.op == ROW for node in nodes(observable.formula)):
            raise InputError(f"'{observable.id}' compares several simulated rows, which PEtab has no form for")
        family = type(observable.family)
        if family not in _DISTRIBUTIONS:
            raise InputError(f"'{observable.id}' has {family.__name__} noise, which PEtab has no form for")
        distribution, unit = _DISTRIBUTIONS[family]
        signal = formula(substitute(observable.formula, self.renamed))
        placeholders: list[str] = []
        per_group: dict[str, str] = {}
        noise, known = "", False
        likelihood = self.terms[observable.id][0].likelihood
        if isinstance(likelihood, Solved):
            term = self.terms[observable.id][0]
            placeholders, per_group = self._per_group(name, observable, likelihood, term)
            if placeholders:
                signal = " + ".join([f"{placeholders[0]} * ({signal})", *placeholders[1:]])
            known = likelihood.sd is not None
            if not known:
                noise = self._sigma(observable, likelihood, term)
        else:
            known = observable.noise is None
            if observable.noise is not None:
                noise = formula(substitute(observable.noise, self.renamed))
        if known:
            noise = self.tables.new(f"noise_of_{name}")
        shown = noise if unit == 1.0 else f"{number(unit)} * ({noise})"
        self.tables.observables.append(
            (name, signal, shown, distribution, ";".join(placeholders), noise if known else "")
        )
        for row in rows:
            one = self.part.measurements[row]
            sd: float | str = ""
            if known:
                sd = observable.family.sigma if observable.family.sigma is not None else one.sd
            self.tables.measurements.append(
                (name, experiments[one.experiment], one.time, one.value, per_group.get(one.group, ""), sd)
            )

    def _per_group(
        self, name: str, observable: Observable, likelihood: Solved, term: Term
    ) -> tuple[list[str], dict[str, str]]:
        """Placeholders of what differs between gels, and for each gel the parameters in their place."""
        if isinstance(likelihood.form, Unscaled):
            return [], {}
        kinds = ["scale", "offset"] if isinstance(likelihood.form, ScaledWithOffset) else ["scale"]
        signal = term.signals(self.outcome.flat, self.numbers)[0]
        found = likelihood.solution(signal)
        filled = {}
        for g, gel in enumerate(term.groups):
            names = []
            typical = float(np.mean(likelihood.data[likelihood.group == g]))
            for kind in kinds:
                start = float((found.scale if kind == "scale" else found.offset)[g, 0])
                if kind == "scale":
                    start = start if start > 0 else typical / max(float(signal.mean()), 1e-12)
                    lower, upper = start / FOLD, start * FOLD
                else:
                    lower, upper = 0.0, FOLD * max(start, typical)
                names.append(self.tables.new(f"{kind}_{observable.id}_{gel}"))
                self.tables.parameters.append((names[-1], lower, upper, start, "true", "", ""))
            filled[gel] = ";".join(names)
        return [self.tables.new(f"{kind}_of_{name}") for kind in kinds], filled

    def _sigma(self, observable: Observable, likelihood: Solved, term: Term) -> str:
        """An estimated size of the noise, starting at its best."""
        best = float(likelihood.solution(term.signals(self.outcome.flat, self.numbers)[0]).sigma[0, 0])
        if likelihood.family.scale == "lin":
            lower, upper = best / FOLD, best * FOLD
        else:
            lower, upper = SMALLEST_SIGMA, LARGEST_SIGMA
        name = self.tables.new(f"sigma_{observable.id}")
        self.tables.parameters.append((name, lower, upper, min(max(best, lower), upper), "true", "", ""))
        return name


# ---------------------------------------------------------------------------------------------------------------- text


_INFIX = {"plus": " + ", "times": " * ", "minus": " - ", "divide": " / ", "power": "^"}
_FUNCTIONS = {"exp", "ln", "abs", "min", "max"}


def formula(expr: Expr) -> str:
    """A formula in PEtab's words. Raises :class:`InputError` for a function that is not among them."""
    args = [formula(arg) for arg in expr.args]
    if expr.op == "number":
        return number(expr.value)
    if expr.op == "symbol":
        return expr.name
    if expr.op == "neg":
        return f"(-{args[0]})"
    if expr.op == "log":
        return f"log({args[1]}, {args[0]})"
    if expr.op in _INFIX and args:
        return f"({_INFIX[expr.op].join(args)})" if len(args) > 1 else args[0]
    if expr.op in _FUNCTIONS:
        return f"{expr.op}({', '.join(args)})"
    raise InputError(f"'{expr.op}' cannot be written to a PEtab table")


def identifier(text: str) -> str:
    """Letters, digits and underscores, not starting with a digit."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


def number(value: float) -> str:
    """A number that reads back as itself. Raises :class:`InputError` for one that is none."""
    if not math.isfinite(value):
        raise InputError(f"{value!r} cannot be written to a PEtab table")
    return repr(float(value))


def _version_2(folder: Path, model: Model, tables: _Tables) -> Path:
    """Write the model, the tables and the file that names them; returns the path of the last."""
    lines = [
        "format_version: 2.0.0",
        "model_files:",
        f"  {identifier(model.id)}:",
        "    location: model.xml",
        "    language: sbml",
        *(f"{name}_files: [{name}s.tsv]" for name in HEADERS),
    ]
    rows = {name: (header, getattr(tables, f"{name}s")) for name, header in HEADERS.items()}
    return _files(folder, sbml_text(model), rows, lines)


def _version_1(folder: Path, model: Model, tables: _Tables) -> Path:
    made = as_version_1(
        model, tables.parameters, tables.conditions, tables.experiments, tables.observables, tables.measurements
    )
    lines = [
        "format_version: 1",
        "parameter_file: parameters.tsv",
        "problems:",
        "- sbml_files: [model.xml]",
        *(f"  {name}_files: [{name}s.tsv]" for name in ("condition", "observable", "measurement")),
    ]
    return _files(folder, made.sbml, made.texts(), lines)


def _files(
    folder: Path, sbml: str, tables: Mapping[str, tuple[str, list[tuple[object, ...]]]], lines: Sequence[str]
) -> Path:
    """Write the model, the tables (header and rows) and the ``lines`` of the file that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model.xml", sbml)
    for name, (header, rows) in tables.items():
        text = ["\t".join(header.split()), *("\t".join(_cell(cell) for cell in row) for row in rows)]
        write_whole(folder / f"{name}s.tsv", "\n".join(text) + "\n")
    path = folder / "problem.yaml"
    write_whole(path, "\n".join(lines) + "\n")
    return path


def _cell(cell: object) -> str:
    return repr(float(cell)) if isinstance(cell, float) else str(cell)
