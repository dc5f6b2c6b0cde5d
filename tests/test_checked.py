"""Arguments of public functions: converted rightly, or refused in one line, by hints that every function has."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

import pathsim as ps
from pathsim.checked import check_fields, checked


@checked
def taken(
    count: int = 0,
    size: float = 0.0,
    flag: bool = False,
    name: str = "",
    place: str | Path = "",
    names: Sequence[str] | str = (),
    times: Iterable[float] | float | str = (),
    values: Mapping[str, float] | None = None,
    kind: Literal["a", "b"] = "a",
    seed: int = 0,
    frame: pd.DataFrame | None = None,
) -> dict[str, Any]:
    return dict(locals())


@pytest.mark.parametrize(
    ("argument", "given", "found"),
    [
        ("count", np.int8(3), 3),
        ("count", 4.0, 4),
        ("seed", 2**62 + 1, 2**62 + 1),
        ("size", Fraction(1, 4), 0.25),
        ("size", Decimal("0.5"), 0.5),
        ("size", np.float32(2), 2.0),
        ("size", np.array(1.5), 1.5),
        ("size", 2**64, 2.0**64),
        ("flag", np.True_, True),
        ("place", Path("x"), Path("x")),
        ("names", "k_off", "k_off"),
        ("names", pd.Index(["a", "b"]), ("a", "b")),
        ("names", (name for name in "ab"), ("a", "b")),
        ("values", pd.Series({"a": 1}), {"a": 1.0}),
        ("values", {"a": Decimal(2)}, {"a": 2.0}),
        ("times", 5, 5.0),
        ("times", "1 h", "1 h"),
    ],
)
def test_what_is_a_number_or_a_list_becomes_one(argument: str, given: object, found: object) -> None:
    got = taken(**{argument: given})[argument]
    assert got == found
    assert type(got) is type(found)


def test_lists_of_numbers_become_arrays_of_floats() -> None:
    for given in (
        [0, 1],
        (0, Fraction(1)),
        range(2),
        pd.Series([0, 1]),
        iter([0, Decimal(1)]),
        np.arange(2, dtype="i1"),
    ):
        got = taken(times=given)["times"]
        assert got.dtype == np.float64
        assert got.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("argument", "given", "said"),
    [
        ("count", 2**64, "count is 18446744073709551616; give a whole number"),
        ("count", -1, "count is -1; give a whole number of at least 0"),
        ("seed", -1, "seed is -1; give a whole number of at least 0"),
        ("count", True, "count is True, not a number"),
        ("count", "3", "count is '3'; give a whole number"),
        ("size", 10**400, "size is a number too large to hold"),
        ("size", Decimal("nan"), "size is Decimal.'NaN'.; give a finite number"),
        ("size", 1 + 2j, "size is .1.2j., not a number"),
        ("size", datetime.timedelta(1), "size is datetime.timedelta.*, not a number"),
        ("size", np.timedelta64(1, "h"), "size is .*, not a number"),
        ("flag", 1, "flag is 1; give True or False"),
        ("name", b"x", "name is b'x'; give a text"),
        ("place", 3, "place is 3; give a text or a path"),
        ("place", "a\0b", "a path holds no null character"),
        ("names", 3, "names is 3; give a list of texts or a text"),
        ("names", ["a", None], "names: entry 2 is None; give a text"),
        ("names", {"a": 1}, "names is {'a': 1} .dict.; give a list"),
        ("times", None, "times is None; give a list of numbers or a number or a text"),
        ("times", [0, "1"], "row 2: times is '1', a text"),
        ("times", [0, datetime.datetime(2026, 1, 1)], "row 2: times is datetime"),
        ("values", {"a": "x"}, "values: 'a' is 'x'; give a number"),
        ("values", {1: 2.0}, "values: the name 1 is no text"),
        ("values", [1], "give a table of numbers by name"),
        ("kind", "c", "kind is 'c'; give 'a' or 'b'"),
        ("frame", [1], "give DataFrame"),
    ],
)
def test_what_is_none_is_refused_in_a_line(argument: str, given: object, said: str) -> None:
    with pytest.raises(ps.InputError, match=said) as caught:
        taken(**{argument: given})
    assert "\n" not in str(caught.value)


def test_fields_of_records_are_checked_too() -> None:
    @dataclass(frozen=True)
    class Record:
        size: float
        count: int = 3

        def __post_init__(self) -> None:
            check_fields(self)

    made = Record(Fraction(1, 2), np.int64(2))  # type: ignore[arg-type]
    assert (type(made.size), type(made.count)) == (float, int)
    for wrong in ({"rtol": "small"}, {"atol": [1e-9]}, {"max_steps": 2**64}, {"tableau": "Rodas5P"}, {"rtol": True}):
        for solver in (ps.Rosenbrock, ps.BDF, ps.LSODA):
            if solver is ps.Rosenbrock or "tableau" not in wrong:
                with pytest.raises(ps.InputError):
                    solver(**wrong)
    assert ps.Rosenbrock(rtol=Fraction(1, 10**6)) == ps.Rosenbrock(rtol=np.longdouble("1e-6")) == ps.Rosenbrock()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tiny") / "tiny.ant"
    path.write_text("model tiny\n compartment c = 1; species S in c = 1; k = 0.1\n J: S -> ; k*S\nend\n")
    return str(path)


def test_numbers_of_other_kinds_give_the_same_simulation(model: str) -> None:
    expected = ps.simulate(model, [0.0, 1.0], {"k": 0.5})
    row = ps.simulate(model, [0.0, 1.0], {"k": 0.5}, solver=ps.Rosenbrock()).to_numpy()
    for half in (Fraction(1, 2), Decimal("0.5"), np.float16(0.5), np.array(0.5)):
        assert ps.simulate(model, (t for t in (0, 1)), {"k": half}).equals(expected)
        rows = pd.DataFrame({"k": pd.Series([half], dtype=object)})
        assert (ps.simulate_many(model, rows, [0, 1]).values[0] == row).all()
        assert (ps.simulator(model, [0, 1], ["k"])([half]) == expected.to_numpy()).all()  # type: ignore[list-item]
    for wrong in ("0.5", True, 1j, np.timedelta64(1, "h"), None, []):
        with pytest.raises(ps.InputError):
            ps.simulate_many(model, pd.DataFrame({"k": pd.Series([wrong], dtype=object)}), [0, 1])
        with pytest.raises(ps.InputError):
            ps.simulator(model, [0, 1], ["k"])([wrong])  # type: ignore[list-item]


def test_an_absolute_tolerance_above_every_value_is_told(model: str, caplog: pytest.LogCaptureFixture) -> None:
    ps.simulate(model, [0, 1], solver=ps.Rosenbrock(atol=10.0))
    assert "atol is 10, which is larger than every value (the largest is 1)" in caplog.text
    caplog.clear()
    ps.simulate(model, [0, 1], solver=ps.Rosenbrock(atol=1e-9))
    assert caplog.text == ""


def test_every_public_function_is_checked() -> None:
    functions = {name: one for name in ps.__all__ if inspect.isroutine(one := getattr(ps, name))}
    assert len(functions) > 20
    assert [name for name, one in functions.items() if not hasattr(one, "__wrapped__")] == []
