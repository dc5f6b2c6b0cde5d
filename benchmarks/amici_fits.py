"""What does a success of a fit cost, against pyPESTO with AMICI and fides at two tolerances?

A success is a start within 1.92 log likelihood units of the published parameters, by each tool's own likelihood; what a
success costs is all processor time of a tool, failures included, over its successes. Starts are uniform within the
published bounds on the scale of each parameter (pyPESTO draws those that cannot be evaluated again). AMICI runs at
relative tolerances of 1e-6 and 1e-8 with an absolute one of 1e-10, since its own 1e-16 makes gradients fail; pathsim is
``ps.fit`` as it comes, all its starts in one call. One process, one core; starts of the rival at its two tolerances in
turns until its seconds are used up. Compilation is not counted.

    OPENBLAS_NUM_THREADS=1 python benchmarks/amici_fits.py [problem ...] [--starts 20] [--seconds 120] [--seed 0]
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from typing import Any

import numpy as np

import pathsim as ps
from amici_problems import PROBLEMS, rival_problem, yaml_of
from fit_collection import compiled
from pathsim.petab import load

WITHIN = 1.92
TOLERANCES = ((1e-6, 1e-10), (1e-8, 1e-10))


class Tally:
    """What the starts of one tool found, and the processor seconds that they took together."""

    def __init__(self, name: str, published: float) -> None:
        self.name, self.published = name, published
        self.found: list[float] = []
        self.seconds = 0.0

    @property
    def reached(self) -> int:
        return sum(value >= self.published - WITHIN for value in self.found)

    @property
    def per_success(self) -> float:
        return self.seconds / self.reached if self.reached else math.inf

    def summary(self) -> str:
        cost = f"{self.per_success:.2f} s per success" if self.reached else "no success"
        best = max((value for value in self.found if math.isfinite(value)), default=math.nan)
        counts = f"{self.reached:2d} of {len(self.found):3d} in {self.seconds:6.1f} s"
        return f"{self.name}: {counts}, {cost}; best {best:.2f}"


class Rival:
    """pyPESTO with AMICI and fides at given tolerances, the rest at defaults: a start at a time."""

    def __init__(self, name: str, tolerances: tuple[float, float], seed: int) -> None:
        from pypesto import optimize

        self.optimize, self.seed = optimize, seed
        self.problem = rival_problem(name, tolerances)
        free = [self.problem.x_names[i] for i in self.problem.x_free_indices]
        ours = load(yaml_of(name), threads=1)
        theta = np.empty(len(free))
        theta[[free.index(parameter) for parameter in ours.parameter_ids]] = ours.theta
        label = f"pyPESTO + AMICI, rtol {tolerances[0]:g}, atol {tolerances[1]:g}"
        self.tally = Tally(label, -float(self.problem.objective(theta)))

    def start(self) -> None:
        np.random.seed(1000 * self.seed + len(self.tally.found))  # noqa: NPY002 - what pyPESTO draws its starts with
        began = time.process_time()
        result = self.optimize.minimize(
            self.problem,
            self.optimize.FidesOptimizer(verbose=logging.CRITICAL),
            n_starts=1,
            progress_bar=False,
            options=self.optimize.OptimizeOptions(allow_failed_starts=True),
        )
        self.tally.seconds += time.process_time() - began
        self.tally.found.append(-float(result.optimize_result[0].fval))


def ours(name: str, starts: int, seed: int) -> Tally:
    """``ps.fit`` at its defaults."""
    problem = load(yaml_of(name), threads=1)
    objective: Any = compiled(problem)
    tally = Tally("pathsim", -objective.value(problem.theta)[0])
    began = time.process_time()
    fit = ps.fit(objective, starts, seed, workers=1)
    tally.seconds = time.process_time() - began
    tally.found = [-start.value for start in fit.starts]
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=PROBLEMS[:5])
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for name in chosen.problems:
        mine = ours(name, chosen.starts, chosen.seed)
        print(f"{name}:\n  {mine.summary()}", flush=True)
        rivals = [Rival(name, tolerances, chosen.seed) for tolerances in TOLERANCES]
        while going := [one for one in rivals if one.tally.seconds < chosen.seconds]:
            for one in going:
                one.start()
        for one in rivals:
            spent, least = (one.tally.per_success, "") if one.tally.reached else (one.tally.seconds, "more than ")
            print(f"  {one.tally.summary()}; {least}{spent / mine.per_success:.1f} times ours", flush=True)


if __name__ == "__main__":
    main()
