"""The SBML reader: what older levels mean, what is refused, and that every message names file and element."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathsim.errors import InputError, PathsimError, UnsupportedModelError
from pathsim.model import load_model, models_folder
from pathsim.model.antimony import antimony_to_sbml
from pathsim.model.sbml import parse_sbml
from pathsim.model.stored import to_json
from pathsim.solve import Rosenbrock, build_system, run_rows

SUITE = Path(__file__).parents[2].parent / "shared" / "data" / "sbml_semantic"

LEVEL_1 = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"><model name="old">
<listOfCompartments><compartment name="c" volume="2"/></listOfCompartments>
<listOfSpecies><species name="A" compartment="c" initialAmount="4"/>
<species name="B" compartment="c" initialAmount="0"/></listOfSpecies>
<listOfParameters><parameter name="q" value="1"/><parameter name="z" value="1"/></listOfParameters>
<listOfRules><parameterRule name="z" formula="sqr(A)+pow(A,3)+log(A+1)+log10(A+1)+sqrt(A)" type="scalar"/>
<parameterRule name="q" formula="A" type="rate"/></listOfRules>
<listOfReactions><reaction name="r">
<listOfReactants><speciesReference species="A" stoichiometry="1" denominator="2"/></listOfReactants>
<listOfProducts><speciesReference species="B" stoichiometry="3" denominator="2"/></listOfProducts>
<kineticLaw formula="k*A"><listOfParameters><parameter name="k" value="0.5"/></listOfParameters></kineticLaw>
</reaction></listOfReactions></model></sbml>"""

MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'
LEVEL_2 = f"""<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level2" level="2" version="1"><model id="two">
<listOfCompartments><compartment id="c" size="2"/></listOfCompartments>
<listOfSpecies><species id="A" compartment="c" initialAmount="4"/>
<species id="B" compartment="c" initialAmount="0"/></listOfSpecies>
<listOfReactions><reaction id="r">
<listOfReactants><speciesReference species="A"><stoichiometryMath><math {MATH}>
<cn type="rational">1<sep/>2</cn></math></stoichiometryMath></speciesReference></listOfReactants>
<listOfProducts><speciesReference species="B"/></listOfProducts>
<kineticLaw><math {MATH}><apply><times/><ci>k</ci><ci>A</ci></apply></math>
<listOfParameters><parameter id="k" value="0.5"/></listOfParameters></kineticLaw>
</reaction></listOfReactions></model></sbml>"""


def level_3(inside: str, packages: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" '
        f'version="2" {packages}><model id="three">\n{inside}\n</model></sbml>'
    )


POOL = """<listOfCompartments><compartment id="c" size="1" constant="true"/></listOfCompartments>
<listOfSpecies>
<species id="A" compartment="c" initialAmount="1" hasOnlySubstanceUnits="false"
 boundaryCondition="false" constant="false"/>
<species id="B" compartment="c" initialAmount="0" hasOnlySubstanceUnits="false"
 boundaryCondition="false" constant="false"/>
</listOfSpecies><listOfParameters><parameter id="k_cat" value="1" constant="true"/></listOfParameters>"""


def reaction(law: str, attributes: str = "") -> str:
    return (
        f'<listOfReactions><reaction id="r" reversible="false" {attributes}><listOfReactants>'
        '<speciesReference species="A" stoichiometry="1" constant="true"/></listOfReactants>'
        f"<kineticLaw><math {MATH}>{law}</math></kineticLaw></reaction></listOfReactions>"
    )


def course(text: str, names: list[str]) -> np.ndarray:
    system = build_system(parse_sbml(text))
    done = run_rows(
        system, system.raw()[None, :], np.array([0.0, 2.0]), system.outputs(names), Rosenbrock(rtol=1e-10, atol=1e-13)
    )
    assert not done.status[0], done.sentence(0)
    return done.values[0, -1]


def test_reads_the_same_after_somebody_imported_libsbml() -> None:
    """Its objects are of its Python classes then."""
    before = to_json(parse_sbml(LEVEL_2))
    pytest.importorskip("libsbml")
    assert to_json(parse_sbml(LEVEL_2)) == before


def test_level_1_fractions_functions_and_rate_rules() -> None:
    """A' = -1/2 k A / volume: 4/2 exp(-t/8); B gains three times what A loses; log is natural, log10 is not."""
    a = 2 * np.exp(-0.25)
    expected = [
        a,
        3 * (2 - a),
        1 + 16 * (1 - np.exp(-0.25)),
        a**2 + a**3 + np.log(a + 1) + np.log10(a + 1) + np.sqrt(a),
    ]
    assert np.allclose(course(LEVEL_1, ["A", "B", "q", "z"]), expected, rtol=1e-9)


def test_level_2_stoichiometry_as_a_formula() -> None:
    a = 2 * np.exp(-0.25)
    assert np.allclose(course(LEVEL_2, ["A", "B"]), [a, 2 * (2 - a)], rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["not XML"]),
        ("no xml at all", ["line 1", "not XML"]),
        ("<a><b/></a>", ["not an SBML file", "<a>"]),
        ("<sbml/>", ["level ''", "does not exist"]),
        (
            LEVEL_2.replace('"http://www.sbml.org/sbml/level2"', '"http://www.sbml.org/sbml/level2/version4"'),
            ["namespace", "level 2 version 1", "http://www.sbml.org/sbml/level2'"],
        ),
        (LEVEL_1.replace('level="1"', 'level="9"'), ["level '9'", "does not exist"]),
        (LEVEL_1.replace("UTF-8", "UTF-99"), ["not XML", "UTF-99"]),
        (level_3(POOL + reaction("<ci>k_cut</ci>")), ["reaction 'r'", "'k_cut'", "not defined", "k_cat"]),
        (level_3(POOL + reaction("<apply><ci>MM</ci><ci>A</ci></apply>")), ["'r'", "'MM'", "not defined"]),
        (level_3(POOL + reaction("<apply><divide/><ci>A</ci></apply>")), ["'r'", "'divide'", "it takes 2"]),
        (level_3(POOL.replace('id="B"', 'id="A"')), ["'A'", "more than one"]),
        (level_3(POOL.replace('"B" compartment="c"', '"B" compartment="d"')), ["'B'", "'d'"]),
        (
            level_3(
                POOL + f'<listOfRules><rateRule variable="A"><math {MATH}><cn>1</cn></math></rateRule>'
                f'<assignmentRule variable="A"><math {MATH}><cn>1</cn></math></assignmentRule></listOfRules>'
            ),
            ["'A'", "more than one rule"],
        ),
    ],
    ids=range(13),
)
def test_bad_input_is_named(text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        build_system(parse_sbml(text, "model.xml"))
    for part in ("model.xml", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            level_3(POOL + reaction("<cn>1</cn>"))
            .replace('version="2"', 'version="1"')
            .replace("version2", "version1")
            .replace('id="r"', 'id="r" fast="true"'),
            ["reaction 'r'", "fast"],
        ),
        (
            level_3(POOL + reaction("").replace(f"<kineticLaw><math {MATH}></math></kineticLaw>", "")),
            ["reaction 'r'", "no kinetic law"],
        ),
        (
            level_3(POOL + f"<listOfRules><algebraicRule><math {MATH}><ci>A</ci></math></algebraicRule></listOfRules>"),
            ["algebraic rule"],
        ),
        (
            level_3(
                POOL
                + reaction(
                    '<apply><csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/'
                    'delay">delay</csymbol><ci>A</ci><cn>1</cn></apply>'
                )
            ),
            ["'r'", "delay"],
        ),
    ],
    ids=["fast", "no rate", "algebraic", "delay"],
)
def test_what_is_outside_an_ode_simulator_is_refused(text: str, parts: list[str]) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        build_system(parse_sbml(text, "model.xml"))
    for part in ("model.xml, line", *parts):
        assert part in str(caught.value)


def test_all_problems_are_said_at_once() -> None:
    text = level_3(POOL.replace('id="B"', 'id="A"') + reaction("<apply><plus/><ci>u</ci><ci>v</ci></apply>"))
    with pytest.raises(InputError) as caught:
        parse_sbml(text)
    assert all(f"'{name}'" in str(caught.value) for name in ("u", "v", "A"))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_model(tmp_path / "absent.xml")
    (tmp_path / "binary.xml").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"binary\.xml"):
        load_model(tmp_path / "binary.xml")
    (tmp_path / "broken.ant").write_text("A -> B; k1*\n")
    with pytest.raises(InputError, match=r"broken\.ant, line \d+:"):
        load_model(tmp_path / "broken.ant")


def test_local_parameters_hide_global_ones_of_the_same_name() -> None:
    local = '<listOfLocalParameters><localParameter id="k_cat" value="3"/></listOfLocalParameters></kineticLaw>'
    law = reaction("<apply><times/><ci>k_cat</ci><ci>A</ci></apply>").replace("</kineticLaw>", local)
    assert np.allclose(course(level_3(POOL + law), ["A"]), np.exp(-6), rtol=1e-8)


def test_deep_formulas_are_read() -> None:
    law = "<apply><plus/><ci>A</ci>" * 2000 + "<cn>0</cn>" + "</apply>" * 2000
    assert np.allclose(course(level_3(POOL + reaction(law)), ["A"]), 0, atol=1e-6)


COMP = 'xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true"'


def test_submodels_come_from_other_files(tmp_path: Path) -> None:
    """An external model, used once and with its species replaced by one of the outer model."""
    (tmp_path / "inner.xml").write_text(level_3(POOL + reaction("<apply><times/><cn>2</cn><ci>A</ci></apply>"), COMP))
    outer = level_3(
        '<listOfCompartments><compartment id="d" size="1" constant="true"/></listOfCompartments><listOfSpecies>'
        '<species id="X" compartment="d" initialAmount="5" hasOnlySubstanceUnits="false" boundaryCondition="false" '
        'constant="false"><comp:listOfReplacedElements><comp:replacedElement comp:idRef="A" comp:submodelRef="sub"/>'
        "</comp:listOfReplacedElements></species></listOfSpecies>"
        '<comp:listOfSubmodels><comp:submodel comp:id="sub" comp:modelRef="other"/></comp:listOfSubmodels>',
        COMP,
    ).replace(
        "</sbml>",
        '<comp:listOfExternalModelDefinitions><comp:externalModelDefinition comp:id="other" '
        'comp:source="inner.xml"/></comp:listOfExternalModelDefinitions></sbml>',
    )
    (tmp_path / "outer.xml").write_text(outer)
    system = build_system(load_model(tmp_path / "outer.xml"))
    done = run_rows(system, system.raw()[None, :], np.array([0.0, 1.0]), system.outputs(["X"]), Rosenbrock(1e-9, 1e-12))
    assert done.values[0, 1, 0] == pytest.approx(5 * np.exp(-2), rel=1e-8)
    (tmp_path / "inner.xml").unlink()
    with pytest.raises(InputError, match="external model"):
        load_model(tmp_path / "outer.xml")


TOKENS = ("1", "-1", "1e400", "nan", "", "time", "S1", '"', "<", "</", ">", "&lt;", "level", "species", 'id="S1"', "é")


def _damaged(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 4)):
        spans = [match.span() for match in re.finditer(rng.choice((r"<[^>]+>", r'"[^"]*"', r' \w+="[^"]*"')), text)]
        at = rng.randrange(len(text))
        first, last = rng.choice(spans) if spans and rng.random() < 0.7 else (at, at + rng.randint(0, 20))
        text = text[:first] + rng.choice(TOKENS) + text[last:]
    return text


@pytest.mark.skipif(not SUITE.is_dir(), reason=f"the SBML semantic suite is not at {SUITE}")
def test_damaged_files_are_refused_in_words() -> None:
    rng = random.Random(0)
    files = sorted(SUITE.glob("*/model.xml"))
    for _ in range(400):
        text = _damaged(rng.choice(files).read_text(encoding="utf-8"), rng)
        try:
            build_system(parse_sbml(text, "damaged.xml"))
        except PathsimError as error:
            message = str(error)
            assert len(message) > 20, text


def test_versions_of_antimony_give_the_same_model(tmp_path: Path) -> None:
    """2.14 and 3.3 write the same SBML but for a comment and the order of modifiers, which the model does not keep."""
    text = antimony_to_sbml(models_folder() / "pi3k_mapk.ant")
    lists = re.compile(r"(<listOfModifiers>\n)(.*?)( *</listOfModifiers>)", re.DOTALL)
    other = lists.sub(lambda match: match[1] + "".join(reversed(match[2].splitlines(True))) + match[3], text)
    other = re.sub(r"<!-- Created by.*?-->", "<!-- another version -->", other)
    assert other != text
    found = []
    for name, content in (("one", text), ("other", other)):
        path = tmp_path / name / "model.xml"
        path.parent.mkdir()
        path.write_text(content)
        found.append(replace(load_model(path), digest="", source=""))
    assert to_json(found[0]) == to_json(found[1])
