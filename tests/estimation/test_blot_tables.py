"""Tables of bands with something wrong: the right number, or one error that names every row."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

import pathsim as ps
from pathsim.arrays import FloatArray
from pathsim.estimation import check_blots
from pathsim.estimation.blots import divide_by_loading
from pathsim.stats.noise import Normal

ANT = """
model stimulated
  stim = 0; basal = 0.1; k_on = 10; k_off = 0.2; viability = 100;
  species P; P = 1;
  R1: -> P; k_on*(basal + stim);
  R2: P -> ; k_off*P;
end
"""
COLUMNS = ["cell_line", "treatment", "time_min", "readout", "value", "gel", "replicate"]
TIMES = (0.0, 5.0, 10.0, 20.0, 40.0)
LOADS = {"g1": (1, 2, 0.5, 1.5, 0.7), "g2": (0.6, 1, 2.2, 0.8, 1.3)}
FREE = [ps.FreeParameter("k_off", 0.01, 1)]


@pytest.fixture
def model(tmp_path: Path) -> ps.Model:
    path = tmp_path / "stimulated.ant"
    path.write_text(ANT)
    return ps.load_model(path)


def library() -> ps.Library:
    drug = ps.Drug("ligand", kind="ligand", per_nM={"stim": 1.0})
    return ps.Library({"ligand": drug}, {"line": ps.CellLine("line")}, {})


def uneven() -> pd.DataFrame:
    """Exact bands of k_off 0.1 on two gels with unevenly loaded lanes; rows alternate between band and control."""
    rows: list[tuple[object, ...]] = []
    for number, (gel, gain) in enumerate({"g1": 3.0, "g2": 40.0}.items(), start=1):
        for time, load in zip(TIMES, LOADS[gel], strict=True):
            lane = (gel, number)
            rows.append(("line", "ligand 1 nM", time, "P", gain * load * (110 - 100 * exp(-0.1 * time)), *lane))
            rows.append(("line", "ligand 1 nM", time, "vinculin", 700 * load, *lane))
    return pd.DataFrame(rows, columns=COLUMNS).astype(object)


CONTROL = uneven()["readout"] == "vinculin"
LANE = CONTROL & (uneven()["gel"] == "g2") & (uneven()["time_min"] == 10)


def changed(mask: pd.Series, **new: object) -> pd.DataFrame:
    table = uneven()
    for column, value in new.items():
        table.loc[mask, column] = value
    return table


def fitted(model: ps.Model, table: pd.DataFrame, noise: Normal | None = None) -> float:
    problem = ps.blot_problem(model, table, FREE, noise, library=library())
    return float(10 ** ps.fit(problem, starts=3, workers=1).best.theta[0])


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ps.InputError) as caught:
        call()
    return str(caught.value)


def both(model: ps.Model, table: object, noise: Normal | None = None) -> list[str]:
    """What the problem of blots and that of mixed tables say."""
    return [
        refusal(lambda: ps.blot_problem(model, table, FREE, noise, library=library())),  # type: ignore[arg-type]
        refusal(lambda: ps.problem(model, table, FREE, noise, library=library())),  # type: ignore[arg-type]
    ]


# --------------------------------------------------------------------------------------------------- loading controls


def test_uneven_lanes_give_the_right_rate(model: ps.Model) -> None:
    assert fitted(model, uneven()) == pytest.approx(0.1, rel=1e-3)


def test_lanes_match_by_what_their_treatment_and_time_mean(model: ps.Model) -> None:
    table = changed(CONTROL, treatment="ligand 1000 pM")
    table.loc[CONTROL, "time_min"] = table["time_min"][CONTROL].astype(float) * (1 + 1e-15)
    assert fitted(model, table) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize(
    ("table", "noise", "rows"),
    [
        (uneven()[~LANE].reset_index(drop=True), None, [16]),
        (uneven()[~(CONTROL & (uneven()["gel"] == "g2"))], None, [12, 13, 14, 15, 16]),
        (changed(CONTROL, gel="strip"), None, range(2, 22, 2)),
        (changed(LANE, replicate=3), None, [16]),
        (changed(LANE, value="<5"), None, [17]),
        (changed(LANE, value="<5"), Normal(), [17]),
        (changed(LANE, value=0.0), None, [17]),
        (changed(LANE, value=0.0), Normal(), [17]),
        (changed(LANE, value=-3), Normal(), [17]),
        (changed(LANE, value=float("nan")), Normal(), [17]),
        (changed(LANE, readout="GAPDH"), None, range(12, 22, 2)),
    ],
    ids=["missing", "gel missing", "other gel", "other replicate", "censored", "censored, normal", "zero",
         "zero, normal", "negative", "nan", "other antibody"],
)  # fmt: skip
def test_lanes_without_a_usable_control_are_refused(
    model: ps.Model, table: pd.DataFrame, noise: Normal | None, rows: list[int]
) -> None:
    for message in both(model, table, noise):
        said = [line.strip().split(": ", 2) for line in message.replace("problem: row", "problem:\nrow").splitlines()]
        found = [int(words[0].split()[1]) for words in said if words[0].startswith("row ")]
        assert found == list(rows), message
        assert "vinculin" in message or "value is" in message


def test_gels_may_have_different_controls(model: ps.Model) -> None:
    table = changed(CONTROL & (uneven()["gel"] == "g2"), readout="GAPDH")
    table.loc[table["readout"] == "GAPDH", "value"] *= 13
    assert fitted(model, table) == pytest.approx(0.1, rel=1e-3)


def test_a_band_takes_the_errors_of_its_own_and_of_its_control_along() -> None:
    lane = ["line", "ligand 1 nM"]
    rows = [
        (*lane, 0, "P", 80.0, "g1", 1, 8.0),
        (*lane, 5, "P", 90.0, "g1", 1, 9.0),
        (*lane, 0, "vinculin", 200.0, "g1", 1, 20.0),
        (*lane, 5, "vinculin", 50.0, "g1", 1, 10.0),
        (*lane, 0, "GAPDH", 800.0, "g1", 1, 40.0),
        (*lane, 5, "GAPDH", 200.0, "g1", 1, 80.0),
    ]
    divided = divide_by_loading(check_blots(pd.DataFrame(rows, columns=[*COLUMNS, "sd"])))
    np.testing.assert_allclose(divided["value"][:2], [40, 180])  # loads are 2 and 1/2
    relative = [np.sqrt(0.1**2 + (0.1**2 + 0.05**2) / 4), np.sqrt(0.1**2 + (0.2**2 + 0.4**2) / 4)]
    np.testing.assert_allclose(divided["sd"][:2], np.array([40, 180]) * relative)
    np.testing.assert_array_equal(divided[["value", "sd"]][2:], [[200, 20], [50, 10], [800, 40], [200, 80]])


def test_divided_bands_weigh_as_raw_ones(model: ps.Model) -> None:
    """Against least squares of the raw bands: band = scale * load * signal + noise of the sd that is given."""
    load, band, sd = np.array(LOADS["g1"]), np.array([85, 216.08, 169.82, 394.1, 297.15]), 60.0
    rows = [("line", "ligand 1 nM", t, "P", v, "g1", 1, sd) for t, v in zip(TIMES, band, strict=True)]
    rows += [("line", "ligand 1 nM", t, "vinculin", 700 * v, "g1", 1, 1.0) for t, v in zip(TIMES, load, strict=True)]

    def misfit(log_k: float) -> float:
        k = 10**log_k
        x: FloatArray = load * np.array([11 / k - 10 / k * exp(-k * t) for t in TIMES])
        return float((((band - (x @ band) / (x @ x) * x) / sd) ** 2).sum())

    grid = np.linspace(-2, 0, 401)
    near = grid[np.argmin([misfit(g) for g in grid])]
    wanted = 10 ** minimize_scalar(misfit, bounds=(near - 0.01, near + 0.01), method="bounded").x
    assert wanted == pytest.approx(0.018646, rel=1e-3)
    assert fitted(model, pd.DataFrame(rows, columns=[*COLUMNS, "sd"])) == pytest.approx(wanted, rel=1e-3)


def test_controls_alone_are_refused(model: ps.Model) -> None:
    for message in both(model, uneven()[CONTROL]):
        assert "the table holds loading controls only" in message


# ------------------------------------------------------------------------------------------------------- odd tables


def bands() -> pd.DataFrame:
    return uneven()[~CONTROL].reset_index(drop=True)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("cell", [float("nan"), None, pd.NA, pd.NaT, "", "  ", [1], 1j, True], ids=repr)
def test_cells_of_keys_that_are_empty_or_no_names_are_refused(model: ps.Model, column: str, cell: object) -> None:
    table = bands()
    cells = list(table[column])
    cells[1] = cells[4] = cell
    table[column] = pd.Series(cells, dtype=object)
    for message in both(model, table):
        assert f"row 3: {column} is " in message
        assert f"row 6: {column} is " in message
        assert "2 problems" in message


def test_tables_of_other_makes_are_read_alike(model: ps.Model) -> None:
    plain = check_blots(bands())
    words = {name: pd.Categorical(bands()[name], categories=[*bands()[name].unique(), "other"]) for name in ("gel",)}
    for other in (
        bands().assign(**words, readout=pd.Categorical(bands()["readout"], categories=["P", "Q"])),
        bands().convert_dtypes(),
        bands().assign(replicate=[1.0] * 5 + [2.0] * 5, gel=[f" {gel} " for gel in bands()["gel"]]),
    ):
        pd.testing.assert_frame_equal(check_blots(other), plain)


def test_a_checked_table_keeps_its_lines_and_is_checked_again(model: ps.Model) -> None:
    checked = check_blots(bands())
    checked.loc[9, "gel"] = float("nan")
    for message in both(model, checked[checked["time_min"] > 0]):
        assert message.endswith("row 9: gel is empty")
    twice = pd.concat([check_blots(bands())] * 2)
    for message in both(model, twice):
        assert "row 12: the same band as row 2" in message


def test_tables_without_rows(model: ps.Model, tmp_path: Path) -> None:
    path = tmp_path / "header.csv"
    path.write_text(",".join(COLUMNS) + "\n")
    assert refusal(lambda: ps.read_blots(path)) == f"{path}: the table has no rows"
    for table in (path, pd.read_csv(path), bands().iloc[:0]):
        for message in both(model, table):
            assert message.endswith("the table has no rows")
    assert "no table is given" in refusal(lambda: ps.problem(model, [], FREE, library=library()))


@pytest.mark.parametrize("name", ["value", "gel", "replicate", "readout"])
def test_columns_given_twice_are_refused(model: ps.Model, tmp_path: Path, name: str) -> None:
    table = bands().assign(note="x")
    doubled = pd.concat([table, table[[name]]], axis=1)
    path = tmp_path / "doubled.csv"
    doubled.to_csv(path, index=False)
    assert f"column '{name}' is there 2 times" in refusal(lambda: ps.read_blots(path))
    for message in both(model, doubled):
        assert f"column '{name}' is there 2 times" in message


@pytest.mark.parametrize("what", [None, 3, [1, 2], "nothing.csv", pd.DataFrame(), bands()["value"]], ids=repr)
def test_what_is_no_table_is_refused(model: ps.Model, what: object) -> None:
    both(model, what)


def test_one_lane(model: ps.Model) -> None:
    one = bands().iloc[:1]
    for table in (one, one.assign(sd=1.0)):
        problem = ps.blot_problem(model, table, FREE, library=library())
        assert np.isfinite(problem.log_likelihood(problem.theta))
        fit = ps.fit(problem, starts=1, workers=1)
        assert 0.01 <= fit.parameters["k_off"] <= 1
    lane = uneven().iloc[:2]
    divided = ps.blot_problem(model, lane, FREE, library=library())
    assert divided.description.parts[0].measurements[0].value == pytest.approx(lane["value"][0])


def test_rows_that_are_no_bands_need_no_gel(model: ps.Model) -> None:
    wells = bands().assign(readout="viability", value=100.0, gel=float("nan")).drop_duplicates(["time_min"])
    mixed = pd.concat([uneven(), wells], ignore_index=True)
    problem = ps.problem(model, mixed, FREE, library=library())
    assert problem.n_measurements == 15
    mixed.loc[0, "gel"] = None
    message = refusal(lambda: ps.problem(model, mixed, FREE, library=library()))
    assert message == "estimation problem: row 2: gel is empty"
