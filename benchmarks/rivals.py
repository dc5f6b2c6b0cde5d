"""How much faster than COPASI and diffrax is a sweep, on one core of the CPU, at the same accuracy?

The models, draws, errors and way of comparing of ``engine_speed.py``, and libRoadRunner again in the same run:

- COPASI's deterministic time course (LSODA), of which only the task itself is timed: what it takes to set parameters
  and to read results from Python is left out.
- diffrax: Kvaerno5 with a PID controller, vmapped over all rows and compiled by XLA for double precision, from the
  right-hand side that pathsim's expression graph writes; compiling is not timed, its seconds are printed.

Rivals run at a relative tolerance of 1e-6 (and ``--rtol``), absolute 1e-12. Times are processor time of the process,
which is kept on one core, the least of rounds in turns (a busy machine makes all of them longer, not equally).

    pip install python-copasi diffrax
    python benchmarks/rivals.py [--models Boehm Fujita] [--rounds 4] [--rivals libRoadRunner COPASI diffrax]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
import pandas as pd

import pathsim as ps
from collection import SPEED_SET, Case, Rival, at_error, data_folder, draws, error_of, load_case

TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ATOL = 1e-12
Run = Callable[[], np.ndarray]


def roadrunner_runs(case: Case, frame: pd.DataFrame, states: list[str], rtol: float) -> tuple[Run, Run]:
    """What is timed, and what gives the values (rows, times, states)."""
    rival = Rival(case, frame, states, ATOL)
    return (lambda: rival.run(rtol, len(frame)),) * 2


class Copasi:
    """COPASI on one case, set up once."""

    def __init__(self, case: Case, frame: pd.DataFrame, states: list[str], rtol: float) -> None:
        import COPASI

        self.module, self.frame, self.states = COPASI, frame, states
        self.data = COPASI.CRootContainer.addDatamodel()
        assert self.data.importSBML(str(case.model_file))
        self.model = self.data.getModel()
        self.task = self.data.getTask("Time-Course")
        self.task.setMethodType(COPASI.CTaskEnum.Method_deterministic)
        method = self.task.getMethod()
        method.getParameter("Relative Tolerance").setDblValue(rtol)
        method.getParameter("Absolute Tolerance").setDblValue(ATOL)
        method.getParameter("Max Internal Steps").setUIntValue(1_000_000)
        problem = self.task.getProblem()
        times = case.times if case.times[0] == 0 else np.concatenate([[0.0], case.times])
        self.skip = 0 if case.times[0] == 0 else 1
        problem.setUseValues(True)
        problem.setValues(" ".join(map(repr, map(float, times))))
        problem.setTimeSeriesRequested(True)
        self.count = len(times)
        known = {value.getSBMLId(): value for value in self.model.getModelValues()}
        self.values = {name: known[name] for name in frame.columns if name in known}
        assert len(self.values) == len(frame.columns), set(frame.columns) - set(known)

    def set_row(self, row: int) -> None:
        changed = self.module.ObjectStdVector()
        for name, value in self.values.items():
            value.setInitialValue(float(self.frame[name].iloc[row]))
            changed.append(value.getInitialValueReference())
        self.model.updateInitialValues(changed)

    def seconds(self) -> float:
        """Processor time of the task for all rows."""
        total = 0.0
        for row in range(len(self.frame)):
            self.set_row(row)
            started = time.process_time()
            assert self.task.process(True)
            total += time.process_time() - started
        return total

    def run(self) -> np.ndarray:
        out = np.full((len(self.frame), self.count - self.skip, len(self.states)), np.nan)
        for row in range(len(self.frame)):
            self.set_row(row)
            if not self.task.process(True):
                continue
            series = self.task.getTimeSeries()
            ids = {series.getSBMLId(k, self.data): k for k in range(series.getNumVariables())}
            for j, name in enumerate(self.states):
                for i in range(self.skip, self.count):
                    out[row, i - self.skip, j] = series.getConcentrationData(i, ids[name])
        return out


def diffrax_run(model: ps.Model, case: Case, frame: pd.DataFrame, states: list[str], rtol: float) -> Run:
    """All rows at once; the first call compiles."""
    import diffrax
    import jax
    import jax.numpy as jnp

    from pathsim.experiments.timecourse import system_of
    from pathsim.solve.equations.evaluate import _ROW_FORMS, _source
    from pathsim.solve.reference.functions import ReferenceFunctions

    jax.config.update("jax_enable_x64", True)
    system = system_of(model)
    names = {
        name: getattr(jnp, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "power", "where", "floor")
    }

    def written(outputs: tuple[int, ...]) -> Callable[..., list[jax.Array]]:
        scope = {**names, "nan": jnp.nan, "inf": jnp.inf, "abs": jnp.abs}
        exec(_source(system.graph, outputs, _ROW_FORMS), scope)
        return scope["function"]

    rates, roots = written(system.rates), written(tuple(one.root for one in system.discontinuities))
    outputs = written(tuple(system.outputs(states)))
    kinds = [one.kind for one in system.discontinuities]

    def whole(t: jax.Array, x: jax.Array, p: jax.Array) -> jax.Array:
        """Parameters with the branches that hold at ``t``."""
        values = roots(t, x, jnp.concatenate([p, jnp.zeros(len(kinds))]))
        found = [value > 0 if kind == "lt" else value >= 0 for kind, value in zip(kinds, values, strict=True)]
        return jnp.concatenate([p, jnp.array(found, dtype=float)]) if found else p

    def field(t: jax.Array, x: jax.Array, p: jax.Array) -> jax.Array:
        return jnp.stack(rates(t, x, whole(t, x, p)))

    term, solver = diffrax.ODETerm(field), diffrax.Kvaerno5()
    controller = diffrax.PIDController(rtol=rtol, atol=ATOL, pcoeff=0.3, icoeff=0.3, dcoeff=0.0)
    times = jnp.asarray(case.times)

    def one(x: jax.Array, p: jax.Array) -> jax.Array:
        found = diffrax.diffeqsolve(
            term, solver, 0.0, times[-1], None, x, p, saveat=diffrax.SaveAt(ts=times), stepsize_controller=controller,
            max_steps=100_000, throw=False,
        )  # fmt: skip
        return jax.vmap(lambda t, y: jnp.stack(outputs(t, y, whole(t, y, p))))(times, found.ys)

    start, count = ReferenceFunctions(system, ()).start, len(system.parameters)
    begun = []
    for _, row in frame.iterrows():
        begun.append(start(0.0, [], system.raw(dict(row))))
    first = np.array(begun)
    x, p = jnp.asarray(first[:, count:]), jnp.asarray(first[:, :count])
    batched = jax.jit(jax.vmap(one))
    return lambda: np.asarray(batched(x, p).block_until_ready())


def measure(case: Case, rounds: int, rivals: list[str], rtol: float, rows: int) -> dict[str, dict[str, float]]:
    model = ps.load_model(case.model_file)
    n = 4096
    frame = draws(case, {one.id for one in model.parameters}, n)
    few = frame.iloc[:rows]
    states = [one.id for one in model.species if not one.boundary and one.id not in model.rules]

    def ours(rtol: float, rows: pd.DataFrame) -> np.ndarray:
        solver = ps.Rosenbrock(rtol=rtol, atol=ATOL)
        return ps.simulate_many(model, rows, case.times, states, solver=solver, workers=1).values

    tight = ps.Rosenbrock(rtol=1e-11, atol=1e-16, max_steps=10_000_000)
    reference = ps.simulate_many(model, few, case.times, states, solver=tight, workers=1).values
    ours(1e-6, frame)  # compile, touch memory
    accuracy = [error_of(ours(one, few), reference) for one in TOLERANCES]
    runs: dict[str, Run] = {}
    clocks: dict[str, Callable[[], float]] = {}
    notes: dict[str, float] = {}

    def clock(run: Run) -> Callable[[], float]:
        def seconds() -> float:
            started = time.process_time()
            run()
            return time.process_time() - started

        return seconds

    if "libRoadRunner" in rivals:
        runs["libRoadRunner"] = roadrunner_runs(case, few, states, rtol)[1]
    if "COPASI" in rivals:
        copasi = Copasi(case, few, states, rtol)
        runs["COPASI"], clocks["COPASI"] = copasi.run, copasi.seconds
    if "diffrax" in rivals:
        runs["diffrax"] = diffrax_run(model, case, few, states, rtol)
    errors = {}
    for name, run in runs.items():
        started = time.process_time()
        errors[name] = error_of(run(), reference)
        notes[name] = time.process_time() - started
    spent: dict[str, list[float]] = {name: [] for name in runs}
    own: list[list[float]] = [[] for _ in TOLERANCES]
    for _ in range(rounds):
        for name, run in runs.items():
            spent[name].append(clocks.get(name, clock(run))() / len(few) * 1e6)
        for place, one in enumerate(TOLERANCES):
            own[place].append(clock(lambda one=one: ours(one, frame))() / n * 1e6)
    least = [min(one) for one in own]
    found = {}
    for name in runs:
        us, here = min(spent[name]), at_error(accuracy, least, errors[name])
        found[name] = {"us": us, "error": errors[name], "ours": here, "ratio": us / here, "first": notes[name]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(SPEED_SET))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rows", type=int, default=32, help="of the rivals")
    parser.add_argument("--rtol", type=float, default=1e-6, help="of the rivals")
    parser.add_argument("--rivals", nargs="+", default=["libRoadRunner", "COPASI", "diffrax"])
    options = parser.parse_args()
    folder = data_folder()
    print("model,rival,rival_us,error,ours_us,ratio,first_call_s")
    ratios: dict[str, list[float]] = {}
    for wanted in options.models:
        name = next(known for known in SPEED_SET if known.startswith(wanted))
        case = load_case(folder, name, SPEED_SET[name])
        for rival, r in measure(case, options.rounds, options.rivals, options.rtol, options.rows).items():
            ratios.setdefault(rival, []).append(r["ratio"])
            print(
                f"{name},{rival},{r['us']:.0f},{r['error']:.1e},{r['ours']:.2f},{r['ratio']:.0f},{r['first']:.1f}",
                flush=True,
            )
    for rival, found in ratios.items():
        mean = np.exp(np.log(found).mean())
        print(f"geometric mean of ratios to {rival}: {mean:.0f} (lowest {min(found):.0f}, {len(found)} models)")


if __name__ == "__main__":
    main()
