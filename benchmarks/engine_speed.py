"""How much faster than libRoadRunner is a sweep, per core, at the same accuracy?

For each published model: random parameter draws, all states at all measurement times, one core. libRoadRunner (CVODE)
runs at relative tolerance 1e-6 (its default) and 1e-8; pathsim at several tolerances. Errors are against one tight
reference (pathsim at 1e-11, cross-checked by libRoadRunner at 1e-10) as parts of the peak of each state in its draw;
the figure is the median over draws of the largest. Speeds are compared at matched error: pathsim's time is
interpolated (in logarithms) between its tolerances to the error libRoadRunner reached, so the ratio favours nobody.
Times are processor time of the one thread both run in, medians over rounds that take turns, so that a busy machine
disturbs little.

    python benchmarks/engine_speed.py [--models Boehm Fujita] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import pathsim as ps
from collection import SPEED_SET, Case, Rival, at_error, data_folder, draws, error_of, load_case

TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ATOL = 1e-12


def measure(case: Case, rounds: int) -> dict[str, float]:
    model = ps.load_model(case.model_file)
    known = {p.id for p in model.parameters}
    n_rival, n = 32, 4096
    frame = draws(case, known, n)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    rival = Rival(case, frame, states, ATOL)

    def ours(rtol: float, rows: pd.DataFrame) -> np.ndarray:
        solver = ps.Rosenbrock(rtol=rtol, atol=ATOL)
        return ps.simulate_many(model, rows, case.times, states, solver=solver, workers=1).values

    few = frame.iloc[:n_rival]
    tight = ps.Rosenbrock(rtol=1e-11, atol=1e-16, max_steps=10_000_000)
    reference = ps.simulate_many(model, few, case.times, states, solver=tight, workers=1).values
    check = error_of(rival.run(1e-10, n_rival), reference)
    ours(1e-6, frame)  # compile, touch memory
    accuracy = {rtol: error_of(ours(rtol, few), reference) for rtol in TOLERANCES}
    rival_error = {rtol: error_of(rival.run(rtol, n_rival), reference) for rtol in (1e-6, 1e-8)}
    our_time: dict[float, list[float]] = {rtol: [] for rtol in TOLERANCES}
    rival_time: dict[float, list[float]] = {1e-6: [], 1e-8: []}
    for _ in range(rounds):
        for rtol, times in rival_time.items():
            started = time.thread_time()
            rival.run(rtol, n_rival)
            times.append((time.thread_time() - started) / n_rival * 1e6)
        for rtol, times in our_time.items():
            started = time.thread_time()
            ours(rtol, frame)
            times.append((time.thread_time() - started) / n * 1e6)
    our_median = {rtol: float(np.median(times)) for rtol, times in our_time.items()}
    result = {"states": len(states), "check": check}
    for rtol in (1e-6, 1e-8):
        rival_us = float(np.median(rival_time[rtol]))
        matched = at_error(list(accuracy.values()), list(our_median.values()), rival_error[rtol])
        result |= {
            f"rr_us_{rtol:g}": rival_us,
            f"rr_err_{rtol:g}": rival_error[rtol],
            f"us_{rtol:g}": matched,
            f"ratio_{rtol:g}": rival_us / matched,
        }
    result |= {"plain_us_1e-06": our_median[1e-6], "plain_err_1e-06": accuracy[1e-6]}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SPEED_SET))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = data_folder()
    print("model,states,rr_us(1e-6),rr_err,ours_us,ratio,rr_us(1e-8),rr_err,ours_us,ratio,ours(1e-6)_us,err,check")
    ratios = []
    for wanted in options.models:
        name = next(known for known in SPEED_SET if known.startswith(wanted))
        r = measure(load_case(folder, name, SPEED_SET[name]), options.rounds)
        ratios.append((r["ratio_1e-06"], r["ratio_1e-08"]))
        print(
            f"{name},{r['states']},{r['rr_us_1e-06']:.0f},{r['rr_err_1e-06']:.1e},{r['us_1e-06']:.2f},"
            f"{r['ratio_1e-06']:.1f},{r['rr_us_1e-08']:.0f},{r['rr_err_1e-08']:.1e},{r['us_1e-08']:.2f},"
            f"{r['ratio_1e-08']:.1f},{r['plain_us_1e-06']:.2f},{r['plain_err_1e-06']:.1e},{r['check']:.0e}",
            flush=True,
        )
    means = np.exp(np.log(np.array(ratios)).mean(axis=0))
    print(f"geometric mean of ratios: {means[0]:.1f} (against 1e-6), {means[1]:.1f} (against 1e-8)")


if __name__ == "__main__":
    main()
