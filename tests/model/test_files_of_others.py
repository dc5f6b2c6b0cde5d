"""Files as other programs write them: the right numbers, or one line that names the construct and where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.errors import InputError, PathsimError, UnsupportedModelError

MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'
CORE = "http://www.sbml.org/sbml/level3/version1"
DECAY = f"""<listOfReactions><reaction id="R" reversible="false" fast="false"><listOfReactants>
<speciesReference species="S" stoichiometry="1" constant="true"/></listOfReactants>
<kineticLaw><math {MATH}><apply><times/><ci>k</ci><ci>S</ci></apply></math></kineticLaw></reaction></listOfReactions>"""
BODY = f"""<listOfCompartments><compartment id="c" size="1" constant="true"/></listOfCompartments>
<listOfSpecies><species id="S" compartment="c" initialConcentration="2" hasOnlySubstanceUnits="false"
 boundaryCondition="false" constant="false"/></listOfSpecies>
<listOfParameters><parameter id="k" value="0.5" constant="true"/></listOfParameters>{DECAY}"""


def level_3(body: str = BODY, packages: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<sbml xmlns="{CORE}/core" level="3" version="1" {packages}>'
        f'<model id="m">{body}</model></sbml>'
    )


def decays(path: Path) -> bool:
    """Whether the model in ``path`` is S = 2 exp(-t/2)."""
    found = ps.simulate(path, [0, 1, 10], outputs=["S"], solver=ps.Rosenbrock(rtol=1e-9, atol=1e-12))["S"]
    return bool(np.allclose(found, 2 * np.exp(-0.5 * np.array([0, 1, 10])), rtol=1e-7))


LAYOUT = f'xmlns:layout="{CORE}/layout/version1" layout:required="false"'
RENDER = f'xmlns:render="{CORE}/render/version1" render:required="false"'
DRAWING = """<layout:listOfLayouts><layout:layout layout:id="l"><layout:dimensions width="1"/></layout:layout>
<render:listOfStyles><render:nobodyKnowsThis render:color='x > y'/></render:listOfStyles>
</layout:listOfLayouts>"""


@pytest.mark.parametrize(
    "text",
    [
        level_3(),
        level_3().replace(' constant="true"/></listOfReactants>', "/></listOfReactants>"),
        level_3().replace(' stoichiometry="1"', ""),
        re.sub(r'\s(constant|boundaryCondition|hasOnlySubstanceUnits|reversible|fast)="\w+"', "", level_3()),
        level_3().replace('id="c" ', 'id="c" spatialDimensions="3" '),
        level_3(BODY + DRAWING, f"{LAYOUT} {RENDER}"),
        level_3(BODY + "<layout:listOfLayouts/>", LAYOUT),
        level_3(BODY, f'xmlns:fbc="{CORE}/fbc/version2" fbc:required="false"').replace("<model", '<model fbc:a="1"'),
        level_3(BODY, f'xmlns:spatial="{CORE}/spatial/version1" spatial:required="false"'),
        level_3(BODY, f'xmlns:comp="{CORE}/comp/version1" comp:required="true"'),
        re.sub("<(/?)(?=[a-z])", r"<\1s:", level_3().replace("xmlns=", "xmlns:s=", 1))
        .replace("s:math", "math")
        .replace("s:apply", "apply")
        .replace("s:times", "times")
        .replace("s:ci", "ci"),
        level_3().replace("\n", "\r\n"),
        "\ufeff" + level_3(),
        level_3(
            "<notes>no namespace</notes><annotation/><annotation>text</annotation><notes><p>twice</p></notes>" + BODY
        ),
        level_3(BODY.replace("<listOfReactions>", "<listOfRules/><listOfEvents/><listOfReactions>", 1)),
        level_3(BODY.replace("<kineticLaw>", '<listOfModifiers/><kineticLaw timeUnits="second">')),
        level_3(
            '<listOfUnitDefinitions><unitDefinition id="u"><listOfUnits><unit kind="mole" exponent="x"/>'
            '<unit kind="Celsius" exponent="1" scale="0" multiplier="1"/></listOfUnits></unitDefinition>'
            f"</listOfUnitDefinitions>{BODY}"
        ),
        level_3(BODY.replace('id="k"', 'id="k" units="1/min" sboTerm="252" metaid="1 2"')).replace('"m"', '"my model"'),
        level_3(
            BODY.replace("<species ", '<species v:colour="red > 1" ') + "<v:many><v:one/></v:many>",
            'xmlns:v="http://vendor.com/x" v:required="false"',
        ),
        level_3(
            BODY.replace("<species ", '<species n:a="1" ') + "<n:b/>",
            f'xmlns:n="{CORE}/new/version1" n:required="false"',
        ),
        level_3(BODY, 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"'),
    ],
    ids=[
        "plain",
        "no constant",
        "no stoichiometry",
        "no flags",
        "dimensions",
        "unknown drawing",
        "empty drawing",
        "fbc",
        "not required",
        "comp unused",
        "prefixed",
        "CRLF",
        "BOM",
        "notes",
        "empty lists",
        "empty modifiers",
        "unit definitions",
        "labels",
        "vendor",
        "new package",
        "schema location",
    ],
)
def test_what_others_write_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.xml"
    path.write_bytes(text.encode())
    assert decays(path)


@pytest.mark.parametrize("version", ["level2/version4", "level2/version1"])
def test_level_2_with_packages_of_level_3(tmp_path: Path, version: str) -> None:
    number = {"level2/version4": 4, "level2/version1": 1}[version]
    space = "http://www.sbml.org/sbml/" + (version if number > 1 else "level2")
    body = BODY.replace(' fast="false"', "").replace(' constant="true"/></listOfReactants>', "/></listOfReactants>")
    text = f'<sbml xmlns="{space}" {LAYOUT} {RENDER} level="2" version="{number}"><model id="m">{body}</model></sbml>'
    path = tmp_path / "m.xml"
    path.write_text(text)
    assert decays(path)


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "cp1252"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "m.xml"
    text = (
        level_3().replace("UTF-8", encoding.upper().replace("CP", "windows-")).replace('id="m"', 'id="m" name="Zürich"')
    )
    path.write_bytes(text.encode(encoding))
    assert decays(path)
    assert ps.load_model(path).name == "Zürich"


def test_a_point_is_only_what_says_so(tmp_path: Path) -> None:
    """Without spatialDimensions a symbol is a concentration: 2 in a volume of 4 falls with k S / 4."""
    path = tmp_path / "m.xml"
    path.write_text(level_3().replace('id="c" size="1"', 'id="c" size="4"'))
    found = ps.simulate(path, [0, 1], outputs=["S"], solver=ps.Rosenbrock(rtol=1e-9, atol=1e-12))["S"]
    np.testing.assert_allclose(found, [2, 2 * np.exp(-0.5 / 4)], rtol=1e-7)


COPASI = f"""<listOfFunctionDefinitions><functionDefinition id="speed"><annotation>
<symbols xmlns="http://sbml.org/annotations/symbols" definition="DEFINITION"/></annotation>
<math {MATH}><lambda><bvar><ci>a</ci></bvar><notanumber/></lambda></math></functionDefinition>
</listOfFunctionDefinitions>"""
RATE = f"""<listOfRules><assignmentRule variable="v"><math {MATH}><apply><ci>speed</ci><ci>S</ci></apply></math>
</assignmentRule></listOfRules>"""


def test_rate_of_as_copasi_writes_it(tmp_path: Path) -> None:
    text = level_3(BODY.replace("<listOfReactions>", RATE + "<listOfReactions>", 1)).replace(
        '<model id="m">', f'<model id="m">{COPASI}'
    )
    text = text.replace("</listOfParameters>", '<parameter id="v" constant="false"/></listOfParameters>', 1)
    path = tmp_path / "m.xml"
    path.write_text(text.replace("DEFINITION", "http://en.wikipedia.org/wiki/Derivative"))
    found = ps.simulate(path, [0, 1], outputs=["v"], solver=ps.Rosenbrock(rtol=1e-9, atol=1e-12))["v"]
    np.testing.assert_allclose(found, [-1, -np.exp(-0.5)], rtol=1e-7)
    path.write_text(text.replace("DEFINITION", "http://en.wikipedia.org/wiki/Normal_distribution"))
    with pytest.raises(UnsupportedModelError, match=r"'speed', which stands for .*Normal_distribution"):
        ps.load_model(path)


def function(name: str, arguments: str, body: str) -> str:
    bound = "".join(f"<bvar><ci>{one}</ci></bvar>" for one in arguments)
    return f'<functionDefinition id="{name}"><math {MATH}><lambda>{bound}{body}</lambda></math></functionDefinition>'


FUNCTIONS = (
    "<listOfFunctionDefinitions>"
    + function("f", "x", "<apply><ci>g</ci><ci>x</ci></apply>")
    + function("g", "x", "<apply><ci>f</ci><ci>x</ci></apply>")
    + function("h", "f", "<apply><ci>f</ci><ci>f</ci></apply>")
    + "</listOfFunctionDefinitions>"
)
CALLS = BODY.replace("<apply><times/><ci>k</ci><ci>S</ci></apply>", "<apply><ci>FIRST</ci><ci>S</ci></apply>")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (level_3().replace('fast="false"', 'fast="true"'), r"line \d+: reaction 'R' is fast"),
        (level_3(BODY, f'xmlns:q="{CORE}/qual/version1" q:required="true"'), "package 'qual' is outside"),
        (level_3(BODY, f'xmlns:m="{CORE}/multi/version1" m:required="true"'), "package 'multi' is outside"),
        (level_3(re.sub("<kineticLaw>.*</kineticLaw>", "", BODY, flags=re.DOTALL)), r"line \d+: reaction 'R' has no"),
        ('<!DOCTYPE sbml SYSTEM "http://localhost:1/x.dtd">' + level_3()[38:], "line 1: a document type declaration"),
        ("<!doctype html>\n<html><br></html>", "a page in HTML"),
        (level_3("<annotation>" + "<a>" * 6000 + "</a>" * 6000 + "</annotation>" + BODY), "nested more than"),
        (level_3(BODY.replace("</listOfSpecies>", "<specie/></listOfSpecies>")), r"line \d+: .*specie"),
        (level_3(BODY + "<q:a/>", f'xmlns:q="{CORE}/qual/version1" q:required="false"'), "package 'qual' is outside"),
        (
            level_3().replace('"2"', '"2" initialAmount="3"'),
            "initial amount 3 and, which is another, the .* 2; give one",
        ),
        (
            level_3().replace('Condition="false" constant="false"', 'Condition="false" constant="true"'),
            "'S' is constant, but",
        ),
        (level_3(FUNCTIONS + CALLS.replace("FIRST", "f")), r"line \d+: reaction 'R' calls 'f', which calls itself"),
        (level_3(FUNCTIONS + CALLS.replace("FIRST", "h")), "'h', which calls its own argument 'f'"),
        (level_3().replace("1998/Math/MathML", "1998/Math/MathML/"), "MathML namespace .* was not found"),
    ],
    ids=[
        *(
            "fast",
            "qual",
            "multi",
            "no law",
            "doctype",
            "html",
            "deep",
            "unknown element",
            "qual elements",
            "two values",
        ),
        *("constant", "recursion", "function of functions", "namespace of formulas"),
    ],
)
def test_what_is_refused_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "m.xml"
    path.write_text(text)
    with pytest.raises(PathsimError, match=says) as caught:
        ps.load_model(path)
    assert str(caught.value).startswith((f"{path}", "not valid SBML"))


ANT = "model m\n  // Größe\n  S = 2; k = 0.5; S' = -k*S;\nend\n"


@pytest.mark.parametrize(
    "content",
    [
        ANT.encode(),
        b"\xef\xbb\xbf" + ANT.encode(),
        ANT.replace("\n", "\r\n").encode(),
        ANT.encode("utf-16"),
        ANT.replace("k = 0.5", 'k = 0.5; k is "Ångström // no comment"').encode(),
    ],
    ids=["plain", "BOM", "CRLF", "UTF-16", "text in words"],
)
def test_antimony_of_any_editor(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.ant"
    path.write_bytes(content)
    assert decays(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("model m\n\n  β = 3\nend\n".encode(), "line 3: the character 'β'"),
        (b"model m\n  x = 1\n  /* \xe4 */\nend\n", "line 3: byte 22 is not UTF-8 text"),
        (b"model m\n  x = 1\0\nend\n", "line 2: a null character; save the file as UTF-8"),
        (ANT.replace("ö", "o").replace("ß", "ss").encode("utf-16-le"), "line 1: a null character"),
        (b"model m\n  // \0\n  x = 1\nend\n", "line 2: a null character"),
    ],
)
def test_characters_antimony_cannot_read_are_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "m.ant"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        ps.load_model(path)


WORDS = ("gene", "operator", "model", "module", "function", "in", "is", "has", "species", "compartment", "const", "var",
         "import", "event", "formula", "ext", "DNA", "unit", "at", "after", "reaction", "delete", "constraint", "gamma",
         "time", "pi", "delay", "end")  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_words_of_the_language_are_named(tmp_path: Path, word: str) -> None:
    path = tmp_path / "m.ant"
    path.write_text(f"model m\n  x = 0\n  {word} = 2\n  x' = {word} - 0.1*x\nend\n")
    with pytest.raises(InputError, match=rf"line 3: '{word}' is a (reserved )?word"):
        ps.load_model(path)


def test_models_of_rules_alone_have_their_variables_as_outputs(tmp_path: Path) -> None:
    path = tmp_path / "m.ant"
    path.write_text("model m\n  a := 2*time; b := a + 1;\nend\n")
    frame = ps.simulate(path, [0, 3])
    assert frame.loc[3].to_dict() == {"a": 6, "b": 7}


def test_a_species_without_a_value_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    extra = '<species id="W" compartment="c" hasOnlySubstanceUnits="false" boundaryCondition="true" constant="false"/>'
    path = tmp_path / "m.xml"
    path.write_text(level_3(BODY.replace("</listOfSpecies>", extra + "</listOfSpecies>")))
    assert list(ps.simulate(path, [0, 1]).columns) == ["S"]
    assert "'W' has no value" in caplog.text
    with pytest.raises(InputError, match="'W' has no value; give one"):
        ps.simulate(path, [0, 1], outputs=["W"])
    assert ps.simulate(path, [0, 1], parameters={"W": 3})["W"].tolist() == [3, 3]
    path.write_text(path.read_text().replace("<ci>k</ci>", "<ci>k</ci><ci>W</ci>"))
    with pytest.raises(InputError, match="'W' has no value; give one"):
        ps.simulate(path, [0, 1])


@pytest.mark.parametrize("word", ["at", "in", "ext", "module", "species", "unit", "DNA"])
def test_reserved_words_as_names_of_species_are_named(tmp_path: Path, word: str) -> None:
    path = tmp_path / "m.ant"
    path.write_text(f"model m\n compartment c = 1; species {word} in c = 2; k = 0.1\n J: {word} -> ; k*{word}\nend\n")
    with pytest.raises(InputError, match=f"line 2: '{word}' is a word of Antimony itself"):
        ps.load_model(path)


def test_a_declaration_without_encoding_is_xml(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    path.write_text(
        "<?xml version='1.0' standalone='yes'?>\n"
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">'
        '<listOfParameters><parameter id="x" value="1" constant="true"/></listOfParameters></model></sbml>'
    )
    assert ps.load_model(path).parameters[0].value == 1.0


def test_a_model_whose_species_have_no_values_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.ant"
    path.write_text("model m\n compartment c = 1; species S in c; k = 0.1\n J: S -> ; k*S\nend\n")
    with pytest.raises(InputError, match=r"m\.ant: 'S' has no value; give one in the file or as a parameter"):
        ps.simulate(path, [0, 1])


def test_outputs_that_are_no_numbers_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "m.ant"
    path.write_text("model m\n S = 1; S' = -S; w := piecewise(1, time < 3);\nend\n")
    ps.simulate(path, [0, 2, 4], outputs=["S"])
    assert caplog.text == ""
    ps.simulate(path, [0, 2, 4], outputs=["S", "w"])
    assert "m.ant: 'w' is not a number at time 4" in caplog.text


@pytest.mark.parametrize(
    ("trigger", "when"), [("time", 0.0), ("floor(time/3.3)", 3.3), ("S - 2", 0.0), ("!max(0, 3.3 - time)", 3.3)]
)
def test_numbers_as_conditions_hold_where_they_are_not_zero(tmp_path: Path, trigger: str, when: float) -> None:
    path = tmp_path / "m.ant"
    path.write_text(f"model m\n S = 2; q = -1; S' = -0.5*S; at ({trigger}), t0 = true: q = time;\nend\n")
    found = ps.simulate(path, np.linspace(0, 10, 41), outputs=["q"])["q"].to_numpy()
    np.testing.assert_allclose(found, np.where(np.linspace(0, 10, 41) > when, when, -1), atol=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model m; S = 2; k = 0,5; end", "line 1: syntax error"),
        ("model m; S = 2; E: at time > 1: S = 3 end", "line 1: syntax error"),
        ("model m; S = 2; S' = -delay(S, 1); end", r"m.ant: rule for 'S' uses delay\(\)"),
    ],
)
def test_neither_word_nor_line_is_made_up(tmp_path: Path, text: str, says: str) -> None:
    """``end`` ends a model on one line; the lines of the SBML that Antimony makes are in nobody's file."""
    path = tmp_path / "m.ant"
    path.write_text(text)
    with pytest.raises(PathsimError, match=says):
        ps.load_model(path)


@pytest.mark.parametrize("name", ["pi3k" * 90, "pi3k" * 90 + ".ant", "a\0b"])
def test_a_name_that_no_file_system_takes_is_told(name: str) -> None:
    with pytest.raises(InputError):
        ps.load_model(name)
