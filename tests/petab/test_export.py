"""A table of measurements as a PEtab problem: other tools accept it, and it says what the table says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

import pathsim as ps
from pathsim.errors import InputError, UnsupportedModelError
from pathsim.estimation.free import FreeParameter
from pathsim.experiments.readings import simulate_conditions
from pathsim.lab import Condition, Treatment
from pathsim.model.checks import check_model
from pathsim.petab import export, load
from pathsim.petab.write import write
from pathsim.stats.noise import Normal

TREATMENTS = (
    "serum 10 %",
    "vehicle for 24 h then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM",
)


def _table() -> pd.DataFrame:
    rows = [
        (line, treatment, time, readout, 1.0 + number, f"gel of {line}")
        for number, (line, treatment, time, readout) in enumerate(
            (line, treatment, time, readout)
            for line in ("T47D", "ZR-75-1")
            for treatment in TREATMENTS
            for time in (0.0, 15.0)
            for readout in ("pAKT_S473", "pERK_T202")
        )
    ]
    return pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value", "gel"])


def _plain(table: pd.DataFrame) -> np.ndarray:
    """The same rows from conditions simulated directly."""
    library = ps.default_library()
    pairs = list(dict.fromkeys(zip(table["cell_line"], table["treatment"], strict=True)))
    readouts, times = list(dict.fromkeys(table["readout"])), sorted(set(table["time_min"]))
    values = simulate_conditions(
        ps.load_model("pi3k_mapk"),
        [Condition(library.cell_line(a), Treatment.parse(b)) for a, b in pairs],
        times,
        readouts,
        library,
        ps.Rosenbrock(rtol=1e-8, atol=1e-12),
    )
    rows = zip(table["cell_line"], table["treatment"], table["time_min"], table["readout"], strict=True)
    return np.array([values[pairs.index((a, b)), times.index(t), readouts.index(name)] for a, b, t, name in rows])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    free = [
        "kcat_PI3K", "PTEN_total", "MEK_total@T47D",
        FreeParameter("k_RHEB_exchange", 1e-4, 1.0, "log10", mean=0.03, sd=0.5),
    ]  # fmt: skip
    return export("pi3k_mapk", _table(), tmp_path_factory.mktemp("petab"), free)


def test_petab_accepts_it(written: Path) -> None:
    from petab.v2 import Problem

    results = Problem.from_yaml(str(written)).validate()
    assert not results.has_errors(), [issue.message for issue in results]


def test_the_model_in_it_has_units_and_sources(written: Path) -> None:
    assert check_model(ps.load_model(written.parent / "model.xml")) == check_model(ps.load_model("pi3k_mapk"))


def test_it_simulates_what_the_table_says(written: Path) -> None:
    table, problem = _table(), load(written)
    simulated = problem.simulate()
    values = dict(zip((p.id for p in problem.parameters), problem.table_values(), strict=True))
    order = table.groupby("readout", sort=False).indices
    expected = _plain(table)[np.concatenate(list(order.values()))]
    scales = simulated["observableParameters"].map(values).to_numpy()
    np.testing.assert_allclose(simulated["simulation"].to_numpy() / scales, expected, rtol=1e-6)


def test_free_parameters_reach_the_lines_they_belong_to(written: Path) -> None:
    problem = load(written)
    assert {"kcat_PI3K", "k_RHEB_exchange", "MEK_total__T47D"} <= set(problem.parameter_ids)
    before = problem.simulate()
    after = problem.simulate({"MEK_total__T47D": 3 * problem.theta[problem.parameter_ids.index("MEK_total__T47D")]})
    moved = ~np.isclose(before["simulation"], after["simulation"], rtol=1e-4)
    assert moved[before["experimentId"].str.startswith("T47D")].any()
    assert not moved[before["experimentId"].str.startswith("ZR")].any()


def test_priors_keep_their_width_in_decades(written: Path) -> None:
    problem = load(written)
    prior = next(p.prior for p in problem.parameters if p.id == "k_RHEB_exchange")
    assert prior is not None
    assert prior.distribution == "log-normal"
    assert prior.parameters == pytest.approx((math.log(0.03), 0.5 * math.log(10)))


def test_scales_and_spreads_start_where_they_fit(written: Path) -> None:
    problem = load(written)
    best = problem.log_likelihood()
    for name in problem.parameter_ids:
        if name.startswith("sigma_"):
            value = problem.theta[problem.parameter_ids.index(name)]
            assert all(problem.log_likelihood({name: value * factor}) < best for factor in (0.7, 1.4))


def test_a_column_of_standard_deviations_is_normal_noise(tmp_path: Path) -> None:
    table = _table().head(2).drop(columns="gel").assign(sd=[0.5, 2.0])
    problem = load(export("pi3k_mapk", table, tmp_path))
    plain = _plain(table)
    chi2 = ((plain[0] - 1.0) / 0.5) ** 2 + ((plain[1] - 2.0) / 2.0) ** 2
    assert problem.chi2() == pytest.approx(chi2, rel=1e-6)


CELL = """
model cell
  serum = 0; IGF1 = 0; k = 0.1; AKT_total = 100;
  species S = 1, T = 1;
  R1: -> S; k*AKT_total*(0.1 + IGF1/(1 + IGF1)); R2: S -> ; k*S;
  R3: -> T; 0.05*S; R4: T -> ; 0.05*T;
end
"""


def _cell_blots(folder: Path) -> tuple[Path, pd.DataFrame, ps.Library]:
    path = folder / "cell.ant"
    path.write_text(CELL)
    drugs = {
        "IGF1": ps.Drug("IGF1", kind="ligand", per_nM={"IGF1": 1.0}),
        "serum": ps.Drug("serum", kind="medium", per_percent={"serum": 1.0}),
    }
    shelf = ps.Library(
        drugs,
        {"plain": ps.CellLine("plain"), "low": ps.CellLine("low", set={"AKT_total": 60.0}, scale={"k": 0.5})},
        {},
    )
    random = np.random.default_rng(4)
    rows = [
        (
            line,
            "vehicle for 24 h then IGF1 5 nM",
            time,
            readout,
            (300.0 + 100 * gel) * (20 + 3 * time) * np.exp(0.2 * random.standard_normal()),
            f"gel {gel}",
        )
        for line in ("plain", "low")
        for gel in (1, 2)
        for time in (0.0, 5.0, 20.0)
        for readout in ("S", "T")
    ]
    columns = ["cell_line", "treatment", "time_min", "readout", "value", "gel"]
    return path, pd.DataFrame(rows, columns=columns), shelf


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"background": ["S", "T"], "saturation": ["T"]},
        {"noise": Normal()},
        {"noise": Normal(), "background": ["T"], "saturation": ["S", "T"]},
    ],
    ids=["log-normal", "background and saturation", "normal", "normal, offset and saturation"],
)
def test_the_problem_read_back_has_the_same_likelihood(tmp_path: Path, rules: dict[str, Any]) -> None:
    """At the start and at other parameters, free for one line (which sets or scales them itself) or for all."""
    from petab.v2 import Problem

    model, table, shelf = _cell_blots(tmp_path)
    free = ["k", "AKT_total@low", "k@low"]
    exact = ps.Rosenbrock(rtol=1e-8, atol=1e-14)
    problem = ps.blot_problem(model, table, free, library=shelf, solver=exact, **rules)
    for number, shift in enumerate((0.0, 0.13, -0.2)):
        theta = problem.theta + shift * np.arange(1, len(problem.parameter_ids) + 1) / 3
        theta = np.clip(theta, problem.lower, problem.upper)
        path = write(problem, tmp_path / f"petab {number}", theta)
        assert not Problem.from_yaml(str(path)).validate().has_errors()
        assert load(path).log_likelihood() == pytest.approx(problem.log_likelihood(theta), rel=1e-6)
    plain = load(export(model, table, tmp_path / "plain", free, shelf, **rules))
    assert plain.log_likelihood() == pytest.approx(problem.log_likelihood(), rel=1e-6)


def test_loading_controls_divide_before_export(tmp_path: Path) -> None:
    model, table, shelf = _cell_blots(tmp_path)
    controls = table[table["readout"] == "S"].assign(readout="vinculin")
    controls["value"] = 50.0 + np.arange(len(controls))
    both = pd.concat([table, controls])
    blots = ps.blot_problem(model, both, ["k"], library=shelf)
    problem = load(export(model, both, tmp_path / "out", ["k"], shelf))
    assert problem.n_measurements == len(table)
    assert problem.log_likelihood() == pytest.approx(blots.log_likelihood(), rel=1e-5)


def test_bands_below_detection_have_no_form_in_petab(tmp_path: Path) -> None:
    model, table, shelf = _cell_blots(tmp_path)
    table = table.astype({"value": object})
    table.loc[[2, 5], "value"] = "<400"
    with pytest.raises(InputError, match="rows 4, 7: PEtab has no measurements below a detection limit; leave"):
        export(model, table, tmp_path / "out", ["k"], shelf)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    table = _table()
    table.loc[3, "readout"] = "pAKT_S474"
    table.loc[5, "cell_line"] = "T48D"
    table.loc[6, "treatment"] = "alpelsib 1 uM"
    with pytest.raises(InputError) as caught:
        export("pi3k_mapk", table, tmp_path)
    message = str(caught.value)
    assert "row 5: unknown readout 'pAKT_S474': did you mean pAKT_S473" in message
    assert "row 7: unknown cell line 'T48D'" in message
    assert "row 8: unknown drug 'alpelsib'" in message


def test_a_parameter_that_lines_fix_cannot_be_free(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'EGFR_total' cannot be estimated"):
        export("pi3k_mapk", _table().head(2), tmp_path, ["EGFR_total"])


def test_models_with_a_clock_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "clock.ant"
    model.write_text("model clock\n x = 1; x' = time;\nend\n")
    table = _table().head(1).assign(readout="x", treatment="vehicle")
    with pytest.raises(UnsupportedModelError, match="uses time itself"):
        export(model, table, tmp_path)
