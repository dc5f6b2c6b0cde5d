"""Plates by their map: the same wells however they are written, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_cell import tiny_library, tiny_model

import pathsim as ps
from pathsim.assays.plate_map import read_plate_map
from pathsim.errors import InputError
from pathsim.lab import Library
from pathsim.model import Model

MAP = """wells = 96
cell_line = "plain"
time = "2 h"
readout = "marker"
empty = ["A3-B3"]
[rows]
A = "vehicle"
"B-C" = "alphanib 30 nM"
C = "vehicle"
[columns]
1 = "vehicle"
"2-3" = "betanib 60 nM"
"""
GOOD = MAP.replace('"B-C"', "B")
GRID = """,1,2,3
A,vehicle,betanib 60 nM,
B,alphanib 30 nM,alphanib 30 nM + betanib 60 nM,
C,vehicle,betanib 60 nM,betanib 60 nM
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def library() -> Library:
    return tiny_library()


def _written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_rows_and_columns_add_up(model: Model, library: Library, tmp_path: Path) -> None:
    table = ps.run_plate(model, _written(tmp_path, "p.toml", GOOD), library=library)
    assert table["well"].tolist()[:4] == ["A01", "A02", "A04", "A05"]
    both = table.set_index("well").loc["B02"]
    assert both["treatment"].endswith("alphanib 30 nM + betanib 60 nM")
    blot = ps.western_blot(model, "plain", both["treatment"], "marker", "2 h", library=library)
    assert both["value"] == blot["value"].iloc[0]


def test_a_grid_and_a_table_are_the_same_plate(model: Model, library: Library, tmp_path: Path) -> None:
    grid = read_plate_map(_written(tmp_path, "grid.csv", GRID), "plain")
    first = ps.run_plate(model, grid, "5 h", "viability", library=library)
    first[["well", "cell_line", "treatment"]].to_csv(tmp_path / "rows.csv", index=False)
    second = ps.run_plate(model, tmp_path / "rows.csv", "5 h", library=library)
    np.testing.assert_array_equal(first["value"], second["value"])
    assert first["value"].iloc[0] == pytest.approx(100.0)
    screen = ps.combination_screen(model, "plain", ["alphanib", "betanib"], "30 nM 60 nM", "5 h", library=library)
    expected = screen.set_index(["dose1_nM", "dose2_nM"]).loc[(30.0, 60.0), "value"]
    assert first.set_index("well").loc["B02", "value"] == pytest.approx(expected, rel=1e-9)


def test_noise_differs_between_plates_only_when_asked(model: Model, library: Library, tmp_path: Path) -> None:
    plate = read_plate_map(_written(tmp_path, "grid.csv", GRID), "plain")
    quiet = ps.run_plate(model, plate, "5 h", replicates=2, library=library)
    halves = [part["value"].to_numpy() for _, part in quiet.groupby("replicate")]
    np.testing.assert_array_equal(*halves)
    noisy = ps.run_plate(model, plate, "5 h", replicates=2, noise=ps.noise.WellNoise(), library=library)
    halves = [part["value"].to_numpy() for _, part in noisy.groupby("replicate")]
    assert not np.allclose(*halves, rtol=1e-3)


def test_the_figure_shows_every_well_in_its_place(model: Model, library: Library, tmp_path: Path) -> None:
    table = ps.run_plate(model, read_plate_map(_written(tmp_path, "g.csv", GRID), "plain"), "5 h", library=library)
    axes = ps.plot.draw_plate(table).axes[0]
    shown = np.asarray(axes.images[0].get_array())
    assert shown.shape == (8, 12)
    assert shown[1, 1] == table.set_index("well").loc["B02", "value"]
    assert len(axes.lines) == 96 - len(table)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", MAP, r"\[rows\] C is named twice"),
        ("a.toml", "wells = 95", "wells is 95; a plate has 96 or 384"),
        ("a.toml", 'cell_line = "plain"', "no well is filled"),
        ("a.toml", '[well]\nA1 = "vehicle"', "well A01 has no cell line"),
        ("a.toml", '[well]\nQ1 = "vehicle"', r"\[well\] Q1 names nothing on the plate"),
        ("a.toml", "[well]\nA13-B1 = 3", r"\[well\] A13-B1 is 3"),
        ("a.csv", "well,treatment\nA1,vehicle", "column 'cell_line' is missing"),
        ("a.csv", "well,cell_line,treatment\nA1,plain,vehicle\nA01,plain,vehicle", "line 3: well A01 is there twice"),
        ("a.csv", ",1,2\nA,vehicle,vehicle", "a grid names no cell line"),
    ],
)
def test_what_is_wrong_with_a_map_is_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_plate_map(_written(tmp_path, name, text))


def test_relative_readouts_need_vehicle_wells(model: Model, library: Library, tmp_path: Path) -> None:
    plate = read_plate_map(_written(tmp_path, "g.csv", ",1\nA,alphanib 30 nM\n"), "plain")
    with pytest.raises(InputError, match="plain has no vehicle well"):
        ps.run_plate(model, plate, "5 h", library=library)
    wrong = read_plate_map(_written(tmp_path, "h.csv", ",1\nA,alphanib 30 nM for 1 h\n"), "plain")
    with pytest.raises(InputError, match=r"well A01: .* has steps or a duration"):
        ps.run_plate(model, wrong, "5 h", library=library)
