"""How long until the first trajectory: in a fresh process, cold and warm, and for a new model in a running one?

``pathsim simulate MODEL`` and ``python -c "import pathsim; ..."`` (an array, a DataFrame) are run as processes of their
own, in turns, with an empty cache (cold: once per machine and version) and a full one (warm); libRoadRunner's Python
one-liner and an empty Python stand beside them. Byte code is there before, as pip leaves it. Then every model is opened
in one running process for the first time, with an empty cache: reading (in the process in which libsbml runs, and in
this one), deriving the equations, tables or machine code, and the run itself, timed apart. Medians of processor time
(user and system), which is wall-clock time on an idle machine; for whole processes the wall clock stands beside it.

    python benchmarks/first_result.py [--rounds 5] [FILE ...]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from collection import data_folder, rival_module

PETAB = ("Boehm_JProteomeRes2014", "Fujita_SciSignal2010", "Raimundez_PCB2020", "Bachmann_MSB2011",
         "Lucarelli_CellSystems2018", "Alkan_SciSignal2018", "SalazarCavazos_MBoC2020", "Chen_MSB2009")  # fmt: skip
BIOMODELS = ("BIOMD0000000474", "BIOMD0000000628", "BIOMD0000000574")  # 93, 135 and 194 states
GRID = "0 .. 60 x 61"
ARRAYS = "import pathsim as ps; print(ps.simulator({model!r}, range(61))()[-1, 0])"
PYTHON = "import pathsim as ps; print(ps.simulate({model!r}, range(61)).iloc[-1, 0])"
RIVAL = "import roadrunner; r = roadrunner.RoadRunner({model!r}); print(r.simulate(0, 60, 61)[-1, 1])"


def processes(model: str, rounds: int) -> None:
    """Whole processes, cold and warm."""
    ways = {
        "pathsim simulate": [sys.executable, "-m", "pathsim", "simulate", model, "--times", GRID],
        "ps.simulator": [sys.executable, "-c", ARRAYS.format(model=model)],
        "ps.simulate": [sys.executable, "-c", PYTHON.format(model=model)],
        "import roadrunner": [sys.executable, "-c", RIVAL.format(model=model)],
        "python alone": [sys.executable, "-c", "pass"],
    }
    _make_byte_code(list(ways.values()))
    print(f"fresh process, {Path(model).stem}: processor seconds cold, warm (wall clock cold, warm)")
    cold: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    warm: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, command in ways.items():
            with tempfile.TemporaryDirectory() as cache:
                environment = {**os.environ, "PATHSIM_CACHE": cache}
                cold[name].append(_seconds(command, environment))
                warm[name].append(_seconds(command, environment))
    for name in ways:
        (cold_cpu, cold_wall), (warm_cpu, warm_wall) = np.median(cold[name], axis=0), np.median(warm[name], axis=0)
        print(f"  {name:18} {cold_cpu:6.2f} {warm_cpu:6.2f}   ({cold_wall:.2f} {warm_wall:.2f})", flush=True)


def _make_byte_code(commands: list[list[str]]) -> None:
    """Leave byte code beside what the commands import, as pip does when it installs."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PATHSIM_CACHE": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for command in commands:
            _seconds(command, environment)


def _seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Processor and wall-clock seconds of a process."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def new_models(files: list[str]) -> None:
    """Models opened for the first time in this process, nothing of them in any cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PATHSIM_CACHE"] = cache
        import pathsim as ps
        from pathsim.experiments.timecourse import system_of
        from pathsim.solve import engine_of

        ps.simulate("pi3k_mapk", range(2))  # what is needed once per process
        os.environ["PATHSIM_CACHE"] = ""
        print(
            "running process, new model: states, ms for reading by libsbml's process, reading here, equations, "
            "tables or code, run, in all; libRoadRunner"
        )
        for file in files:
            by_reader, laps = _clock_of_reader(), [time.process_time()]
            model = ps.load_model(file)
            laps.append(time.process_time())
            by_reader = 1e3 * (_clock_of_reader() - by_reader)
            system = system_of(model)
            engine_of(system).derive()
            laps.append(time.process_time())
            run = ps.simulator(model, range(61))
            run.prepare()
            laps.append(time.process_time())
            run()
            laps.append(time.process_time())
            each = np.array([by_reader, *np.diff(laps) * 1e3])
            print(
                f"  {Path(file).stem:32} {len(system.states):4d} "
                + " ".join(f"{ms:7.1f}" for ms in each)
                + f" {each.sum():8.1f} {_by_roadrunner(file):8.1f}",
                flush=True,
            )


def _clock_of_reader() -> float:
    """Processor seconds of the process in which model files are read (Linux)."""
    from pathsim.model import isolated

    process = isolated._child(os.getpid()).process
    assert process is not None
    return time.clock_gettime((~process.pid << 3) | 2)  # CPUCLOCK_SCHED of a process


def _by_roadrunner(file: str) -> float:
    """Milliseconds of libRoadRunner until its first result in this process."""
    began = time.process_time()
    runner = rival_module().RoadRunner(file)
    runner.integrator.relative_tolerance = 1e-6
    try:
        runner.simulate(0, 60, 61)
    except RuntimeError:
        return float("nan")
    return 1e3 * (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="SBML files (default: some of the PEtab collection)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = options.files or [str(next((data_folder() / "petab" / name).glob("*.xml"))) for name in PETAB]
    if not options.files:
        beside = [data_folder() / "biomodels" / f"{name}.xml" for name in BIOMODELS]
        files += [str(file) for file in beside if file.exists()]
    processes(files[min(3, len(files) - 1)], options.rounds)
    new_models(files)


if __name__ == "__main__":
    main()
