"""One estimation problem, whoever made it: :class:`Problem`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .. import arguments, shown
from ..arrays import FloatArray
from ..errors import InputError, SimulationError, raise_together, unknown
from ..experiments.run import Outcome
from ..shown import Shown
from ..solve import Rosenbrock, Solver
from .gradients import likelihood_gradient
from .likelihood import Solved
from .posterior import Posterior
from .records import Description, TableParameter
from .scales import on_scale
from .setup import PartSetup, Setup

if TYPE_CHECKING:
    import pandas as pd

Theta = npt.ArrayLike | Mapping[str, float]

SOLVER = Rosenbrock(rtol=1e-8, atol=1e-14)
"""Tighter than a plain simulation: published problems count in moles per litre as well as in cells, some amplify errors
a ten thousandfold (growing populations), and likelihoods are compared to a fraction of a unit."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation: predictions and noise of every measurement, their log likelihoods and residuals, row by row.

    ``failure`` is a sentence when a simulation failed or the likelihood is not a number, else empty; ``failed`` whether
    it was a simulation.
    """

    outcomes: tuple[Outcome, ...]
    predictions: tuple[FloatArray, ...]
    noises: tuple[FloatArray, ...]
    log_densities: tuple[FloatArray, ...]
    residuals: tuple[FloatArray, ...]
    failure: str = ""
    failed: bool = False

    @property
    def log_likelihood(self) -> float:
        """The sum over measurements; minus infinity after a failure."""
        return -math.inf if self.failure else float(sum(float(part.sum()) for part in self.log_densities))

    @property
    def chi2(self) -> float:
        """The sum of squared residuals; infinity after a failure."""
        return math.inf if self.failure else float(sum(float((part**2).sum()) for part in self.residuals))


class Problem:
    """A parameter estimation problem: experiments, observables, noise families and priors.

    A parameter vector ``theta`` holds the estimated parameters in the order of :attr:`parameter_ids`, each on its scale
    (``lin``, ``log`` or ``log10``); ``None`` means the nominal values. A mapping ``{id: value on that scale}`` replaces
    some of the nominal values. :mod:`pathsim.estimation.records` says how to make one from parts.

    Args:
        solver: default ``Rosenbrock(rtol=1e-8, atol=1e-14)``.
        threads: of one evaluation; results do not depend on it.
    """

    def __init__(self, description: Description, solver: Solver | None = None, threads: int | None = None) -> None:
        self.description, self.solver, self.threads = description, solver or SOLVER, threads
        self.setup = Setup(description, self.solver, threads)

    @classmethod
    def of_setup(cls, setup: Setup) -> Problem:
        """The problem that was made ready as ``setup``."""
        made = cls.__new__(cls)
        made.description, made.solver, made.threads, made.setup = setup.description, setup.solver, setup.threads, setup
        return made

    def __reduce__(self) -> tuple[object, ...]:
        """Other processes get the description and make their own plan and machine code."""
        return type(self), (self.description, self.solver, self.threads)

    def _shown(self) -> Shown:
        rows = [
            {"parameter": name, "scale": scale, "nominal": value, "lower": low, "upper": high}
            for name, scale, value, low, high in zip(
                self.parameter_ids, self.scales, self.theta, self.lower, self.upper, strict=True
            )
        ]
        experiments = sum(len(part.experiments) for part in self.description.parts)
        source = f" from {self.description.source}" if self.description.source else ""
        return Shown(
            f"Problem{source}: {self.n_measurements} measurements in {experiments} experiments, {len(rows)} parameters "
            "to estimate (values on their scale)",
            rows,
        )

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    # what there is to estimate

    @property
    def parameters(self) -> tuple[TableParameter, ...]:
        """All rows of the parameter table."""
        return self.description.parameters

    @property
    def estimated(self) -> tuple[TableParameter, ...]:
        """Rows of the parameter table that are estimated, in order."""
        return self.setup.estimated

    @property
    def parameter_ids(self) -> tuple[str, ...]:
        """Names of the estimated parameters: the order of ``theta``."""
        return self.setup.names

    @property
    def scales(self) -> tuple[str, ...]:
        """``lin``, ``log`` or ``log10`` for each estimated parameter."""
        return self.setup.scales

    @property
    def theta(self) -> FloatArray:
        """The nominal parameter vector, on scale."""
        return self.setup.nominal

    @property
    def lower(self) -> FloatArray:
        """Lower bounds, on scale."""
        return self.setup.lower

    @property
    def upper(self) -> FloatArray:
        """Upper bounds, on scale."""
        return self.setup.upper

    @property
    def n_measurements(self) -> int:
        """Rows of the measurement table."""
        return sum(len(part.measurements) for part in self.description.parts)

    # evaluation

    def log_likelihood(self, theta: Theta | None = None) -> float:
        """The log likelihood of the measurements, priors not included; minus infinity where it is not a number.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        return self._evaluated(theta).log_likelihood

    def chi2(self, theta: Theta | None = None) -> float:
        """The sum of squared residuals, each (transformed simulation - transformed measurement) / noise.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        return self._evaluated(theta).chi2

    def gradient(self, theta: Theta | None = None) -> FloatArray:
        """The exact gradient of :meth:`log_likelihood` by theta, shape (estimated parameters,), on scale.

        Raises :class:`SimulationError` where the likelihood cannot be computed.
        """
        _, gradient, why = likelihood_gradient(self.setup, self.vector(theta))
        if why:
            raise SimulationError(why)
        return -gradient

    def simulate(self, theta: Theta | None = None) -> pd.DataFrame:
        """The measured table as the simulation fills it: its column ``value``, or PEtab's ``simulation``.

        Raises :class:`SimulationError` naming the experiment that could not be simulated.
        """
        evaluation = self._evaluated(theta)
        frames = []
        for part, predicted in zip(self.description.parts, evaluation.predictions, strict=True):
            if "measurement" in part.table:  # the names of PEtab
                frames.append(part.table.rename(columns={"measurement": "simulation"}).assign(simulation=predicted))
            else:
                frames.append(part.table.assign(value=predicted))
        return _together(frames)

    def predicted(self, theta: Theta | None = None) -> pd.DataFrame:
        """The measurement table with ``predicted``, what is expected (median), and ``sigma`` of its noise.

        Raises as :meth:`simulate`.
        """
        evaluation = self._evaluated(theta)
        return _together(
            [
                part.part.table.assign(predicted=evaluation.predictions[i], sigma=evaluation.noises[i])
                for i, part in enumerate(self.setup.parts)
            ]
        )

    def agreement(self, theta: Theta | None = None) -> pd.DataFrame:
        """Measured against simulated, one row per measurement.

        Columns ``observable, experiment, time, measurement, simulation, noise, scale, residual, log_likelihood``; noise
        is that of the transformed measurement (``scale``). Raises as :meth:`simulate`.
        """
        import pandas as pd

        evaluation = self._evaluated(theta)
        frames = []
        for i, part in enumerate(self.description.parts):
            rows = part.measurements
            frames.append(
                pd.DataFrame(
                    {
                        "observable": [row.observable for row in rows],
                        "experiment": [row.experiment for row in rows],
                        "time": [row.time for row in rows],
                        "measurement": [row.value for row in rows],
                        "simulation": evaluation.predictions[i],
                        "noise": evaluation.noises[i],
                        "scale": [part.observables[row.observable].family.scale for row in rows],
                        "residual": evaluation.residuals[i],
                        "log_likelihood": evaluation.log_densities[i],
                    },
                    index=part.table.index,
                )
            )
        return _together(frames)

    def solved(self, theta: Theta | None = None) -> pd.DataFrame:
        """Scales, offsets and sizes of noise that are solved for: one row per observable and group (gel).

        Columns ``observable, group, scale, offset, sigma`` (the mean where it differs within the group). Raises as
        :meth:`simulate`.
        """
        import pandas as pd

        numbers, outcomes = self._run(theta)
        for outcome in outcomes:
            outcome.refuse_failures()
        frames = []
        for part, outcome in zip(self.setup.parts, outcomes, strict=True):
            for term in part.terms:
                likelihood = term.likelihood
                if not isinstance(likelihood, Solved):
                    continue
                found = likelihood.solution(term.signals(outcome.flat, numbers)[0])
                sigma = np.broadcast_to(found.sigma, found.prediction.shape)[:, 0]
                frames.append(
                    pd.DataFrame(
                        {
                            "observable": term.shape.solved_for,
                            "group": term.groups,
                            "scale": found.scale[:, 0],
                            "offset": found.offset[:, 0],
                            "sigma": [float(sigma[likelihood.group == g].mean()) for g in range(likelihood.groups)],
                        }
                    )
                )
        columns = ["observable", "group", "scale", "offset", "sigma"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def signals(self, theta: Theta | None = None) -> FloatArray:
        """What the formula of each measurement gives, before scale and offset are solved for, row by row of all parts.

        Raises as :meth:`simulate`.
        """
        return self.setup.signals(self.vector(theta))

    def log_prior(self, theta: Theta | None = None) -> float:
        """The sum of the log densities of the priors in the parameter table (0 without priors)."""
        return float(sum(self.log_priors(theta).values()))

    def log_priors(self, theta: Theta | None = None) -> dict[str, float]:
        """The log density of each parameter that has a prior."""
        return self.setup.log_priors(self.vector(theta))

    def log_posterior(self, theta: Theta | None = None) -> float:
        """Log likelihood plus log prior, not normalised. Raises as :meth:`log_likelihood`."""
        return self.log_likelihood(theta) + self.log_prior(theta)

    def evaluate(self, theta: Theta | None = None) -> Evaluation:
        """Everything at once. A simulation that fails is an :class:`Evaluation` with a ``failure``, not an error."""
        numbers, outcomes = self._run(theta)
        predictions, noises, densities, residuals = [], [], [], []
        failure, failed = "", False
        for part, outcome in zip(self.setup.parts, outcomes, strict=True):
            why = outcome.failure()
            failure, failed = failure or why, failed or bool(why)
            y, sigma, density, residual = (np.full(len(part.part.measurements), math.nan) for _ in range(4))
            for term in part.unmeasured if not why else ():
                signal, given = term.signals(outcome.flat, numbers)
                y[term.rows], sigma[term.rows] = signal[:, 0], given[:, 0]
                density[term.rows] = residual[term.rows] = 0.0
            for term in part.terms if not why else ():
                signal, given = term.signals(outcome.flat, numbers)
                predicted, noise = term.likelihood.predictions(signal, given)
                y[term.rows], sigma[term.rows] = predicted[:, 0], noise[:, 0]
                density[term.rows] = -term.likelihood.losses(signal, given)[:, 0]
                residual[term.rows] = term.likelihood.residuals(signal, given)[:, 0]
            failure = failure or _nonsense(part, y, sigma, density)
            predictions.append(y)
            noises.append(sigma)
            densities.append(density)
            residuals.append(residual)
        return Evaluation(
            outcomes, tuple(predictions), tuple(noises), tuple(densities), tuple(residuals), failure, failed
        )

    def _run(self, theta: Theta | None) -> tuple[FloatArray, tuple[Outcome, ...]]:
        """The list of numbers (numbers, 1), and what the simulations of each part gave."""
        return self.setup.run(self.vector(theta)[None])

    def _evaluated(self, theta: Theta | None) -> Evaluation:
        evaluation = self.evaluate(theta)
        for outcome in evaluation.outcomes if evaluation.failed else ():
            outcome.refuse_failures()
        return evaluation

    # parameter vectors

    def vector(self, theta: Theta | None = None) -> FloatArray:
        """``theta`` as an array. Raises :class:`InputError` for a wrong length, a wrong name, or no nominal value."""
        if theta is None or isinstance(theta, Mapping):
            vector = self.theta.copy()
            place = {name: i for i, name in enumerate(self.parameter_ids)}
            for name, value in (theta or {}).items():
                if name not in place:
                    raise unknown("estimated parameter", str(name), place)
                vector[place[name]] = arguments.number(value, str(name))
        else:
            vector = arguments.array(theta, "theta")
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

    def table_values(self, theta: Theta | None = None) -> FloatArray:
        """Values of all parameters of the table, not on scale."""
        return self.setup.table(self.vector(theta)[None])[:, 0]

    # other problems made of this one

    def objective(self) -> Posterior:
        """The negative log posterior that :func:`pathsim.fit` minimises.

        Raises :class:`InputError` unless the solver is Rosenbrock, whose steps gradients differentiate.
        """
        return self._posterior

    @cached_property
    def _posterior(self) -> Posterior:
        return Posterior(self.setup)

    def with_solver(self, solver: Solver) -> Problem:
        """The same problem, solved with other tolerances."""
        return Problem(self.description, solver, self.threads)


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return frames[0] if len(frames) == 1 else pd.concat(frames).sort_index(kind="stable")


def _nonsense(part: PartSetup, predictions: FloatArray, noises: FloatArray, densities: FloatArray) -> str:
    """A sentence on the first measurement whose likelihood is not a number."""
    bad = np.flatnonzero(~np.isfinite(densities))
    if not bad.size:
        return ""
    first = int(bad[0])
    measurement = part.part.measurements[first]
    return (
        f"measurement {first + 1} of '{measurement.observable}' at time {measurement.time:g} has no likelihood: its "
        f"simulation is {predictions[first]:.6g} and its noise {noises[first]:.6g}"
    )
