"""Mixed tables as one problem: what each row is compared with, exact gradients, and known parameters found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from culture import culture_library, culture_model

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.errors import InputError
from pathsim.estimation import observables
from pathsim.estimation.problem import Problem
from pathsim.estimation.records import Measurement, Observable, Part
from pathsim.experiments.readings import Reading, take_readings
from pathsim.model.maths import evaluate, substitute, symbol
from pathsim.stats.noise import LogNormal, Normal, Robust

TIGHT = ps.Rosenbrock(rtol=1e-9, atol=1e-12)
FREE = ["k_off", "growth", "death", "AKT_total@MCF7"]
DOSES = (30.0, 300.0, 3000.0)
END = 4320.0


@pytest.fixture
def model() -> ps.Model:
    return culture_model()


def read(model: ps.Model, line: str, treatment: str, time: float, readout: str, **changed: float) -> float:
    found = take_readings(model, [Reading(line, treatment, time, readout)], [changed], culture_library(), TIGHT)
    return float(found[0, 0])


def tables(model: ps.Model, noise: float = 0.05, **changed: float) -> list[pd.DataFrame]:
    """Bands, a time course, a dose response, GR values and tumour volumes of a model with other parameters."""
    rng = np.random.default_rng(3)

    def scatter() -> float:
        return float(np.exp(noise * rng.standard_normal()))

    starved = "vehicle for 24 h then IGF1 5 nM"
    bands, course, response, gr, tumours = [], [], [], [], []
    for line in ("T47D", "MCF7"):
        for time in (0.0, 5.0, 15.0, 60.0):
            value = read(model, line, starved, time, "pAKT", **changed)
            bands += [(line, starved, time, "pAKT", gain * value * scatter(), f"gel {gain}") for gain in (800, 3000)]
            course.append((line, starved, time, "pAKT", value * scatter(), 0.05 * value))
        count = {
            0.0: read(model, line, "serum 10 %", 0.0, "cell_count", **changed),
            END: read(model, line, "serum 10 %", END, "cell_count", **changed),
        }
        for dose in DOSES:
            treatment = f"serum 10 % + inhibitor {dose:g} nM"
            end = read(model, line, treatment, END, "cell_count", **changed)
            response.append((line, treatment, END, "viability", 100 * end / count[END] * scatter()))
            rate = np.log2(end / count[0.0]) / np.log2(count[END] / count[0.0])
            gr.append((line, treatment, END, "GR", 2**rate - 1 + noise * rng.standard_normal()))
        for mouse, size in enumerate((90.0, 140.0), start=1):
            for time in (0.0, 2880.0, 5760.0):
                grown = read(model, line, "serum 10 %", time, "cell_count", **changed) / count[0.0]
                tumours.append((line, "serum 10 %", time, "tumour_volume", size * grown * scatter(), mouse))
    schema = ["cell_line", "treatment", "time_min", "readout", "value"]
    return [
        pd.DataFrame(bands, columns=[*schema, "gel"]),
        pd.DataFrame(course, columns=[*schema, "sd"]),
        pd.DataFrame(response, columns=schema),
        pd.DataFrame(gr, columns=schema),
        pd.DataFrame(tumours, columns=[*schema, "replicate"]),
    ]


def differences(problem: Problem, theta: FloatArray) -> FloatArray:
    found = []
    for k in range(len(theta)):
        step = np.eye(len(theta))[k] * 1e-3
        v = [problem.log_likelihood(theta + f * step) for f in (1, -1, 2, -2)]
        found.append((8 * (v[0] - v[1]) - (v[2] - v[3])) / 12e-3)
    return np.array(found)


def check_gradients(problem: Problem, theta: FloatArray) -> None:
    numeric = differences(problem, theta)
    assert np.abs(numeric).min() > 1e-4 * np.abs(numeric).max()
    found = problem.gradient(theta)
    np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-6 * np.abs(numeric).max())
    derivatives = problem.objective().derivatives(theta)
    assert not derivatives.failure
    np.testing.assert_allclose(derivatives.gradient, -found, rtol=1e-6, atol=1e-7 * np.abs(found).max())
    assert np.linalg.eigvalsh(derivatives.fisher).min() > -1e-8 * np.abs(derivatives.fisher).max()


@pytest.mark.parametrize("noise", [None, Robust(0.2), {"pAKT": LogNormal(0.1), "GR": Normal(0.1)}],
                         ids=["estimated", "robust", "by readout"])  # fmt: skip
def test_gradients_of_mixed_tables_agree_with_differences(model: ps.Model, noise: object) -> None:
    made = tables(model, k_off=0.25)
    if isinstance(noise, Robust):
        made = [table for table in made if "GR" not in set(table["readout"])]
    problem = ps.problem(model, made, FREE, noise, background=["pAKT"], library=culture_library(), solver=TIGHT)  # type: ignore[arg-type]
    check_gradients(problem, problem.theta + 0.05)


def test_each_row_is_compared_with_what_it_should_be(model: ps.Model) -> None:
    made = tables(model, noise=0.0)
    problem = ps.problem(model, made, FREE, library=culture_library(), solver=TIGHT)
    assert np.abs(problem.agreement()["residual"]).max() < 1e-3  # measured from the model as it is
    simulated = problem.simulate()
    gr = simulated[simulated["readout"] == "GR"]["value"].to_numpy()
    np.testing.assert_allclose(gr, made[3]["value"], rtol=1e-6)
    volumes = simulated[simulated["readout"] == "tumour_volume"]
    assert (volumes["time_min"] > 0).all()
    assert len(volumes) == 2 * 2 * 2


def test_known_parameters_are_found_again(model: ps.Model) -> None:
    made = tables(model, noise=0.02, k_off=0.3, growth=0.0006)
    problem = ps.problem(model, made, FREE, library=culture_library())
    fit = ps.fit(problem, starts=1, workers=1)
    assert fit.parameters["k_off"] == pytest.approx(0.3, rel=0.1)
    assert fit.parameters["growth"] == pytest.approx(0.0006, rel=0.1)


def test_problems_travel_to_other_processes(model: ps.Model) -> None:
    import pickle

    problem = ps.problem(model, tables(model), FREE, library=culture_library())
    assert pickle.loads(pickle.dumps(problem)).log_likelihood() == problem.log_likelihood()
    posterior = pickle.loads(pickle.dumps(problem.objective()))
    assert posterior.value(problem.theta)[0] == problem.objective().value(problem.theta)[0]


def test_everything_wrong_with_several_tables_is_said_at_once(model: ps.Model) -> None:
    made = tables(model)
    made[2].loc[1, "treatment"] = "serum 10 % + inhibitr 30 nM"
    made[3].loc[2, "readout"] = "GRR"
    with pytest.raises(InputError) as caught:
        ps.problem(model, made, ["k_of"], library=culture_library())
    message = str(caught.value)
    for part in ("table 3: row 3: unknown drug 'inhibitr'", "table 4: row 4: unknown readout 'GRR'", "'k_of'"):
        assert part in message, message


def test_volumes_over_day_0_carry_its_error_along(model: ps.Model) -> None:
    schema = ["cell_line", "treatment", "time_min", "readout", "value", "sd", "replicate"]
    animal = ("T47D", "serum 10 %")
    rows = [
        (*animal, 0.0, "tumour_volume", 100.0, 5.0, "a"),
        (*animal, END, "tumour_volume", 150.0, 9.0, "a"),
        (*animal, 0.0, "tumour_volume", 200.0, 12.0, "b"),
        (*animal, END, "tumour_volume", 220.0, 8.0, "b"),
    ]
    problem = ps.problem(model, pd.DataFrame(rows, columns=schema), ["growth"], library=culture_library())
    (part,) = problem.description.parts
    wanted = [1.5 * np.hypot(5 / 100, 9 / 150), 1.1 * np.hypot(12 / 200, 8 / 220)]
    np.testing.assert_allclose([row.value for row in part.measurements], [1.5, 1.1])
    np.testing.assert_allclose([row.sd for row in part.measurements], wanted)
    np.testing.assert_allclose(problem.predicted()["sigma"], wanted)


def test_an_animal_without_a_first_volume_is_named(model: ps.Model) -> None:
    tumours = tables(model)[4]
    tumours = tumours[(tumours["time_min"] > 0) | (tumours["replicate"] == 1)]
    with pytest.raises(InputError, match="row 6: this animal has no volume at day 0"):
        ps.problem(model, tumours.reset_index(drop=True), FREE, library=culture_library())


FORMULAS = {
    "fold change": (observables.fold_change(symbol("x")), 1),
    "log ratio": (observables.log_ratio(symbol("x")), 1),
    "ratio": (observables.ratio(symbol("x"), symbol("y")), 0),
    "percent": (observables.percent(symbol("x")), 1),
    "GR": (observables.gr_value(symbol("x")), 2),
    "doublings": (observables.doublings_per_day(symbol("x"), 2880.0), 1),
    "area": (observables.area_over_curve(symbol("x"), (1.0, 10.0, 1000.0)), 3),
}
EXPECTED = {
    "fold change": 0.7 / 0.9, "log ratio": np.log(0.7 / 0.9), "ratio": 0.7 / 3.0, "percent": 100 * 0.7 / 0.9,
    "GR": 2 ** (np.log2(0.7 / 0.9) / np.log2(1.1 / 0.9)) - 1, "doublings": 0.5 * np.log2(0.7 / 0.9),
    "area": 1 - (0.7 / 6 + 0.9 / 2 + 1.1 / 3) / 1.3,
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_of_several_rows(name: str) -> None:
    formula, _ = FORMULAS[name]
    rows = [0.7, 0.9, 1.1, 1.3]

    def value(expr: object, row: int) -> float:
        if expr.op == observables.ROW:  # type: ignore[attr-defined]
            return value(expr.args[0], int(expr.args[1].value))  # type: ignore[attr-defined]
        if expr.op == "symbol":  # type: ignore[attr-defined]
            return 3.0 if expr.name == "y" else rows[row]  # type: ignore[attr-defined]
        numbers = [value(arg, row) for arg in expr.args]  # type: ignore[attr-defined]
        names = [f"v{i}" for i in range(len(numbers))]
        plain = expr._replace(args=tuple(map(symbol, names)))  # type: ignore[attr-defined]
        return evaluate(plain, dict(zip(names, numbers, strict=True)).__getitem__)

    assert value(formula, 0) == pytest.approx(EXPECTED[name])


@pytest.mark.parametrize("name", FORMULAS)
def test_gradients_of_formulas_of_several_rows(model: ps.Model, name: str) -> None:
    """A problem from parts, on the experiments of another."""
    base = ps.problem(model, tables(model), FREE, library=culture_library(), solver=TIGHT)
    formula, others = FORMULAS[name]
    formula = substitute(formula, {"x": symbol("cell_count"), "y": symbol("pAKT")})
    part = base.description.parts[0]
    ids = [one for one in part.experiments if "serum" in one]
    table = pd.DataFrame({"value": [0.4] * len(ids)})
    rows = []
    for i, one in enumerate(ids):
        further = tuple((ids[(i + j) % len(ids)], END / (1 + j)) for j in range(1, others + 1))
        rows.append(Measurement("o", one, END, 0.4, others=further, sd=0.1))
    made = Part(model, {"o": Observable("o", formula, family=Normal())}, part.experiments, tuple(rows), table)
    problem = Problem(replace(base.description, parts=(made,)), TIGHT)
    theta = problem.theta + 0.05
    numeric = differences(problem, theta)
    np.testing.assert_allclose(problem.gradient(theta), numeric, rtol=1e-5, atol=1e-5 * np.abs(numeric).max())
