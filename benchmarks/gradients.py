"""What does a full gradient cost, in units of the simulation it belongs to?

First for sweeps over published models, processor time per simulation of (a) a plain sweep, (b) the exact discrete
adjoint (record the steps, run them back: derivatives of one number by all estimated parameters), (c) forward
sensitivities along the estimated parameters (derivatives of every output). Then for whole fitting problems, one
parameter vector at a time as a user calls them: ``problem.log_likelihood(theta)`` and ``problem.gradient(theta)``.
The rival AMICI is measured by ``amici_gradients.py``.

    OPENBLAS_NUM_THREADS=1 python benchmarks/gradients.py [problem ...] [--rows 256]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

import pathsim as ps
from collection import SPEED_SET, data_folder, draws, load_case
from pathsim.experiments.timecourse import system_of
from pathsim.petab import load
from pathsim.solve import run_rows
from pathsim.solve.sensitivities.adjoint import pull_back
from pathsim.solve.sensitivities.forward import differentiate
from pathsim.solve.sensitivities.recording import record_rows

TOO_LONG = ("Chen_MSB2009",)


def least(functions: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Least processor time of each, seconds, of several rounds in which they take turns."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, found in zip(functions, times, strict=True):
            began = time.process_time()
            function()
            found.append(time.process_time() - began)
    return [min(found) for found in times]


def measure(name: str, rows: int) -> None:
    case = load_case(data_folder(), name, SPEED_SET.get(name))
    system = system_of(ps.load_model(case.model_file))
    table = draws(case, set(system.slots), rows)
    raw = np.tile(system.raw({k: v for k, v in case.settings.items() if k in system.slots}), (rows, 1))
    for column in table.columns:
        raw[:, system.slot(str(column))] = table[column]
    nodes = [system.output(state) for state in system.states]
    estimated = sorted({system.slot(name) for name in case.estimated if name in system.slots})
    solver = ps.Rosenbrock(rtol=1e-6, atol=1e-12)
    bars = np.random.default_rng(0).standard_normal((rows, len(case.times), len(nodes)))
    seeds = np.zeros((rows, raw.shape[1], len(estimated)))
    seeds[:, estimated, np.arange(len(estimated))] = raw[:, estimated]

    def plain() -> None:
        run_rows(system, raw, case.times, nodes, solver, workers=1)

    def adjoint() -> None:
        pull_back(record_rows(system, raw, case.times, nodes, solver, keep_stages=False), bars, columns=estimated)

    def forward() -> None:
        differentiate(record_rows(system, raw[:32], case.times, nodes, solver), seeds[:32], solver=solver)

    a, b = (seconds / rows for seconds in least([plain, adjoint], 15))
    c = least([forward], 2)[0] / min(rows, 32)
    print(
        f"{name:28s} {len(system.states):4d} {len(estimated):5d} {1e6 * a:10.1f} {1e6 * b:10.1f} {b / a:8.1f}"
        f" {1e6 * c:10.1f} {c / a:8.1f}",
        flush=True,
    )


def measure_problem(name: str) -> float:
    """The ratio, for one vector, of gradient to log likelihood; one thread."""
    place = data_folder() / "petab" / name
    problem = load(next(path for path in sorted(place.glob("*.yaml")) if "test" not in path.name))
    theta = problem.theta
    value, gradient = least([lambda: problem.log_likelihood(theta), lambda: problem.gradient(theta)], 31)
    simulations = sum(group.rows for part in problem.setup.parts for group in part.runner.plan.groups)
    print(
        f"{name:28s} {len(theta):5d} {simulations:5d} {1e3 * value:10.2f} {1e3 * gradient:10.2f}"
        f" {gradient / value:8.1f}",
        flush=True,
    )
    return gradient / value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    usual = [name for name in SPEED_SET if name != "SalazarCavazos_MBoC2020"]
    parser.add_argument("problems", nargs="*")
    parser.add_argument("--rows", type=int, default=256)
    chosen = parser.parse_args()
    print("problem                      states  est.   plain us adjoint us    ratio forward us    ratio")
    for name in chosen.problems or usual:
        measure(name, chosen.rows)
    print("\nproblem                      param. runs likelihood ms gradient ms  ratio")
    every = [path.name for path in sorted((data_folder() / "petab").iterdir()) if path.is_dir()]
    ratios = [measure_problem(name) for name in chosen.problems or every if name not in TOO_LONG]
    print(f"median ratio {np.median(ratios):.1f}, largest {max(ratios):.1f}, of {len(ratios)} problems")


if __name__ == "__main__":
    main()
