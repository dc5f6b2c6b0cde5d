"""What does a gradient cost, against AMICI's forward and adjoint sensitivities, at what accuracy?

For published PEtab problems, processor time per gradient of the log likelihood by all estimated parameters, all
conditions: pathsim's exact discrete adjoint of many vectors in one call and of one vector alone, and gradient and
Fisher matrix of many by forward sensitivities, which is what AMICI's forward method gives as well, at rtol 1e-6 and
1e-8. AMICI at its rtol of 1e-8 and an atol of 1e-10 (its own 1e-16 makes gradients of Fujita fail), called through
pyPESTO's objective as its fits do, one vector at a time, forward and adjoint. One thread, the tools in turns. Errors
are the largest deviation from a reference (forward sensitivities at rtol 1e-11), in parts of the gradient's largest
entry, medians over the vectors that both can do.

    OPENBLAS_NUM_THREADS=1 python benchmarks/amici_gradients.py [problem ...] [--vectors 256] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import pathsim as ps
from amici_problems import PROBLEMS, amici_objective, rival_problem, yaml_of
from pathsim.estimation.gradients import adjoint_gradients, forward_derivatives
from pathsim.petab import load

SPREAD = 0.2
"""Vectors are the published one with normal deviates of this size added, in decades for most parameters."""
SHARED = 8
"""Vectors that AMICI does."""
SETTINGS = (("1e-6", ps.Rosenbrock(rtol=1e-6, atol=1e-12)), ("1e-8", ps.Rosenbrock(rtol=1e-8, atol=1e-14)))


def clocked(function: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a call, and what it gave."""
    began = time.process_time()
    found = function()
    return time.process_time() - began, found


def errors(found: np.ndarray, reference: np.ndarray) -> float:
    """Median over vectors."""
    deviations = np.abs(found - reference).max(axis=1) / np.abs(reference).max(axis=1)
    return float(np.median(deviations[np.isfinite(deviations)])) if np.isfinite(deviations).any() else float("nan")


def rivals_gradients(rival: Any, method: str, thetas: np.ndarray) -> np.ndarray:
    """AMICI's gradients of the negative log likelihood by the free parameters, NaN where it fails."""
    import amici.sim.sundials as sundials

    objective = amici_objective(rival)
    objective.amici_solver.set_sensitivity_method(getattr(sundials.SensitivityMethod, method))
    if objective is rival.objective:
        return np.array([objective(theta, sensi_orders=(0, 1))[1] for theta in thetas], dtype=float)
    full = [rival.get_full_vector(theta, rival.x_fixed_vals) for theta in thetas]  # beside priors it takes all
    return np.array([objective(theta, sensi_orders=(0, 1))[1] for theta in full], dtype=float)[:, rival.x_free_indices]


def measure(name: str, vectors: int, rounds: int) -> None:
    problem, rival = load(yaml_of(name), threads=1), rival_problem(name, (1e-8, 1e-10))
    free = [rival.x_names[i] for i in rival.x_free_indices]
    order = [free.index(parameter) for parameter in problem.parameter_ids]
    rng = np.random.default_rng(1)
    thetas = problem.theta + SPREAD * rng.standard_normal((vectors, len(problem.theta)))
    thetas[0] = problem.theta
    thetas = np.clip(thetas, problem.lower, problem.upper)
    theirs = np.empty((SHARED, len(order)))
    theirs[:, order] = thetas[:SHARED]
    tight = problem.with_solver(ps.Rosenbrock(rtol=1e-11, atol=1e-16))
    reference = np.array(
        [one.gradient for one in forward_derivatives(tight.setup, thetas[:SHARED], tight.setup.rosenbrock)]
    )
    ours = {label: problem.with_solver(solver) for label, solver in SETTINGS}
    times: dict[str, list[float]] = {}
    gradients: dict[str, np.ndarray] = {}
    for turn in range(rounds + 1):  # the first is not counted
        for label, one in ours.items():
            seconds, found = clocked(lambda one=one: adjoint_gradients(one.setup, thetas))
            alone, _ = clocked(lambda one=one, at=turn: adjoint_gradients(one.setup, thetas[at : at + 1]))
            both, _ = clocked(lambda one=one: forward_derivatives(one.setup, thetas, one.setup.rosenbrock))
            times.setdefault(label, []).append(seconds / vectors)
            times.setdefault(label + " fisher", []).append(both / vectors)
            times.setdefault(label + " alone", []).append(alone)
            gradients[label] = found.gradients[:SHARED]
        for method in ("forward", "adjoint"):
            seconds, found = clocked(lambda method=method: rivals_gradients(rival, method, theirs))
            times.setdefault(method, []).append(seconds / SHARED)
            gradients[method] = found[:, order]
    cost = {label: 1e3 * statistics.median(found[1:]) for label, found in times.items()}
    error = {label: errors(found, reference) for label, found in gradients.items()}
    failed = int((~np.isfinite(gradients["forward"]).all(axis=1)).sum())
    line = f"{name:26s} {len(order):4d} | {cost['forward']:8.2f} {error['forward']:8.1e} {failed}/{SHARED}"
    line += f" | {cost['adjoint']:8.2f} {error['adjoint']:8.1e}"
    for label in ours:
        ratio = cost["forward"] / cost[label]
        fisher = cost["forward"] / cost[label + " fisher"]
        line += f" | {cost[label]:8.3f} {error[label]:8.1e} {cost[label + ' alone']:7.2f} {ratio:6.0f}"
        line += f" {cost[label + ' fisher']:8.3f} {fisher:6.0f}"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=PROBLEMS)
    parser.add_argument("--vectors", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(
        "ms per gradient            par. | AMICI forward, error, failed | AMICI adjoint, error |"
        " pathsim 1e-6: many, error, alone, forward / many, gradient and Fisher matrix, forward / it |"
        " pathsim 1e-8: the same"
    )
    for name in chosen.problems:
        measure(name, chosen.vectors, chosen.rounds)


if __name__ == "__main__":
    main()
