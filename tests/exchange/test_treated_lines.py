"""A treated cell line in other simulators: libRoadRunner and COPASI find the numbers that pathsim finds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from culture import culture_library, culture_model

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.errors import InputError, UnsupportedModelError
from pathsim.lab import Treatment
from pathsim.model.archive import read_archive

TREATMENT = "serum 10 % + inhibitor 300 nM for 90 min then IGF1 5 nM for 30 min then serum 10 %"
READOUTS = ["pAKT", "cell_count"]


def _blot(model: ps.Model, line: str, treatment: str, readouts: Sequence[str], times: str) -> FloatArray:
    table = ps.western_blot(
        model, line, treatment, readouts, times, library=culture_library(), solver=ps.Rosenbrock(rtol=1e-9, atol=1e-12)
    )
    return table["value"].to_numpy().reshape(-1, len(readouts))


def _roadrunner(sbml: str, times: Sequence[float], readouts: Sequence[str]) -> FloatArray:
    roadrunner = pytest.importorskip("roadrunner", reason="libRoadRunner is not installed")
    run = roadrunner.RoadRunner(sbml)
    run.integrator.relative_tolerance, run.integrator.absolute_tolerance = 1e-9, 1e-12
    found = np.asarray(run.simulate(times=[0.0, *times], selections=["time", *readouts]))
    return np.array(found[1:, 1:])


@pytest.mark.parametrize("treatment", [TREATMENT, "vehicle"])
def test_libroadrunner_finds_the_same(treatment: str) -> None:
    model, line = culture_model(), "MCF7"
    sbml = ps.exchange.to_sbml(model, line, treatment, library=culture_library())
    start = sum(step.minutes or 0.0 for step in Treatment.parse(treatment).steps[:-1])
    times = [15.0, 60.0, 240.0]
    expected = _blot(model, line, treatment, READOUTS, "15 60 240 min")
    found = _roadrunner(sbml, [start + time for time in times], READOUTS)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_cells_are_at_rest_until_something_is_done() -> None:
    model = culture_model()
    sbml = ps.exchange.to_sbml(model, "MCF7", "serum 10 %", library=culture_library())
    found = _roadrunner(sbml, [1e-9, 600.0], ["pAKT"])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


def test_antimony_says_the_same(tmp_path: Path) -> None:
    model = culture_model()
    text = ps.exchange.to_antimony(model, "MCF7", TREATMENT, library=culture_library())
    (tmp_path / "treated.ant").write_text(text)
    again = ps.simulate(tmp_path / "treated.ant", [180.0], outputs=READOUTS, solver=ps.Rosenbrock(1e-9, 1e-12))
    np.testing.assert_allclose(again.to_numpy(), _blot(model, "MCF7", TREATMENT, READOUTS, "60 min"), rtol=1e-6)


def test_an_archive_holds_model_simulation_and_numbers(tmp_path: Path) -> None:
    model, path = culture_model(), tmp_path / "MCF7.omex"
    ps.exchange.write_omex(path, model, "MCF7", TREATMENT, READOUTS, "0 .. 2 h x 3", library=culture_library())
    assert read_archive(path).times == (120.0, 240.0, 3)
    with zipfile.ZipFile(path) as archive:
        numbers = pd.read_csv(io.BytesIO(archive.read("readouts.csv")))
    assert numbers["time"].tolist() == [120.0, 180.0, 240.0]
    expected = _blot(model, "MCF7", TREATMENT, READOUTS, "0 60 120 min")
    np.testing.assert_allclose(numbers[READOUTS].to_numpy(), expected, rtol=1e-8)
    frame = ps.simulate(path, [120.0, 180.0, 240.0], outputs=READOUTS, solver=ps.Rosenbrock(1e-9, 1e-12))
    np.testing.assert_allclose(frame.to_numpy(), expected, rtol=1e-6)


def test_equal_content_is_the_same_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    model, library = culture_model(), culture_library()
    for name in ("a.omex", "b.omex"):
        ps.exchange.write_omex(tmp_path / name, model, "MCF7", "vehicle", READOUTS, library=library)
    assert (tmp_path / "a.omex").read_bytes() == (tmp_path / "b.omex").read_bytes()


def test_copasi_runs_an_archive_to_the_same_numbers(tmp_path: Path) -> None:
    copasi = pytest.importorskip("COPASI", reason="python-copasi is not installed")
    model, path = culture_model(), tmp_path / "MCF7.omex"
    ps.exchange.write_omex(path, model, "MCF7", TREATMENT, READOUTS, "0 .. 2 h x 3", library=culture_library())
    data = copasi.CRootContainer.addDatamodel()
    assert data.openCombineArchive(str(path))
    task = data.getTask("Time-Course")
    assert task.initialize(copasi.CCopasiTask.OUTPUT_UI)
    assert task.process(True)
    series = task.getTimeSeries()
    column = {series.getSBMLId(i, data): i for i in range(series.getNumVariables())}
    rows = range(series.getRecordedSteps())
    times = [series.getConcentrationData(row, 0) for row in rows]
    at = [times.index(pytest.approx(time)) for time in (120.0, 180.0, 240.0)]
    found = [[series.getConcentrationData(row, column[name]) for name in READOUTS] for row in at]
    copasi.CRootContainer.removeDatamodel(data)
    np.testing.assert_allclose(found, _blot(model, "MCF7", TREATMENT, READOUTS, "0 60 120 min"), rtol=1e-6)


def test_times_off_any_grid_are_refused(tmp_path: Path) -> None:
    asked = (tmp_path / "a.omex", culture_model(), "MCF7", "vehicle", "pAKT", "0.0001 7000 min")
    with pytest.raises(InputError, match="no even grid"):
        ps.exchange.write_omex(*asked, library=culture_library())


def _model(tmp_path: Path, text: str) -> ps.Model:
    path = tmp_path / "m.ant"
    path.write_text(text)
    return ps.load_model(path)


def test_a_model_with_a_clock_is_refused(tmp_path: Path) -> None:
    model = _model(tmp_path, "model m\n x = 1; y := x*time; x' = -x;\nend\n")
    with pytest.raises(UnsupportedModelError, match="uses time itself"):
        ps.exchange.to_sbml(model, "none", "vehicle")


def test_computed_constants_follow_what_a_step_sets(tmp_path: Path) -> None:
    """A constant that an initial assignment computes is set anew by the event of a step."""
    model = _model(tmp_path, "model m\n dose = 0; k = 1 + dose; x = 5; x' = 2 - k*x;\nend\n")
    library = ps.Library({"d": ps.Drug("d", per_nM={"dose": 1.0})}, {"L": ps.CellLine("L")}, {})
    sbml = ps.exchange.to_sbml(model, "L", "d 1 nM for 1 min then d 3 nM", library=library)
    found = _roadrunner(sbml, [1.0, 2.0], ["x"])[:, 0]
    first = 1 + (2 - 1) * np.exp(-2.0)
    np.testing.assert_allclose(found, [first, 0.5 + (first - 0.5) * np.exp(-4.0)], rtol=1e-6)
