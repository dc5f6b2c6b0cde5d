"""Profiles, directions, ensembles and samples against what is known of simple likelihoods."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.estimation.objective import Derivatives
from pathsim.estimation.profile import PROFILES_FILE
from pathsim.estimation.sample import autocorrelation_time, split_r_hat


class Bowl:
    """(theta - m)' H (theta - m) / 2 between bounds."""

    def __init__(self, H: list[list[float]], centre: list[float], reach: float = 20.0) -> None:
        self.H, self.m = np.array(H), np.array(centre)
        self.names = tuple("abcd"[: len(centre)])
        self.scales = ("lin",) * len(centre)
        self.lower, self.upper = np.full(len(centre), -reach), np.full(len(centre), reach)

    def value(self, theta: FloatArray) -> tuple[float, str]:
        d = theta - self.m
        return 0.5 * float(d @ self.H @ d), ""

    def derivatives(self, theta: FloatArray) -> Derivatives:
        return Derivatives(self.value(theta)[0], self.H @ (theta - self.m), self.H)


H = [[4.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]]


def test_intervals_of_a_quadratic_are_exact() -> None:
    fit = ps.fit(Bowl(H, [1.0, -2.0, 0.5]), starts=2, workers=1)
    found = ps.profile(fit, workers=1)
    half = 1.959964 * np.sqrt(np.diag(np.linalg.inv(np.array(H))))
    np.testing.assert_allclose(found.table["upper"] - found.table["estimate"], half, rtol=2e-3)
    np.testing.assert_allclose(found.table["estimate"] - found.table["lower"], half, rtol=2e-3)
    assert set(found.table["verdict"]) == {"identifiable"}
    for one in found.profiles:  # every point is the minimum over the others
        k = fit.names.index(one.name)
        variance = np.linalg.inv(np.array(H))[k, k]
        expected = (np.array(one.theta) - fit.theta[k]) ** 2 / (2 * variance)
        np.testing.assert_allclose(np.array(one.values), expected, atol=2e-3)


def test_open_sides_and_bounds_are_told_apart() -> None:
    product = [[1.0, 1.0], [1.0, 1.0]]  # only a + b is known
    fit = ps.fit(Bowl(product, [0.0, 0.0], reach=5.0), starts=1, workers=1)
    table = ps.profile(fit, workers=1).table
    assert set(table["verdict"]) == {"practically unidentifiable"}
    assert table["open_below"].all()
    assert table["open_above"].all()
    pushed = ps.fit(Bowl([[1.0]], [9.0], reach=5.0), starts=1, workers=1)
    row = ps.profile(pushed, workers=1).table.iloc[0]
    assert row["verdict"] == "at bound"
    assert row["open_above"]
    assert not row["open_below"]


def test_an_interval_that_ends_where_another_parameter_meets_its_bound_says_so() -> None:
    bowl = Bowl([[1.0, 1.0], [1.0, 1.0]], [0.0, 0.0])  # only a + b is known, and b lies within 5
    bowl.lower[1], bowl.upper[1] = -5.0, 5.0
    table = ps.profile(ps.fit(bowl, starts=1, workers=1), ["a"], workers=1).table
    row = table.iloc[0]
    assert row["verdict"] == "identifiable"
    assert row["upper"] == pytest.approx(5 + 1.96, abs=0.05)
    assert row["bounded_by"] == "lower end by the bound of b; upper end by the bound of b"
    free = ps.profile(ps.fit(Bowl(H, [1.0, -2.0, 0.5]), starts=1, workers=1), ["a"], workers=1).table
    assert free["bounded_by"].iloc[0] == ""


def test_profiles_are_kept_and_not_computed_twice(tmp_path: Path) -> None:
    fit = ps.fit(Bowl(H, [1.0, -2.0, 0.5]), starts=1, workers=1)
    first = ps.profile(fit, ["b"], workers=1, folder=tmp_path)
    (tmp_path / PROFILES_FILE).open("a").write('{"torn": ')
    seen: list[str] = []
    second = ps.profile(fit, workers=1, folder=tmp_path, report=lambda p: seen.append(p.name))
    assert seen == ["a", "c"]
    assert second.table.set_index("parameter").loc["b"].equals(first.table.set_index("parameter").loc["b"])
    with pytest.raises(ps.InputError, match="unknown parameter 'bb'"):
        ps.profile(fit, ["bb"])


def test_directions_name_what_only_appears_as_a_product() -> None:
    fit = ps.fit(Bowl([[1.0, 1.0, 0], [1.0, 1.0, 0], [0, 0, 100.0]], [0.0, 0.0, 0.0], reach=5.0), starts=1, workers=1)
    table = ps.identifiability_report(fit).table
    assert list(table["kind"]) == ["stiff", "stiff", "blind"]
    assert table["meaning"][0] == "c (+1)"
    last = table.iloc[-1]
    assert last["a"] == pytest.approx(-last["b"])
    assert table["sd"][0] == pytest.approx(0.1)


def test_a_parameter_that_no_longer_matters_is_no_matter_of_structure() -> None:
    """exp(-k t) is 0 at all times once k is large: flat there, although k is seen where it is small."""

    class Saturated:
        names, scales = ("k", "other"), ("log10", "lin")
        lower, upper = np.array([-3.0, -1.0]), np.array([3.0, 1.0])

        def value(self, theta: FloatArray) -> tuple[float, str]:
            return 0.5 * float(np.sum((np.exp(-(10.0 ** theta[0]) * self.t) / 0.1) ** 2)), ""

        t = np.array([1.0, 2.0, 3.0])

        def derivatives(self, theta: FloatArray) -> Derivatives:
            k = 10.0 ** theta[0]
            r = np.exp(-k * self.t) / 0.1
            J = np.stack([-k * self.t * r * math.log(10), 0 * r], axis=1)
            return Derivatives(self.value(theta)[0], J.T @ r, J.T @ J)

    fit = ps.fit(Saturated(), starts=2, workers=1)
    assert fit.parameters["k"] > 10
    assert set(ps.identifiability_report(fit).sentences) == {"other: the data say nothing about it"}


def test_an_ensemble_has_the_spread_of_the_likelihood() -> None:
    fit = ps.fit(Bowl(H, [1.0, -2.0, 0.5]), starts=1, workers=1)
    members = ps.posterior_ensemble(fit, size=2000, seed=1, draws=4000)
    np.testing.assert_allclose(np.cov(members.theta.T), np.linalg.inv(np.array(H)), atol=0.12)
    assert members.effective > 3500
    found = ps.prediction_intervals(lambda p: [p["a"], p["a"] + p["b"]], members.parameters, level=0.95).of(np.asarray)
    covariance = np.linalg.inv(np.array(H))
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * math.sqrt(covariance[0, 0]), rel=0.1)
    assert found.value[1] == pytest.approx(-1.0, abs=0.1)


def test_samples_have_the_spread_of_the_posterior_and_say_how_far_to_trust_them() -> None:
    pytest.importorskip("emcee")
    fit = ps.fit(Bowl(H, [1.0, -2.0, 0.5]), starts=1, workers=1)
    drawn = ps.sample(fit, steps=4000, seed=2)
    np.testing.assert_allclose(np.cov(drawn.chain.reshape(-1, 3).T), np.linalg.inv(np.array(H)), atol=0.15)
    assert (drawn.table["r_hat"] < 1.05).all()
    assert 0.2 < drawn.acceptance < 0.9
    again = ps.sample(fit, steps=50, seed=2)
    np.testing.assert_array_equal(again.chain, ps.sample(fit, steps=50, seed=2).chain)


def test_diagnostics_of_chains() -> None:
    rng = np.random.default_rng(0)
    white = rng.standard_normal((4000, 8))
    assert split_r_hat(white) == pytest.approx(1.0, abs=0.01)
    assert autocorrelation_time(white) == pytest.approx(1.0, abs=0.1)
    assert split_r_hat(white + np.arange(8)) > 1.5
    slow = np.zeros((20000, 8))
    for i in range(1, len(slow)):
        slow[i] = 0.9 * slow[i - 1] + rng.standard_normal(8)
    assert autocorrelation_time(slow) == pytest.approx(19.0, rel=0.15)
