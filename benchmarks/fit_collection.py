"""How often, and how soon, do random starts reach the published optimum of PEtab problems?

For each problem: starts within 1.92 log-likelihood units of the published best (its nominal parameters), processor
seconds per start that reached it (all of all starts, over those that did), and the best found. Starts go on in step, as
in any fit. Compilation is not counted. amici_fits.py measures pyPESTO with AMICI beside it.

    OPENBLAS_NUM_THREADS=1 python benchmarks/fit_collection.py [problem ...] [--starts 20] [--seconds 600] [--out FILE]
"""

from __future__ import annotations

import argparse
import csv
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from collection import data_folder
from pathsim.estimation.problem import Problem
from pathsim.estimation.result import Start
from pathsim.estimation.search import fit
from pathsim.petab import load

PROBLEMS = (
    "Boehm_JProteomeRes2014", "Fiedler_BMCSystBiol2016", "Brannmark_JBC2010", "Fujita_SciSignal2010",
    "Bachmann_MSB2011", "Lucarelli_CellSystems2018", "Raimundez_PCB2020",
)  # fmt: skip
WITHIN = 1.92


class OutOfTime(Exception):
    """The budget of a problem is spent."""


def compiled(problem: Problem) -> Any:
    """The objective of a problem, all that a fit asks of it called once: the clock of a fit counts no compilation."""
    objective = problem.objective()
    theta = problem.theta[None]
    objective.refined(problem.theta)
    objective.derivatives(problem.theta)
    objective.gradient(problem.theta)
    objective.refined_many(theta)
    fishers = np.array([found.fisher for found in objective.derivatives_many(theta)])
    objective.steered_many(theta, fishers)
    return objective


def measure(name: str, starts: int, seconds: float, seed: int) -> dict[str, object]:
    """One row of the table."""
    yaml = next(path for path in sorted((data_folder() / "petab" / name).glob("*.yaml")) if "test" not in path.name)
    problem = load(yaml, threads=1)
    objective = compiled(problem)
    published = -objective.value(problem.theta)[0]
    done: list[tuple[Start, float]] = []
    began = time.process_time()

    def report(start: Start) -> None:
        done.append((start, time.process_time() - began))
        print(f"  {name} {len(done)}: {-start.value:.2f} after {done[-1][1]:.1f} s", flush=True)
        if done[-1][1] > seconds:
            raise OutOfTime

    with suppress(OutOfTime):
        fit(objective, starts, seed, workers=1, report=report)
    reached = sum(-start.value >= published - WITHIN for start, _ in done)
    best = max((-start.value for start, _ in done), default=float("nan"))
    return {
        "problem": name,
        "parameters": len(objective.names),
        "published": round(published, 3),
        "starts": len(done),
        "reached": reached,
        "seconds_per_success": round(done[-1][1] / reached, 2) if reached else "",
        "best": round(best, 3),
        "better_by": round(max(best - published, 0.0), 3),
        "seconds": round(done[-1][1], 1) if done else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=PROBLEMS)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = []
    for name in chosen.problems or PROBLEMS:
        rows.append(measure(name, chosen.starts, chosen.seconds, chosen.seed))
        print(rows[-1], flush=True)
        if chosen.out:
            with open(chosen.out, "w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
