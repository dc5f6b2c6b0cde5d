"""What periods, changes and events mean in PEtab version 2, on small models whose solutions are known."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import antimony
import numpy as np
import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

from pathsim.errors import InputError, SimulationError, UnsupportedModelError
from pathsim.estimation.gradients import steps_suit_sensitivities
from pathsim.petab import Problem, load

DECAY = """
model decay
  compartment C = 1;
  species A in C;
  A' = -k*A;
  k = 0.1; a0 = 2;
  A = a0;
end
"""


def _sbml(text: str) -> str:
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
    return str(antimony.getSBMLString(antimony.getMainModuleName()))


def problem(
    folder: Path,
    model: str,
    observables: Sequence[tuple[str, ...]],
    measurements: Sequence[tuple[object, ...]],
    conditions: Sequence[tuple[object, ...]] = (),
    experiments: Sequence[tuple[object, ...]] = (),
    parameters: Sequence[tuple[object, ...]] = (("unused", 0, 10, 1, "false"),),
    mapping: Sequence[tuple[str, str]] = (),
) -> Problem:
    """Write a version 2 problem into ``folder`` and load it.

    Observables are (id, formula, noise, distribution); measurements (observable, experiment, time, value).
    """
    (folder / "model.xml").write_text(_sbml(re.sub(r"\bend\s*$", "unused = 1;\nend", model)))
    tables = {
        "observable": ("observableId observableFormula noiseFormula noiseDistribution", observables),
        "measurement": ("observableId experimentId time measurement", measurements),
        "parameter": ("parameterId lowerBound upperBound nominalValue estimate", parameters),
        "condition": ("conditionId targetId targetValue", conditions),
        "experiment": ("experimentId time conditionId", experiments),
        "mapping": ("petabEntityId modelEntityId", mapping),
    }
    lines = ["format_version: 2.0.0", "model_files: {m: {location: model.xml, language: sbml}}"]
    for name, (header, rows) in tables.items():
        if rows:
            text = [header.split(), *([str(cell) for cell in row] for row in rows)]
            (folder / f"{name}.tsv").write_text("\n".join("\t".join(row) for row in text) + "\n")
            lines.append(f"{name}_files: [{name}.tsv]")
    (folder / "problem.yaml").write_text("\n".join(lines) + "\n")
    return load(folder / "problem.yaml")


def simulated(found: Problem) -> list[float]:
    return [float(value) for value in found.simulate()["simulation"]]


A_ONLY = [("obs", "A", "1", "normal")]


def test_later_periods_keep_what_earlier_ones_set(tmp_path: Path) -> None:
    found = problem(
        tmp_path,
        DECAY,
        A_ONLY,
        [("obs", "e", t, 1) for t in (4, 5, 8, 12)],
        [("slow", "k", 0.2), ("again", "A", 3)],
        [("e", 0, "slow"), ("e", 5, ""), ("e", 8, "again")],
    )
    expected = [2 * math.exp(-0.8), 2 * math.exp(-1), 3, 3 * math.exp(-0.8)]
    np.testing.assert_allclose(simulated(found), expected, rtol=1e-6)


def test_changes_of_the_first_period_come_before_initial_assignments(tmp_path: Path) -> None:
    found = problem(tmp_path, DECAY, A_ONLY, [("obs", "e", 0, 1)], [("c", "a0", 7)], [("e", 0, "c")])
    assert simulated(found) == [7]


def test_initial_assignments_are_not_repeated_in_later_periods(tmp_path: Path) -> None:
    model = """
    model m
      a = 2; b = 3*a; x = 0;
      x' = b;
    end
    """
    found = problem(
        tmp_path,
        model,
        [("obs", "x", "1", "normal"), ("b_", "b", "1", "normal")],
        [("obs", "e", 3, 1), ("b_", "e", 3, 1)],
        [("early", "a", 4), ("late", "a", 100)],
        [("e", 0, "early"), ("e", 1, "late")],
    )
    np.testing.assert_allclose(simulated(found), [36, 12], rtol=1e-7)


def test_the_clock_starts_where_the_experiment_says(tmp_path: Path) -> None:
    model = "model m\n x = 1; x' = time; y := x + time;\nend"
    found = problem(
        tmp_path,
        model,
        [("x_", "x", "1", "normal"), ("y_", "y*time", "1", "normal")],
        [("x_", "e", 5, 1), ("x_", "e", 7, 1), ("x_", "e", 10, 1), ("y_", "e", 10, 1), ("x_", "", 2, 1)],
        [("c", "x", 0)],
        [("e", 5, ""), ("e", 8, "c")],
    )
    at_10 = (100 - 64) / 2
    np.testing.assert_allclose(simulated(found), [1, 1 + 24 / 2, at_10, (at_10 + 10) * 10, 3], rtol=1e-7)


def test_targets_may_depend_on_the_state_and_on_the_table(tmp_path: Path) -> None:
    found = problem(
        tmp_path,
        DECAY,
        [*A_ONLY, ("k_", "k", "1", "normal")],
        [("obs", "e", 5, 1), ("k_", "e", 6, 1), ("obs", "e", 6, 1)],
        [("c", "A", "A + 2*dose"), ("c", "k", "A/10")],
        [("e", 0, ""), ("e", 5, "c")],
        [("dose", 0, 10, 3, "true")],
    )
    left = 2 * math.exp(-0.5)
    np.testing.assert_allclose(simulated(found), [left + 6, left / 10, (left + 6) * math.exp(-left / 10)], rtol=1e-7)


def test_targets_of_the_first_period_may_depend_on_parameters_of_the_table_only(tmp_path: Path) -> None:
    model = "model m\n x = 3; y = 1; x' = 0; y' = 0;\nend"
    measured = [("y_", "y", "1", "normal")], [("y_", "e", 1, 1)]
    found = problem(tmp_path, model, *measured, [("c", "y", "unused^2 + 9")], [("e", 0, "c")])
    np.testing.assert_allclose(simulated(found), [10])
    with pytest.raises(InputError, match=r"(?s)'x' is not in the parameter table.*'y' is not in the parameter table"):
        problem(tmp_path, model, *measured, [("c", "y", "x^2 + y")], [("e", 0, "c")])


def test_events_at_the_start_of_a_period_come_after_its_changes(tmp_path: Path) -> None:
    model = "model m\n x = 1; x' = 0; at (time >= 10): x = x + 1;\nend"
    found = problem(
        tmp_path,
        model,
        [("x_", "x", "1", "normal")],
        [("x_", "e", 9, 1), ("x_", "e", 10, 1), ("x_", "e", 11, 1)],
        [("c", "x", 5)],
        [("e", 0, ""), ("e", 10, "c")],
    )
    np.testing.assert_allclose(simulated(found), [1, 6, 6])


def test_a_trigger_that_stays_true_does_not_fire_again(tmp_path: Path) -> None:
    model = "model m\n x = 0; n = 0; x' = 1; n' = 0; at (x >= 3), t0=false: n = n + 1;\nend"
    found = problem(
        tmp_path,
        model,
        [("n_", "n", "1", "normal")],
        [("n_", "e", t, 1) for t in (2, 4, 6, 9, 12)],
        [("back", "x", 0)],
        [("e", 0, ""), ("e", 5, ""), ("e", 7, "back")],
    )
    np.testing.assert_allclose(simulated(found), [0, 1, 1, 1, 2])


def test_a_change_may_make_a_trigger_true(tmp_path: Path) -> None:
    model = "model m\n x = 0; n = 0; x' = 0; n' = 0; at (x >= 3): n = n + 1;\nend"
    found = problem(
        tmp_path,
        model,
        [("n_", "n", "1", "normal")],
        [("n_", "e", t, 1) for t in (4, 5, 6)],
        [("up", "x", 4)],
        [("e", 0, ""), ("e", 5, "up")],
    )
    np.testing.assert_allclose(simulated(found), [0, 1, 1])


def test_parameters_that_events_changed_are_kept(tmp_path: Path) -> None:
    model = "model m\n x = 0; r = 1; x' = r; at (time >= 2): r = 5;\nend"
    found = problem(
        tmp_path,
        model,
        [("x_", "x", "1", "normal")],
        [("x_", "e", 6, 1)],
        [("c", "x", 0)],
        [("e", 0, ""), ("e", 4, "c")],
    )
    np.testing.assert_allclose(simulated(found), [10], rtol=1e-7)


def test_delayed_events_and_periods_are_refused(tmp_path: Path) -> None:
    model = "model m\n x = 0; x' = 1; at 2 after (time >= 2): x = 5;\nend"
    with pytest.raises(UnsupportedModelError, match="has a delay"):
        problem(
            tmp_path,
            model,
            [("x_", "x", "1", "normal")],
            [("x_", "e", 6, 1)],
            [("c", "x", 0)],
            [("e", 0, ""), ("e", 4, "c")],
        )


def test_a_new_volume_keeps_concentrations_and_amounts_as_each_species_means(tmp_path: Path) -> None:
    model = """
    model m
      compartment C = 2;
      species A in C = 3;
      substanceOnly species B in C = 8;
      A -> ; k*A*C;
      k = 0;
    end
    """
    found = problem(
        tmp_path,
        model,
        [("a_", "A", "1", "normal"), ("b_", "B", "1", "normal"), ("c_", "C", "1", "normal")],
        [(name, "e", t, 1) for t in (1, 6) for name in ("a_", "b_", "c_")],
        [("c", "C", 4)],
        [("e", 0, ""), ("e", 5, "c")],
    )
    np.testing.assert_allclose(simulated(found), [3, 8, 2, 3, 8, 4])


def test_a_new_volume_keeps_concentrations_of_species_integrated_as_amounts(tmp_path: Path) -> None:
    model = """
    model m
      compartment C = 2;
      species A in C = 3;
      species S in C = 6;
      A -> ; 0;
      S -> ; 0;
      at (time >= 100): C = 1;
    end
    """
    found = problem(
        tmp_path,
        model,
        [("a_", "A", "1", "normal"), ("s_", "S", "1", "normal")],
        [("a_", "e", 6, 1), ("s_", "e", 6, 1), ("a_", "e", 101, 1)],
        [("c", "C", 4), ("c", "S", 5)],
        [("e", 0, ""), ("e", 5, "c")],
    )
    np.testing.assert_allclose(simulated(found), [3, 5, 12])


def test_nothing_that_is_timed_happens_before_the_clock_starts(tmp_path: Path) -> None:
    model = """
    model m
      x = 0; x' = dose - x;
      dose := piecewise(3, time >= 1, 1);
      n = 0; n' = 0;
      at (time >= 2): n = n + 1;
    end
    """
    found = problem(
        tmp_path,
        model,
        [("x_", "x", "1", "normal"), ("n_", "n", "1", "normal")],
        [("x_", "e", 0, 1), ("x_", "e", 1, 1), ("x_", "e", 3, 1), ("n_", "e", 1.5, 1), ("n_", "e", 3, 1)],
        [("c", "n", 0)],
        [("e", "-inf", ""), ("e", 0, "c")],
    )
    np.testing.assert_allclose(simulated(found), [1, 1, 3 - 2 * math.exp(-2), 0, 1], rtol=1e-6)


def test_the_clock_stands_while_cells_come_to_rest(tmp_path: Path) -> None:
    model = "model m\n x = 0; x' = 2 + exp(-time) + piecewise(1, time >= 0, 0) - x;\nend"
    found = problem(
        tmp_path,
        model,
        [("x_", "x", "1", "normal")],
        [("x_", "e", 0, 1), ("x_", "e", 1, 1)],
        [("c", "x", "x")],
        [("e", "-inf", ""), ("e", 0, "c")],
    )
    np.testing.assert_allclose(simulated(found), [3, 3 + math.exp(-1)], rtol=1e-6)


def test_a_steady_state_may_come_first_and_last(tmp_path: Path) -> None:
    model = "model m\n x = 1; x' = s - d*x; s = 2; d = 0.5;\nend"
    found = problem(
        tmp_path,
        model,
        [("x_", "x", "1", "normal")],
        [("x_", "e", 0, 1), ("x_", "e", 2, 1), ("x_", "e", "inf", 1), ("x_", "f", "inf", 1)],
        [("rest", "d", 0.25), ("push", "s", 6)],
        [("e", "-inf", "rest"), ("e", 0, "push"), ("f", 3, "push")],
    )
    np.testing.assert_allclose(simulated(found), [8, 24 - 16 * math.exp(-0.5), 24, 12], rtol=1e-6)


def test_the_noise_may_refer_to_its_observable_and_to_states(tmp_path: Path) -> None:
    found = problem(
        tmp_path,
        DECAY,
        [("twice", "2*A", "0.1*twice + floor_", "laplace"), ("more", "2*A + 1", "2*A", "log-laplace")],
        [("twice", "", 0, 5), ("more", "", 0, 6)],
        parameters=[("floor_", 0, 10, 0.5, "true")],
    )
    assert simulated(found) == [4, 5]
    noise = 0.1 * 4 + 0.5
    expected = -math.log(2 * noise) - 1 / noise - math.log(2 * 4 * 6) - abs(math.log(5 / 6)) / 4
    assert found.log_likelihood() == pytest.approx(expected, rel=1e-9)
    assert found.chi2() == pytest.approx((1 / noise) ** 2 + (math.log(5 / 6) / 4) ** 2)


def test_formulas_that_refer_to_other_observables_are_refused(tmp_path: Path) -> None:
    """PEtab's formulas are over the model and the parameter table."""
    with pytest.raises(InputError, match=r"(?s)'a'\): unknown name 'b'.*'b'\): unknown name 'a'"):
        problem(tmp_path, DECAY, [("a", "b", "1", "normal"), ("b", "a", "1", "normal")], [("a", "", 0, 1)])


def test_mapping_gives_names_to_local_parameters(tmp_path: Path) -> None:
    model = "model m\n species A; A = 1; J: A -> ; J_k*A; J_k = 1;\nend"
    text = _sbml(model).replace('<parameter id="J_k" value="1" constant="true"/>', "")
    local = '<listOfLocalParameters><localParameter id="k" value="1"/></listOfLocalParameters></kineticLaw>'
    text = text.replace("</kineticLaw>", local).replace("J_k", "k")
    with pytest.raises(InputError, match=r"'rate'\): neither the model nor"):  # this model has no such reaction
        problem(
            tmp_path,
            DECAY,
            A_ONLY,
            [("obs", "", 1, 1)],
            parameters=[("rate", 0, 10, 0.5, "true")],
            mapping=[("rate", "J.k")],
        )
    (tmp_path / "model.xml").write_text(text)
    found = load(tmp_path / "problem.yaml")
    np.testing.assert_allclose(simulated(found), [math.exp(-0.5)], rtol=1e-6)


def test_two_models_share_parameters(tmp_path: Path) -> None:
    problem(tmp_path, DECAY, A_ONLY, [("obs", "", 1, 1)], parameters=[("k", 0, 10, 0.5, "true")])
    (tmp_path / "growth.xml").write_text(_sbml("model growth\n A = 1; A' = k*A; k = 1;\nend"))
    text = (tmp_path / "problem.yaml").read_text()
    second = "model_files: {m: {location: model.xml, language: sbml}, g: {location: growth.xml, language: sbml}}"
    (tmp_path / "problem.yaml").write_text(text.replace(text.splitlines()[1], second))
    (tmp_path / "measurement.tsv").write_text(
        "modelId\tobservableId\texperimentId\ttime\tmeasurement\ng\tobs\t\t1\t2\nm\tobs\t\t1\t1\ng\tobs\t\t2\t3\n"
    )
    found = load(tmp_path / "problem.yaml")
    np.testing.assert_allclose(simulated(found), [math.exp(0.5), 2 * math.exp(-0.5), math.exp(1)], rtol=1e-6)
    grown, left = math.exp(0.5), math.exp(-0.5)
    derivative = (2 - grown) * grown + (2 * left - 1) * 2 * left + (3 - grown**2) * 2 * grown**2
    assert found.gradient()[0] == pytest.approx(derivative, rel=1e-6)


def test_two_problems_of_version_1_share_parameters(tmp_path: Path) -> None:
    tables = {
        "parameters": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
        "k\tlog10\t0.01\t10\t0.5\t1",
        "conditions": "conditionId\tA\nc\t4",
        "observables": "observableId\tobservableFormula\tnoiseFormula\tobservableTransformation\nobs\tA\t0.5\tlog",
        "measurements": "observableId\tsimulationConditionId\ttime\tmeasurement\nobs\tc\t1\t2\nobs\tc\t0\t4",
    }  # fmt: skip
    for name, text in tables.items():
        (tmp_path / f"{name}.tsv").write_text(text + "\n")
    (tmp_path / "model.xml").write_text(_sbml(DECAY))
    (tmp_path / "growth.xml").write_text(_sbml("model growth\n A = 1; A' = k*A; k = 1;\nend"))
    parts = "".join(
        f"- sbml_files: [{model}]\n  condition_files: [conditions.tsv]\n  observable_files: [observables.tsv]\n"
        "  measurement_files: [measurements.tsv]\n"
        for model in ("model.xml", "growth.xml")
    )
    (tmp_path / "problem.yaml").write_text(f"format_version: 1\nparameter_file: parameters.tsv\nproblems:\n{parts}")
    found = load(tmp_path / "problem.yaml")
    np.testing.assert_allclose(simulated(found), [4 * math.exp(-0.5), 4, 4 * math.exp(0.5), 4], rtol=1e-6)
    residuals = np.log(np.array(simulated(found)) / [2, 4, 2, 4]) / 0.5
    assert found.chi2() == pytest.approx(float((residuals**2).sum()))
    assert found.theta.tolist() == [math.log10(0.5)]


def test_extensions_that_a_problem_needs_are_refused(tmp_path: Path) -> None:
    problem(tmp_path, DECAY, A_ONLY, [("obs", "", 1, 1)])
    with (tmp_path / "problem.yaml").open("a") as file:
        file.write("extensions: {select: {version: 1.0.0, required: true}}\n")
    with pytest.raises(UnsupportedModelError, match="extension 'select'"):
        load(tmp_path / "problem.yaml")


def test_functions_of_the_formula_language(tmp_path: Path) -> None:
    formulas = {
        "log10(100*A)": math.log10(200), "log2(8)": 3, "log(A)": math.log(2), "log(8, A)": 3, "ln(A)": math.log(2),
        "sqrt(A + 2)": 2, "A^2^3": 256, "-A^2": -4, "piecewise(1, A > 3, 2, A > 1, 3)": 2, "max(A, 3) - min(A, 1)": 2,
        "abs(-A)": 2, "sign(A) + sign(-A) + sign(0)": 0, "exp(0)*A/4": 0.5, "arctan(A)": math.atan(2),
        "A > 1 && A < 3": 1, "A == 2": 1, "!(A > 1)": 0, "pow(A, 3)": 8, "tanh(A)": math.tanh(2), "1e1*A": 20,
    }  # fmt: skip
    observables = [(f"o{i}", formula, "1", "normal") for i, formula in enumerate(formulas)]
    found = problem(tmp_path, DECAY, observables, [(name, "", 0, 1) for name, *_ in observables])
    np.testing.assert_allclose(simulated(found), list(formulas.values()), rtol=1e-12, atol=1e-15)


def test_all_problems_of_the_tables_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        problem(tmp_path, DECAY, A_ONLY, [("obs", "e", 0, 1), ("osb", "", 0, 1)])
    assert "unknown experiment 'e'" in str(caught.value)
    assert "did you mean obs?" in str(caught.value)


def test_names_without_a_value_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"observable 'obs'\): unknown name 'scael': did you mean scale\?"):
        problem(
            tmp_path,
            DECAY,
            [("obs", "scael*A", "1", "normal")],
            [("obs", "", 0, 1)],
            parameters=[("scale", 0, 1, 1, "true")],
        )


def test_a_simulation_that_fails_names_its_experiment(tmp_path: Path) -> None:
    model = "model m\n x = 1; x' = x^2;\nend"
    found = problem(tmp_path, model, [("x_", "x", "1", "normal")], [("x_", "", 2, 1)])
    assert found.evaluate().log_likelihood == -math.inf
    with pytest.raises(SimulationError, match="'x'"):
        found.log_likelihood()


def test_a_log_of_nothing_is_a_reason_not_a_nan(tmp_path: Path) -> None:
    found = problem(
        tmp_path,
        DECAY,
        [("obs", "A - 2", "1", "log-normal")],
        [("obs", "", 0, 1)],
    )
    assert found.log_likelihood() == -math.inf
    assert "no likelihood" in found.evaluate().failure


def test_parameter_vectors_are_checked(tmp_path: Path) -> None:
    found = problem(tmp_path, DECAY, A_ONLY, [("obs", "", 1, 1)], parameters=[("k", 0, 1, 0.5, "true")])
    assert found.log_likelihood([0.2]) == found.log_likelihood({"k": 0.2}) != found.log_likelihood()
    with pytest.raises(InputError, match="1 numbers"):
        found.log_likelihood([1, 2])
    with pytest.raises(InputError, match="unknown estimated parameter"):
        found.log_likelihood({"kk": 1})
    for odd in ("24h", 1j, 10**400, ["x"], [[1], [1, 2]], {"k": "x"}, {1: 2}, {"k": None}, object()):
        with pytest.raises(InputError):
            found.log_likelihood(odd)  # type: ignore[arg-type]


def at_rest(tmp_path: Path, start: float, measured: float) -> Problem:
    """A' = p - k A with k = 1 and p = 1 nominally, measured at 1 and 3."""
    model = f"""
    model rest
      compartment C = 1;
      species A in C;
      A = {start}; p = 1; k = 1;
      A' = p - k*A;
    end
    """
    return problem(
        tmp_path, model, A_ONLY, [("obs", "", t, measured) for t in (1, 3)], parameters=[("p", 0, 10, 1, "true")]
    )


def test_gradients_where_the_state_stands_still(tmp_path: Path) -> None:
    """Steps that suit a state at rest are far too long for what a parameter would do to it."""
    found = at_rest(tmp_path, 1, 0)
    assert not steps_suit_sensitivities(found.setup)
    expected = -sum(1 - math.exp(-t) for t in (1, 3))
    np.testing.assert_allclose(found.gradient(), [expected], rtol=1e-6)
    np.testing.assert_allclose(found.objective().gradient(found.theta)[1], [-expected], rtol=1e-6)


def test_gradients_where_a_parameter_of_zero_leaves_the_state_at_rest(tmp_path: Path) -> None:
    found = at_rest(tmp_path, 0, 1)
    assert steps_suit_sensitivities(found.setup)
    np.testing.assert_allclose(found.gradient([0.0]), [sum(1 - math.exp(-t) for t in (1, 3))], rtol=1e-6)
