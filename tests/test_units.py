"""Numbers that cross the border carry their unit, and come out exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathsim.errors import InputError, UnknownNameError
from pathsim.units import (
    UNITS,
    Dimension,
    Quantity,
    dose_nM,
    doses_nM,
    number_text,
    numbers,
    quantity,
    time_min,
    times_min,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 uM", 1000.0), ("100nM", 100.0), ("0.1 µM", 100.0), ("1.1 uM", 1100.0), ("5 pM", 0.005), ("1e-3 M", 1e6)],
)
def test_doses_become_nanomolar(text: str, value: float) -> None:
    assert dose_nM(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("2 h", 120.0), ("30 s", 0.5), ("1 day", 1440.0), ("15 minutes", 15.0), ("1 week", 10080.0)]
)
def test_times_become_minutes(text: str, value: float) -> None:
    assert time_min(text) == value


def test_lists_and_ranges() -> None:
    assert times_min("0 15 min") == [0.0, 15.0]
    assert times_min("0, 2 h") == [0.0, 120.0]
    assert times_min("30 min 2 h") == [30.0, 120.0]
    assert times_min("0 .. 1 h x 3") == [0.0, 30.0, 60.0]
    assert doses_nM("1 nM .. 10 uM x 5") == pytest.approx([1, 10, 100, 1000, 10000])
    assert doses_nM("1 nM .. 10 uM x 9")[-1] == 10000.0
    assert doses_nM("0 nM 1 uM") == [0.0, 1000.0]
    assert numbers("0 .. 60 x 4") == [0.0, 20.0, 40.0, 60.0]


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (dose_nM, "1", "not a number with a unit"),
        (dose_nM, "1 uMM", "did you mean uM"),
        (dose_nM, "-1 uM", "negative dose"),
        (dose_nM, "nan uM", "not a finite amount"),
        (dose_nM, "1 h", "is in h, which is a time"),
        (time_min, "1 nM", "is in nM, which is a concentration"),
        (times_min, "0 15", "has no unit"),
        (times_min, "0 .. h", "not a range"),
        (times_min, "0 .. 2 h x 1", "at least 2 points"),
        (doses_nM, "0 nM .. 1 uM x 5", "cannot start at zero"),
        (numbers, "0 one", "'one' in '0 one' is not a number"),
        (numbers, "", "not a list of finite numbers"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(read, text: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        read(text)


def test_unknown_unit_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown unit 'mn'"):
        quantity("1 mn", Dimension.TIME)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.sampled_from(sorted(UNITS)))
def test_quantities_read_back_as_printed(value: float, symbol: str) -> None:
    written = Quantity(value, UNITS[symbol])
    assert quantity(str(written)) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_exactly(value: float) -> None:
    assert float(number_text(value)) == value
