"""The bundled model's own estimation problem: its free constants, the tables and targets, and what is known beforehand.

Squared log residuals that grow linearly beyond three errors, with a log-normal prior around every free constant; scale
factors and backgrounds of blots are solved for. Nothing here knows how such a problem is solved.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..arrays import FloatArray
from ..errors import SimulationError
from ..estimation.free import FreeParameter
from ..estimation.lab_problem import Detector, assemble
from ..estimation.problem import Problem
from ..estimation.records import Prior, TableParameter
from ..lab import Library, Treatment
from ..lab.drug import drug_of, potency_of
from ..model import Model
from ..solve import Rosenbrock
from .tables import Targets, is_effect

SOLVER = Rosenbrock(rtol=1e-5, atol=1e-8)
"""Errors far below those of blots. Steps are differentiated as they are: gradients are exact at any tolerance."""
PRIOR_SD = math.log(3.0)
"""Constants are known to an order of magnitude: a factor of 3 either way, unless ``calibration.toml`` knows better."""
LINE_SD = 0.7
"""What one line needs differs from what the reference needs by less than an order of magnitude."""
FARTHEST = math.log(30.0)
"""No constant leaves its prior by more than this, nor by more than three of its standard deviations."""
POTENCY_SD = 0.35
"""Apparent constants of drugs in cells are known within a factor of 2 either way (two standard deviations)."""
LARGEST_SHARE = 0.98
EDGE = 1e-3
"""A constant within this share of the width of its bounds is at a bound."""
_START = re.compile(r"\(start ([-+0-9.e]+)")


@dataclass(frozen=True, slots=True)
class Constant:
    """A free constant (``name``, or ``name@line``): its value now, the centre of its prior, and how wide that is."""

    name: str
    value: float
    prior: float
    sd: float
    is_share: bool

    @property
    def free(self) -> FreeParameter:
        """The constant as a free parameter, bounded around its prior; shares stay below 1."""
        reach = min(FARTHEST, 3.0 * self.sd)
        lower, upper = self.prior * math.exp(-reach), self.prior * math.exp(reach)
        upper = min(upper, LARGEST_SHARE) if self.is_share else upper
        return FreeParameter(self.name, lower, upper, "log", self.prior, self.sd)


def free_constants(model: Model, library: Library, targets: Targets) -> list[Constant]:
    """Positive constants marked estimate or calibrated and not held fixed, what each fitted line has of its own
    (``line_constant`` of ``calibration.toml``), around the value of the reference line, and the potencies of the drugs
    whose effect on growth is measured."""
    values = {item.id: item.value for item in model.parameters if item.value is not None}
    free = []
    for note in model.annotations:
        value = values.get(note.name)
        if note.is_rule or note.kind not in ("estimate", "calibrated") or note.name in targets.held_fixed or not value:
            continue
        start = _START.search(note.text)
        prior = float(start[1]) if start else value
        sd = targets.prior_sd.get(note.name, PRIOR_SD)
        free.append(Constant(note.name, value, prior, sd, note.name in targets.shares))
    for line in targets.growing_lines:
        own = library.cell_line(line).set.get(targets.line_constant)
        if own is not None:
            free.append(Constant(f"{targets.line_constant}@{line}", own, values[targets.line_constant], LINE_SD, False))
    used = dict.fromkeys(name for text in targets.growth_treatments for name in Treatment.parse(text).names)
    drugs = {drug.name: drug for drug in map(library.drug, used) if drug.kind == "drug"}
    potencies = {potency_of(name): drug.potency for name, drug in drugs.items()}
    free += [
        Constant(name, value, 1.0, POTENCY_SD, False)
        for name, value in potencies.items()
        if name not in targets.held_fixed
    ]
    return free


def calibration_problem(
    model: Model, library: Library, targets: Targets, constants: Sequence[Constant], source: str = "calibration.toml"
) -> Problem:
    """The problem whose best parameters are the calibrated constants. ``theta`` are their natural logarithms.

    Raises :class:`InputError` for a constant that no measured number depends on.
    """
    names = dict.fromkeys(place.cell_line for item in targets.numbers for place in (item.row.place, *item.row.others))
    lines = {name: library.cell_line(name) for name in names}
    observables = {item.observable.id: item.observable for item in targets.numbers}
    rows = [item.row for item in targets.numbers]
    free = [item.free for item in constants]
    effects = [
        TableParameter(
            name, "log", math.exp(-3.0 * sd), math.exp(3.0 * sd), 1.0, True, Prior("normal", (0.0, sd), on_scale=True)
        )
        for name, sd in targets.line_effects.items()
    ]
    frame = targets.frame()
    return assemble(model, frame, rows, observables, free, lines, library, Detector(), SOLVER, source, effects)


def whole_problem(model: Model, library: Library, targets: Targets) -> Problem:
    """The calibration with every number in it, and all free constants."""
    return calibration_problem(model, library, targets, free_constants(model, library, targets))


def is_of_model(name: str) -> bool:
    """Whether a free parameter is a constant of the model: no potency of a drug, and no line effect of a panel."""
    return not drug_of(name) and not is_effect(name)


def of_model(values: Mapping[str, float]) -> dict[str, float]:
    """``values`` of constants of the model alone (:func:`is_of_model`)."""
    return {name: value for name, value in values.items() if is_of_model(name)}


def prior_centres(problem: Problem, constants: Sequence[Constant]) -> FloatArray:
    """The vector of prior centres, within bounds."""
    return problem.vector({item.name: math.log(item.prior) for item in constants}).clip(problem.lower, problem.upper)


def best_of_effects(problem: Problem) -> FloatArray:
    """The shipped values (d,), with the line effects of panels, which no file holds, at their best beside them.

    Raises :class:`SimulationError` where they cannot be evaluated.
    """
    theta, _, why = problem.objective().refined(problem.theta)
    if why:
        raise SimulationError(f"the shipped values cannot be evaluated: {why}")
    return theta


def bound_of(value: float, lower: float, upper: float) -> str:
    """Which bound a constant is at, on scale: ``lower``, ``upper``, or none (empty)."""
    edge = EDGE * (upper - lower)
    return "lower" if value < lower + edge else "upper" if value > upper - edge else ""
