"""How much faster than libRoadRunner is a sweep, per core, at the same accuracy?

For each published model: random parameter draws, all states at all measurement times, one core. libRoadRunner (CVODE)
runs at relative tolerance 1e-6 (its default) and 1e-8; pathsim at several tolerances. Errors are against one tight
reference (pathsim at 1e-11, cross-checked by libRoadRunner at 1e-10) as parts of the peak of each state in its draw;
the figure is the median over draws of the largest. Speeds are compared at matched error: pathsim's time is
interpolated (in logarithms) between its tolerances to the error libRoadRunner reached, so the ratio favours nobody.

    python benchmarks/engine_speed.py [--models Boehm Fujita] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import roadrunner
from collection import SPEED_SET, Case, data_folder, draws, load_case

import pathsim as ps

TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ATOL = 1e-12


class Rival:
    """libRoadRunner on one case, set up once; the loop around it is as lean as its Python interface allows."""

    def __init__(self, case: Case, frame: pd.DataFrame, states: list[str]) -> None:
        self.runner = roadrunner.RoadRunner(str(case.model_file))
        globals_ = list(self.runner.model.getGlobalParameterIds())
        self.columns = [name for name in frame.columns if name in globals_]
        self.index = [globals_.index(name) for name in self.columns]
        self.values = frame[self.columns].to_numpy()
        others = [name for name in frame.columns if name not in globals_]
        assert not others, f"libRoadRunner has no global parameter {others}"
        self.runner.timeCourseSelections = [f"[{name}]" for name in states]
        self.times = case.times if case.times[0] == 0 else np.concatenate([[0.0], case.times])
        self.skip = 0 if case.times[0] == 0 else 1

    def run(self, rtol: float, n: int) -> np.ndarray:
        runner, model = self.runner, self.runner.model
        integrator = runner.getIntegrator()
        integrator.relative_tolerance, integrator.absolute_tolerance = rtol, ATOL
        integrator.maximum_num_steps = 1_000_000
        out = np.full((n, len(self.times) - self.skip, len(runner.timeCourseSelections)), np.nan)
        for i in range(n):
            model.setGlobalParameterValues(self.index, self.values[i])
            runner.reset()
            out[i] = np.asarray(runner.simulate(times=self.times))[self.skip :]
        return out


def error_of(values: np.ndarray, reference: np.ndarray) -> float:
    """Median over draws of the largest deviation, in parts of each state's peak."""
    peak = np.abs(reference).max(axis=1, keepdims=True)
    relative = np.abs(values - reference) / np.where(peak > 0, peak, np.inf)
    return float(np.median(np.nanmax(relative.reshape(len(values), -1), axis=1)))


def measure(case: Case, rounds: int) -> dict[str, float]:
    model = ps.load_model(case.model_file)
    known = {p.id for p in model.parameters}
    n_rival, n = 32, 4096
    frame = draws(case, known, n)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    rival = Rival(case, frame, states)

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
            started = time.perf_counter()
            rival.run(rtol, n_rival)
            times.append((time.perf_counter() - started) / n_rival * 1e6)
        for rtol, times in our_time.items():
            started = time.perf_counter()
            ours(rtol, frame)
            times.append((time.perf_counter() - started) / n * 1e6)
    our_median = {rtol: float(np.median(times)) for rtol, times in our_time.items()}
    result = {"states": len(states), "check": check}
    for rtol in (1e-6, 1e-8):
        rival_us = float(np.median(rival_time[rtol]))
        matched = at_error(accuracy, our_median, rival_error[rtol])
        result |= {f"rr_us_{rtol:g}": rival_us, f"rr_err_{rtol:g}": rival_error[rtol], f"us_{rtol:g}": matched,
                   f"ratio_{rtol:g}": rival_us / matched}  # fmt: skip
    result |= {"plain_us_1e-06": our_median[1e-6], "plain_err_1e-06": accuracy[1e-6]}
    return result


def at_error(accuracy: dict[float, float], times: dict[float, float], wanted: float) -> float:
    """Our time at error ``wanted``, by interpolation in logarithms; the cheapest tolerance when it is better already."""
    errors = np.log([max(accuracy[rtol], 1e-300) for rtol in TOLERANCES])
    seconds = np.log([times[rtol] for rtol in TOLERANCES])
    order = np.argsort(errors)
    return float(np.exp(np.interp(np.log(wanted), errors[order], np.maximum.accumulate(seconds[order][::-1])[::-1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SPEED_SET))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=data_folder())
    options = parser.parse_args()
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    print("model,states,rr_us(1e-6),rr_err,ours_us,ratio,rr_us(1e-8),rr_err,ours_us,ratio,ours(1e-6)_us,err,check")
    ratios = []
    for wanted in options.models:
        name = next(known for known in SPEED_SET if known.startswith(wanted))
        r = measure(load_case(options.data, name, SPEED_SET[name]), options.rounds)
        ratios.append((r["ratio_1e-06"], r["ratio_1e-08"]))
        print(f"{name},{r['states']},{r['rr_us_1e-06']:.0f},{r['rr_err_1e-06']:.1e},{r['us_1e-06']:.2f},"
              f"{r['ratio_1e-06']:.1f},{r['rr_us_1e-08']:.0f},{r['rr_err_1e-08']:.1e},{r['us_1e-08']:.2f},"
              f"{r['ratio_1e-08']:.1f},{r['plain_us_1e-06']:.2f},{r['plain_err_1e-06']:.1e},{r['check']:.0e}",
              flush=True)  # fmt: skip
    means = np.exp(np.log(np.array(ratios)).mean(axis=0))
    print(f"geometric mean of ratios: {means[0]:.1f} (against 1e-6), {means[1]:.1f} (against 1e-8)")


if __name__ == "__main__":
    main()
