"""A table of measurements as a PEtab problem: other tools accept it, and it says what the table says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

import pathsim as ps
from pathsim import InputError, UnsupportedModelError
from pathsim.fitting.free import Free
from pathsim.petab import export, load

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
    """The same rows from a plan, row by row."""
    library = ps.default_library()
    pairs = list(dict.fromkeys(zip(table["cell_line"], table["treatment"], strict=True)))
    readouts = list(dict.fromkeys(table["readout"]))
    plan = ps.Plan(
        model=ps.load_model("pi3k_mapk"),
        conditions=tuple(ps.Condition(library.cell_line(a), ps.Treatment.parse(b)) for a, b in pairs),
        readouts=tuple(readouts),
        condition=np.array([pairs.index(pair) for pair in zip(table["cell_line"], table["treatment"], strict=True)]),
        time_min=table["time_min"].to_numpy(),
        readout=np.array([readouts.index(name) for name in table["readout"]]),
    )
    return plan.run(solver=ps.Rosenbrock(rtol=1e-8, atol=1e-12))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    free = [
        "kcat_PI3K", "PTEN_total", "MEK_total@T47D",
        Free("k_RHEB_exchange", 1e-4, 1.0, "log10", mean=0.03, sd=0.5),
    ]  # fmt: skip
    return export("pi3k_mapk", _table(), tmp_path_factory.mktemp("petab"), free)


def test_petab_accepts_it(written: Path) -> None:
    from petab.v2 import Problem

    results = Problem.from_yaml(str(written)).validate()
    assert not results.has_errors(), [issue.message for issue in results]


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
