"""How soon does a fit reach the published optimum, against pyPESTO with AMICI and fides, taking turns?

One process, one core, both from random starts in the published bounds: a start of pyPESTO (start points that cannot be
evaluated drawn again), a start of pathsim, and so on; whoever has used up its seconds waits. Reached: within 1.92 log
likelihood units of the published parameters, by each tool's own likelihood. Clocks are processor time of the tool's own
starts; compilation is not counted. Luck matters: beside the time to the first stands time per start that reached.

    OPENBLAS_NUM_THREADS=1 python benchmarks/amici_fits.py [problem ...] [--starts 20] [--seconds 120] [--seed 0]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from amici_problems import PROBLEMS, rival_problem, yaml_of
from pathsim.estimation.search import fit
from pathsim.petab import load

WITHIN = 1.92


class Contender:
    """One tool: ``start(i)`` runs its i-th start and gives the log likelihood it reached."""

    def __init__(self, name: str, published: float, start: Callable[[int], float]) -> None:
        self.name, self.published, self.start = name, published, start
        self.found: list[float] = []
        self.at: list[float] = []

    def turn(self) -> None:
        began = time.process_time()
        value = self.start(len(self.found))
        self.at.append((self.at[-1] if self.at else 0.0) + time.process_time() - began)
        self.found.append(value)

    def goes_on(self, starts: int, seconds: float) -> bool:
        return len(self.found) < starts and (not self.at or self.at[-1] < seconds)

    def summary(self) -> str:
        good = [at for at, value in zip(self.at, self.found, strict=True) if value >= self.published - WITHIN]
        first = f"first after {good[0]:6.1f} s, {self.at[-1] / len(good):6.1f} s per success" if good else "none"
        best = max((value for value in self.found if math.isfinite(value)), default=math.nan)
        return f"{self.name}: {len(good):2d} of {len(self.found):2d} in {self.at[-1]:6.1f} s, {first}; best {best:.2f}"


def rival(name: str, seed: int) -> Contender:
    """pyPESTO with AMICI and fides, all at their defaults."""
    import logging

    problem = rival_problem(name)
    from pypesto import optimize

    optimizer = optimize.FidesOptimizer(verbose=logging.CRITICAL)

    def start(i: int) -> float:
        np.random.seed(1000 * seed + i)  # noqa: NPY002 - what pyPESTO draws its starts with
        result = optimize.minimize(
            problem,
            optimizer,
            n_starts=1,
            progress_bar=False,
            options=optimize.OptimizeOptions(allow_failed_starts=True),
        )
        return -float(result.optimize_result[0].fval)

    nominal = np.asarray(load(yaml_of(name), workers=1).theta)
    free = [problem.x_names[i] for i in problem.x_free_indices]
    ids = load(yaml_of(name), workers=1).parameter_ids
    theta = np.empty(len(free))
    theta[[free.index(parameter) for parameter in ids]] = nominal
    return Contender("pyPESTO + AMICI", -float(problem.objective(theta)), start)


def ours(name: str, seed: int) -> Contender:
    """pathsim at its defaults."""
    objective: Any = load(yaml_of(name), workers=1).objective()
    theta = objective.setup.nominal
    objective.derivatives(theta)  # compiled before the clock starts, as AMICI is
    objective.derivatives_many(theta[None])
    objective.refined_many(theta[None])

    def start(i: int) -> float:
        return -fit(objective, 1, seed=1000 * seed + i, workers=1).best.value

    return Contender("pathsim", -objective.value(theta)[0], start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=PROBLEMS[:5])
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for name in chosen.problems:
        contenders = [rival(name, chosen.seed), ours(name, chosen.seed)]
        print(f"{name}: published " + ", ".join(f"{one.published:.2f} ({one.name})" for one in contenders), flush=True)
        while any(one.goes_on(chosen.starts, chosen.seconds) for one in contenders):
            for one in contenders:
                if one.goes_on(chosen.starts, chosen.seconds):
                    one.turn()
        for one in contenders:
            print("  " + one.summary(), flush=True)


if __name__ == "__main__":
    main()
