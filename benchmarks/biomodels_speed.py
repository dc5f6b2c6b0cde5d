"""How much faster than libRoadRunner is one simulation of each curated BioModel, at the same error?

Every model as its file has it, 51 samples from 0 to 100 of all floating species: ``ps.simulator`` with what it takes by
default at a tolerance, beside libRoadRunner's ``reset`` and ``simulate`` at its rtol of 1e-6 and 1e-8 (atol 1e-12), in
one thread, in turns, least processor time of several. Errors are the largest difference, in parts of a species' peak,
to Rosenbrock at 1e-11; our time is that at the error which libRoadRunner reaches, between two of our tolerances. Left
out, with a reason: what either cannot read, what libRoadRunner cannot integrate, and where the two disagree at tight
tolerances. Each model runs in a process of its own, limited in processor time; what was found is kept in ``--results``
(a line each), and what it holds already is not run again.

    python benchmarks/biomodels_speed.py --results FILE [--sample 100] [--only 14 480] [--folder ...]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
import warnings
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import pathsim as ps
from collection import data_folder, rival_module
from pathsim.solve import for_one_run

TIMES = np.linspace(0, 100, 51)
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
ATOL = 1e-12
AGREES = 1e-4
"""Of the peak of a species, at tight tolerances; more is another reading of the model, or no reading at all."""
SMALLEST = 1e-10
"""Errors below this are as good as this: the reference knows no better."""
Found = dict[str, Any]


def measure(file: Path) -> Found:
    """Times and errors of one model, or why there are none."""
    try:
        model = ps.load_model(file)
    except ps.PathsimError as error:
        return {"left_out": f"pathsim does not read it: {str(error).split('/')[-1][:120]}"}
    try:
        rival = _Rival(file)
    except Exception as error:
        return {"left_out": f"libRoadRunner does not read it: {str(error)[:120]}"}
    known = {s.id for s in model.species}
    names = [name for name in rival.names if name in known]
    if not names:
        return {"left_out": "no species"}
    rival.select(names)
    outputs = [f"concentration({name})" for name in names]
    found: Found = {"species": len(names), "events": len(model.events)}
    try:
        theirs = rival.at(1e-10, 1e-16)
        rivals = {rtol: rival.at(rtol, ATOL) for rtol in (1e-6, 1e-8)}
    except RuntimeError as error:
        return found | {"left_out": f"libRoadRunner fails: {str(error)[:120]}"}
    try:
        tight = ps.simulator(model, TIMES, outputs=outputs, solver=ps.Rosenbrock(1e-11, max_steps=1_000_000))()
    except ps.SimulationError as error:
        return found | {"left_out": f"pathsim fails at 1e-11: {str(error)[:120]}"}
    found["disagreement"] = _error(theirs, tight)
    if not found["disagreement"] < AGREES:
        return found | {"left_out": f"they disagree by {found['disagreement']:.1e}"}
    calls, errors = {}, {}
    for rtol in TOLERANCES:
        call = ps.simulator(model, TIMES, outputs=outputs, solver=for_one_run(len(TIMES), rtol))
        try:
            errors[rtol] = max(SMALLEST, _error(call(), tight))
            calls[rtol] = call
        except ps.SimulationError as error:
            found.setdefault("fails", f"at {rtol:g}: {str(error)[:120]}")
    wanted = {rtol: max(SMALLEST, _error(values, tight)) for rtol, values in rivals.items()}
    used = sorted({rtol for error in wanted.values() for rtol in _around(errors, error)}, reverse=True)
    ours: dict[float, list[float]] = {rtol: [] for rtol in used}
    others: dict[float, list[float]] = {rtol: [] for rtol in wanted}
    for _ in range(3):
        for rtol, times in others.items():
            rival.set(rtol, ATOL)
            times.append(_microseconds(rival.run))
        for rtol, times in ours.items():
            times.append(_microseconds(calls[rtol]))
    found["ours"] = {f"{rtol:g}": [min(times), errors[rtol]] for rtol, times in ours.items()}
    for rtol, error in wanted.items():
        us = _time_at(error, [(errors[r], min(ours[r])) for r in used])
        found[f"rival_{rtol:g}"] = [min(others[rtol]), error]
        found[f"us_{rtol:g}"], found[f"ratio_{rtol:g}"] = us, min(others[rtol]) / us
    return found


class _Rival:
    """libRoadRunner on one file, as its file has it at each run."""

    def __init__(self, file: Path) -> None:
        self.runner = rival_module().RoadRunner(str(file))
        self.names = list(self.runner.model.getFloatingSpeciesIds())
        # events may change what ``reset`` leaves as it is
        changes = self.runner.model.getNumEvents() > 0
        self.reset = self.runner.resetToOrigin if changes else self.runner.reset

    def select(self, names: list[str]) -> None:
        self.runner.timeCourseSelections = ["time", *(f"[{name}]" for name in names)]

    def set(self, rtol: float, atol: float) -> None:
        integrator = self.runner.getIntegrator()
        integrator.relative_tolerance, integrator.absolute_tolerance = rtol, atol
        integrator.maximum_num_steps = 1_000_000

    def run(self) -> np.ndarray:
        self.reset()
        return np.asarray(self.runner.simulate(0, float(TIMES[-1]), len(TIMES)))

    def at(self, rtol: float, atol: float) -> np.ndarray:
        """Concentrations (times, species)."""
        self.set(rtol, atol)
        values = self.run()[:, 1:]
        if values.shape[0] != len(TIMES) or not np.isfinite(values).all():
            raise RuntimeError("a result that is not finite")
        return values.copy()


def _error(values: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference in parts of a species' peak; species that stay next to nothing do not count."""
    peak = np.abs(reference).max(axis=0)
    size = np.where(peak > 1e-12 * peak.max(initial=0.0), peak, np.inf)
    return float(np.nan_to_num(np.abs(values - reference) / size, nan=np.inf).max(initial=0.0))


def _around(errors: dict[float, float], wanted: float) -> list[float]:
    """The loosest tolerance that is accurate enough, the next tighter one, and the next looser one."""
    enough = sorted(rtol for rtol, error in errors.items() if error <= wanted)
    if not enough:
        return [min(errors, key=lambda rtol: errors[rtol])]
    return enough[-2:] + [rtol for rtol in sorted(errors) if rtol > enough[-1]][:1]


def _time_at(wanted: float, reached: list[tuple[float, float]]) -> float:
    """Our time at an error, between (error, time) pairs in logarithms; what is more accurate and takes less time serves
    as well."""
    reached = sorted(reached)
    x, y = np.log([error for error, _ in reached]), np.log([us for _, us in reached])
    return float(np.exp(np.interp(np.log(wanted), x, np.minimum.accumulate(y))))


def _microseconds(run: Callable[[], object], least: float = 5e-3) -> float:
    """Mean processor time of a call, over as many as take some milliseconds."""
    count, started = 0, time.thread_time()
    while True:
        run()
        count += 1
        spent = time.thread_time() - started
        if spent > least:
            return spent / count * 1e6


def in_a_process(file: Path, limit: int) -> Found:
    """:func:`measure` in a child, which may die or take too long."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    child = fork.Process(target=_answer, args=(there, file, limit))
    child.start()
    there.close()
    try:
        found: Found = here.recv()
    except EOFError:
        found = {"left_out": f"more than {limit} s, or died"}
    child.join()
    return found


def _answer(there: Connection, file: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
    warnings.simplefilter("ignore")
    there.send(measure(file))


def show(results: dict[str, Found]) -> None:
    """Geometric means, how many are slower and which, and what was left out."""
    done = {name: found for name, found in results.items() if "left_out" not in found}
    print(f"{len(results)} models, {len(done)} measured")
    for rtol in ("1e-06", "1e-08"):
        ratios = {name: found[f"ratio_{rtol}"] for name, found in done.items()}
        slower = sorted((ratio, name) for name, ratio in ratios.items() if ratio < 1)
        mean = np.exp(np.mean(np.log(list(ratios.values()))))
        print(f"at the error of its {rtol}: geometric mean {mean:.2f}, slower on {len(slower)}")
        for ratio, name in slower:
            found = done[name]
            us, error = found[f"rival_{rtol}"]
            print(
                f"  {name} {ratio:.2f}: {found[f'us_{rtol}']:.0f} us, libRoadRunner {us:.0f} at {error:.1e}; "
                f"{found['species']} species, {found['events']} events; {found['ours']}"
            )
    reasons = [found["left_out"] for found in results.values() if "left_out" in found]
    kinds = Counter(reason.split(":")[0].split(" by ")[0] for reason in reasons)
    print("left out: " + "; ".join(f"{count} {kind}" for kind, count in kinds.most_common()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--sample", type=int, help="so many models, chosen by chance (the same ones each time)")
    parser.add_argument("--only", nargs="*", type=int)
    parser.add_argument("--limit", type=int, default=60, help="processor seconds of a model")
    given = parser.parse_args()
    files = sorted((given.folder or data_folder() / "biomodels").glob("BIOMD*.xml"))
    if given.only:
        files = [file for file in files if int(file.stem[5:]) in given.only]
    if given.sample:
        chosen = np.random.default_rng(1).permutation(len(files))[: given.sample]
        files = [files[i] for i in sorted(chosen)]
    results: dict[str, Found] = {}
    if given.results.exists():
        results = dict(json.loads(line) for line in given.results.read_text().splitlines())
    rival_module()
    for file in files:
        if file.stem not in results:
            results[file.stem] = in_a_process(file, given.limit)
            with given.results.open("a") as kept:
                kept.write(json.dumps([file.stem, results[file.stem]]) + "\n")
    show({file.stem: results[file.stem] for file in files})


if __name__ == "__main__":
    main()
