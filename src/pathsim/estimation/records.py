"""A PEtab problem in one form for both versions of the format: frozen records, formulas as trees, no tables.

Version 1 conditions become experiments of one or two periods; version 2 experiments are taken as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ..experiments.experiment import Experiment
from ..model import Model
from ..model.maths import Expr

Scale = Literal["lin", "log", "log10"]
Noise = Literal["normal", "laplace"]


@dataclass(frozen=True, slots=True)
class Prior:
    """A prior in the objective: scipy-like name and parameters, of the value itself or of the value on its scale."""

    distribution: str
    parameters: tuple[float, ...]
    on_scale: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class TableParameter:
    """A row of the parameter table; ``lower``, ``upper`` and ``nominal`` are values, not on ``scale``."""

    id: str
    scale: Scale
    lower: float
    upper: float
    nominal: float
    estimated: bool
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class Observable:
    """A row of the observable table; placeholders are the names that measurements fill in."""

    id: str
    formula: Expr
    noise: Expr
    scale: Scale
    distribution: Noise
    placeholders: tuple[str, ...]
    noise_placeholders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row of the measurement table; ``time`` may be infinite (steady state)."""

    observable: str
    experiment: str
    time: float
    value: float
    fillings: tuple[Expr, ...]
    noise_fillings: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Part:
    """One model with its observables, experiments and measurements; ``table`` is the measurement table as read."""

    model: Model
    observables: dict[str, Observable]
    experiments: dict[str, Experiment]
    measurements: tuple[Measurement, ...]
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Description:
    """A whole problem. ``source`` is the file it was read from."""

    source: str
    version: int
    parameters: tuple[TableParameter, ...]
    parts: tuple[Part, ...]

    @property
    def content(self) -> str:
        """A digest of everything the problem says, wherever its files lie."""
        parts = [(part.model.digest, part.observables, part.experiments, part.measurements) for part in self.parts]
        return hashlib.sha256(repr((self.version, self.parameters, parts)).encode()).hexdigest()
