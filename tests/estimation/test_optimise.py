"""Searches on objectives whose optimum is known, and what happens when evaluations fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.estimation.objective import Derivatives, checked
from pathsim.estimation.optimise import Eigen, Ledger, Models, bounded_step, bounded_steps, minimise, region_steps
from pathsim.estimation.questions import alone
from pathsim.estimation.result import STARTS_FILE


class Curve:
    """y = a exp(-k t) with known noise, a and k on log10 scale; fails where k is above ``wall``."""

    names = ("a", "k")
    scales = ("log10", "log10")

    def __init__(self, wall: float = math.inf, nan_gradient: bool = False, noise: float = 0.1) -> None:
        self.lower, self.upper = np.array([-2.0, -3.0]), np.array([3.0, 2.0])
        self.t = np.linspace(0, 5, 12)
        self.sigma, self.wall, self.nan_gradient = noise, wall, nan_gradient
        self.y = 2.0 * np.exp(-0.5 * self.t) + noise * np.random.default_rng(1).standard_normal(12)

    def _residuals(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        a, k = 10.0**theta
        model = a * np.exp(-k * self.t)
        jacobian = np.stack([model, -k * self.t * model], axis=1) * math.log(10) / self.sigma
        return (model - self.y) / self.sigma, jacobian

    def value(self, theta: FloatArray) -> tuple[float, str]:
        if 10.0 ** theta[1] > self.wall:
            return math.inf, "k = 3.7 is beyond the wall"
        return 0.5 * float(np.sum(self._residuals(theta)[0] ** 2)), ""

    def derivatives(self, theta: FloatArray) -> Derivatives:
        value, why = self.value(theta)
        if why:
            return Derivatives.failed(2, why)
        r, J = self._residuals(theta)
        gradient = J.T @ r * (math.nan if self.nan_gradient else 1.0)
        return checked(Derivatives(value, gradient, J.T @ J))


def optimum(curve: Curve) -> FloatArray:
    from scipy.optimize import least_squares

    return np.asarray(least_squares(lambda x: curve._residuals(x)[0], [0.3, -0.3], xtol=1e-14, ftol=1e-14).x)


@pytest.mark.parametrize("optimiser", [ps.search.TrustRegion(), ps.LBFGSB()], ids=lambda o: type(o).__name__)
def test_every_optimiser_finds_the_optimum(optimiser: object) -> None:
    curve = Curve()
    ended = alone(curve, minimise(Ledger(curve), np.array([1.0, -1.0]), optimiser))  # type: ignore[arg-type]
    np.testing.assert_allclose(ended.theta, optimum(curve), atol=2e-4)
    assert ended.converged


def test_region_step_is_the_constrained_minimum() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        A = rng.standard_normal((4, 4))
        H, g, radius = A @ A.T, rng.standard_normal(4), 0.3 * rng.random() + 0.01
        step = region_steps(g[None], Eigen.of(H[None]), np.array([radius]))[0]
        assert np.linalg.norm(step) <= radius * 1.001
        best = g @ step + 0.5 * step @ H @ step
        for _ in range(200):
            other = rng.standard_normal(4)
            other *= radius * rng.random() / np.linalg.norm(other)
            assert best <= g @ other + 0.5 * other @ H @ other + 1e-3 * abs(best)


def test_bounded_step_keeps_bounds_and_promises_what_the_model_says() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        A = rng.standard_normal((5, 5))
        H, g = A @ A.T, rng.standard_normal(5)
        theta = rng.random(5)
        theta[0], theta[1] = 0.0, 1.0
        step, expected = bounded_step(g, H, theta, np.zeros(5), np.ones(5), 0.8)
        assert ((theta + step >= -1e-12) & (theta + step <= 1 + 1e-12)).all()
        assert expected == pytest.approx(-(g @ step + 0.5 * step @ H @ step))
        assert expected > 0


def test_steps_of_many_models_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(5)
    roots = rng.standard_normal((6, 4, 5))  # of rank 4, so that some Hessians are singular
    models = Models(rng.standard_normal((6, 5)), roots.transpose(0, 2, 1) @ roots, rng.uniform(0, 1, (6, 5)))
    models.hessians[3] -= 2.0 * np.eye(5)  # curved downwards
    models.thetas[:, 0] = 0.0
    which, radii = np.repeat(np.arange(6), 3), np.tile([0.1, 0.5, 3.0], 6)
    steps, expected = bounded_steps(models, which, radii, np.zeros(5), np.ones(5))
    for i, radius, step, promised in zip(which, radii, steps, expected, strict=True):
        one, own = bounded_step(*(part[i] for part in models), np.zeros(5), np.ones(5), radius)
        np.testing.assert_allclose(step, one, atol=1e-12)
        assert promised == pytest.approx(own)
        assert promised >= 0


def test_failing_evaluations_are_rejected_steps_with_counted_reasons() -> None:
    curve = Curve(wall=0.6)
    ledger = Ledger(curve)
    ended = alone(ledger.objective, minimise(ledger, np.array([2.5, -2.9]), ps.search.TrustRegion()))
    np.testing.assert_allclose(ended.theta, optimum(curve), atol=2e-4)
    fit = ps.fit(curve, starts=4, workers=1, candidates=3)
    assert sum(start.resampled for start in fit.starts) > 0
    assert any("beyond the wall" in reason for start in fit.starts for reason in start.failures)
    assert all("3.7" not in reason for start in fit.starts for reason in start.failures)


def test_a_gradient_that_is_nan_never_reaches_the_optimiser() -> None:
    curve = Curve(nan_gradient=True)
    ended = alone(curve, minimise(Ledger(curve), np.array([0.0, 0.0]), ps.search.TrustRegion()))
    assert not ended.converged
    assert "gradient is not finite" in ended.message


def test_nothing_to_start_from_is_an_error_with_the_reason() -> None:
    with pytest.raises(ps.SimulationError, match="beyond the wall"):
        ps.fit(Curve(wall=1e-9), starts=2, workers=1)


def test_too_few_iterations_are_said() -> None:
    ended = alone(Curve(), minimise(Ledger(Curve()), np.array([2.5, 1.5]), ps.search.TrustRegion(most=2)))
    assert not ended.converged
    assert "2 iterations were not enough" in ended.message


def test_results_do_not_depend_on_workers() -> None:
    one, two = (ps.fit(Curve(), starts=5, seed=3, workers=workers) for workers in (1, 2))
    assert [(s.number, s.theta, s.value) for s in one.starts] == [(s.number, s.theta, s.value) for s in two.starts]


def test_a_killed_fit_goes_on(tmp_path: Path) -> None:
    whole = ps.fit(Curve(), starts=5, seed=1, workers=1)
    ps.fit(Curve(), starts=2, seed=1, workers=1, folder=tmp_path)
    path = tmp_path / STARTS_FILE
    with open(path, "a") as file:
        file.write('{"number": 2, "theta": [1.0')  # a line torn by the kill
    seen: list[int] = []
    resumed = ps.fit(
        Curve(),
        starts=5,
        seed=1,
        workers=1,
        folder=tmp_path,
        resume=True,
        report=lambda start: seen.append(start.number),
    )
    assert seen == [2, 3, 4]
    assert [(s.number, s.value) for s in resumed.starts] == [(s.number, s.value) for s in whole.starts]
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 5
    again = ps.load_fit(tmp_path, Curve())
    assert again.parameters == resumed.parameters
    with pytest.raises(ps.InputError, match="another problem"):
        ps.load_fit(tmp_path, Curve(noise=0.2))
    with pytest.raises(ps.InputError, match="already holds a fit"):
        ps.fit(Curve(), starts=2, workers=1, folder=tmp_path)


def test_the_table_has_one_row_per_start_best_first() -> None:
    fit = ps.fit(Curve(), starts=3, workers=1)
    assert list(fit.table["start"]) == [start.number for start in fit.starts]
    assert fit.table["log_likelihood"].is_monotonic_decreasing
    assert fit.table["a"][0] == pytest.approx(10 ** fit.theta[0])
    assert "starts within 0.1" in fit.summary


SHORT = ps.search.TrustRegion(radius=0.2)


class Valleys:
    """Two valleys, near 1 and, less deep, near 3."""

    names, scales = ("x",), ("lin",)
    lower, upper = np.array([-4.0]), np.array([4.0])

    def value(self, theta: FloatArray) -> tuple[float, str]:
        x = float(theta[0])
        return (x - 1) ** 2 * (x - 3) ** 2 + 0.2 * x, ""

    def derivatives(self, theta: FloatArray) -> Derivatives:
        x = float(theta[0])
        slope = 4 * (x - 1) * (x - 2) * (x - 3) + 0.2
        return Derivatives(self.value(theta)[0], np.array([slope]), np.array([[4.0]]))


def test_a_restart_leaves_a_valley_and_never_loses_what_was_found() -> None:
    def found(first: float, restarts: int) -> tuple[float, int]:
        fit = ps.fit(Valleys(), 1, workers=1, optimiser=SHORT, first=[[first]], restarts=restarts)
        return fit.best.theta[0], fit.best.iterations

    stuck, left, kept = found(3.5, 0), found(3.5, 1), found(0.5, 2)
    assert stuck[0] == pytest.approx(2.974, abs=1e-2)
    assert left[0] == pytest.approx(0.974, abs=1e-2)
    assert left[1] > stuck[1]
    assert kept[0] == pytest.approx(left[0], abs=1e-4)
    with pytest.raises(ps.InputError, match="restarts is -1; give a whole number of at least 0"):
        found(3.5, -1)
