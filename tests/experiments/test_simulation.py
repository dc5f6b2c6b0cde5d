"""Plans: what conditions share is simulated once, and every row is what it would be alone."""

from __future__ import annotations

import numpy as np
import pytest

import pathsim as ps

ANALYTIC = """model analytic
  compartment cell = 1;
  unit time_unit = 60 second;
  serum = 0;      // % | input: medium
  drug_on_X = 0;  // 1 | input: drug
  k = 0.05;       // 1/min | estimate: test
  made = 2;       // nM/min | estimate: test
  species X in cell = 0;
  synthesis: => X; made*(1 + serum);
  loss: X => ; k*(1 + drug_on_X)*X;
  X_level := X;   // nM | readout: X, 10 kDa
end
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ps.Model:
    path = tmp_path_factory.mktemp("model") / "analytic.ant"
    path.write_text(ANALYTIC)
    return ps.load_model(path)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ps.Library:
    folder = tmp_path_factory.mktemp("library")
    (folder / "drugs.toml").write_text("[blocker]\nkind = 'drug'\nKd_nM.X = { value = 10, source = 'test' }\n")
    (folder / "lines.toml").write_text("[line.plain]\ndescription = 'test'\n")
    return ps.default_library().with_drugs(folder / "drugs.toml").with_cell_lines(folder / "lines.toml")


def exact(treatment: list[tuple[float, float]], minutes: float, serum: float = 10.0) -> float:
    """X after steps of (dose of the blocker in nM, minutes), from the steady state in full medium."""
    x = 2 * (1 + serum) / 0.05
    for dose, length in [*treatment[:-1], (treatment[-1][0], minutes)]:
        rate = 0.05 * (1 + dose / 10)
        level = 2 / rate
        x = level + (x - level) * np.exp(-rate * length)
    return float(x)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("vehicle", [(0.0, 0.0)]),
        ("vehicle for 1 h then blocker 10 nM", [(0.0, 60.0), (10.0, 0.0)]),
        ("blocker 30 nM for 20 min then vehicle", [(30.0, 20.0), (0.0, 0.0)]),
        ("vehicle for 30 min then blocker 5 nM + blocker 5 nM for 10 min then vehicle", [(0, 30), (10, 10), (0, 0)]),
    ],
)
def test_protocols_follow_the_closed_form(
    model: ps.Model, library: ps.Library, text: str, steps: list[tuple[float, float]]
) -> None:
    """Steady state in full medium, then step after step; time zero is the start of the last step."""
    times = [0.0, 3.0, 45.0]
    table = ps.western_blot(
        model, "plain", text, "X_level", times, library=library, solver=ps.Rosenbrock(rtol=1e-9, atol=1e-9)
    )
    assert table["value"].to_numpy() == pytest.approx([exact(steps, t) for t in times], rel=1e-7)


def test_a_condition_that_fails_is_named(library: ps.Library, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "explodes.ant"
    path.write_text(ANALYTIC.replace("k*(1 + drug_on_X)*X;", "k*X - drug_on_X*X^3;"))
    with pytest.raises(ps.SimulationError, match=r"plain, blocker 1 uM: "):
        ps.western_blot(path, "plain", ["vehicle", "blocker 1 uM"], "X_level", [60.0], library=library)


def test_a_drug_the_model_knows_nothing_of_is_refused(model: ps.Model, library: ps.Library) -> None:
    with pytest.raises(ps.InputError, match="acts on 'EGF', which model 'analytic' does not have"):
        ps.western_blot(model, "plain", "EGF 1 nM", "X_level", [1.0], library=library)


def test_batches_agree_with_single_runs(model: ps.Model) -> None:
    import pandas as pd

    settings = pd.DataFrame({"k": [0.01, 0.1, 1.0], "X": [0.0, 5.0, 50.0]})
    batch = ps.simulate_many(model, settings, [0, 1, 10], ["X_level"])
    assert batch.values.shape == (3, 3, 1)
    assert not batch.status.any()
    assert list(batch.to_frame().columns) == ["row", "time", "X_level"]
    for row in range(3):
        alone = ps.simulate(model, [0, 1, 10], dict(settings.iloc[row]), ["X_level"], ps.Rosenbrock())
        assert alone["X_level"].tolist() == batch.values[row, :, 0].tolist()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"times": []}, "no times"),
        ({"times": [1.0, 0.5]}, "ascending"),
        ({"times": [-1.0]}, "negative"),
        ({"times": [float("nan")]}, "finite"),
        ({"outputs": []}, "no outputs"),
        ({"outputs": ["X_levl"]}, "X_level"),
        ({"parameters": {"kk": 1.0}}, "kk"),
        ({"parameters": {"k": float("nan")}}, "k"),
    ],
)
def test_bad_arguments_are_refused_in_words(model: ps.Model, change: dict[str, object], says: str) -> None:
    asked: dict[str, object] = {"times": [0.0, 1.0], "outputs": ["X_level"], "parameters": {}}
    with pytest.raises(ps.InputError, match=says):
        ps.simulate(model, **{**asked, **change})  # type: ignore[arg-type]


def test_misspelt_solver_options_are_errors() -> None:
    with pytest.raises(TypeError, match="rtoll"):
        ps.Rosenbrock(rtoll=1e-6)  # type: ignore[call-arg]
