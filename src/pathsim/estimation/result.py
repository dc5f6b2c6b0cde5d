"""What a fit gives: every start, the best of them, and files that a later session can go on from."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import shown
from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..files import read_json, write_whole
from ..made_on import MadeOn
from ..shown import Shown
from ..stored_records import json_lines, record_of
from .inference_data import optima_of
from .objective import Derivatives, Fittable, Objective, as_objective
from .posterior import Posterior
from .problem import Problem
from .scales import values_of
from .stored_problem import keep_problem, kept_problem

if TYPE_CHECKING:
    import pandas as pd

STARTS_FILE, HEAD_FILE = "starts.jsonl", "fit.json"


@dataclass(frozen=True)
class Start:
    """One local search: its number, where it began and ended (on scale), and how.

    ``resampled``: start points thrown away before it because they could not be evaluated. ``failures``: reasons of
    evaluations that failed on the way, with their counts.
    """

    number: int
    begin: tuple[float, ...]
    theta: tuple[float, ...]
    value: float
    converged: bool
    message: str
    iterations: int
    evaluations: int
    gradients: int
    resampled: int
    seconds: float
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Fit:
    """A multi-start fit: ``starts`` in order of their value, best first, their objective, and the processor they are
    made on."""

    objective: Objective
    starts: tuple[Start, ...]
    made_on: MadeOn = field(default_factory=MadeOn.here)

    def _shown(self) -> Shown:
        if not self.starts or not math.isfinite(self.starts[0].value):
            return Shown(f"Fit of {len(self.names)} parameters: no start could be evaluated")
        rows = [
            {"parameter": name, "value": value, "scale": scale}
            for (name, value), scale in zip(self.parameters.items(), self.objective.scales, strict=True)
        ]
        return Shown(f"Fit of {len(self.names)} parameters: {self.summary}", rows)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names, the order of theta."""
        return self.objective.names

    @cached_property
    def best(self) -> Start:
        """The start that reached the highest likelihood. Raises :class:`InputError` when every start failed."""
        if not self.starts or not math.isfinite(self.starts[0].value):
            reasons = {start.message for start in self.starts}
            raise InputError(f"no start could be evaluated: {'; '.join(sorted(reasons)) or 'there are none'}")
        return self.starts[0]

    @cached_property
    def theta(self) -> FloatArray:
        """The best parameter vector, on scale."""
        return np.array(self.best.theta)

    @cached_property
    def parameters(self) -> dict[str, float]:
        """The best parameters, not on scale."""
        return dict(zip(self.names, values_of(self.theta, self.objective.scales).tolist(), strict=True))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per start, best first: log likelihood, how the search ended, and the parameters (not on scale)."""
        import pandas as pd

        rows = []
        for start in self.starts:
            values = values_of(np.array(start.theta), self.objective.scales)
            rows.append(
                {
                    "start": start.number,
                    "log_likelihood": -start.value,
                    "converged": start.converged,
                    "message": start.message,
                    "iterations": start.iterations,
                    "seconds": start.seconds,
                    "resampled": start.resampled,
                    "failed_evaluations": sum(start.failures.values()),
                    **dict(zip(self.names, values.tolist(), strict=True)),
                }
            )
        return pd.DataFrame(rows)

    @property
    def summary(self) -> str:
        """A sentence on how the search went."""
        reached = sum(start.value < self.best.value + 0.1 for start in self.starts)
        stuck = sum(not start.converged for start in self.starts)
        resampled = sum(start.resampled for start in self.starts)
        return (
            f"best log likelihood {-self.best.value:.4f}; {reached} of {len(self.starts)} starts within 0.1 of it; "
            f"{stuck} did not converge; {resampled} start points could not be evaluated and were replaced"
        )

    @cached_property
    def known_problem(self) -> Problem | None:
        """The problem that was fitted, None for an objective of one's own."""
        return Problem.of_setup(self.objective.setup) if isinstance(self.objective, Posterior) else None

    @property
    def problem(self) -> Problem:
        """The problem that was fitted. Raises :class:`InputError` for an objective of one's own."""
        if self.known_problem is None:
            raise InputError("this fit is of an objective of one's own, not of a problem")
        return self.known_problem

    def to_arviz(self) -> Any:
        """Where the starts ended, best first, as group ``optima`` of an ``arviz.InferenceData``, and the measurements.

        Draws of the posterior come from :func:`pathsim.sample` or :func:`pathsim.posterior_ensemble`, whose results
        have this method too. Raises :class:`InputError` where the package arviz is not installed.
        """
        thetas = np.array([start.theta for start in self.starts])
        log_posterior = -np.array([start.value for start in self.starts])
        return optima_of(self.names, self.objective.scales, thetas, log_posterior, self.known_problem)

    def with_problem(self, problem: Objective | Fittable) -> Fit:
        """The same starts with the objective they belong to, for profiles and samples.

        Raises :class:`InputError` for another problem.
        """
        objective = as_objective(problem)
        _refuse_others(head(self.objective), objective, "this fit is of")
        return replace(self, objective=objective)

    def save(self, folder: str | Path) -> None:
        """Write all that :func:`load_fit` needs: the problem, its starts, what identifies it and the processor
        (``problem.json``, ``starts.jsonl``, ``fit.json``, ``made_on.json``), and two tables to look at (``starts.csv``,
        ``best.csv``)."""
        import pandas as pd

        target = Path(folder)
        write_head(target, self.objective)
        self.made_on.write(target)
        lines = [line_of(start) for start in sorted(self.starts, key=lambda start: start.number)]
        write_whole(target / STARTS_FILE, "".join(lines))
        write_whole(target / "starts.csv", self.table.to_csv(index=False))
        best = pd.DataFrame(
            {
                "parameter": self.names,
                "value": list(self.parameters.values()),
                "on_scale": self.theta,
                "scale": self.objective.scales,
            }
        )
        write_whole(target / "best.csv", best.to_csv(index=False))


@checked
def load_fit(folder: str | Path, problem: Objective | Fittable | None = None) -> Fit:
    """A saved fit with its problem: as good as new for figures, profiles, samples, and more starts.

    Everything in the folder is plain data and is checked. The fit of an objective of one's own is there to look at;
    give that objective as ``problem``, or later to :meth:`Fit.with_problem`, to go on from it.

    Raises :class:`InputError` when the folder holds no fit, that of another problem, or one that was changed.

    >>> fit.save("my_fit")
    >>> ps.load_fit("my_fit").parameters == fit.parameters
    True
    """
    target = Path(folder)
    given = kept_problem(target) if problem is None else problem
    objective = SavedObjective.read(target) if given is None else as_objective(given)
    return Fit(objective, ordered(read_starts(target, objective)), MadeOn.read(target) or MadeOn.unknown())


@dataclass(frozen=True, eq=False)
class SavedObjective:
    """What a folder says about the objective of its fit: enough to look at the fit, not to evaluate anything."""

    names: tuple[str, ...]
    scales: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    digest: str

    @classmethod
    def read(cls, folder: Path) -> SavedObjective:
        """From the head of a folder. Raises :class:`InputError` when there is none, or it is not as it was written."""
        kept = _read_head(folder)
        try:
            lower, upper = (np.array(kept[key], dtype=float) for key in ("lower", "upper"))
            names, scales = (tuple(str(item) for item in kept[key]) for key in ("names", "scales"))
            digest = str(kept["digest"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder / HEAD_FILE}: not the head of a fit: {error}") from None
        if not len(names) == len(scales) == len(lower) == len(upper):
            raise InputError(f"{folder / HEAD_FILE}: names, scales and bounds are not equally many")
        return cls(names, scales, lower, upper, digest)

    def value(self, theta: FloatArray) -> tuple[float, str]:
        """Raises :class:`InputError`: that takes the problem."""
        raise InputError("this fit was loaded without its objective: fit.with_problem(objective) gives it one")

    def derivatives(self, theta: FloatArray) -> Derivatives:
        """Raises :class:`InputError`: that takes the problem."""
        raise InputError("this fit was loaded without its objective: fit.with_problem(objective) gives it one")


def ordered(starts: list[Start]) -> tuple[Start, ...]:
    """Starts by value, best first; equal ones by number."""
    return tuple(sorted(starts, key=lambda start: (start.value, start.number)))


def head(objective: Objective) -> dict[str, Any]:
    """What identifies the problem a folder belongs to."""
    return {
        "names": list(objective.names),
        "scales": list(objective.scales),
        "lower": objective.lower.tolist(),
        "upper": objective.upper.tolist(),
        "digest": fingerprint(objective),
    }


def write_head(folder: Path, objective: Objective) -> None:
    """Say in a folder whose fit it holds, and keep its problem there."""
    if isinstance(objective, Posterior):
        keep_problem(folder, objective.setup.description, objective.solver)
    write_whole(folder / HEAD_FILE, json.dumps(head(objective), indent=1) + "\n")


def fingerprint(objective: Objective) -> str:
    """A digest of names, bounds and what the objective says its content is.

    Objectives without a ``content`` (of one's own making) are told apart by their value in the middle of their bounds.
    """
    if isinstance(objective, SavedObjective):
        return objective.digest
    text = repr((objective.names, objective.scales, objective.lower.tolist(), objective.upper.tolist()))
    content = getattr(objective, "content", None)
    if content is None:
        middle = 0.5 * (objective.lower + objective.upper)
        value, why = objective.value(np.where(np.isfinite(middle), middle, 0.0))
        content = "" if why else f"{value:.8g}"
    return hashlib.sha256(f"{text}{content}".encode()).hexdigest()[:16]


def line_of(start: Start) -> str:
    """One line of the file of starts."""
    return json.dumps(asdict(start)) + "\n"


def _read_head(folder: Path) -> dict[str, Any]:
    if not os.path.exists(folder / HEAD_FILE):
        raise InputError(f"{folder}: no fit is saved here ({HEAD_FILE} is missing)")
    return read_json(folder / HEAD_FILE, dict)


def _refuse_others(kept: dict[str, Any], objective: Objective, whose: str) -> None:
    """Raise :class:`InputError` where ``kept`` is not the head of this objective."""
    wanted = head(objective)
    if kept != wanted:
        called = {"names": "free parameters", "scales": "scales", "lower": "bounds", "upper": "bounds"}
        differ = dict.fromkeys(called[key] for key in called if kept.get(key) != wanted[key])
        what = ", ".join(differ) or "data, model, priors or options"
        raise InputError(f"{whose} another problem ({what} differ); use a new folder")


def read_starts(folder: Path, objective: Objective) -> list[Start]:
    """Starts in a folder; a line torn by a kill is left out.

    Raises :class:`InputError` for the folder of another problem, and for what is not as it was written.
    """
    _refuse_others(_read_head(folder), objective, f"{folder} holds the fit of")
    found: dict[int, Start] = {}
    path = folder / STARTS_FILE
    for where, content in json_lines(path) if path.exists() else ():
        start = record_of(Start, content, where)
        if {len(start.begin), len(start.theta)} != {len(objective.names)} or math.isnan(start.value):
            raise InputError(f"{where}: not a start of this fit, which has {len(objective.names)} parameters")
        if not all(map(math.isfinite, (*start.begin, *start.theta))) or start.number < 0:
            raise InputError(f"{where}: not a start, whose parameters are finite and whose number is 0 or more")
        found[start.number] = start
    return list(found.values())
