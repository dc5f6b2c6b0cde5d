"""Blots as a negative log posterior: simulated signals against densitometry, with their exact derivatives."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, FloatArray, IntArray
from ..lab import CellLine
from ..model import Model
from .conditions import Dishes, Signals, plain_value
from .densitometry import Solved, log_normal, normal
from .free import FreeParameter, on_scale
from .objective import Slopes, checked, natural

if TYPE_CHECKING:
    import pandas as pd


BACKGROUND_BOUNDS = (-4.0, 0.5)
"""Decades between a background and the typical signal of its antibody."""
SATURATION_BOUNDS = (-1.0, 2.0)
"""Decades between the signal at half saturation and the typical signal."""
SMALLEST_SIGNAL = 1e-9
"""Signals below this share of the typical one count as it: a logarithm needs something."""


@dataclass(frozen=True, eq=False)
class Antibody:
    """All bands of one readout: where each is simulated, its value, its gel."""

    name: str
    rows: IntArray
    condition: IntArray
    time: IntArray
    output: IntArray
    value: FloatArray
    censored: BoolArray
    gel: IntArray
    gels: tuple[str, ...]
    sd: FloatArray | None
    background: bool
    saturates: bool


class BlotObjective:
    """See :mod:`pathsim.estimation.objective`; made by :func:`pathsim.estimation.blots.blot_problem`.

    Theta holds the free parameters, then for antibodies with background or saturation the logarithm (base 10) of
    ``background:<readout>`` and ``saturation:<readout>`` over the typical signal of that readout. Scales per gel and
    antibody and the noise are not in theta: they are at their best for every theta.
    """

    def __init__(
        self, dishes: Dishes, free: tuple[FreeParameter, ...], antibodies: tuple[Antibody, ...], is_log_normal: bool,
        bands: pd.DataFrame, lines: Mapping[str, CellLine],
    ) -> None:  # fmt: skip
        self.dishes, self.free, self.antibodies, self.is_log_normal = dishes, free, antibodies, is_log_normal
        self.bands = bands
        self.lines = dict(lines)
        names = [item.name for item in free]
        self._background: dict[str, int] = {}
        self._saturation: dict[str, int] = {}
        for antibody in antibodies:
            if antibody.background and is_log_normal:  # with normal noise it is solved for
                self._background[antibody.name] = len(names)
                names.append(f"background:{antibody.name}")
            if antibody.saturates:
                self._saturation[antibody.name] = len(names)
                names.append(f"saturation:{antibody.name}")
        self._names = tuple(names)

    # what there is to fit

    @property
    def model(self) -> Model:
        """The model whose parameters are free."""
        return self.dishes.system.model

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    @cached_property
    def content(self) -> str:
        """A digest of model, bands, dishes, free parameters with their priors, and how bands become numbers."""
        rules = [(a.name, a.background, a.saturates, a.sd is None) for a in self.antibodies]
        plain = repr((self.model.digest, self.free, self.is_log_normal, rules, self.dishes.solver))
        digest = hashlib.sha256(plain.encode())
        digest.update(self.bands.to_csv(index=False).encode())
        digest.update(self.dishes.content)
        return digest.hexdigest()

    @property
    def scales(self) -> tuple[str, ...]:
        return (*(item.scale for item in self.free), *["log10"] * (len(self._names) - len(self.free)))

    @property
    def lower(self) -> FloatArray:
        return self._bounds(0)

    @property
    def upper(self) -> FloatArray:
        return self._bounds(1)

    def _bounds(self, side: int) -> FloatArray:
        ends = [on_scale(float((item.lower, item.upper)[side] or 0.0), item.scale) for item in self.free]
        for name in self._names[len(self.free) :]:
            ends.append((BACKGROUND_BOUNDS if name.startswith("background:") else SATURATION_BOUNDS)[side])
        return np.array(ends)

    @cached_property
    def nominal(self) -> FloatArray:
        """The model's own values, on scale and within bounds."""
        values = [plain_value(self.dishes.system, item.parameter, self.lines.get(item.line)) for item in self.free]
        own = [on_scale(v, f.scale) if v > 0 or f.scale == "lin" else math.nan
               for v, f in zip(values, self.free, strict=True)]  # fmt: skip
        middle = 0.5 * (self.lower + self.upper)
        start = np.concatenate([own, middle[len(own) :]])
        return np.clip(np.where(np.isfinite(start), start, middle), self.lower, self.upper)

    # evaluation

    def value(self, theta: FloatArray) -> tuple[float, str]:
        signals = self.dishes.values(self._free_values(theta))
        if signals.failure:
            return math.inf, signals.failure
        total = 0.5 * float(np.sum(self._prior(theta)[0] ** 2))
        for antibody in self.antibodies:
            film = self._film(antibody, signals, theta)
            if not np.isfinite(film.signal).all():
                return math.inf, f"the simulated {antibody.name} is not a finite number"
            total += self._solve(antibody, film.signal).value
        return (total, "") if math.isfinite(total) else (math.inf, "the likelihood is not a finite number")

    def slopes(self, theta: FloatArray) -> Slopes:
        d = len(self._names)
        free = self._free_values(theta)
        signals = self.dishes.slopes(free)
        if signals.failure:
            return Slopes.failed(d, signals.failure)
        prior, by_theta = self._prior(theta)
        total, gradient, fisher = 0.5 * float(prior @ prior), by_theta.T @ prior, by_theta.T @ by_theta
        residuals, jacobians = [prior], [by_theta]
        stretch = _stretch(theta[: len(self.free)], [item.scale for item in self.free])
        for antibody in self.antibodies:
            film = self._film(antibody, signals, theta)
            if not np.isfinite(film.signal).all():
                return Slopes.failed(d, f"the simulated {antibody.name} is not a finite number")
            solved = self._solve(antibody, film.signal)
            assert signals.slopes is not None
            J = np.zeros((len(antibody.rows), d))
            J[:, : len(self.free)] = signals.slopes[antibody.condition, antibody.time, antibody.output] * stretch
            J *= film.by_model[:, None]
            for position, column in film.extra.items():
                J[:, position] = column
            total += solved.value
            gradient += solved.by_signal @ J
            fisher += J.T @ solved.weights @ J
            residuals.append(solved.residuals)
            jacobians.append(solved.by_residual() @ J)
        return checked(Slopes(total, gradient, fisher, np.concatenate(residuals), np.concatenate(jacobians)))

    def solved(self, theta: FloatArray) -> dict[str, Solved]:
        """Scales, offsets, noise and predicted bands of each antibody at ``theta``."""
        signals = self.dishes.values(self._free_values(theta))
        return {
            antibody.name: self._solve(antibody, self._film(antibody, signals, theta).signal)
            for antibody in self.antibodies
        }

    def films(self, theta: FloatArray) -> dict[str, FloatArray]:
        """What the film shows of each antibody's bands at ``theta``, before its unknown scale."""
        signals = self.dishes.values(self._free_values(theta))
        return {antibody.name: self._film(antibody, signals, theta).signal for antibody in self.antibodies}

    def predicted(self, theta: FloatArray) -> pd.DataFrame:
        """The measured table with ``predicted``, the band the fit expects (median), and ``sigma`` of its noise."""
        frame = self.bands.copy()
        predicted, sigma = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
        solved = self.solved(theta)
        for antibody in self.antibodies:
            predicted[antibody.rows] = solved[antibody.name].predicted
            sigma[antibody.rows] = solved[antibody.name].sigma
        return frame.assign(predicted=predicted, sigma=sigma)

    def curves(self, theta: FloatArray, points: int = 61) -> pd.DataFrame:
        """What the fit expects over time: ``cell_line, treatment, readout, gel, time_min, predicted``.

        One curve per condition and readout, from 0 to its last band, on the scale of the first gel that holds it.
        """
        import pandas as pd

        last = float(self.dishes.times.max())
        grid = np.unique(np.concatenate([np.linspace(0.0, last, points), self.dishes.times]))
        signals, solved = self.dishes.at(grid).values(self._free_values(theta)), self.solved(theta)
        names = self.bands[["cell_line", "treatment"]].to_numpy()
        frames = []
        for antibody in self.antibodies:
            found = solved[antibody.name]
            for condition in dict.fromkeys(antibody.condition.tolist()):
                own = np.flatnonzero(antibody.condition == condition)
                moments = np.flatnonzero(grid <= self.dishes.times[antibody.time[own]].max())
                gel = int(antibody.gel[own[0]])
                dense = replace(antibody, condition=np.full(len(moments), condition), time=moments,
                                output=np.full(len(moments), antibody.output[0]))  # fmt: skip
                film = self._film(dense, signals, theta).signal
                line, treatment = names[antibody.rows[own[0]]]
                frames.append(pd.DataFrame({
                    "cell_line": line, "treatment": treatment, "readout": antibody.name, "gel": antibody.gels[gel],
                    "time_min": grid[moments], "predicted": found.scale[gel] * film + found.offset[gel],
                }))  # fmt: skip
        return pd.concat(frames, ignore_index=True)

    def _free_values(self, theta: FloatArray) -> FloatArray:
        return natural(theta[: len(self.free)], tuple(item.scale for item in self.free))

    def _prior(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Normal priors on scale as residuals, and their Jacobian."""
        rows = [
            ((theta[i] - on_scale(item.mean, item.scale)) / item.sd, np.eye(len(self._names))[i] / item.sd)
            for i, item in enumerate(self.free)
            if item.mean is not None and item.sd is not None
        ]
        distances, slopes = zip(*rows, strict=True) if rows else ((), ())
        return np.array(distances, dtype=float), np.array(slopes, dtype=float).reshape(-1, len(self._names))

    def _film(self, antibody: Antibody, signals: Signals, theta: FloatArray) -> _Film:
        """What the film shows of each band before its unknown scale; see :class:`_Film`."""
        m = signals.values[antibody.condition, antibody.time, antibody.output]
        extra: dict[int, FloatArray] = {}
        by_model = np.ones(len(m))
        floor = SMALLEST_SIGNAL * self.typical[antibody.name]
        if self.is_log_normal:
            by_model = np.where(m > floor, 1.0, 0.0)
            m = np.maximum(m, floor)
        position = self._background.get(antibody.name)
        if position is not None:
            background = self.typical[antibody.name] * 10.0 ** theta[position]
            m = m + background
            extra[position] = np.full(len(m), background * math.log(10.0))
        position = self._saturation.get(antibody.name)
        if position is not None:
            half = self.typical[antibody.name] * 10.0 ** theta[position]
            share = 1.0 / (1.0 + m / half)
            by_film = share**2
            extra = {at: column * by_film for at, column in extra.items()}
            by_model = by_model * by_film
            extra[position] = (m * share) ** 2 / half * math.log(10.0)
            m = m * share
        return _Film(m, by_model, extra)

    @cached_property
    def typical(self) -> dict[str, float]:
        """The mean simulated signal of each readout at the model's own parameters: the unit of what is unknown."""
        signals = self.dishes.values(self._free_values(self.nominal))
        found = {}
        for antibody in self.antibodies:
            m = signals.values[antibody.condition, antibody.time, antibody.output]
            usable = m[np.isfinite(m)]
            mean = float(np.mean(np.abs(usable))) if usable.size and not signals.failure else 0.0
            found[antibody.name] = mean if mean > 0 else 1.0
        return found

    def _solve(self, antibody: Antibody, signal: FloatArray) -> Solved:
        if self.is_log_normal:
            return log_normal(antibody.value, antibody.censored, antibody.gel, signal)
        return normal(antibody.value, antibody.gel, signal, antibody.background, antibody.sd)


@dataclass(frozen=True, eq=False)
class _Film:
    """Signals on film, their slopes by the model's signals, and by entries of theta."""

    signal: FloatArray
    by_model: FloatArray
    extra: dict[int, FloatArray]


def _stretch(theta: FloatArray, scales: Sequence[str]) -> FloatArray:
    """d value / d theta."""
    factor = {"lin": 0.0, "log": 1.0, "log10": math.log(10.0)}
    values = natural(theta, tuple(scales))
    return np.array([1.0 if s == "lin" else v * factor[s] for v, s in zip(values, scales, strict=True)])
