"""Measured plates become tables of treatments, whatever they look like."""

from __future__ import annotations

from pathlib import Path

import pytest

import pathsim as ps
from pathsim.estimation.screen_table import is_screen

CURVE = "alpelisib (uM),viability,replicate\n0,1.02,1\n1,0.5,1\n0,0.98,2\n1,0.52,2\n"
MATRIX = "Drug1: alpelisib\nDrug2: trametinib\nConcUnit: nM\n,0,10,100\n0,100,80,60\n1000,50,40,20\n5000,40,30,10\n"
COUNTS = (
    "cell_line,drug,dose_nM,time_h,cell_count,cell_count__ctrl,cell_count__time0\n"
    "T47D,alpelisib,100,72,2000,4000,1000\nT47D,alpelisib,1000,72,1000,4000,1000\n"
)


def rows(table: object) -> list[tuple[object, ...]]:
    columns = ["cell_line", "treatment", "time_min", "readout", "value", "replicate"]
    return list(table[columns].itertuples(index=False, name=None))  # type: ignore[index]


def test_a_dose_response(tmp_path: Path) -> None:
    path = tmp_path / "plate.csv"
    path.write_text(CURVE)
    assert is_screen(path)
    found = ps.read_screen(path, "T47D", "72 h")
    treatment = "serum 10 % + alpelisib 1 uM"
    assert [row[:4] for row in rows(found)] == [("T47D", treatment.replace("1 uM", "1000 nM"), 4320.0, "viability")] * 2
    assert [row[4:] for row in rows(found)] == [(50.0, "1"), (52.0, "2")]
    with pytest.raises(ps.InputError) as caught:
        ps.read_screen(path)
    assert "no cell line is named" in str(caught.value)
    assert "the time under the drug is not said" in str(caught.value)


def test_counts_are_viability_or_growth_rates(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(COUNTS)
    assert [row[:5] for row in rows(ps.read_screen(path))] == [
        ("T47D", "serum 10 % + alpelisib 100 nM", 4320.0, "viability", 50.0),
        ("T47D", "serum 10 % + alpelisib 1000 nM", 4320.0, "viability", 25.0),
    ]
    assert [row[4] for row in rows(ps.read_screen(path, readout="GR"))] == pytest.approx([2**0.5 - 1, 0.0])


def test_a_dose_matrix(tmp_path: Path) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(MATRIX)
    assert is_screen(path)
    found = rows(ps.read_screen(path, "MCF7", "3 d", medium="serum 1 %", tell=lambda said: None))
    assert len(found) == 8
    assert ("MCF7", "serum 1 % + alpelisib 1000 nM + trametinib 100 nM", 4320.0, "viability", 20.0, "1") in found
    assert ("MCF7", "serum 1 % + trametinib 10 nM", 4320.0, "viability", 80.0, "1") in found


def test_tables_of_treatments_are_no_plates(tmp_path: Path) -> None:
    for name, text in (
        ("blots", "cell line,treatment,time_h,antibody,intensity\nT47D,alpelisib 1 uM,1,pAKT_S473,3\n"),
        ("wide", "cell line,treatment,time_h,pAKT_S473,pS6\nT47D,alpelisib 1 uM,1,3,4\n"),
        ("schema", "cell_line,treatment,time_min,readout,value,dose_nM\nT47D,alpelisib 1 uM,60,viability,3,1000\n"),
    ):
        path = tmp_path / f"{name}.csv"
        path.write_text(text)
        assert not is_screen(path), name


def test_names_of_drugs_and_units_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "plate.csv"
    path.write_text("drug,dose,viability\nalpelisb,0,100\nalpelisb,1,50\n")
    with pytest.raises(ps.InputError, match="the unit of its doses is not said; say it with --unit"):
        ps.read_screen(path, "T47D", "72 h", tell=lambda said: None)
    with pytest.raises(ps.InputError, match="did you mean alpelisib"):
        ps.read_screen(path, "T47D", "72 h", dose_unit="uM", tell=lambda said: None)
