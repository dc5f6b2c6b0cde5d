"""Calibration of the bundled model on the tables of ``models/calibration.toml`` (command: :mod:`.calibrate`).

Squared log residuals with a log-normal prior around every free constant, minimised by Levenberg-Marquardt; scale
factors and backgrounds of blots are in closed form (:mod:`.closed_form`). Posterior widths come from the Laplace
approximation at the best point, the ensemble from fits to perturbed data (:mod:`.perturbed_fits`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..experiments.readings import Reading, take_readings
from ..lab import Library
from ..model import Model
from ..solve import Rosenbrock
from .calibration_data import CalibrationData, Growth
from .closed_form import scaled_residuals

PRIOR_SD = float(np.log(3.0))
"""Constants are known to an order of magnitude: a factor of 3 either way, unless ``calibration.toml`` knows better."""
SPEED_SD = 0.5
"""Cell cycles of different lines differ less than orders of magnitude."""
FARTHEST = float(np.log(30.0))
FARTHEST_STEP = 0.7
"""Largest change of a logarithm in one step of a fit."""
SHARES = re.compile(
    r"^(shield|basal_WT|C2_basal|rapalog_on|w_PI34P2|activity_T308|translation_|repair_AKT|ERK_on_TSC2|MEK_block|rest_)"
)
_START = re.compile(r"\(start ([-+0-9.e]+)")
_HORIZONS = (240.0, 1440.0, np.inf)
_SOFT = 3.0  # residuals beyond this many sd count linearly


@dataclass(frozen=True)
class Constant:
    """A free constant: the value the fit starts from and the centre of its prior; ``line`` when of one line."""

    name: str
    value: float
    prior: float
    line: str = ""
    sd: float = PRIOR_SD

    @property
    def label(self) -> str:
        """``name``, or ``name@line``."""
        return f"{self.name}@{self.line}" if self.line else self.name


def free_constants(model: Model, library: Library, data: CalibrationData) -> list[Constant]:
    """Positive constants marked estimate or calibrated and not held fixed, and ``cycle_speed`` of fitted lines."""
    values = {item.id: item.value for item in model.parameters if item.value is not None}
    free = []
    for note in model.annotations:
        value = values.get(note.name)
        if note.is_rule or note.kind not in ("estimate", "calibrated") or note.name in data.held_fixed or not value:
            continue
        start = _START.search(note.text)
        free.append(
            Constant(note.name, value, float(start[1]) if start else value, sd=data.prior_sd.get(note.name, PRIOR_SD))
        )
    for line in sorted({item.cell_line for item in data.growth}):
        speed = library.cell_line(line).set.get("cycle_speed")
        if speed is not None:
            free.append(Constant("cycle_speed", speed, speed, line, SPEED_SD))
    return free


class Experiments:
    """All dishes of a calibration, grouped by how long they run; simulates them for many parameter sets at once."""

    def __init__(self, model: Model, library: Library, data: CalibrationData) -> None:
        self.model, self.library, self.data = model, library, data
        dishes = [item.dish for item in data.bands] + [item.dish for item in data.ratios]
        dishes += [item.over for item in data.ratios if isinstance(item.over, Reading)]
        for item in data.growth:
            dishes += _growth_dishes(item)
        self.dishes = list(dict.fromkeys(dishes))
        self.where = {dish: number for number, dish in enumerate(self.dishes)}
        latest: dict[tuple[str, str], float] = {}
        for dish in self.dishes:
            key = (dish.cell_line, dish.treatment)
            latest[key] = max(latest.get(key, 0.0), dish.time_min)
        horizon = {key: next(i for i, end in enumerate(_HORIZONS) if time <= end) for key, time in latest.items()}
        self.groups = [[n for n, dish in enumerate(self.dishes) if horizon[dish.cell_line, dish.treatment] == i]
                       for i in range(len(_HORIZONS))]  # fmt: skip

    def predict(self, sets: Sequence[Mapping[str, float]], group: int) -> FloatArray:
        """Values of the dishes of one group, shape (sets, dishes of the group)."""
        members = [self.dishes[n] for n in self.groups[group]]
        return take_readings(self.model, members, sets, self.library, Rosenbrock(rtol=1e-4, atol=1e-7))

    def residuals(self, values: FloatArray) -> FloatArray:
        """Residuals in units of sd: bands, then ratios, then growth. ``values`` in the order of :attr:`dishes`."""
        safe = np.maximum(values, 1e-12)
        at = self.where
        bands = scaled_residuals([safe[at[item.dish]] for item in self.data.bands], self.data.bands)
        ratios = [
            (np.log(safe[at[item.dish]] / (safe[at[item.over]] if isinstance(item.over, Reading) else item.over))
             - np.log(item.value)) / item.sd
            for item in self.data.ratios
        ]  # fmt: skip
        ratios = [
            min(r * item.side, 0.0) * item.side if item.side else r
            for r, item in zip(ratios, self.data.ratios, strict=True)
        ]
        growth = []
        for item in self.data.growth:
            counts = [safe[at[dish]] for dish in _growth_dishes(item)]
            growth.append(
                (_growth_value(item.kind, counts, item.minutes) - _growth_target(item.kind, item.value)) / item.sd
            )
        return soften(np.concatenate([bands, ratios, growth]))

    def tables(self) -> list[str]:
        """The table of each residual, in their order."""
        return [item.table for item in self.data.items]


def soften(residuals: FloatArray) -> FloatArray:
    """Residuals whose squares grow linearly beyond a few sd, so that single bad lanes do not pull (soft L1)."""
    scaled = residuals / _SOFT
    return np.sign(residuals) * _SOFT * np.sqrt(2.0 * (np.sqrt(1.0 + scaled * scaled) - 1.0))


def _growth_dishes(item: Growth) -> list[Reading]:
    control = "serum 10 %"
    if item.kind == "doubling":
        return [Reading(item.cell_line, control, time, "cell_count") for time in (0.0, item.minutes)]
    if item.kind == "relative":
        return [Reading(item.cell_line, text, item.minutes, "viability") for text in (item.treatment, control)]
    return [
        Reading(item.cell_line, item.treatment, item.minutes, "cell_count"),
        Reading(item.cell_line, control, 0.0, "cell_count"),
        Reading(item.cell_line, control, item.minutes, "cell_count"),
    ]


def _growth_value(kind: str, counts: Sequence[float], minutes: float) -> float:
    """GR value (Hafner 2016), relative count, or doublings per day (a doubling time diverges without growth)."""
    if kind == "doubling":
        return float(np.log2(counts[1] / counts[0]) / minutes * 1440.0 * 2.0)
    if kind == "relative":
        return float(counts[0] / counts[1])
    doublings = max(float(np.log2(counts[2] / counts[1])), 0.05)
    return float(2.0 ** (np.log2(counts[0] / counts[1]) / doublings) - 1.0)


def _growth_target(kind: str, value: float) -> float:
    return 24.0 / value * 2.0 if kind == "doubling" else value


@dataclass
class Calibration:
    """The state of a fit: logarithms of the free constants, residuals (data, then prior) and their Jacobian."""

    experiments: Experiments
    constants: list[Constant]
    x: FloatArray
    residuals: FloatArray
    jacobian: FloatArray
    active: list[BoolArray]

    @property
    def cost(self) -> float:
        """Half of it is the negative log posterior, constants aside."""
        return float(self.residuals @ self.residuals)

    @property
    def data_cost(self) -> float:
        """The part of :attr:`cost` that comes from data."""
        data = self.residuals[: -len(self.constants)]
        return float(data @ data)

    def settings(self, x: FloatArray) -> dict[str, float]:
        """Values by label."""
        return {item.label: float(np.exp(value)) for item, value in zip(self.constants, x, strict=True)}


def start(experiments: Experiments, constants: list[Constant]) -> Calibration:
    """A calibration at the values the constants have now."""
    x = clipped(np.log([item.value for item in constants]), constants)
    active = [np.ones(len(constants), dtype=bool) for _ in experiments.groups]
    empty = Calibration(experiments, constants, x, np.empty(0), np.empty((0, 0)), active)
    return linearised(empty, x)


def clipped(x: FloatArray, constants: Sequence[Constant]) -> FloatArray:
    """Within 30 fold of the prior, and shares below 1."""
    centre = np.log([item.prior for item in constants])
    reach = np.minimum(FARTHEST, 3.0 * np.array([item.sd for item in constants]))
    bounded = np.clip(x, centre - reach, centre + reach)
    for number, item in enumerate(constants):
        if SHARES.match(item.name):
            bounded[number] = min(bounded[number], np.log(0.98))
    return bounded


def _with_prior(state: Calibration, x: FloatArray, values: FloatArray) -> FloatArray:
    centre = np.log([item.prior for item in state.constants])
    return np.concatenate([state.experiments.residuals(values), (x - centre) / [item.sd for item in state.constants]])


def evaluate(state: Calibration, points: Sequence[FloatArray]) -> list[FloatArray]:
    """Residuals at several points."""
    settings = [state.settings(x) for x in points]
    values = np.empty((len(points), len(state.experiments.dishes)))
    for number, members in enumerate(state.experiments.groups):
        if members:
            values[:, members] = state.experiments.predict(settings, number)
    return [_with_prior(state, x, row) for x, row in zip(points, values, strict=True)]


def linearised(state: Calibration, x: FloatArray, step: float = 3e-3) -> Calibration:
    """Residuals and Jacobian at ``x`` by forward differences; constants without effect on a group are skipped there."""
    n, experiments = len(x), state.experiments
    points = [x, *(x + step * unit for unit in np.eye(n))]
    base = np.empty(len(experiments.dishes))
    moved = np.empty((n, len(experiments.dishes)))
    active = []
    for number, members in enumerate(experiments.groups):
        if not members:
            active.append(np.zeros(n, dtype=bool))
            continue
        chosen = np.flatnonzero(state.active[number])
        values = experiments.predict(
            [state.settings(points[0]), *(state.settings(points[1 + i]) for i in chosen)], number
        )
        base[members] = values[0]
        moved[:, members] = values[0]
        moved[np.ix_(chosen, np.array(members))] = values[1:]
        scale = np.maximum(np.abs(values[0]), 1e-9)
        effect = np.zeros(n, dtype=bool)
        effect[chosen] = (np.abs(values[1:] - values[0]) / scale).max(axis=1) > 1e-5
        active.append(effect)
    centre = _with_prior(state, x, base)
    columns = [(_with_prior(state, points[1 + i], moved[i]) - centre) / step for i in range(n)]
    return replace(state, x=x, residuals=centre, jacobian=np.array(columns).T, active=active)


def improve(state: Calibration, damping: float, tries: int = 6) -> tuple[Calibration, float, bool]:
    """One Levenberg-Marquardt step: the new state, the new damping, and whether the cost fell.

    The Jacobian follows the step by Broyden's rank-one update; :func:`linearised` makes it exact again.
    """
    normal = state.jacobian.T @ state.jacobian
    gradient = state.jacobian.T @ state.residuals
    dampings = damping * 5.0 ** np.arange(tries)
    points = []
    for value in dampings:
        move = -np.linalg.solve(normal + value * np.diag(np.diag(normal)), gradient)
        points.append(clipped(state.x + np.clip(move, -FARTHEST_STEP, FARTHEST_STEP), state.constants))
    for first in range(0, tries, 2):
        found = evaluate(state, points[first : first + 2])
        best = int(np.argmin([float(r @ r) for r in found]))
        residuals, x = found[best], points[first + best]
        if float(residuals @ residuals) < state.cost:
            move = x - state.x
            surprise = residuals - state.residuals - state.jacobian @ move
            jacobian = state.jacobian + np.outer(surprise, move) / float(move @ move)
            return (
                replace(state, x=x, residuals=residuals, jacobian=jacobian),
                float(dampings[first + best]) / 5.0,
                True,
            )
    return state, float(dampings[-1]), False


def descend(state: Calibration, rounds: int, report: Callable[[str], None], tolerance: float = 1e-3) -> Calibration:
    """Steps until the cost falls by less than ``tolerance`` of itself, with a fresh Jacobian for each of ``rounds``."""
    for number in range(rounds):
        damping, before = 0.05, state.cost
        for _ in range(25):
            last = state.cost
            state, damping, better = improve(state, damping)
            report(f"round {number + 1}: cost {state.cost:.1f}, data {state.data_cost:.1f}, damping {damping:.2g}")
            if not better or last - state.cost < 0.3 * tolerance * last:
                break
        state = linearised(state, state.x)
        if before - state.cost < tolerance * before:
            break
    return state


def posterior_sd(state: Calibration) -> FloatArray:
    """Standard deviation of the logarithm of each constant (Laplace approximation, prior included)."""
    covariance = np.linalg.inv(state.jacobian.T @ state.jacobian)
    return np.sqrt(np.diag(covariance))
