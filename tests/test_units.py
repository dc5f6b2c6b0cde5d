"""Numbers that cross the border carry their unit, and come out exact."""

from __future__ import annotations

import contextlib
import math
import time

import pytest
from hypothesis import given, settings
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
    unit,
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
        (dose_nM, "inf nM", "not a finite amount"),
        (dose_nM, "nano M", "not a number with a unit"),
        (dose_nM, "1e400 nM", "not a finite amount"),
        (dose_nM, "1e-400 nM", "too small a number"),
        (dose_nM, "1e308 M", "more than can be counted in nM"),
        (dose_nM, "0,4 uM", "a decimal point is needed"),
        (dose_nM, "", "not a number with a unit"),
        (dose_nM, "1 " + "u" * 500, "unknown unit 'u+[.]{3}'"),
        (times_min, "", "has no unit"),
        (times_min, "inf h", "not a finite amount"),
        (times_min, "0 .. 1 .. 2 h x 3", "not a range"),
        (times_min, "0 h .. 1 h 2 h x 3", "has 3 amounts around its dots"),
        (times_min, "0 .. 1 h x 99999999999", "at most 1000000 points"),
        (numbers, "0 nan", "not a finite amount"),
        (numbers, "1_000", "is not a number"),
        (numbers, "-1e308 .. 1e308 x 3", "too far apart"),
        (numbers, "1 2 .. 3 x 3", "'1 2' in '1 2 .. 3 x 3' is not a number"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(read, text: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        read(text)


@pytest.mark.parametrize("read", [quantity, unit, dose_nM, time_min, times_min, doses_nM, numbers])
@pytest.mark.parametrize("given", [None, 5, 1.5, b"1 nM", [], ["1 nM"], {}, float("nan")])
def test_what_is_no_text_is_refused(read, given: object) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="is not text"):
        read(given)


_ALPHABET = st.text(st.sampled_from("0123456789.+-eExX×,; \n\tnNmMuµμ%shd/kgilLafINF²٣\0"), max_size=20)


@pytest.mark.parametrize("read", [quantity, unit, dose_nM, time_min, times_min, doses_nM, numbers])
@given(text=_ALPHABET | st.text(max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused_in_one_line(read, text: str) -> None:  # type: ignore[no-untyped-def]
    found = None
    try:
        found = read(text)
    except InputError as error:
        said = str(error)
        if "\n" in said:
            pytest.fail(said)
    if isinstance(found, list):
        assert found
        assert all(math.isfinite(value) for value in found)


@pytest.mark.parametrize("text", ["." * 20000, " " * 20000, "1 " * 10000, "9" * 20000 + " nM", "0 .. " * 5000 + "x 3"])
def test_long_texts_take_no_time(text: str) -> None:
    start = time.perf_counter()
    for read in (quantity, times_min, doses_nM, numbers):
        with contextlib.suppress(InputError):
            read(text)
    assert time.perf_counter() - start < 5.0


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
