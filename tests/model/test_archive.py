"""COMBINE archives as others write them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.errors import InputError
from pathsim.model.archive import read_archive

SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m"><listOfParameters>
<parameter id="x" value="{value}" constant="false"/></listOfParameters><listOfRules><rateRule variable="x">
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><minus/><ci>x</ci></apply></math></rateRule></listOfRules>
</model></sbml>"""
MANIFEST = """<omexManifest xmlns="http://identifiers.org/combine.specifications/omex-manifest">
<content location="./models/one.xml" format="http://identifiers.org/combine.specifications/sbml"/>
<content location="./models/two.xml" format="http://identifiers.org/combine.specifications/sbml.level-3.version-1"/>
<content location="./do.sedml" format="http://identifiers.org/combine.specifications/sed-ml.level-1.version-2"
 master="true"/></omexManifest>"""
SEDML = """<sedML xmlns="http://sed-ml.org/" level="1" version="1"><listOfModels>
<model id="a" source="models/one.xml"/><model id="b" source="models/two.xml"/><model id="c" source="#b"/></listOfModels>
<listOfSimulations><uniformTimeCourse id="s" initialTime="0" outputStartTime="1" outputEndTime="3" numberOfPoints="4"/>
</listOfSimulations><listOfTasks><task id="t" modelReference="c" simulationReference="s"/></listOfTasks></sedML>"""


def _archive(tmp_path: Path, **files: str) -> Path:
    path = tmp_path / "a.omex"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", ".").replace("models.", "models/"), text)
    return path


def _full(tmp_path: Path, **other: str) -> Path:
    files = {"models_one_xml": SBML.format(value=1), "models_two_xml": SBML.format(value=2)}
    return _archive(tmp_path, **{**files, "manifest_xml": MANIFEST, "do_sedml": SEDML, **other})


def test_the_model_that_the_task_names(tmp_path: Path) -> None:
    path = _full(tmp_path)
    assert ps.load_model(path).parameters[0].value == 2.0
    found = read_archive(path)
    assert (found.times, found.changed) == ((1.0, 3.0, 5), False)


def test_changes_are_told(tmp_path: Path) -> None:
    change = '<model id="c" source="#b"><listOfChanges><changeAttribute newValue="3"/></listOfChanges></model>'
    changed = SEDML.replace('<model id="c" source="#b"/>', change)
    assert read_archive(_full(tmp_path, do_sedml=changed)).changed


def test_two_time_courses_are_no_default(tmp_path: Path) -> None:
    course = '<uniformTimeCourse id="s2" initialTime="0" outputStartTime="0" outputEndTime="9" numberOfSteps="9"/>'
    twice = SEDML.replace("</listOfSimulations>", f"{course}</listOfSimulations>")
    assert read_archive(_full(tmp_path, do_sedml=twice)).times is None


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"manifest_xml": "<a"}, "is not XML"),
        ({"models_two_xml": "<a/>"}, "not an SBML file"),
        ({"do_sedml": SEDML.replace("models/two.xml", "gone.xml")}, "'gone.xml', which is not in it"),
        ({"do_sedml": SEDML.replace('"models/two.xml"', '"#c"')}, "made of each other"),
        (
            {"manifest_xml": MANIFEST.replace("sed-ml", "cellml")},
            "one SBML model is expected; in it: models/one.xml",
        ),
    ],
)
def test_faults_are_one_line(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        ps.load_model(_full(tmp_path, **files))
    assert "\n" not in str(raised.value)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.omex"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(InputError, match="not a COMBINE archive"):
        ps.load_model(path)
