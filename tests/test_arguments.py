"""What callers hand over as numbers: converted rightly, or refused in one line."""

from __future__ import annotations

import datetime
import decimal
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from pathsim import arguments
from pathsim.errors import InputError

NA = pd.NA


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.5, 3],
        (1, 2.5, 3),
        np.array([1, 2.5, 3]),
        np.array([1, 2.5, 3], dtype=np.float32),
        pd.Series([1, 2.5, 3]),
        pd.Index([1, 2.5, 3]),
        [np.int8(1), np.float32(2.5), np.uint64(3)],
        [Fraction(1), Fraction(5, 2), Fraction(3)],
        [Decimal(1), Decimal("2.5"), Decimal(3)],
        iter([1, 2.5, 3]),
        [1, Fraction(5, 2), Decimal(3)],
        np.array([1, 2.5, 3], dtype=object),
        pd.Series([1, 2.5, 3], dtype="Float64"),
        np.array([1, 2.5, 3], np.longdouble),
        [np.array(1), np.array(2.5), 3.0],
        pd.Series([1, 2.5, 3]).astype("category"),
    ],
)
def test_every_sort_of_number_is_a_number(values: object) -> None:
    found = arguments.column(values, "dose")
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 2.5, 3.0]


def test_ranges_tables_and_nested_lists() -> None:
    assert arguments.column(range(3), "dose").tolist() == [0.0, 1.0, 2.0]
    assert arguments.array([[1, Fraction(1, 2)], [np.int64(3), 4]], "dose").tolist() == [[1.0, 0.5], [3.0, 4.0]]
    assert arguments.array(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), "dose").shape == (2, 2)
    assert arguments.array([], "dose").shape == (0,)
    assert arguments.array(2**64, "dose") == float(2**64)


@pytest.mark.parametrize(
    "values", [[1.0, None], [1, NA], [1, math.nan], pd.Series([1, NA], dtype="Int64"), [1, pd.NaT],
               [1, Decimal("sNaN")],               np.ma.array([1.0, 2.0], mask=[False, True])],
)  # fmt: skip
def test_a_missing_entry_is_named_by_its_row(values: object) -> None:
    found = arguments.column(values, "dose")
    assert arguments.not_finite(found, "dose") == ["row 2: dose is nan, not a finite number"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "2.5"], "row 2: dose is '2.5', a text; give a number"),
        (np.array(["1", "2"]), "row 1: dose is "),
        ("12", "dose is '12', a text"),
        ([True, 1], "row 1: dose is True, not a number"),
        (np.array([True, False]), "row 1: dose is True, not a number"),
        ([1, 2j], "row 2: dose is 2j, not a number"),
        (np.array([1 + 2j]), "row 1: dose is "),
        ([datetime.timedelta(hours=1)], "row 1: dose is datetime.timedelta"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "row 1: dose is "),
        ([np.timedelta64(5, "h")], "row 1: dose is np.timedelta64"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "row 1: dose is "),
        (3.5, "dose: a single number is given"),
        ([[1, 2], [3, 4]], "dose: an array of shape (2, 2) is given"),
        ([[1, 2], [3]], "dose: entry 2 holds 1, entry 1 2; all must be of one length"),
        ([1, [2, 3]], "dose: entry 2 holds 2, entry 1 one number"),
        ({1: 2}, "dose: {1: 2} is given; give a list of numbers"),
        ([10**400], "row 1: dose is a number too large to hold"),
        ([[[[[[1]]]]]], "nested too deeply"),
        ([object()], "row 1: dose is <object"),
        (None, "dose: a single number is given"),
    ],
)
def test_what_is_no_number_is_refused_by_its_row(values: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        arguments.column(values, "dose")
    assert said in str(caught.value)


def test_long_lists_of_faults_are_cut() -> None:
    with pytest.raises(InputError) as caught:
        arguments.column(["x"] * 1000, "dose")
    assert str(caught.value).count("\n") == 21
    assert "and 980 more like these" in str(caught.value)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), Fraction(1, 2), Decimal("0.5"), np.array(0.5)])
def test_one_number(value: object) -> None:
    assert arguments.number(value, "confidence") == 0.5
    assert arguments.share(value, "confidence") == 0.5


@pytest.mark.parametrize("value", ["0.5", None, True, math.nan, math.inf, [0.5], 1j, Decimal("NaN"), 10**400, b"1", {}])
def test_what_is_not_one_number(value: object) -> None:
    for read in (arguments.number, arguments.share):
        with pytest.raises(InputError, match="confidence is"):
            read(value, "confidence")


def test_shares_counts_and_words() -> None:
    with pytest.raises(InputError, match=r"confidence is 95; it must lie between 0 and 1, as 0\.95"):
        arguments.share(95, "confidence", ", as 0.95")
    assert arguments.count(np.int64(3), "seed", 10) == 3
    for value in (-1, 11, 2.5, "3", True):
        with pytest.raises(InputError, match="seed is"):
            arguments.count(value, "seed", 10)
    assert arguments.words(["a", np.str_("b")], "drugs") == ("a", "b")
    for value in ("ab", 3, None):
        with pytest.raises(InputError, match=r"drugs: .* is no list of names"):
            arguments.words(value, "drugs")
    with pytest.raises(InputError, match="entry 2 is nan"):
        arguments.words(["a", math.nan], "drugs")


def test_decimal_traps_do_not_matter() -> None:
    with decimal.localcontext() as context:
        context.traps[decimal.InvalidOperation] = True
        assert math.isnan(arguments.column([Decimal("sNaN")], "dose")[0])
