"""Results do not depend on the units a model is written in, and values far below one are as right as any."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from small_models import FloatArray, course, rows, system

from pathsim.solve import Rosenbrock, settle_rows
from pathsim.solve.sensitivities.forward import run_sensitivities

TIMES = np.array([0.0, 0.3, 1.0, 2.5, 4.0, 7.0, 20.0])
FACTORS = (1e-12, 1e-7, 1e-3, 1e4, 1e12)
OUTPUTS = ["S", "E", "C", "P", "Q", "D"]


def text(substance: float = 1.0, volume: float = 1.0, time: float = 1.0) -> str:
    """An enzyme with a dose, a product from nothing, a chain that is empty at first and a trace that grows."""
    m, v, t = substance, volume, time
    c = m / v  # unit of concentrations
    return (
        f"compartment V = {2 * v!r}; species S in V = {5 * c!r}, E in V = {0.3 * c!r}, C in V = 0, P in V = 0,"
        f"Q in V = 0, D in V = {1e-8 * c!r}; kf = {1.1 / c / t!r}; kr = {0.4 / t!r}; kc = {2 / t!r}; n = 1.7;"
        f"K = {0.8 * c!r}; g = {1.5 / t!r}; top = {0.5 * c!r}; when = {3 * t!r}; dose = {2.5 * c!r};"
        "b: S + E -> C; V*(kf*S*E - kr*C); d: C -> E + P; V*kc*C; q: P -> Q; V*kc*K*P^n/(K^n + P^n);"
        "u: Q -> ; V*kr*Q; f: -> D; V*g*D*(1 - D/top); at time > when: S = S + dose;"
    )


def found(solver: Rosenbrock, substance: float = 1.0, volume: float = 1.0, time: float = 1.0) -> FloatArray:
    return course(text(substance, volume, time), TIMES * time, OUTPUTS, solver) / (substance / volume)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("quantity", ["substance", "volume", "time"])
def test_units_do_not_matter(quantity: str, factor: float) -> None:
    solver = Rosenbrock()
    plain = found(solver)
    other = found(solver, **{quantity: factor})
    assert np.max(np.abs(other - plain) / plain.max(axis=0)) < 10 * solver.rtol
    exact = found(Rosenbrock(1e-10, 1e-16))
    assert np.max(np.abs(plain - exact) / plain.max(axis=0)) < 10 * solver.rtol


@pytest.mark.parametrize("factor", [1e-12, 1e12])
@pytest.mark.parametrize("quantity", ["substance", "volume", "time"])
def test_units_do_not_matter_to_gradients(quantity: str, factor: float) -> None:
    """By relative changes of constants, so that they have the unit of the outputs."""
    solver, found = Rosenbrock(), []
    for scale in (1.0, factor):
        units = {quantity: scale}
        equations = system(text(**units))
        raw = equations.raw()
        names = ["kf", "kr", "kc", "n", "K", "g", "top", "when", "dose", "S", "E", "D"]
        seeds = np.zeros((1, len(raw), len(names)))
        for d, name in enumerate(names):
            seeds[0, equations.slot(name), d] = raw[equations.slot(name)]
        times = TIMES * (scale if quantity == "time" else 1.0)
        done = run_sensitivities(equations, raw[None], times, equations.outputs(OUTPUTS), seeds, solver)
        unit = scale if quantity == "substance" else 1 / scale if quantity == "volume" else 1.0
        found.append(done.sensitivities.values[0] / unit)
    size = np.abs(found[0]).max(axis=(0, 2))[None, :, None]
    assert np.max(np.abs(found[1] - found[0]) / size) < 100 * solver.rtol


@pytest.mark.parametrize("factor", FACTORS)
def test_units_do_not_matter_to_steady_states(factor: float) -> None:
    states = []
    for scale in (1.0, factor):
        equations = system(
            f"compartment V = 1; species A in V = {scale!r}, B in V = 0, C in V = 0; k = 0.3; m = {0.2 * scale!r};"
            "r: A -> B; k*A; s: B -> A; 0.1*B; x: -> C; m*B/(B + m); y: C -> ; 0.5*C;"
        )
        done = settle_rows(equations, equations.raw()[None], equations.outputs(["A", "B", "C"]))
        assert done.status[0] == 0, done.sentence(0)
        states.append(done.values[0, 0] / scale)
    np.testing.assert_allclose(states[1], states[0], rtol=1e-9)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("start", ["A = 3", "A = 0"])
@pytest.mark.parametrize("events", [False, True])
def test_the_unit_of_time_does_not_matter_to_steady_states(factor: float, start: str, events: bool) -> None:
    """A fast exchange, a slow way out seven powers of ten below it, and states that are all empty at first; with events
    there are no last digits by Newton's method."""
    solver, states = Rosenbrock(), []
    for unit in (1.0, factor):
        equations = system(
            f"compartment V = 1; species {start}; species B = 0, C = 0, D = 0; f = {1e3 / unit!r}; s = {1e-4 / unit!r};"
            "r: A -> B; f*A; q: B -> A; 0.5*f*B; w: -> A; 2*s;"
            "x: B -> C; s*B^2/(B + 1); y: C -> D; 0.3*s*C; z: D -> ; s*D;" + f"at time > {unit!r}: A = A + 1;" * events
        )
        done = settle_rows(equations, equations.raw()[None], equations.outputs(["A", "B", "C", "D"]), solver)
        assert done.status[0] == 0, done.sentence(0)
        states.append(done.values[0, 0])
    b = 1 + 3**0.5  # b^2 = 2 (b + 1)
    np.testing.assert_allclose(states, [[b * 0.5 + 1e-7 * 2, b, 20 / 3, 2]] * 2, rtol=10 * solver.rtol)


def test_growth_from_a_trace_in_moles_per_litre() -> None:
    """Everything stays below 1e-9 for most of the time; the closed form of logistic growth."""
    model = "X -> 2 X; r*X*(1 - X/K); Y -> ; k*X*Y; X = 1e-15; Y = 1e-7; r = 0.6; K = 5e-7; k = 1e6;"
    t = np.array([0.0, 10, 20, 30, 40, 60])
    r, K, x0, y0, k = 0.6, 5e-7, 1e-15, 1e-7, 1e6
    x = K / (1 + (K / x0 - 1) * np.exp(-r * t))
    y = y0 * np.exp(-k * K / r * np.log1p(x0 / K * np.expm1(r * t)))
    got = course(model, t, ["X", "Y"], Rosenbrock())
    assert np.max(np.abs(got - np.stack([x, y], axis=1)) / [x.max(), y.max()]) < 1e-5


def test_a_model_that_is_empty_until_it_makes_something() -> None:
    """Nine states one after another, all zero at first; the last is the gamma distribution's tail."""
    names = [f"x{i}" for i in range(9)]
    lines = ["x0 = 0; x0' = 1e-9 - x0;"] + [f"{b} = 0; {b}' = {a} - {b};" for a, b in pairwise(names)]
    t = np.array([0.0, 1.0, 3.0, 10.0, 40.0])
    from scipy.special import gammainc

    got = course(" ".join(lines), t, names, Rosenbrock())
    exact = np.stack([1e-9 * gammainc(i + 1, t) for i in range(9)], axis=1)
    assert np.max(np.abs(got - exact)) < 1e-5 * 1e-9
    dosed = course(
        " ".join(lines).replace("1e-9 - x0", "-x0") + "at time > 5: x0 = 1e-9;", t, ["x0", "x8"], Rosenbrock()
    )
    assert dosed[3, 0] == pytest.approx(1e-9 * np.exp(-5), rel=1e-5)


def test_a_row_has_its_own_scale() -> None:
    """What a row gives does not depend on its neighbours, however large they are."""
    settings = [{"S": 5.0 * f, "E": 0.3 * f} for f in (1e-9, 1.0, 1e9, 1e-3) * 6]
    together = rows(text(), TIMES, OUTPUTS, Rosenbrock(), settings)
    for i in (0, 1, 2, 3, 10):
        alone = rows(text(), TIMES, OUTPUTS, Rosenbrock(), settings[i : i + 1])
        assert np.array_equal(together.values[i], alone.values[0], equal_nan=True)


def test_an_explicit_tolerance_is_meant_literally() -> None:
    """Values far below it are not controlled, by their user's choice."""
    loose = course("x = 1e-9; x' = x;", [0, 5], ["x"], Rosenbrock(1e-6, 1.0))[-1, 0]
    own = course("x = 1e-9; x' = x;", [0, 5], ["x"], Rosenbrock())[-1, 0]
    assert own == pytest.approx(1e-9 * np.exp(5), rel=1e-5)
    assert loose != pytest.approx(1e-9 * np.exp(5), rel=1e-5)
