"""Multi-start local optimisation: :func:`fit`, and how its starts search.

A start is random points, uniform between the bounds on the scale of each parameter, a population evolved from them
(:class:`DifferentialEvolution`), rough descents from its best of which the worse half is given up again and again
(:class:`SuccessiveHalving`), and a local search at full accuracy (:class:`TrustRegion`, :class:`QuasiNewton`,
:class:`LBFGSB`). Populations are :data:`WIDE` and, unless all descents that were not given up have come to the same
value, :data:`DEEP`, drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from .. import arguments
from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError, SimulationError
from ..files import append_line, only_user
from ..linear_algebra import one_thread
from ..made_on import MadeOn, go_on_in
from ..names import listing
from ..progress import bar
from ..threads import Workers
from ..workers import in_blocks
from .descend import Steerable, SuccessiveHalving, descend
from .evolve import DifferentialEvolution, Screenable, evolve
from .objective import Fittable, Objective, as_objective
from .optimise import LBFGSB, Ended, Ledger, Optimiser, QuasiNewton, TrustRegion, minimise
from .questions import SPENT, Search, together
from .result import HEAD_FILE, STARTS_FILE, Fit, Start, line_of, ordered, read_starts, write_head

MOST_RESAMPLED = 200
MOST_TRIED = 5
SAME = 0.2
"""Log-likelihood units within which descents have found the same value."""
Report = Callable[[Start], None]
Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PopulationSearch:
    """How a start finds where its local search begins, for objectives that can be evaluated at many vectors at once.

    A population is evolved and its best descend together, at rough accuracy; where the best of them has come, the local
    search begins. Descents are left out where the objective has no derivatives of many vectors at once or the settings
    are None.
    """

    evolution: DifferentialEvolution
    descents: SuccessiveHalving | None = None


WIDE = PopulationSearch(DifferentialEvolution(members=128, generations=10), SuccessiveHalving(finalists=4))
"""Hardly evolved, many descents: for problems of several optima, each of which descents find."""
DEEP = PopulationSearch(DifferentialEvolution(), SuccessiveHalving(members=8, rounds=8))
"""Long evolved, few descents: for problems whose optima no descent finds from a random point."""


@checked
@one_thread()
def fit(
    problem: Objective | Fittable,
    starts: int = 20,
    seed: int = 0,
    workers: Workers = None,
    *,
    optimiser: Optimiser | None = None,
    candidates: int = 10,
    populations: Sequence[PopulationSearch] = (WIDE, DEEP),
    first: Sequence[npt.ArrayLike] = (),
    restarts: int = 0,
    folder: str | Path | None = None,
    resume: bool = False,
    any_processor: bool = False,
    report: Report | None = None,
    watch: Watch | None = None,
) -> Fit:
    """Search from many random starts and keep every result.

    A start of a :class:`~pathsim.estimation.problem.Problem`, whose objective can be evaluated and differentiated at
    many vectors at once, is random points, a population evolved from them, rough descents from its members of which the
    worse are given up one after another, and a local search at full accuracy from where the best has come. Starts of a
    problem of few simulations go on in step, so that one call of the solver serves many of them.

    Args:
        problem: a problem of any reader, or an :class:`.objective.Objective` of your own.
        starts: number of local searches.
        seed: where the random start points come from; start i is the same however many starts or workers there are.
        workers: a number of processes, the address of a Dask scheduler, a Dask client, or any
            ``concurrent.futures.Executor``; results do not depend on it. Default: as many as there are cores.
        optimiser: default ``TrustRegion()``.
        candidates: random points of which each start takes the best, where no population is evolved.
        populations: how a start finds where to search from: one after another, for what is best depends on the problem,
            until all finalists of the descents from one have come to the same value: an optimum found so often is
            hardly one of several (C. G. E. Boender and A. H. G. Rinnooy Kan, Math. Program. 37, 59 (1987)). With none,
            or an objective that cannot be evaluated at many vectors at once, the best of ``candidates``.
        first: vectors from which the first starts search at once, without random points: a published optimum, say.
        restarts: local searches of each start after its first, each from half way between the best so far and the
            middle of the bounds: out of a valley without forgetting all it has taught. The best of them counts.
        folder: where results are appended as they finish.
        resume: go on from what ``folder`` holds, after any kill.
        any_processor: go on where another processor began, and let workers have any: results then agree within
            tolerances instead of to the bit, which ``folder`` says (``made_on.json``).
        report: called with each start as it finishes.
        watch: called with a line about how far a start has come, in the process that works on it.

    Raises:
        InputError: a number that makes no sense, or a folder that holds another problem's fit, was made on another
            processor, or is being fitted in.
        SimulationError: no start point could be evaluated at all.

    >>> fit = ps.fit(problem, starts=2, workers=1)
    >>> best = fit.parameters
    """
    objective = as_objective(problem)
    _check(objective, starts, candidates)
    given = [_vector(objective, theta) for theta in first]
    search = optimiser or TrustRegion()
    job = Starts(objective, seed, search, candidates, tuple(populations), given, restarts, watch or _silent)
    with nullcontext() if folder is None else only_user(folder, "a fit"), bar("fit: starts", starts) as further:
        done, made_on = _open_folder(objective, folder, resume, any_processor)
        wanted = [number for number in range(starts) if number not in {start.number for start in done}]
        for finished in in_blocks(job, wanted, workers, job.at_once, any_processor):
            done.append(finished)
            further()
            if folder is not None:
                append_line(Path(folder) / STARTS_FILE, line_of(finished))
            if report is not None:
                report(finished)
        result = Fit(objective, ordered([start for start in done if start.number < starts]), made_on)
        if not math.isfinite(result.starts[0].value):
            raise SimulationError(f"none of {starts} starts could be evaluated: {result.starts[0].message}")
        if folder is not None:
            result.save(folder)
    return result


@dataclass(frozen=True, eq=False)
class Starts:
    """The starts of a fit; arguments as of :func:`fit`, checked."""

    objective: Objective
    seed: int
    optimiser: Optimiser
    candidates: int
    populations: tuple[PopulationSearch, ...]
    first: Sequence[FloatArray]
    restarts: int
    watch: Watch

    @property
    def at_once(self) -> int:
        """How many starts go on in step."""
        found: int = getattr(self.objective, "searches_together", 1)
        return found

    def __call__(self, numbers: Sequence[int]) -> Iterator[Start]:
        """Starts as they finish."""
        return together(self.objective, map(self.start, numbers), self.at_once)

    def start(self, number: int) -> Search[Start]:
        """One start."""
        return self.recorded(number, Ledger(self.objective))

    def recorded(self, number: int, ledger: Ledger) -> Search[Start]:
        """One start, whose evaluations go into ``ledger``."""
        begin, resampled, why = (self.first[number], 0, "") if number < len(self.first) else (None, 0, "")
        if begin is None:
            begin, resampled, why = yield from self._evolved(number, ledger)
        if begin is None:
            begin, resampled, why = yield from self._begin(number, ledger)
        if begin is None:
            nothing = tuple(0.5 * (self.objective.lower + self.objective.upper))
            return Start(
                number,
                nothing,
                nothing,
                math.inf,
                False,
                why,
                0,
                ledger.evaluations,
                0,
                resampled,
                (yield SPENT),
                dict(ledger.failures),
            )
        self.watch(f"start {number + 1}: local search" + (f" from {-ledger.best:.2f}" if ledger.evaluations else ""))
        ended = yield from minimise(ledger, begin, self.optimiser)
        for again in range(self.restarts):
            self.watch(f"start {number + 1}: restart {again + 1} from {-ended.value:.2f}")
            ended = yield from self._restarted(ended, ledger)
        return Start(
            number,
            tuple(begin.tolist()),
            tuple(ended.theta.tolist()),
            ended.value,
            ended.converged,
            ended.message,
            ended.iterations,
            ledger.evaluations,
            ledger.gradients,
            resampled,
            (yield SPENT),
            dict(ledger.failures),
        )

    def _restarted(self, ended: Ended, ledger: Ledger) -> Search[Ended]:
        """The better of ``ended`` and a search from half way to the middle of the bounds; iterations add up."""
        middle = 0.5 * (self.objective.lower + self.objective.upper)
        again = yield from minimise(ledger, 0.5 * (ended.theta + middle), self.optimiser)
        iterations = ended.iterations + again.iterations
        return replace(again if again.value < ended.value else ended, iterations=iterations)

    def _evolved(self, number: int, ledger: Ledger) -> Search[tuple[FloatArray | None, int, str]]:
        """Where the best of evolved populations has come; nothing where there is no population."""
        best, value, failed = None, math.inf, 0
        if hasattr(self.objective, "refined_many"):
            for at, chosen in enumerate(self.populations):
                rng = np.random.default_rng([self.seed, number, at])
                theta, reached, lost, agree = yield from self._populated(number, chosen, rng, ledger)
                failed += lost
                if reached < value:
                    best, value = theta, reached
                if agree:
                    break
        return best, failed, ""

    def _populated(
        self, number: int, chosen: PopulationSearch, rng: np.random.Generator, ledger: Ledger
    ) -> Search[tuple[FloatArray | None, float, int, bool]]:
        """Where the best of one evolved population has come, its value, how many points failed, and whether all
        finalists of its descents have come to the same value."""
        lower, upper = self.objective.lower, self.objective.upper

        def tell(line: str) -> None:
            self.watch(f"start {number + 1}: {line}")

        def scattered(count: int) -> FloatArray:
            return rng.uniform(lower, upper, (count, len(lower)))

        found = yield from evolve(cast(Screenable, self.objective), chosen.evolution, rng, scattered)
        ledger.evaluations += found.evaluations
        tell(f"{found.evaluations} points tried, {found.failed} failed")
        members, agree = found.members, False
        if chosen.descents is not None and members and hasattr(self.objective, "derivatives_many"):
            begin = list(members[: chosen.descents.members])
            down = yield from descend(cast(Steerable, self.objective), begin, chosen.descents, tell)
            ledger.evaluations += down.evaluations
            ledger.gradients += down.gradients
            members = (*down.members, *members)
            last = chosen.descents.finalists - 1
            agree = 0 < last < len(down.values) and down.values[last] - down.values[0] < SAME
        best, value = yield from self._exact(members, ledger)
        return best, value, found.failed, agree

    def _exact(self, members: Sequence[FloatArray], ledger: Ledger) -> Search[tuple[FloatArray | None, float]]:
        """The first of the best few that can be evaluated exactly, and its value."""
        for theta in members[:MOST_TRIED]:
            better, value = yield from ledger.refined(theta)
            if math.isfinite(value):
                return better, value
        return None, math.inf

    def _begin(self, number: int, ledger: Ledger) -> Search[tuple[FloatArray | None, int, str]]:
        """The best of a few random points that can be evaluated, and how many could not."""
        lower, upper = self.objective.lower, self.objective.upper
        rng = np.random.default_rng([self.seed, number])
        best, value, good, bad, why = None, math.inf, 0, 0, ""
        while good < self.candidates and bad < MOST_RESAMPLED:
            theta, found = yield from ledger.refined(rng.uniform(lower, upper))
            if not math.isfinite(found):
                bad += 1
                continue
            good += 1
            if found < value:
                best, value = theta, found
        if best is None:
            reasons = ", ".join(f"{reason} ({count} times)" for reason, count in ledger.failures.most_common(3))
            why = f"no start point could be evaluated in {bad} tries: {reasons}"
        return best, bad, why


def _vector(objective: Objective, theta: npt.ArrayLike) -> FloatArray:
    vector = arguments.array(theta, "a number of a first vector")
    if vector.shape != objective.lower.shape or not np.isfinite(vector).all():
        raise InputError(f"a first vector must hold {len(objective.names)} finite numbers, not {vector.shape}")
    return np.asarray(np.clip(vector, objective.lower, objective.upper))


def _silent(line: str) -> None:
    """Nobody watches."""


def _check(objective: Objective, starts: int, candidates: int) -> None:
    if starts < 1 or candidates < 1:
        raise InputError(f"starts and candidates must be at least 1, not {starts} and {candidates}")
    unbounded = [
        name
        for name, low, high in zip(objective.names, objective.lower, objective.upper, strict=True)
        if not (math.isfinite(low) and math.isfinite(high) and low < high)
    ]
    if unbounded:
        raise InputError(f"random starts need finite bounds with lower < upper; not so: {', '.join(unbounded)}")
    if not objective.names:
        raise InputError("nothing is free: there is no parameter to fit")


def _open_folder(
    objective: Objective, folder: str | Path | None, resume: bool, any_processor: bool
) -> tuple[list[Start], MadeOn]:
    """What a folder holds, and on which processor it was and is made."""
    if folder is None:
        if resume:
            raise InputError("resume needs the folder to go on from")
        return [], MadeOn.here(any_processor)
    target = Path(folder)
    if resume and (target / HEAD_FILE).exists():
        return read_starts(target, objective), go_on_in(target, True, any_processor)
    if (target / STARTS_FILE).exists():
        raise InputError(f"{target} already holds a fit; go on with resume, or use another folder")
    target.mkdir(parents=True, exist_ok=True)
    made_on = go_on_in(target, False, any_processor)
    write_head(target, objective)
    return [], made_on


__all__ = [
    "DEEP", "LBFGSB", "WIDE", "DifferentialEvolution", "PopulationSearch", "QuasiNewton", "SuccessiveHalving",
    "TrustRegion", "fit",
]  # fmt: skip

__dir__ = listing(__all__)
