"""What can be checked on paper: units, sources, wiring."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.errors import InputError
from pathsim.model.checks import check_model
from pathsim.model.dimensions import dimensions_text, read_dimensions
from pathsim.model.wiring import Effect, wiring

GOOD = """model good
  compartment cell = 1;
  species A in cell = A_total, B in cell = 0;
  A_total = 10;  // nM | source: Somebody 2020 J Cell
  k = 0.1;       // 1/min | estimate: minutes
  K = 3;         // nM | calibrated: to blots
  drug_on_A = 0; // 1 | input: a drug
  forward: A => B; k*A/(1 + drug_on_A);
  back: B => A; k*B/(1 + B/K);
  pA := B;       // nM | readout: phosphorylated A, 40 kDa
end
"""


def report(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "model.ant"
    path.write_text(text)
    found = check_model(ps.load_model(path))
    return found.problems + found.remarks


def test_the_bundled_model_is_in_order() -> None:
    found = check_model(ps.load_model("pi3k_mapk"))
    assert found.problems == ()
    assert sum(found.classes.values()) == found.constants


def test_a_good_model_has_no_problems(tmp_path: Path) -> None:
    assert report(tmp_path, GOOD) == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("// 1/min | estimate: minutes", "", "k: no unit and no source"),
        ("estimate: minutes", "estimate:", "'estimate' needs words"),
        ("// 1/min |", "// 1/h |", "reaction forward: the rate is in nM/h, but changes A, which is in nM"),
        ("// nM | calibrated", "// uM | calibrated", "brings together '1' in 1 and 'B/K' in nM/uM"),
        ("// nM | readout", "// 1/min | readout", "is said to be in 1/min, its formula in nM"),
        ("// 1/min |", "// per minute |", "is not a unit"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    assert any(says in problem for problem in report(tmp_path, GOOD.replace(old, new)))


@pytest.mark.parametrize("text", ["nM", "1/min", "1/(nM*min)", "nM/min", "1/(min*nM^2)", "1"])
def test_units_read_and_print(text: str) -> None:
    assert read_dimensions(dimensions_text(read_dimensions(text))) == read_dimensions(text)


def test_units_are_exponents() -> None:
    assert read_dimensions("nM^2/(nM*min)") == {"nM": Fraction(1), "min": Fraction(-1)}
    for bad in ("nM/", "2*nM", "(nM", "nM)", "µ"):
        with pytest.raises(InputError, match="is not a unit"):
            read_dimensions(bad)


@pytest.fixture(scope="module")
def textbook() -> dict[tuple[str, str], Effect]:
    return {(edge.origin, edge.target): edge.effect for edge in wiring(ps.load_model("pi3k_mapk")).edges}


@pytest.mark.parametrize(
    ("origin", "target", "effect"),
    [
        ("IGF1", "IGF1R", Effect.ACTIVATES),
        ("PTEN", "PIP3", Effect.INHIBITS),
        ("PIP3", "AKT", Effect.ACTIVATES),
        ("mTORC2", "AKT", Effect.ACTIVATES),
        ("AKT", "TSC2", Effect.INHIBITS),
        ("TSC2", "RHEB", Effect.INHIBITS),
        ("RHEB", "mTORC1", Effect.ACTIVATES),
        ("mTORC1", "S6K", Effect.ACTIVATES),
        ("S6K", "IRS1", Effect.INHIBITS),
        ("AKT", "FOXO", Effect.INHIBITS),
        ("RAS", "RAF", Effect.ACTIVATES),
        ("RAF", "MEK", Effect.ACTIVATES),
        ("MEK", "ERK", Effect.ACTIVATES),
        ("drug_on_MEK", "MEK", Effect.INHIBITS),
        ("drug_on_mTORC1_FRB", "mTORC1", Effect.INHIBITS),
    ],
)
def test_the_wiring_of_the_bundled_model_is_the_textbook(
    textbook: dict[tuple[str, str], Effect], origin: str, target: str, effect: Effect
) -> None:
    assert textbook[origin, target] is effect


def test_the_wiring_of_any_sbml_model() -> None:
    path = Path(__file__).parents[2] / "examples" / "data" / "fujita_2010" / "model_Fujita_SciSignal2010.xml"
    edges = {(edge.origin, edge.target): edge.effect for edge in wiring(ps.load_model(path)).edges}
    assert edges
