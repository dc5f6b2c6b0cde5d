"""How much faster than libRoadRunner is one simulation at a time, in a plain Python loop?

As ``engine_speed.py``, but each draw is a call of its own: ``ps.simulator(...)`` made once and called per draw,
``ps.simulate(...)`` with everything by name and a DataFrame back, and libRoadRunner's ``simulate`` in as lean a loop as
its interface allows. Same core, same draws, matched error, processor time, medians over rounds that take turns.

    python benchmarks/single_speed.py [--models Boehm Fujita] [--rounds 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import pathsim as ps
from collection import SPEED_SET, Case, Rival, at_error, data_folder, draws, error_of, load_case

TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ATOL = 1e-12
DRAWS = 32


def measure(case: Case, rounds: int) -> dict[str, float]:
    model = ps.load_model(case.model_file)
    frame = draws(case, {p.id for p in model.parameters}, DRAWS)
    states = [s.id for s in model.species if not s.boundary and s.id not in model.rules]
    names, rows = list(frame.columns), frame.to_numpy()
    named = [dict(zip(names, row, strict=True)) for row in rows.tolist()]
    rival = Rival(case, frame, states, ATOL)
    solvers = {rtol: ps.Rosenbrock(rtol=rtol, atol=ATOL) for rtol in TOLERANCES}
    calls = {rtol: ps.simulator(model, case.times, names, states, solver) for rtol, solver in solvers.items()}
    tight = ps.simulator(model, case.times, names, states, ps.Rosenbrock(1e-11, 1e-16, 10_000_000))
    reference = np.array([tight(row) for row in rows])
    errors = {rtol: error_of(np.array([call(row) for row in rows]), reference) for rtol, call in calls.items()}
    rival_errors = {rtol: error_of(rival.run(rtol, DRAWS), reference) for rtol in (1e-6, 1e-8)}
    handle: dict[float, list[float]] = {rtol: [] for rtol in TOLERANCES}
    plain: dict[float, list[float]] = {rtol: [] for rtol in TOLERANCES}
    theirs: dict[float, list[float]] = {rtol: [] for rtol in rival_errors}
    for _ in range(rounds):
        for rtol, times in theirs.items():
            rival.set_tolerances(rtol)
            times.append(_microseconds(lambda i: rival.one(i)))
        for rtol in TOLERANCES:
            call, solver = calls[rtol], solvers[rtol]
            handle[rtol].append(_microseconds(lambda i, call=call: call(rows[i])))
            plain[rtol].append(
                _microseconds(lambda i, solver=solver: ps.simulate(model, case.times, named[i], states, solver))
            )
    result = {"states": float(len(states))}
    for rtol, error in rival_errors.items():
        rival_us = float(np.median(theirs[rtol]))
        result |= {f"rr_{rtol:g}": rival_us, f"rr_err_{rtol:g}": error}
        for name, ours in (("handle", handle), ("simulate", plain)):
            us = at_error(list(errors.values()), [float(np.median(times)) for times in ours.values()], error)
            result |= {f"{name}_{rtol:g}": us, f"{name}_ratio_{rtol:g}": rival_us / us}
    return result


def _microseconds(run: Callable[[int], object]) -> float:
    """Mean processor time of a call, over all draws."""
    started = time.thread_time()
    for i in range(DRAWS):
        run(i)
    return (time.thread_time() - started) / DRAWS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SPEED_SET))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    folder = data_folder()
    head = "model,states"
    for rtol in ("1e-06", "1e-08"):
        head += f",rr_us({rtol}),rr_err,simulator_us,ratio,simulate_us,ratio"
    print(head)
    ratios = []
    for wanted in options.models:
        name = next(known for known in SPEED_SET if known.startswith(wanted))
        r = measure(load_case(folder, name, SPEED_SET[name]), options.rounds)
        line = f"{name},{r['states']:.0f}"
        for rtol in ("1e-06", "1e-08"):
            line += (
                f",{r[f'rr_{rtol}']:.0f},{r[f'rr_err_{rtol}']:.1e},{r[f'handle_{rtol}']:.1f}"
                f",{r[f'handle_ratio_{rtol}']:.1f},{r[f'simulate_{rtol}']:.1f},{r[f'simulate_ratio_{rtol}']:.1f}"
            )
        print(line, flush=True)
        ratios.append([r[f"{way}_ratio_{rtol}"] for rtol in ("1e-06", "1e-08") for way in ("handle", "simulate")])
    means = np.exp(np.log(np.array(ratios)).mean(axis=0))
    print(
        "geometric means of ratios, simulator and simulate: "
        f"{means[0]:.1f} and {means[1]:.1f} (against 1e-6), {means[2]:.1f} and {means[3]:.1f} (against 1e-8)"
    )


if __name__ == "__main__":
    main()
