"""What does an error cost: processor time against the error reached, ours and libRoadRunner's, at many tolerances?

Random parameter draws of published models, all states at all measurement times, one thread (``engine_speed.py`` says
how errors are counted): a sweep with Rodas5P, one simulation at a time with extrapolation and with Rodas5P, and
libRoadRunner (CVODE). Least processor times of rounds that take turns. Prints every point; ``--plot`` draws the figure
of the docs.

    python benchmarks/work_precision.py [--models Bachmann Alkan Borghans Lucarelli] [--plot docs/work_precision.png]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import pathsim as ps
from collection import SPEED_SET, Case, Rival, data_folder, draws, error_of, load_case

TOLERANCES = tuple(10.0 ** -(3 + 0.5 * i) for i in range(13))
FOUR = ("Bachmann", "Alkan", "Borghans", "Lucarelli")
ATOL, DRAWS, ROWS = 1e-12, 16, 1024
SWEEP, EXTRAPOLATION, ROSENBROCK, RIVAL = WAYS = (
    "pathsim, a sweep (Rodas5P)",
    "pathsim, one at a time (extrapolation)",
    "pathsim, one at a time (Rodas5P)",
    "libRoadRunner (CVODE)",
)
COLOURS = ("#0072B2", "#D55E00", "#E69F00", "#555555")
MARKS = ("o", "s", "^", "D")

Curve = list[tuple[float, float, float]]
"""Tolerance, error, microseconds of a simulation."""


def measure(case: Case, rounds: int) -> dict[str, Curve]:
    model = ps.load_model(case.model_file)
    frame = draws(case, {p.id for p in model.parameters}, ROWS)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    few, names = frame.iloc[:DRAWS], list(frame.columns)
    rows = few.to_numpy()
    rival = Rival(case, few, states, ATOL)
    tight = ps.simulator(model, case.times, names, states, ps.Rosenbrock(1e-11, 1e-16, 10_000_000))
    reference = np.array([tight(row) for row in rows])

    def sweep(rtol: float) -> np.ndarray:
        solver = ps.Rosenbrock(rtol, ATOL)
        return ps.simulate_many(model, frame, case.times, states, solver=solver, workers=1).values

    def single(solver: ps.Rosenbrock | ps.Extrapolation) -> np.ndarray:
        call = ps.simulator(model, case.times, names, states, solver)
        return np.array([call(row) for row in rows])

    ways: dict[str, Callable[[float], np.ndarray]] = {
        SWEEP: sweep,
        EXTRAPOLATION: lambda rtol: single(ps.Extrapolation(rtol, ATOL)),
        ROSENBROCK: lambda rtol: single(ps.Rosenbrock(rtol, ATOL)),
        RIVAL: lambda rtol: rival.run(rtol, DRAWS),
    }
    for _ in range(4):
        sweep(1e-3)  # as many rows as machine code is made with care for
    errors, least = dict[tuple[str, float], float](), dict[tuple[str, float], float]()
    for way, run in ways.items():
        for rtol in TOLERANCES:
            errors[way, rtol] = error_of(run(rtol)[:DRAWS], reference)
    for _ in range(rounds):
        for rtol in TOLERANCES:
            for way, run in ways.items():
                started = time.thread_time()
                count = len(run(rtol))
                us = (time.thread_time() - started) / count * 1e6
                least[way, rtol] = min(us, least.get((way, rtol), us))
    return {way: [(rtol, errors[way, rtol], least[way, rtol]) for rtol in TOLERANCES] for way in ways}


def draw(found: dict[str, dict[str, Curve]], file: Path) -> None:
    """The figure: a panel for each model, a line for each way."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    across = 2 if len(found) > 1 else 1
    down = -(-len(found) // across)
    figure, axes = plt.subplots(down, across, figsize=(7.2, 2.7 * down + 0.6), squeeze=False, layout="constrained")
    for axis in axes.flat[len(found) :]:
        axis.set_axis_off()
    for axis, (title, curves) in zip(axes.flat, found.items(), strict=False):
        for (way, curve), colour, mark in zip(curves.items(), COLOURS, MARKS, strict=True):
            _, errors, times = zip(*curve, strict=True)
            axis.loglog(errors, times, color=colour, marker=mark, markersize=3.5, linewidth=1.2, label=way)
        axis.set_title(title, fontsize=9)
        axis.invert_xaxis()
        axis.grid(alpha=0.25, linewidth=0.5)
        axis.tick_params(labelsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("error, in parts of the peak", fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("us of one core a simulation", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    figure.savefig(file, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(FOUR))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    folder = data_folder()
    found: dict[str, dict[str, Curve]] = {}
    print("model,way,rtol,error,us")
    for wanted in options.models:
        name = next(known for known in SPEED_SET if known.startswith(wanted))
        case = load_case(folder, name, SPEED_SET[name])
        curves = measure(case, options.rounds)
        found[f"{name.replace('_', ' ')}, {len(case.times)} samples"] = curves
        for way, curve in curves.items():
            for rtol, error, us in curve:
                print(f'{name},"{way}",{rtol:.1e},{error:.1e},{us:.1f}', flush=True)
    if options.plot is not None:
        draw(found, options.plot)


if __name__ == "__main__":
    main()
