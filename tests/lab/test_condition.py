"""Doses add up exactly; the order in which things are written changes nothing."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pathsim as ps
from pathsim.errors import InputError
from pathsim.lab import CellLine, Condition, Step, Treatment


def settings(text: str, line: str = "T47D") -> dict[str, float]:
    library = ps.default_library()
    condition = Condition(library.cell_line(line), Treatment.parse(text))
    return condition.settings(condition.treatment.steps[-1], {}, library)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_drug_with_itself_is_exactly_additive(first: int, second: int) -> None:
    parts = settings(f"alpelisib {first / 1000!r} nM + alpelisib {second / 1000!r} nM")
    assert parts == settings(f"alpelisib {(first + second) / 1000!r} nM")


def test_units_do_not_matter() -> None:
    assert settings("alpelisib 1.1 uM") == settings("alpelisib 1100 nM")
    assert settings("alpelisib 0.3 uM + alpelisib 700 nM") == settings("BYL719 1 uM")


def test_order_of_doses_changes_not_even_the_last_bit() -> None:
    doses = ["alpelisib 0.1 uM", "capivasertib 0.7 uM", "everolimus 3 nM", "IGF1 13 nM"]
    texts = [" + ".join(order) for order in permutations(doses)]
    assert all(settings(text) == settings(texts[0]) for text in texts)


def test_serum_has_its_bench_names_and_drugs_their_codes() -> None:
    assert settings("FBS 10 %") == settings("fcs 10 %") == settings("serum 10 %")
    library = ps.default_library()
    for code, name in {"ARRY-142886": "selumetinib", "azd-0530": "saracatinib", "AZD2014": "vistusertib"}.items():
        assert library.drug(code).name == name
    with pytest.raises(InputError, match="known: abemaciclib, alpelisib, buparlisib"):
        library.drug("xyzzy")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alpelisib 1 M", "'alpelisib 1000 mM' is beyond any dose of alpelisib .1 mM.; is the unit right"),
        ("IGF1 10 mM", "beyond any dose of IGF1"),
        ("metformin 1 M", "beyond any dose of metformin .100 mM."),
        ("serum 1000 %", "more than all of the medium"),
    ],
)
def test_absurd_doses_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        settings(text)
    assert settings("metformin 50 mM")
    assert settings("alpelisib 100 uM")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"RAS_mutant_fraction": 30.0}, "RAS_mutant_fraction is 30; it lies between 0 and 1 .share of RAS"),
        ({"share_kinase": 3.0}, "share_kinase is 3; it lies between 0 and 1"),
        ({"feedback_S6K": -1.0}, "feedback_S6K is -1; it lies between 0 and 1"),
        ({"PTEN_total": -5.0}, "PTEN_total is -5; it cannot be negative"),
    ],
)
def test_lines_that_cannot_be_are_refused(change: dict[str, float], says: str) -> None:
    line = CellLine("mine", set=change)
    for run in (
        lambda: ps.western_blot("pi3k_mapk", line, "vehicle", "pAKT_S473", 0.0),
        lambda: ps.xenograft("pi3k_mapk", line, ["vehicle"]),
        lambda: ps.sensitivity.elasticities("pi3k_mapk", line, "vehicle", "pAKT_S473"),
    ):
        with pytest.raises(InputError, match=f"mine: {says}"):
            run()


def test_mass_doses_need_a_molar_mass() -> None:
    assert settings("EGF 100 ng/ml")["EGF"] > 15


def test_alterations_stack_on_a_line() -> None:
    library = ps.default_library()
    line = library.cell_line("T47D+PTEN_loss")
    assert line.name == "T47D+PTEN_loss"
    assert line.apply({"PTEN_total": 50.0})["PTEN_total"] == 0.0
    assert library.cell_line("t47d").name == "T47D"


def test_steps_compare_by_value() -> None:
    assert Step(()) == Treatment.parse("vehicle").steps[0]
