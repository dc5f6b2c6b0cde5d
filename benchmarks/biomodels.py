"""How do curated BioModels come out beside libRoadRunner and COPASI? Writes docs/biomodels.md.

usage: python benchmarks/biomodels.py [--folder ../shared/data/biomodels] [--limit 60] [--only 234 356] [--jobs 2]
                                      [--results FILE]

Our result at defaults against libRoadRunner at rtol 1e-10: concentrations of floating species at 51 times up to 100
time units; a difference counts relative to a species' peak. Where the two differ we
run again at rtol 1e-10, and libRoadRunner at our rtol; where that does not explain it, or libRoadRunner gives up,
COPASI is asked too (python-copasi). Every model runs in a process of its own, limited in processor time. With --results
what was found is kept in that file (a line each), and what it holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import roadrunner

import pathsim as ps

HERE = Path(__file__).parent
AGREES = 1e-4
TIMES = np.linspace(0, 100, 51)
Found = dict[str, str]


def compare(file: Path) -> Found:
    """What we and the others make of a model: a verdict and details."""
    try:
        model = ps.load_model(file)
        names = [s.id for s in model.species if not s.boundary and not s.constant]
        if not names:
            return {"verdict": "no species", "detail": ""}
        ours = _by_pathsim(model, names)
        trouble = ""
    except ps.SimulationError as error:  # tight tolerances may help
        ours, trouble = np.full((len(TIMES), len(names)), np.nan), str(error)
    except ps.PathsimError as error:
        return {"verdict": "refused", "detail": str(error).split("/")[-1][:160]}
    said: dict[str, str] = {}
    for tool, simulate in (("libRoadRunner", _by_roadrunner), ("COPASI", _by_copasi)):
        try:
            known, theirs = simulate(file, names)
            if not known:
                return {"verdict": "no species", "detail": ""}
            error, where = _difference(_chosen(ours, names, known), theirs, known)
            where = trouble[:160] or where
        except Exception as failure:
            said[tool] = "fails: " + str(failure).split(";")[0].replace("\n", " ")[:120]
            continue
        if error < AGREES and not trouble:
            verdict = "agrees" if tool == "libRoadRunner" else "agrees with COPASI only"
            return {"verdict": verdict, "detail": "; ".join([*(f"{t} {w}" for t, w in said.items()), where])}
        said[tool] = f"differs by {where}"
        tight, _ = _difference(_tight(model, names, known), theirs, known)
        if tight < AGREES:
            loose = ""
            if tool == "libRoadRunner":
                try:
                    own, _ = _difference(_by_roadrunner(file, names, 1e-6, 1e-12)[1], theirs, known)
                    loose = f"; libRoadRunner itself {own:.1e} at 1e-6"
                except RuntimeError:
                    loose = "; libRoadRunner fails at 1e-6 too"
            return {"verdict": "agrees at rtol 1e-10", "detail": f"{where} at 1e-6{loose}; {tight:.1e} at 1e-10"}
    fail = all(word.startswith("fails") for word in said.values())
    return {"verdict": "others fail" if fail else "differs", "detail": "; ".join(f"{t} {w}" for t, w in said.items())}


def _by_pathsim(model: ps.Model, names: list[str], solver: ps.Rosenbrock | None = None) -> np.ndarray:
    """Concentrations of species, at defaults or as a solver has them."""
    outputs = [f"concentration({name})" for name in names]
    return ps.simulate(model, TIMES, outputs=outputs, solver=solver).to_numpy(float)


def _tight(model: ps.Model, names: list[str], known: list[str]) -> np.ndarray:
    """What we give for species at rtol 1e-10; NaN where that fails."""
    try:
        return _chosen(_by_pathsim(model, names, ps.Rosenbrock(1e-10, max_steps=1_000_000)), names, known)
    except ps.SimulationError:
        return np.full((len(TIMES), len(known)), np.nan)


def _chosen(values: np.ndarray, names: list[str], known: list[str]) -> np.ndarray:
    return values[:, [names.index(name) for name in known]]


def _difference(ours: np.ndarray, theirs: np.ndarray, names: list[str]) -> tuple[float, str]:
    """The largest difference over a species' peak, and where it is."""
    if not np.isfinite(theirs).all():
        raise ValueError("a result that is not finite")
    peak = np.abs(theirs).max(axis=0)
    size = np.where(peak > 1e-12 * peak.max(initial=0.0), peak, np.inf)
    error = np.nan_to_num(np.abs(ours - theirs) / size, nan=np.inf)
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    return float(error[worst]), f"{error[worst]:.1e} of the peak of {names[worst[1]]} at {TIMES[worst[0]]:g}"


def _by_roadrunner(
    file: Path, names: list[str], rtol: float = 1e-10, atol: float = 1e-16
) -> tuple[list[str], np.ndarray]:
    """Species it knows and their concentrations."""
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    other = roadrunner.RoadRunner(str(file))
    integrator = other.integrator
    integrator.relative_tolerance, integrator.absolute_tolerance = rtol, atol
    integrator.maximum_num_steps = 200_000
    floating = set(other.model.getFloatingSpeciesIds())
    known = [name for name in names if name in floating]
    other.selections = ["time", *(f"[{name}]" for name in known)]
    return known, np.array(other.simulate(times=list(TIMES)))[:, 1:]


def _by_copasi(file: Path, names: list[str]) -> tuple[list[str], np.ndarray]:
    """Species it knows and their concentrations."""
    import COPASI

    document = COPASI.CRootContainer.addDatamodel()
    if not document.importSBML(str(file)):
        raise ValueError("does not read it")
    task = document.getTask("Time-Course")
    problem, method = task.getProblem(), task.getMethod()
    problem.setDuration(float(TIMES[-1]))
    problem.setStepNumber(len(TIMES) - 1)
    problem.setTimeSeriesRequested(True)
    for name, value in (("Relative Tolerance", 1e-10), ("Absolute Tolerance", 1e-14)):
        method.getParameter(name).setDblValue(value)
    method.getParameter("Max Internal Steps").setIntValue(1_000_000)
    document.getModel().setInitialTime(0.0)
    if not task.initialize(COPASI.CCopasiTask.OUTPUT_UI) or not task.process(True):
        said = COPASI.CCopasiMessage.getAllMessageText().strip().splitlines()
        raise ValueError(said[-1] if said else "gives up without a word")
    series = task.getTimeSeries()
    ids = {species.getSBMLId(): species.getObjectDisplayName() for species in document.getModel().getMetabolites()}
    columns = {series.getTitle(i): i for i in range(series.getNumVariables())}
    known = [name for name in names if ids.get(name, "").strip("[]") in columns]
    rows = range(series.getRecordedSteps())
    if len(rows) < len(TIMES):
        raise ValueError("stops early")
    chosen = [columns[ids[name].strip("[]")] for name in known]
    return known, np.array([[series.getConcentrationData(row, i) for i in chosen] for row in rows])[: len(TIMES)]


def in_a_process(file: Path, limit: int) -> Found:
    """:func:`compare` in a child, which may die or take too long."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    child = fork.Process(target=_answer, args=(there, compare, file, limit))
    child.start()
    there.close()
    try:
        found: Found = here.recv()
    except EOFError:
        child.join()
        if child.exitcode == -24:  # SIGXCPU
            return {"verdict": "takes too long", "detail": f"more than {limit} s, with the others' share"}
        return {"verdict": "died", "detail": f"exit status {child.exitcode}"}
    child.join()
    return found


def _answer(there: Connection, work: Callable[[Path], Found], file: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
    warnings.simplefilter("ignore")
    there.send(work(file))


LOST = "libRoadRunner loses triggers that compare time with ==; written with >= it agrees, as COPASI and LSODA do"
CAUSES = {
    "BIOMD0000000814": "doses where rem(time, 28) == 27: all ten are given here, LSODA on our reference agrees",
    "BIOMD0000000570": LOST,
    "BIOMD0000000620": LOST,
    "BIOMD0000000816": LOST,
    "BIOMD0000000828": LOST,
    "BIOMD0000000718": "libRoadRunner loses triggers that compare states with ==; LSODA on our reference agrees",
    "BIOMD0000000994": "libRoadRunner alone differs; COPASI and LSODA on our reference agree",
    "BIOMD0000000996": "libRoadRunner alone differs; COPASI and LSODA on our reference agree",
}


def write_page(results: dict[str, Found], page: Path) -> None:
    """The table of everything that does not simply agree, with its cause where one has been found."""
    counts = Counter(one["verdict"] for one in results.values())
    lines = [
        "# Curated BioModels",
        "",
        f"{len(results)} models by `python benchmarks/biomodels.py`, at defaults, "
        f"beside libRoadRunner at rtol 1e-10; they agree within {AGREES:g} of every species' peak "
        "unless listed.",
        "",
        "| verdict | models |",
        "| --- | --- |",
    ]
    lines += [f"| {verdict} | {count} |" for verdict, count in counts.most_common()]
    lines += ["", "| model | verdict | detail | cause |", "| --- | --- | --- | --- |"]
    for name, one in sorted(results.items()):
        if one["verdict"] not in ("agrees", "no species"):
            detail = one["detail"].replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {name} | {one['verdict']} | {detail} | {CAUSES.get(name, '')} |")
    page.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Run the models and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE.parents[1] / "shared" / "data" / "biomodels")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--only", nargs="*", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--page", type=Path, default=HERE.parent / "docs" / "biomodels.md")
    given = parser.parse_args()
    files = sorted(given.folder.glob("BIOMD*.xml"))
    if given.only:
        files = [file for file in files if int(file.stem[5:]) in given.only]
    results: dict[str, Found] = {}
    if given.results and given.results.exists():
        results = dict(json.loads(line) for line in given.results.read_text().splitlines())
    todo = [file for file in files if file.stem not in results]
    for file in todo[:1]:
        compare(file)  # loads what every child needs
    with ThreadPoolExecutor(given.jobs) as pool:
        for file, found in zip(todo, pool.map(lambda file: in_a_process(file, given.limit), todo), strict=True):
            results[file.stem] = found
            if given.results:
                with given.results.open("a") as kept:
                    kept.write(json.dumps([file.stem, found]) + "\n")
            if found["verdict"] != "agrees":
                print(file.stem, found["verdict"], found["detail"], flush=True)
    if not given.only:
        write_page(results, given.page)
    print(Counter(one["verdict"] for one in results.values()))


if __name__ == "__main__":
    main()
