"""Doses add up exactly; the order in which things are written changes nothing."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

import pathsim as ps
from pathsim.lab import Condition, Step, Treatment


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
