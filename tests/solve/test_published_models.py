"""Every model of the PEtab collection at its published optimum, against libRoadRunner (CVODE) at a tight tolerance."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from pathsim.errors import PathsimError
from pathsim.model import Model, load_model
from pathsim.solve import Rosenbrock, System, build_system, run_rows

COLLECTION = Path(__file__).parents[2].parent / "shared" / "data" / "petab"
MODELS = sorted(COLLECTION.glob("*/*.xml"))
SLOW = "Chen_MSB2009"  # libRoadRunner takes minutes at this tolerance
SENSITIVE = {"Crauste_CellSystems2017": 1e-13}  # errors of 1e-10 grow to 3e-4 there: stricter, for libRoadRunner

pytestmark = pytest.mark.skipif(not MODELS, reason=f"the PEtab collection is not at {COLLECTION}")


def nominal(folder: Path, system: System) -> dict[str, float]:
    """Published parameter values that the model knows."""
    found: dict[str, float] = {}
    for path in sorted(folder.glob("parameters*.tsv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                value = row.get("nominalValue") or ""
                if row["parameterId"] in system.slots and value:
                    found[row["parameterId"]] = float(value)
    return found


def horizon(folder: Path) -> float:
    """The last finite measurement time."""
    times = [0.0]
    for path in sorted(folder.glob("measurementData*.tsv")):
        with path.open(newline="") as file:
            times += [float(row["time"]) for row in csv.DictReader(file, delimiter="\t")]
    return max(time for time in times if math.isfinite(time)) or 10.0


def by_roadrunner(path: Path, model: Model, settings: dict[str, float], times: np.ndarray) -> np.ndarray:
    """Concentrations or amounts of every species, as the model's symbols mean them."""
    roadrunner = pytest.importorskip("roadrunner", reason="libroadrunner is not installed")
    roadrunner.Logger.disableLogging()
    engine = roadrunner.RoadRunner(str(path))
    engine.integrator.relative_tolerance = SENSITIVE.get(path.parent.name, 1e-10)
    engine.integrator.absolute_tolerance = 1e-14
    engine.integrator.maximum_num_steps = 500_000
    parameters = set(engine.model.getGlobalParameterIds())
    for name, value in settings.items():
        if name in parameters:
            engine.setValue(name, value)
    engine.reset()  # initial assignments follow the parameters
    for name, value in settings.items():
        if name in parameters:
            engine.setValue(name, value)
    columns = ["time", *(s.id if s.symbol_is_amount else f"[{s.id}]" for s in model.species)]
    return np.array(engine.simulate(times[0], times[-1], len(times), columns))[:, 1:]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name + ":" + path.stem[:12])
def test_agreement_with_libroadrunner(path: Path) -> None:
    if path.parent.name == SLOW:
        pytest.skip("compared in the benchmarks")
    model = load_model(path)
    system = build_system(model)
    if not model.species:
        pytest.skip("a model without species")
    settings = {name: value for name, value in nominal(path.parent, system).items() if name in system.parameters}
    times = np.linspace(0, horizon(path.parent), 21)
    names = [species.id for species in model.species]
    rows = run_rows(
        system, system.raw(settings)[None, :], times, system.outputs(names), Rosenbrock(rtol=1e-10, atol=1e-13)
    )
    assert rows.status[0] == 0, rows.sentence(0)
    try:
        theirs = by_roadrunner(path, model, settings, times)
    except (RuntimeError, PathsimError) as error:
        pytest.skip(f"libRoadRunner cannot: {error}")
    ours = rows.values[0]
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))  # 0/0 at time 0 in one model
    peak = np.maximum(np.nanmax(np.abs(theirs), axis=0), 1e-6)
    deviation = np.nanmax(np.abs(ours - theirs), axis=0) / peak
    worst = int(np.argmax(deviation))
    assert deviation[worst] < 1e-5, f"{names[worst]} differs by {deviation[worst]:.1e} of its peak"
