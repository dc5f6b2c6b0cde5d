"""An estimation problem as frozen records, formulas as trees, no tables: what every reader makes and a problem is.

A problem from parts: parameters (:class:`TableParameter`), experiments (:mod:`pathsim.experiments.experiment`),
observables, and measurements that say which observable of which experiment was measured when. Formulas are over symbols
of the model, parameters, and placeholders that each measurement fills in; :mod:`.observables` has the formulas of
several simulated rows (fold changes, ratios, GR values, ...).

    readout = Observable("pAKT", symbol("pAKT_S473"), family=LogNormal(), form=Scaled())
    rows = tuple(Measurement("pAKT", "starved", time, band, group="gel 1") for time, band in ...)
    part = Part(model, {"pAKT": readout}, {"starved": experiment}, rows, table)
    problem = Problem(Description("my data", 2, parameters, (part,)))
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from .. import shown
from ..experiments.experiment import Experiment
from ..model import Model
from ..model.maths import Expr
from ..shown import Shown
from ..stats.noise import Family, Normal, Scale
from .likelihood import Form


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
    """What is measured: a formula of simulated rows, and how measurements scatter around it.

    ``noise`` is the formula of sigma. None: sigma is that of the ``family``, else the ``sd`` of each measurement, else
    estimated in closed form, one for the observable. ``form`` says what else is unknown and solved for in closed form:
    None for nothing, or a scale (and an offset) for each group of measurements (a gel). ``placeholders`` are names in
    the formulas that measurements fill in.
    """

    id: str
    formula: Expr
    noise: Expr | None = None
    family: Family = field(default_factory=Normal)
    placeholders: tuple[str, ...] = ()
    noise_placeholders: tuple[str, ...] = ()
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number that was measured: ``observable`` of ``experiment`` at ``time``, which may be infinite (steady state).

    ``others`` are the experiments and times of the further rows of the formula, in the order of their numbers (see
    :func:`.observables.at`). ``group`` is the gel whose scale it shares, ``sd`` its known error, ``side`` -1 where the
    true value lies below ``value``, 1 where it lies above. A ``value`` that is NaN is only simulated.
    """

    observable: str
    experiment: str
    time: float
    value: float
    overrides: tuple[Expr, ...] = ()
    noise_overrides: tuple[Expr, ...] = ()
    others: tuple[tuple[str, float], ...] = ()
    group: str = ""
    sd: float = math.nan
    side: int = 0


@dataclass(frozen=True, eq=False)
class Part:
    """One model with its observables, experiments and measurements; ``table`` is the measurement table as read."""

    model: Model
    observables: Mapping[str, Observable]
    experiments: Mapping[str, Experiment]
    measurements: tuple[Measurement, ...]
    table: pd.DataFrame

    def _shown(self) -> Shown:
        counts = f"{len(self.observables)} observables, {len(self.experiments)} experiments"
        return Shown(
            f"Part of a problem on {self.model.id}: {counts}, {len(self.measurements)} measurements", self.table
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html


@dataclass(frozen=True, eq=False)
class Description:
    """A whole problem. ``source`` is the file it was read from, ``version`` that of the PEtab format."""

    source: str
    version: int
    parameters: tuple[TableParameter, ...]
    parts: tuple[Part, ...]

    @property
    def content(self) -> str:
        """A digest of everything the problem says, wherever its files lie."""
        parts = [(part.model.digest, part.observables, part.experiments, part.measurements) for part in self.parts]
        return hashlib.sha256(repr((self.version, self.parameters, parts)).encode()).hexdigest()
