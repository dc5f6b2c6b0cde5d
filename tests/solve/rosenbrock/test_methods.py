"""The method itself: its order measured, its compiled step against its reference, its accuracy on solved problems."""

from __future__ import annotations

import math

import numpy as np
import pytest
from one_attempt import distances
from small_models import course, rows, system
from stiff_problems import HIRES, OREGO

from pathsim.solve import LSODA, Rosenbrock
from pathsim.solve.reference.functions import ReferenceFunctions
from pathsim.solve.reference.steps import one_step
from pathsim.solve.rosenbrock.tableau import RODAS5P

BERNOULLI = "x' = -x + sin(time)*x^2; x = 0.5;"  # 1/x = (sin t + cos t)/2 + 1.5 e^t
LINEAR = "a' = -3*a + b; b' = a - 2*b; c' = b - c*exp(-time); a = 1; b = 2; c = 0.5;"
DRIVEN = "x' = -50*(x - cos(time)) - sin(time); x = 1;"  # x = cos t
DENSE = "u' = -u*v; v' = u*v - v*w; w' = v*w - 0.1*w + exp(-u)/(1 + w^1.5); u = 1; v = 0.2; w = 0.3;"


def bernoulli(t: float) -> float:
    return 1 / ((math.sin(t) + math.cos(t)) / 2 + 1.5 * math.exp(t))


def test_the_order_of_fixed_steps_is_five() -> None:
    functions = ReferenceFunctions(system(BERNOULLI), [])
    sizes, errors = 2.0 ** -np.arange(1, 6), []
    for h in sizes:
        x, p = np.array([0.5]), np.array([])
        for i in range(round(2 / h)):
            x, _, _ = one_step(functions, i * h, x, p, h, Rosenbrock())
        errors.append(abs(x[0] - bernoulli(2.0)))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(sizes))
    assert np.all(np.abs(slopes[1:] - RODAS5P.order) < 0.35), slopes


def test_the_dense_output_is_of_order_four() -> None:
    functions = ReferenceFunctions(system(BERNOULLI), [])
    sizes, errors = 2.0 ** -np.arange(2, 6), []
    for h in sizes:
        _, _, curve = one_step(functions, 0.0, np.array([0.5]), np.array([]), h, Rosenbrock())
        errors.append(abs(curve(0.4 * h)[0] - bernoulli(0.4 * h)))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(sizes))
    assert np.all(slopes > 4.5), slopes  # the error of one step is one order higher


@pytest.mark.parametrize(
    ("text", "least"), [(BERNOULLI, 4.2), (DENSE, 4.2), (OREGO.text, 3.7)], ids=["bernoulli", "dense", "OREGO"]
)
def test_error_falls_with_about_the_fifth_power_of_the_steps(text: str, least: float) -> None:
    """Stiff problems lose up to one order, as every Rosenbrock method does."""
    names, times = list(system(text).states), np.linspace(0, 20, 9)
    reference = course(text, times, names, Rosenbrock(rtol=1e-12, atol=1e-15))
    steps, errors = [], []
    for rtol in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9):
        done = rows(text, times, names, Rosenbrock(rtol=rtol, atol=1e-2 * rtol))
        steps.append(int(done.steps[0]))
        errors.append(float(np.max(np.abs(done.values[0] - reference) / np.abs(reference).max(axis=0))))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert least < -slope < 6.0, (slope, steps, errors)


@pytest.mark.parametrize("text", [BERNOULLI, LINEAR, DRIVEN, DENSE, HIRES.text], ids=lambda text: text[:20])
def test_the_compiled_step_is_its_reference_to_rounding(text: str) -> None:
    for step, new, inside in distances(text, Rosenbrock(rtol=1e-3, atol=1e-6), RODAS5P):
        assert new < 2e-11, step
        assert inside < 2e-11, step


def test_linear_systems_follow_the_matrix_exponential() -> None:
    from scipy.linalg import expm

    matrix = np.array([[-3.0, 1.0], [1.0, -2.0]])
    times = np.linspace(0, 5, 21)
    exact = np.array([expm(matrix * t) @ [1.0, 2.0] for t in times])
    found = course(LINEAR, times, ["a", "b"])
    assert np.max(np.abs(found - exact)) < 1e-9


def test_exponential_inputs_are_exact() -> None:
    """Pharmacokinetic inputs are formulas in time, not steps: x' = D e^-kt - m x has a closed solution."""
    text = "D = 7; k = 0.3; m = 1.1; x' = D*exp(-k*time) - m*x; x = 0;"
    times = np.linspace(0, 30, 31)
    exact = 7 / (1.1 - 0.3) * (np.exp(-0.3 * times) - np.exp(-1.1 * times))
    assert np.max(np.abs(course(text, times, ["x"])[:, 0] - exact)) < 1e-9
    loose = course(text, times, ["x"], Rosenbrock())[:, 0]
    assert np.max(np.abs(loose - exact)) < 1e-5


@pytest.mark.parametrize("text", [LINEAR, DRIVEN, DENSE], ids=["linear", "driven", "dense"])
def test_engine_and_reference_agree(text: str) -> None:
    names = list(system(text).states)
    times = np.linspace(0, 10, 11)
    assert np.max(np.abs(course(text, times, names) - course(text, times, names, LSODA(1e-12, 1e-14)))) < 1e-8


def test_the_jacobian_is_the_derivative_of_the_rates() -> None:
    equations = system(DENSE)
    functions = ReferenceFunctions(equations, [])
    x, p = np.array([0.7, 0.4, 0.9]), np.array([])
    exact = functions.jacobian(0.3, x, p)
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-6
        up, down = (np.array(functions.rates(0.3, x + sign * step, p)) for sign in (1, -1))
        assert np.allclose(exact[:, j], (up - down) / 2e-6, rtol=1e-7, atol=1e-9)
