"""Measured dose responses of any layout: IC50, GR metrics, ratio and F-test, against scipy and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from pathsim.errors import InputError
from pathsim.stats.measured import DoseResponse, compare_curves, read_curves

DOSES = np.array([0.0, 1, 3, 10, 30, 100, 300, 1000, 3000])
"""nM."""


def hill(dose: np.ndarray, ic50: float, top: float = 100.0) -> np.ndarray:
    return np.asarray(top / (1.0 + dose / ic50))


def long_table(noise: float = 0.0, repeats: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = [
        (line, "osimertinib", dose, value + noise * rng.normal(), repeat)
        for line, ic50 in (("PC9", 20.0), ("PC9R", 200.0))
        for repeat in range(1, repeats + 1)
        for dose, value in zip(DOSES, hill(DOSES, ic50), strict=True)
    ]
    return pd.DataFrame(rows, columns=["cell_line", "drug", "dose_nM", "viability", "replicate"])


def columns(names: list[str], scale: float = 1.0) -> pd.DataFrame:
    table = pd.DataFrame({"Dose (nM)": DOSES})
    values = [hill(DOSES, 20.0 if "R" not in name else 200.0) * scale for name in ["P", "P", "R", "R"]]
    for i, column in enumerate(values):
        table.insert(i + 1, names[i], column, allow_duplicates=True)
    return table


def german(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda cell: str(cell).replace(".", ",") if isinstance(cell, float) else cell)


LAYOUTS: dict[str, Callable[[Path], object]] = {
    "long.csv": lambda path: long_table().to_csv(path, index=False),
    "micromolar.csv": lambda path: (
        long_table()
        .assign(dose_nM=DOSES.tolist() * 6)
        .assign(dose_nM=lambda table: table["dose_nM"] / 1000)
        .rename(columns={"dose_nM": "Concentration [µM]", "cell_line": "Cell line", "viability": "% viability"})
        .to_csv(path, index=False, sep=";", encoding="latin-1")
    ),
    "german.csv": lambda path: german(long_table()).to_csv(path, index=False, sep=";"),
    "units_in_cells.csv": lambda path: (
        long_table()
        .assign(dose=[f"{dose:g} nM" if dose else "DMSO" for dose in long_table()["dose_nM"]])
        .drop(columns="dose_nM")
        .to_csv(path, index=False)
    ),
    "unit_column.tsv": lambda path: (
        long_table()
        .assign(unit="uM", dose_nM=lambda table: table["dose_nM"] / 1000)
        .rename(columns={"dose_nM": "conc"})
        .to_csv(path, index=False, sep="\t")
    ),
    "fractions.csv": lambda path: (
        long_table().assign(viability=lambda table: table["viability"] / 100).to_csv(path, index=False)
    ),
    "inhibition.csv": lambda path: (
        long_table()
        .assign(inhibition=lambda table: 100 - table["viability"])
        .drop(columns="viability")
        .to_csv(path, index=False)
    ),
    "counts_of_light.csv": lambda path: (
        long_table()
        .assign(RLU=lambda table: table["viability"] * 12345.0)
        .drop(columns="viability")
        .to_csv(path, index=False)
    ),
    "same_names.csv": lambda path: columns(["P", "P", "R", "R"]).to_csv(path, index=False),
    "blank_names.csv": lambda path: path.write_text(
        columns(["P", "x", "R", "y"]).to_csv(index=False).replace("P,x,R,y", "P,,R,")
    ),
    "numbered.csv": lambda path: columns(["P_1", "P_2", "R_1", "R_2"]).to_csv(path, index=False),
    "prism.csv": lambda path: (
        columns(["P:Y1", "P:Y2", "R:Y1", "R:Y2"]).rename(columns={"Dose (nM)": "X"}).to_csv(path, index=False)
    ),
    "across.csv": lambda path: columns(["P", "P", "R", "R"]).T.to_csv(path, header=False),
    "logarithms.txt": lambda path: (
        columns(["P", "P", "R", "R"])
        .assign(**{"Dose (nM)": [-math.inf, *np.log10(DOSES[1:] * 1e-9)]})
        .rename(columns={"Dose (nM)": "Log[osimertinib], M"})
        .to_csv(path, index=False, sep="\t")
    ),
    "treatments.csv": lambda path: (
        long_table()
        .assign(
            treatment=["vehicle" if dose == 0 else f"osimertinib {dose:g} nM" for dose in long_table()["dose_nM"]],
            time_h=72,
            readout="viability",
        )
        .rename(columns={"viability": "value"})[["cell_line", "treatment", "time_h", "readout", "value"]]
        .to_csv(path, index=False)
    ),
    "book.xlsx": lambda path: columns(["P", "P", "R", "R"]).to_excel(path, index=False),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_curves(name: str, tmp_path: Path) -> None:
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl")
    LAYOUTS[name](tmp_path / name)
    told: list[str] = []
    unit = "nM" if name == "prism.csv" else None
    found = read_curves(tmp_path / name, unit=unit, tell=told.append)
    assert len(found) == 2
    assert [one.unit for one in found] == ["nM", "nM"]
    assert [one.curve.ic50.value for one in found] == pytest.approx([20.0, 200.0], rel=1e-5)
    comparison = compare_curves(found)
    assert comparison.table["ratio"].iloc[0] == pytest.approx(10.0, rel=1e-5)
    assert "resistant" in comparison.table["verdict"].iloc[0]


def by_scipy(table: pd.DataFrame) -> dict[str, float]:
    def curve(dose: np.ndarray, top: float, bottom: float, log_ec50: float, log_h: float) -> np.ndarray:
        return np.asarray(bottom + (top - bottom) / (1 + (dose / math.exp(log_ec50)) ** math.exp(log_h)))

    def fitted(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
        dose, value = part["dose_nM"].to_numpy(), part["viability"].to_numpy()
        best, covariance = optimize.curve_fit(curve, dose, value, [100, 0, math.log(50), 0], maxfev=20000)
        return best, covariance, float(((value - curve(dose, *best)) ** 2).sum())

    parts = {line: fitted(part) for line, part in table.groupby("cell_line")}
    apart, together = sum(part[2] for part in parts.values()), fitted(table)[2]
    freedom = len(table) - 8
    f = (together - apart) / 4 / (apart / freedom)
    logs = {}
    for line, (best, covariance, _) in parts.items():

        def log_ic50(p: np.ndarray) -> float:
            return float(p[2] + math.log((p[0] / 2) / (p[0] / 2 - p[1])) / math.exp(p[3]))

        gradient = np.array([(log_ic50(best + e) - log_ic50(best - e)) / 2e-5 for e in 1e-5 * np.eye(4)])
        logs[line] = log_ic50(best), float(gradient @ covariance @ gradient)
    error = math.sqrt(sum(part[1] for part in logs.values()))
    log_ratio = logs["PC9R"][0] - logs["PC9"][0]
    reach = float(stats.t.ppf(0.975, freedom)) * error
    return {
        "ratio": math.exp(log_ratio), "ratio_low": math.exp(log_ratio - reach),
        "ratio_high": math.exp(log_ratio + reach),
        "f_shared": f, "p_shared": float(stats.f.sf(f, 4, freedom)),
    }  # fmt: skip


def test_ratio_and_f_test_agree_with_scipy(tmp_path: Path) -> None:
    """Without repeats in the table the interval is that of the wells."""
    table = long_table(3.0)
    table.drop(columns="replicate").to_csv(tmp_path / "table.csv", index=False)
    row = compare_curves(read_curves(tmp_path / "table.csv")).table.iloc[0]
    wanted = by_scipy(table)
    for name in ("ratio", "f_shared", "p_shared"):
        assert row[name] == pytest.approx(wanted[name], rel=1e-4)
    assert row["ratio_low"] == pytest.approx(wanted["ratio_low"], rel=0.02)
    assert row["ratio_high"] == pytest.approx(wanted["ratio_high"], rel=0.02)


def test_a_curve_does_not_differ_from_itself(tmp_path: Path) -> None:
    table = long_table(3.0).drop(columns="replicate")
    table.to_csv(tmp_path / "table.csv", index=False)
    curves = read_curves(tmp_path / "table.csv")
    p = compare_curves(curves).table["p_ic50"].iloc[0]
    assert p < 1e-10
    twin = DoseResponse("other", {}, "nM", curves[0].doses, curves[0].values, curves[0].repeats)
    same = compare_curves([curves[0], twin])
    assert same.shared["p"] == pytest.approx(1.0)
    assert "no difference in IC50 shown" in same.table["verdict"].iloc[0]


def test_repeats_are_the_unit_of_uncertainty(tmp_path: Path) -> None:
    """Wells of a repeat share its error: repeats whose IC50s scatter by a factor of two make the ratio unsure."""
    rows = [
        (line, dose, float(hill(np.array(dose), ic50 * shift)), repeat)
        for line, ic50 in (("P", 20.0), ("R", 40.0))
        for repeat, shift in ((1, 0.5), (2, 1.0), (3, 2.0))
        for dose in DOSES
    ]
    pd.DataFrame(rows, columns=["cell_line", "dose_nM", "viability", "replicate"]).to_csv(
        tmp_path / "t.csv", index=False
    )
    row = compare_curves(read_curves(tmp_path / "t.csv")).table.iloc[0]
    assert row["interval_from"] == "3 and 3 repeats (Welch)"
    reach = stats.t.ppf(0.975, 4) * math.log(2) * math.sqrt(2 / 3)
    assert math.log(row["ratio_high"] / row["ratio"]) == pytest.approx(reach, rel=1e-4)
    assert row["ratio_low"] < 1 < row["ratio_high"]


def test_technical_wells_count_once(tmp_path: Path) -> None:
    once = long_table(3.0, repeats=2)
    many = pd.concat([once] * 4)
    for name, table in (("once.csv", once), ("many.csv", many)):
        table.to_csv(tmp_path / name, index=False)
    found = [compare_curves(read_curves(tmp_path / name)).table.iloc[0] for name in ("once.csv", "many.csv")]
    assert found[0]["f_shared"] == pytest.approx(found[1]["f_shared"])
    assert found[1]["df_2"] == 2 * 2 * 9 - 8


def test_an_ic50_that_is_not_reached_bounds_the_ratio(tmp_path: Path) -> None:
    table = columns(["P", "P", "R", "R"])
    table.iloc[:, 3:] = np.repeat(hill(DOSES, 1e5)[:, None], 2, axis=1)
    table.to_csv(tmp_path / "t.csv", index=False)
    row = compare_curves(read_curves(tmp_path / "t.csv", tell=lambda said: None)).table.iloc[0]
    assert (row["ratio_relation"], row["ratio"]) == (">", pytest.approx(150.0, rel=1e-4))


GROWTH = {"MCF10A": (300.0, 1.0), "BT20": (500.0, 0.6)}
"""Cells at the start and divisions a day."""


def gr_counts(line: str, dose: float, gec50: float, gr_inf: float = -0.2, hours: float = 72.0) -> float:
    start, rate = GROWTH[line]
    gr = gr_inf + (1 - gr_inf) / (1 + dose / gec50)
    return float(start * 2 ** (math.log2(gr + 1) * rate * hours / 24))


def count_rows() -> pd.DataFrame:
    rows = []
    for line, (start, rate) in GROWTH.items():
        for drug, gec50 in (("drugA", 30.0), ("drugB", 300.0)):
            for dose in DOSES[1:]:
                control = start * 2 ** (rate * 3)
                rows.append((line, drug, 72, dose, gr_counts(line, float(dose), gec50), control, start))
    names = "cell_line agent time concentration cell_count cell_count__ctrl cell_count__time0"
    return pd.DataFrame(rows, columns=names.split())


def with_rows_of_controls(table: pd.DataFrame) -> pd.DataFrame:
    rows = [table[["cell_line", "agent", "time", "concentration", "cell_count"]]]
    for line, (start, rate) in GROWTH.items():
        for factor in (0.9, 1.0, 1.1):
            rows.append(pd.DataFrame([(line, "-", 0, 0.0, start * factor)], columns=rows[0].columns))
            rows.append(pd.DataFrame([(line, "-", 72, 0.0, start * 2 ** (rate * 3) * factor)], columns=rows[0].columns))
    return pd.concat(rows)


def with_doubling_times(table: pd.DataFrame) -> pd.DataFrame:
    hours = [24.0 / GROWTH[line][1] for line in table["cell_line"]]
    return table.drop(columns="cell_count__time0").assign(division_time=hours)


@pytest.mark.parametrize(
    "layout", [lambda table: table, with_rows_of_controls, with_doubling_times], ids=["counts", "rows", "doublings"]
)
def test_counts_give_the_metrics_of_the_gr_tools(
    layout: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    """GR50 of ``GR = GRinf + (1 - GRinf) / (1 + c / GEC50)`` is ``GEC50 (1/2) / (1/2 - GRinf)``."""
    layout(count_rows()).to_csv(tmp_path / "counts.tsv", sep="\t", index=False)
    found = [one.row() for one in read_curves(tmp_path / "counts.tsv", unit="nM", tell=lambda said: None)]
    assert len(found) == 4
    for row in found:
        gec50 = 30.0 if row["drug"] == "drugA" else 300.0
        assert row["GR50"] == pytest.approx(gec50 * 0.5 / 0.7, rel=1e-3)
        assert row["GRinf"] == pytest.approx(-0.2, abs=2e-3)
        assert row["GEC50"] == pytest.approx(gec50, rel=2e-3)
        assert row["h_GR"] == pytest.approx(1.0, rel=2e-3)
        gr = -0.2 + 1.2 / (1 + DOSES[1:] / gec50)
        assert row["GRmax"] == pytest.approx(gr[-1], abs=1e-9 if layout is not with_rows_of_controls else 2e-2)
        logs = np.log10(DOSES[1:])
        assert row["GR_AOC"] == pytest.approx(np.trapezoid(1 - gr, logs) / (logs[-1] - logs[0]), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drug,dose_nM,viability\na,x,90\na,1,80\n", "row 2: dose is 'x', not a finite number"),
        ("drug,dose_nM,viability\na,1,high\na,1,80\n", "row 2: viability is 'high', not a finite number"),
        ("drug,viability\na,80\n", "column 'dose' is missing"),
        ("drug,dose,viability\na,-9,80\na,-8,70\n", "a negative dose; that doses are logarithms is said in"),
        ("drug,dose_nM,viability\na,1,\n", "no rows with a measured value"),
        ("drug,dose_nM,viability\na,0,1\na,0,2\n", "no dose is above zero"),
        ("drug,dose_nM,unit,viability\na,1,uM,1\na,2,furlong,2\n", "row 3: unknown unit 'furlong'"),
        ("drug,dose,viability\na,1 uM,1\na,2 ng/ml,2\n", "mixes nM and ng/ml"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_row(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_curves(path, tell=lambda said: None)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_clones_with_numbers_are_curves_of_their_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"dose_nM": DOSES, "Clone 1": hill(DOSES, 10), "Clone 2": hill(DOSES, 40)})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert [one.name for one in read_curves(tmp_path / "t.csv")] == ["Clone 1", "Clone 2"]


def test_two_rows_of_names_logarithms_and_spread(tmp_path: Path) -> None:
    """Curves named over their replicates, columns of standard deviations, and a drug in brackets."""
    values = [
        ",".join(f"{v:.12g}" for v in (dose, *([hill(dose, 20.0)] * 2), *([hill(dose, 200.0)] * 2))) for dose in DOSES
    ]
    (tmp_path / "t.csv").write_text("\n".join(["MTT", ",P,,R,", "Conc (nM),Rep 1,Rep 2,Rep 1,Rep 2", *values]))
    found = read_curves(tmp_path / "t.csv", tell=lambda said: None)
    assert [(one.name, len(one.doses)) for one in found] == [("P", 18), ("R", 18)]
    assert found[1].curve.ic50.value == pytest.approx(200.0, rel=1e-5)
    table = pd.DataFrame({"[Drug] (uM)": DOSES / 1000, "WT mean": hill(DOSES, 20.0), "WT SD": 3.0})
    table.to_csv(tmp_path / "sd.csv", index=False)
    (one,) = read_curves(tmp_path / "sd.csv", tell=lambda said: None)
    assert one.curve.ic50.value == pytest.approx(20.0, rel=1e-5)
