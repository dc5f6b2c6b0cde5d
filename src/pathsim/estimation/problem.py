"""A PEtab problem ready to be evaluated: :class:`Problem`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..arrays import FloatArray, IntArray
from ..errors import InputError, SimulationError, raise_together, unknown
from ..experiments.dynamics import Dynamics, prepare
from ..experiments.plan import Planner
from ..experiments.run import Outcome, Runner
from ..experiments.values import Values, ValueTable
from ..model.maths import symbols
from ..solve import Rosenbrock, Solver
from . import priors
from .adjoint_gradient import likelihood_gradient
from .gradient import PetabObjective
from .measurements import Kind, Measuring
from .records import Description, Part, TableParameter
from .scales import from_scale, on_scale

if TYPE_CHECKING:
    import pandas as pd


SOLVER = Rosenbrock(rtol=1e-8, atol=1e-14)
"""Tighter than a plain simulation: published problems count in moles per litre as well as in cells, some amplify errors
a ten thousandfold (growing populations), and likelihoods are compared to a fraction of a unit."""


@dataclass(frozen=True, eq=False)
class PartPlan:
    """Everything about one part that does not depend on the parameters; ``unmeasured`` rows are only simulated."""

    part: Part
    dynamics: Dynamics
    runner: Runner
    kinds: tuple[Kind, ...]
    unmeasured: tuple[Kind, ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation: observables and noise of every measurement, their log likelihoods and residuals, row by row.

    ``failure`` is a sentence when a simulation failed or the likelihood is not a number, else empty.
    """

    values: FloatArray
    runs: tuple[Outcome, ...]
    observables: tuple[FloatArray, ...]
    noises: tuple[FloatArray, ...]
    log_densities: tuple[FloatArray, ...]
    residuals: tuple[FloatArray, ...]
    failure: str = ""

    @property
    def log_likelihood(self) -> float:
        """The sum over measurements; minus infinity after a failure."""
        return -math.inf if self.failure else float(sum(float(part.sum()) for part in self.log_densities))

    @property
    def chi2(self) -> float:
        """The sum of squared residuals; infinity after a failure."""
        return math.inf if self.failure else float(sum(float((part**2).sum()) for part in self.residuals))


class Problem:
    """A parameter estimation problem.

    A parameter vector ``theta`` holds the estimated parameters in the order of :attr:`parameter_ids`, each on the scale
    the parameter table gives it (``lin``, ``log`` or ``log10``; always ``lin`` in version 2); ``None`` means the
    nominal values. A mapping ``{id: value on that scale}`` replaces some of the nominal values.
    """

    def __init__(self, description: Description, solver: Solver | None = None, workers: int | None = None) -> None:
        self.description = description
        self.solver = solver or SOLVER
        self.workers = workers
        self.parameters = description.parameters
        ids = [parameter.id for parameter in self.parameters]
        collected = Values(tuple(ids))
        self.plans = tuple(_plan(part, collected) for part in description.parts)
        self.value_table: ValueTable = collected.table
        self._estimated = np.array([i for i, p in enumerate(self.parameters) if p.estimated], dtype=np.int64)

    def __reduce__(self) -> tuple[object, ...]:
        """Other processes get the description and make their own plan and machine code."""
        return Problem, (self.description, self.solver, self.workers)

    # what there is to estimate

    @cached_property
    def estimated(self) -> tuple[TableParameter, ...]:
        """Rows of the parameter table that are estimated, in order."""
        return tuple(parameter for parameter in self.parameters if parameter.estimated)

    @cached_property
    def parameter_ids(self) -> tuple[str, ...]:
        """Names of the estimated parameters: the order of ``theta``."""
        return tuple(parameter.id for parameter in self.estimated)

    @cached_property
    def scales(self) -> tuple[str, ...]:
        """``lin``, ``log`` or ``log10`` for each estimated parameter."""
        return tuple(parameter.scale for parameter in self.estimated)

    @cached_property
    def theta(self) -> FloatArray:
        """The nominal parameter vector, on scale."""
        return np.array([on_scale(p.nominal, p.scale) for p in self.estimated])

    @cached_property
    def lower(self) -> FloatArray:
        """Lower bounds, on scale."""
        return np.array([on_scale(p.lower, p.scale) for p in self.estimated])

    @cached_property
    def upper(self) -> FloatArray:
        """Upper bounds, on scale."""
        return np.array([on_scale(p.upper, p.scale) for p in self.estimated])

    @property
    def n_measurements(self) -> int:
        """Rows of the measurement table."""
        return sum(len(plan.part.measurements) for plan in self.plans)

    @cached_property
    def moving_columns(self) -> tuple[IntArray, ...]:
        """For each part, the raw values of its system that depend on estimated parameters in any simulation."""
        moving = self.value_table.depends_on(self._estimated)
        return tuple(plan.runner.moved_by(moving) for plan in self.plans)

    # evaluation

    def log_likelihood(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> float:
        """The log likelihood of the measurements, priors not included; minus infinity where it is not a number.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        return self._evaluated(theta).log_likelihood

    def chi2(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> float:
        """The sum of squared residuals, each (transformed simulation - transformed measurement) / noise.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        return self._evaluated(theta).chi2

    def simulate(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> pd.DataFrame:
        """The PEtab simulation table: the measurement table with a column ``simulation`` instead of ``measurement``.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        import pandas as pd

        evaluation = self._evaluated(theta)
        frames = []
        for plan, observables in zip(self.plans, evaluation.observables, strict=True):
            columns = {"measurement": "simulation"}
            frame = plan.part.table.rename(columns=columns)
            frames.append(frame.assign(simulation=observables))
        return frames[0] if len(frames) == 1 else pd.concat(frames).sort_index(kind="stable")

    def agreement(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> pd.DataFrame:
        """Measured against simulated, one row per measurement.

        Columns ``observable, experiment, time, measurement, simulation, noise, scale, residual, log_likelihood``; noise
        is that of the transformed measurement (``scale``). Raises as :meth:`simulate`.
        """
        import pandas as pd

        evaluation = self._evaluated(theta)
        frames = []
        for i, plan in enumerate(self.plans):
            rows = plan.part.measurements
            frame = pd.DataFrame({
                "observable": [row.observable for row in rows],
                "experiment": [row.experiment for row in rows],
                "time": [row.time for row in rows],
                "measurement": [row.value for row in rows],
                "simulation": evaluation.observables[i],
                "noise": evaluation.noises[i],
                "scale": [plan.part.observables[row.observable].scale for row in rows],
                "residual": evaluation.residuals[i],
                "log_likelihood": evaluation.log_densities[i],
            }, index=plan.part.table.index)  # fmt: skip
            frames.append(frame)
        return frames[0] if len(frames) == 1 else pd.concat(frames).sort_index(kind="stable")

    def log_prior(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> float:
        """The sum of the log densities of the priors in the parameter table (0 without priors)."""
        return float(sum(self.log_priors(theta).values()))

    def log_priors(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> dict[str, float]:
        """The log density of each parameter that has a prior."""
        found = {}
        for parameter, scaled in zip(self.estimated, self.vector(theta), strict=True):
            if parameter.prior is not None:
                x = scaled if parameter.prior.on_scale else from_scale(scaled, parameter.scale)
                found[parameter.id] = priors.log_density(parameter.prior, float(x), parameter.lower, parameter.upper)
        return found

    def log_posterior(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> float:
        """Log likelihood plus log prior, not normalised. Raises as :meth:`log_likelihood`."""
        return self.log_likelihood(theta) + self.log_prior(theta)

    def evaluate(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> Evaluation:
        """Everything at once. A simulation that fails is an :class:`Evaluation` with a ``failure``, not an error."""
        values = self.value_table(self.table_values(theta))
        runs, observables, noises, densities, residuals = [], [], [], [], []
        failure = ""
        for plan in self.plans:
            run = plan.runner.run(values[:, None], self.solver, self.workers, give_up=True)
            runs.append(run)
            flat, failed = run.flat[:, 0], run.failure()
            failure = failure or failed
            n = len(plan.part.measurements)
            y, sigma, density, residual = (np.full(n, math.nan) for _ in range(4))
            for kind in plan.unmeasured if not failed else ():
                y[kind.rows], sigma[kind.rows] = kind.function(kind.leaves(flat, values))
                density[kind.rows] = residual[kind.rows] = 0.0
            for kind in plan.kinds if not failed else ():
                y[kind.rows], sigma[kind.rows] = kind.function(kind.leaves(flat, values))
                density[kind.rows] = kind.log_densities(y[kind.rows], sigma[kind.rows])
                residual[kind.rows] = kind.residuals(y[kind.rows], sigma[kind.rows])
            failure = failure or _nonsense(plan, y, sigma, density)
            observables.append(y)
            noises.append(sigma)
            densities.append(density)
            residuals.append(residual)
        return Evaluation(
            values, tuple(runs), tuple(observables), tuple(noises), tuple(densities), tuple(residuals), failure
        )

    def _evaluated(self, theta: npt.ArrayLike | Mapping[str, float] | None) -> Evaluation:
        evaluation = self.evaluate(theta)
        failures = [why for run in evaluation.runs if (why := run.failure())]
        if failures:
            raise SimulationError(failures[0])
        return evaluation

    # parameter vectors

    def vector(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> FloatArray:
        """``theta`` as an array. Raises :class:`InputError` for a wrong length, a wrong name, or no nominal value."""
        if theta is None or isinstance(theta, Mapping):
            vector = self.theta.copy()
            place = {name: i for i, name in enumerate(self.parameter_ids)}
            for name, value in (theta or {}).items():
                if name not in place:
                    raise unknown("estimated parameter", name, place)
                vector[place[name]] = value
        else:
            vector = np.asarray(theta, dtype=float)
            if vector.shape != (len(self.estimated),):
                raise InputError(f"theta must hold {len(self.estimated)} numbers, not an array of shape {vector.shape}")
        missing = [name for name, value in zip(self.parameter_ids, vector, strict=True) if math.isnan(value)]
        if missing:
            raise InputError(f"no value for {', '.join(missing)}: the parameter table gives no nominalValue")
        return vector

    def on_scale(self, values: Mapping[str, float]) -> dict[str, float]:
        """Values of estimated parameters as the table writes them, put on the scale that ``theta`` is on.

        Raises :class:`InputError` listing every name that is not estimated and every value that has no logarithm.
        """
        scales = dict(zip(self.parameter_ids, self.scales, strict=True))
        problems = [str(unknown("estimated parameter", name, scales)) for name in values if name not in scales]
        problems += [
            f"'{name}' is on the {scales[name]} scale, so it must be positive, not {value:g}"
            for name, value in values.items()
            if scales.get(name, "lin") != "lin" and not value > 0
        ]
        raise_together(problems)
        return {name: on_scale(value, scales[name]) for name, value in values.items()}

    def table_values(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> FloatArray:
        """Values of all parameters of the table, not on scale."""
        values = np.array([parameter.nominal for parameter in self.parameters], dtype=float)
        values[self._estimated] = [
            from_scale(x, p.scale) for x, p in zip(self.vector(theta), self.estimated, strict=True)
        ]
        return values

    def gradient(self, theta: npt.ArrayLike | Mapping[str, float] | None = None) -> FloatArray:
        """The exact gradient of :meth:`log_likelihood` by theta, shape (estimated parameters,), on scale.

        Raises :class:`SimulationError` where the likelihood cannot be computed.
        """
        _, gradient, why = likelihood_gradient(self, self.vector(theta))
        if why:
            raise SimulationError(why)
        return -gradient

    def objective(self) -> PetabObjective:
        """The negative log posterior that :func:`pathsim.fit` minimises."""
        return PetabObjective(self)

    def with_solver(self, solver: Solver) -> Problem:
        """The same problem, solved with other tolerances."""
        return Problem(self.description, solver, self.workers)


def _plan(part: Part, values: Values) -> PartPlan:
    used = [part.experiments[name] for name in dict.fromkeys(m.experiment for m in part.measurements)]
    changes = [change for experiment in used for period in experiment.periods for change in period.changes]
    known = {*part.model.symbols}
    wanted = {change.target for change in changes}
    for change in changes:
        if symbols(change.value) & known:
            wanted |= symbols(change.value)
    asked = [formula for one in part.observables.values() for formula in (one.formula, one.noise)]
    dynamics = prepare(part.model, used, sorted(wanted - known), asked)
    planner = Planner(dynamics, values, part.model.source)
    measuring = Measuring(part, dynamics, values, planner)
    plan = planner.plan()
    runner = Runner(dynamics, plan, measuring.nodes)
    kinds, unmeasured = measuring.kinds(plan, runner.offsets(), len(runner.nodes))
    return PartPlan(part, dynamics, runner, kinds, unmeasured)


def _nonsense(plan: PartPlan, observables: FloatArray, noises: FloatArray, densities: FloatArray) -> str:
    """A sentence on the first measurement whose likelihood is not a number."""
    bad = np.flatnonzero(~np.isfinite(densities))
    if not bad.size:
        return ""
    first = int(bad[0])
    measurement = plan.part.measurements[first]
    return (
        f"measurement {first + 1} of '{measurement.observable}' at time {measurement.time:g} has no likelihood: its "
        f"simulation is {observables[first]:.6g} and its noise {noises[first]:.6g}"
    )
