"""Treatment text: what parses, what prints, and what is refused."""

from __future__ import annotations

from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathsim.errors import InputError
from pathsim.lab import Dose, Step, Treatment
from pathsim.units import UNITS, Dimension, Quantity

AMOUNTS = [
    s
    for s, u in UNITS.items()
    if u.dimension in (Dimension.CONCENTRATION, Dimension.FRACTION, Dimension.MASS_CONCENTRATION)
]
TIMES = [s for s, u in UNITS.items() if u.dimension is Dimension.TIME]
positive = st.floats(min_value=1e-12, max_value=1e12)
names = st.builds(
    str.__add__, st.sampled_from(ascii_letters), st.text(ascii_letters + digits + "_.-", max_size=11)
).filter(lambda name: name.lower() not in ("vehicle", "dmso", "for", "then", "and", "nan", "inf", "infinity"))
doses = st.builds(Dose, names, st.builds(Quantity, positive, st.sampled_from(AMOUNTS).map(UNITS.__getitem__)))
durations = st.builds(Quantity, positive, st.sampled_from(TIMES).map(UNITS.__getitem__))
treatments = st.builds(
    lambda steps, last: Treatment((*steps, last)),
    st.lists(st.builds(Step, st.lists(doses, max_size=3).map(tuple), durations), max_size=3),
    st.builds(Step, st.lists(doses, max_size=3).map(tuple), st.none() | durations),
)


@given(treatments)
def test_printing_and_parsing_are_inverse(treatment: Treatment) -> None:
    assert Treatment.parse(str(treatment)) == treatment


def test_a_bench_protocol_reads_as_meant() -> None:
    treatment = Treatment.parse("vehicle for 24 h then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM")
    assert [step.minutes for step in treatment.steps] == [1440.0, 60.0, None]
    assert treatment.names == ("alpelisib", "IGF1")
    assert treatment.steps[0].doses == ()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("DMSO", "vehicle"),
        ("DMSO 0.1 % for 1 h then alpelisib 1 uM + DMSO 0.1 %", "vehicle for 1 h then alpelisib 1 uM"),
        ("starve for 24 h, then IGF1 13 nM", "vehicle for 24 h then IGF1 13 nM"),
        ("serum-free for 2 h then IGF1 13 nM", "vehicle for 2 h then IGF1 13 nM"),
        ("alpelisib 1 uM and trametinib 10 nM", "alpelisib 1 uM + trametinib 10 nM"),
        ("alpelisib 1 uM, trametinib 10 nM, and FBS 10 %", "alpelisib 1 uM + trametinib 10 nM + FBS 10 %"),
        ("1 uM alpelisib and 10% FBS for 2 h", "alpelisib 1 uM + FBS 10 % for 2 h"),
    ],
)
def test_words_of_the_bench_are_understood(text: str, meant: str) -> None:
    assert Treatment.parse(text) == Treatment.parse(meant)
    assert str(Treatment.parse(text)) == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the treatment is empty"),
        ("alpelisib 0,5 uM", "a decimal point is needed where the comma is"),
        ("starve and IGF1 1 nM", "it stands alone"),
        ("10 nM", "'10 nM' is not a dose"),
        ("alpelisib", "'alpelisib' is not a dose"),
        ("alpelisib -1 uM", "'alpelisib -1 uM' is a negative dose"),
        ("alpelisib 1 um", "unknown unit 'um'"),
        ("alpelisib nan uM", "not a finite amount"),
        ("alpelisib 1 h", "which is a time"),
        ("vehicle for 0 h then vehicle", "must take longer than zero time"),
        ("vehicle then IGF1 1 nM", "needs a duration, because a step follows"),
        ("vehicle for ages", "'ages' is not a number with a unit"),
        ("vehicle + IGF1 1 nM", "it stands alone"),
    ],
)
def test_what_is_not_a_treatment_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Treatment.parse(text)


def test_every_problem_at_once() -> None:
    with pytest.raises(InputError, match="3 problems"):
        Treatment.parse("alpelisib -1 uM for 0 h then IGF1 13 mn")


def test_long_runs_of_spaces_take_no_time() -> None:
    assert str(Treatment.parse(f"alpelisib{' ' * 300_000}1 uM {' ' * 300_000}")) == "alpelisib 1 uM"
    with pytest.raises(InputError, match="is not a dose") as caught:
        Treatment.parse("vehicle" + " " * 300_000 + "x")
    assert len(str(caught.value)) < 500
    with pytest.raises(InputError, match="the treatment is None"):
        Treatment.parse(None)  # type: ignore[arg-type]
