"""Units and sources in exported SBML: read back to the same report, and simulated by other tools to the same values."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.errors import InputError
from pathsim.model import Model
from pathsim.model.checks import check_model
from pathsim.model.sbml_export import sbml_text

TIMES = [0.0, 1.0, 60.0, 600.0]


@pytest.fixture(scope="module", params=["pi3k_mapk", "host_glucose"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    model = ps.load_model(request.param)
    path = tmp_path_factory.mktemp("sbml") / f"{request.param}.xml"
    path.write_text(sbml_text(model), encoding="utf-8")
    return model, path


def test_reads_back_as_the_same_model(exported: tuple[Model, Path]) -> None:
    """The same ``pathsim check``, the same annotation of every symbol, the same readouts in the same order."""
    model, path = exported
    again = ps.load_model(path)
    assert check_model(again) == check_model(model)
    assert [replace(item, line=0) for item in again.annotations] == [
        replace(item, line=0) for item in model.annotations
    ]
    assert again.readouts == model.readouts
    assert sorted(again.rules.items()) == sorted(model.rules.items())
    assert again.reactions == model.reactions


def test_every_parameter_has_its_unit_and_source(exported: tuple[Model, Path]) -> None:
    libsbml = pytest.importorskip("libsbml")
    document = libsbml.readSBMLFromFile(str(exported[1]))
    document.checkConsistency()
    assert document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    notes = {item.name: item for item in exported[0].annotations}
    for item in document.getModel().getListOfParameters():
        assert item.getUnits(), item.getId()
        assert notes[item.getId()].text in item.getNotes().toXMLString().replace("&lt;", "<").replace("&amp;", "&")


def test_unit_definitions_mean_what_the_text_says(tmp_path: Path) -> None:
    """SI factors by hand: 1/(nM*min) is 1e9/60 litre per mole and second; a percent is a hundredth."""
    libsbml = pytest.importorskip("libsbml")
    path = tmp_path / "m.ant"
    path.write_text(
        "model m\n  a = 1;  // 1/(nM*min) | input: x\n  b = 1;  // % | input: x\n  c = 1;  // RU/h^2 | input: x\n"
        "  d = 2;  // copies/cell | input: & <x>\n  e = 1;  // 1 | input\nend\n"
    )
    model = ps.load_model(path)
    text = sbml_text(model)
    document = libsbml.readSBMLFromString(text)
    (tmp_path / "back.xml").write_text(text, encoding="utf-8")
    assert check_model(ps.load_model(tmp_path / "back.xml")) == check_model(model)
    assert {item.name: item.text for item in ps.load_model(tmp_path / "back.xml").annotations}["d"] == "& <x>"

    def meaning(name: str) -> tuple[float, dict[str, float]]:
        unit = document.getModel().getUnitDefinition(document.getModel().getParameter(name).getUnits())
        factor, kinds = 1.0, {}
        for part in unit.getListOfUnits():
            power = part.getExponentAsDouble()
            factor *= (part.getMultiplier() * 10.0 ** part.getScale()) ** power
            kinds[libsbml.UnitKind_toString(part.getKind())] = power
        return factor, kinds

    assert meaning("a") == (pytest.approx(1e9 / 60), {"mole": -1, "litre": 1, "second": -1})
    assert meaning("b") == (pytest.approx(0.01), {"dimensionless": 1})
    assert meaning("c") == (pytest.approx(3600.0**-2), {"second": -2, "dimensionless": 1})
    assert meaning("d")[0] == 1.0
    assert document.getModel().getParameter("e").getUnits() == "dimensionless"


def _ours(model: Model) -> tuple[list[str], np.ndarray]:
    names = [item.id for item in model.species]
    frame = ps.simulate(model, TIMES, outputs=names, solver=ps.Rosenbrock(rtol=1e-10, atol=1e-12))
    return names, frame.to_numpy()


def test_roadrunner_gets_the_same_values(exported: tuple[Model, Path]) -> None:
    roadrunner = pytest.importorskip("roadrunner")
    model, path = exported
    names, ours = _ours(model)
    runner = roadrunner.RoadRunner(str(path))
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-10, 1e-13
    theirs = np.asarray(runner.simulate(times=TIMES, selections=[f"[{name}]" for name in names]))
    np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-7)


def test_copasi_gets_the_same_values(exported: tuple[Model, Path]) -> None:
    basico = pytest.importorskip("basico", reason="COPASI (copasi-basico) is not installed")
    model, path = exported
    names, ours = _ours(model)
    handle = basico.load_model(str(path))
    try:
        theirs = basico.run_time_course(values=TIMES, r_tol=1e-10, a_tol=1e-13, model=handle, use_sbml_id=True)
    finally:
        basico.remove_datamodel(handle)
    assert list(theirs.index) == TIMES
    np.testing.assert_allclose(theirs[names].to_numpy(), ours, rtol=1e-6, atol=1e-7)


def test_sbml_of_others_is_passed_on_unchanged(tmp_path: Path, exported: tuple[Model, Path]) -> None:
    again = ps.load_model(exported[1])
    assert sbml_text(again) == exported[1].read_text(encoding="utf-8")


def test_a_file_that_changed_is_not_exported_as_the_model(tmp_path: Path) -> None:
    path = tmp_path / "m.ant"
    path.write_text("model m\n  k = 1;  // 1/min | input: x\nend\n")
    model = ps.load_model(path)
    path.write_text("model m\n  k = 2;  // 1/min | input: x\nend\n")
    with pytest.raises(InputError, match=re.escape(f"{path}: has changed")):
        sbml_text(model)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        sbml_text(model)
