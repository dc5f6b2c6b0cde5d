"""The vector exp, log and pow of the engine, in units in the last place, over their whole range."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import system

from pathsim.arrays import FloatArray
from pathsim.model.maths import evaluate
from pathsim.solve import run_rows

SPECIAL = [0.0, 1.0, -1.0, 0.5, 2.0, math.inf, 5e-324, 2.3e-308, 1.7e308, -1.7e308, 709.7, 745.2, 800.0]


def compiled(formula: str, a: FloatArray, b: FloatArray | None = None) -> FloatArray:
    """The engine's values of a formula in ``a`` and ``b``, one row each."""
    equations = system(f"a = 1; b = 1; z := {formula};")
    columns = np.array([equations.slot("a"), equations.slot("b")])
    given_ = np.stack([a, np.ones_like(a) if b is None else b], axis=1)
    return run_rows(equations, given_, np.array([0.0]), [equations.output("z")], columns=columns).values[:, 0, 0]


def ulps(found: FloatArray, exact: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        return np.abs(found - exact) / np.spacing(np.maximum(np.abs(exact), 2.3e-308))


def exactly(function: Callable[..., object], *arguments: FloatArray) -> FloatArray:
    """mpmath's value, rounded once."""
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    with mpmath.workdps(40):
        return np.array([float(function(*map(mpmath.mpf, map(float, row)))) for row in zip(*arguments, strict=True)])


def test_exp() -> None:
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    a = np.concatenate([np.linspace(-707, 709, 1500), np.random.default_rng(0).normal(size=1500)])
    assert ulps(compiled("exp(a)", a), exactly(mpmath.exp, a)).max() <= 2


def test_log() -> None:
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    rng = np.random.default_rng(0)
    near_one = 1 + rng.normal(size=1500) * 1e-3
    a = np.concatenate([10.0 ** np.linspace(-300, 300, 1500), near_one, rng.uniform(0.5, 2, 500)])
    assert ulps(compiled("ln(a)", a), exactly(mpmath.log, a)).max() < 1.6


def test_pow() -> None:
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    rng = np.random.default_rng(0)
    a, b = 10.0 ** rng.uniform(-20, 20, 3000), rng.uniform(-14, 14, 3000)
    assert ulps(compiled("a^b", a, b), exactly(mpmath.power, a, b)).max() < 8


@pytest.mark.parametrize(
    ("formula", "function"), [("exp(a)", np.exp), ("ln(a)", np.log), ("sqrt(a)", np.sqrt), ("abs(a)", np.abs)]
)
def test_special_values(formula: str, function: Callable[[FloatArray], FloatArray]) -> None:
    a = np.array([*SPECIAL, -0.0, -math.inf])
    with np.errstate(all="ignore"):
        exact = function(a)
    found = compiled(formula, a)
    same = np.isclose(found, exact, rtol=1e-15, atol=2.3e-308) | (np.isnan(found) & np.isnan(exact))
    assert same.all(), list(zip(a[~same], found[~same], exact[~same], strict=True))


def test_special_powers() -> None:
    """Bases -0 and -inf, and infinite powers of negative numbers, aside: there only the C library has rules."""
    a, b = (grid.ravel() for grid in np.meshgrid([*SPECIAL, 3.5, -2.0, -3.5], [*SPECIAL[:7], 3.0, -3.0, 2.5, 1 / 3]))
    a, b = (values[(a >= 0) | np.isfinite(b)] for values in (a, b))
    with np.errstate(all="ignore"):
        exact = np.power(a, b)
    found = compiled("a^b", a, b)
    same = np.isclose(found, exact, rtol=4e-15, atol=2.3e-308) | (np.isnan(found) & np.isnan(exact))
    assert same.all(), list(zip(a[~same], b[~same], found[~same], exact[~same], strict=True))[:12]


FORMULAS = [
    "a + b", "a - b", "a*b", "a/b", "a^2", "a^-3", "a^b", "exp(a)", "ln(a)", "log10(a)", "sqrt(a)", "root(3, a)",
    "abs(a)", "floor(a)", "ceil(a)", "sin(a)", "cos(b)", "tan(a)", "sec(a)", "csc(a)", "cot(a)", "sinh(a)", "cosh(a)",
    "tanh(a)", "arcsin(a)", "arccos(a)", "arctan(a)", "arcsinh(a)", "arccosh(a)", "arctanh(a)", "arccot(a)",
    "arcsec(a)", "sech(a)", "csch(a)", "coth(a)", "min(a, b)", "max(a, b)", "piecewise(a, a > b, b)", "a > b", "a >= b",
    "a == b", "a != b", "piecewise(1, a > 0 && b > 0, 2, a > 0 || b > 0, 3)", "rem(a, b)", "quotient(a, b)",
    "factorial(floor(abs(a)))",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_function_is_what_plain_python_says(formula: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=64) * 3, rng.normal(size=64) * 3
    equations = system(f"a = 1; b = 1; z := {formula};")
    found = compiled(formula, a, b)
    for i in range(len(a)):
        values = {"a": float(a[i]), "b": float(b[i])}
        exact = evaluate(equations.model.rules["z"], values.__getitem__)
        assert found[i] == pytest.approx(exact, rel=1e-12, abs=1e-300, nan_ok=True), values


@given(st.floats(width=64), st.floats(width=64))
@settings(max_examples=200, deadline=None)
def test_no_input_crashes_arithmetic(a: float, b: float) -> None:
    if math.isnan(a) or math.isnan(b) or math.isinf(b) or a == -math.inf or (a == 0 and math.copysign(1, a) < 0):
        return
    for formula, plain in (("a^b", np.power), ("exp(a)*b", lambda x, y: np.exp(x) * y)):
        with np.errstate(all="ignore"):
            exact = plain(np.float64(a), np.float64(b))
        found = compiled(formula, np.array([a]), np.array([b]))[0]
        assert np.isclose(found, exact, rtol=1e-13, atol=2.3e-308) or (np.isnan(found) and np.isnan(exact)), (a, b)
