"""Dose responses against the closed form of a tiny cell, and everything that can be asked wrongly."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from tiny_cell import ANT, tiny_library, tiny_model

from pathsim.assays.dose_response import dose_response
from pathsim.assays.screen_input import read_doses
from pathsim.assays.wells import PLATES, Plate, Scale, WellNoise, normalise
from pathsim.errors import InputError
from pathsim.lab import Library, Treatment
from pathsim.model import Model
from pathsim.table import check_table

LONG = "30 d"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def library() -> Library:
    return tiny_library()


def test_hill_curve_with_the_ic50_of_the_drug(model: Model, library: Library) -> None:
    table = dose_response(model, "plain", "alphanib", "1 nM .. 10 uM x 9", time=LONG, library=library)
    np.testing.assert_allclose(table["value"], 100 / (1 + table["dose_nM"] / 50), rtol=2e-5)
    assert list(table["dose_nM"][:2]) == [0.0, 1.0]
    assert set(table["unit"]) == {"% of vehicle"}
    check_table(table)


def test_time_course_of_the_closed_form(model: Model, library: Library) -> None:
    table = dose_response(model, "plain", "alphanib", [50.0], time="30 60 120 min", library=library)
    treated = table[table["dose_nM"] == 50]
    expected = 100 * (0.5 + 0.5 * np.exp(-0.02 * treated["time_min"]))
    np.testing.assert_allclose(treated["value"], expected, rtol=1e-5)


def test_own_readout_keeps_the_models_number(model: Model, library: Library) -> None:
    table = dose_response(model, "plain", "alphanib", ["50 nM"], "marker", LONG, library=library)
    np.testing.assert_allclose(table["value"], [5.0, 2.5], rtol=2e-5)


def test_growth_rate_inhibition(model: Model, library: Library) -> None:
    medium = "factor 1 nM"
    table = dose_response(model, "plain", "alphanib", [10.0, 50.0, 1e4], "GR", "60 min", medium=medium, library=library)
    vehicle = 2 - np.exp(-0.6)
    for dose, value in zip(table["dose_nM"][1:], table["value"][1:], strict=True):
        k = 0.01 * (1 + dose / 50)
        cells = 0.02 / k + (1 - 0.02 / k) * np.exp(-k * 60)
        assert value == pytest.approx(2 ** (np.log2(cells) / np.log2(vehicle)) - 1, rel=1e-4)
    assert table["value"].iloc[0] == pytest.approx(1)
    assert table["value"].iloc[2] == pytest.approx(0, abs=1e-5)  # twice the loss, twice the making: stasis


def test_published_growth_rates() -> None:
    # Clark, Hafner 2017 toy example 1: x0 299.5, control 1212.5
    cells = np.array([1131.0, 743.0, 249.0])
    GR = normalise(cells, np.array(1212.5), np.array(299.5), Scale.GROWTH_RATE)
    np.testing.assert_allclose(GR, [0.932192640069, 0.568911721218, -0.0874718726645], rtol=1e-10)


def test_growth_rate_needs_growth(model: Model, library: Library) -> None:
    with pytest.raises(InputError, match="do not grow"):
        dose_response(model, "plain", "alphanib", [1.0], "GR", library=library)


def test_order_of_doses_and_lines_changes_nothing(model: Model, library: Library) -> None:
    doses = [3.0, 1000.0, 40.0]
    args = {"time": "10 h", "noise": WellNoise(), "replicates": 2, "seed": 3, "library": library}
    forward = dose_response(model, ["plain", "quick"], "alphanib", doses, **args)
    backward = dose_response(model, ["quick", "plain"], "alphanib", doses[::-1], **args)
    keys = ["cell_line", "plate", "well"]
    pd.testing.assert_frame_equal(
        forward.sort_values(keys, ignore_index=True), backward.sort_values(keys, ignore_index=True)
    )


def test_a_well_does_not_care_about_its_neighbours(model: Model, library: Library) -> None:
    few = dose_response(model, "plain", "alphanib", [40.0], "marker", "10 h", noise=WellNoise(), library=library)
    many = dose_response(model, "plain", "alphanib", [1.0, 40.0], "marker", "10 h", noise=WellNoise(), library=library)
    pick = [frame[frame["dose_nM"] == 40]["value"].item() for frame in (few, many)]
    assert pick[0] == pick[1]


def test_noise_has_the_spread_it_says(model: Model, library: Library) -> None:
    table = dose_response(
        model,
        "plain",
        "alphanib",
        [1e-6],
        time="1 h",
        plate=384,
        replicates=60,
        noise=WellNoise(0.08, 0.3),
        seed=1,
        library=library,
    )
    vehicle = table[table["dose_nM"] == 0]
    assert vehicle["value"].mean() == pytest.approx(100, abs=1e-9)  # each plate is normalised to its own
    assert vehicle["value"].std() == pytest.approx(8, rel=0.1)
    treated = table[table["dose_nM"] > 0]
    assert treated["value"].std() == pytest.approx(8, rel=0.35)


@pytest.mark.parametrize(("plate", "controls"), [(96, 8), (384, 16)])
def test_plate_layout(model: Model, library: Library, plate: int, controls: int) -> None:
    table = dose_response(model, "plain", "alphanib", "1 nM .. 10 uM x 100", time="1 h", plate=plate, library=library)
    per_plate = PLATES[plate].rows * (PLATES[plate].columns - 1)
    plates = -(-100 // per_plate)
    assert (table["dose_nM"] == 0).sum() == controls * plates
    assert not table.duplicated(["plate", "well"]).any()
    assert len(table) == 100 + controls * plates
    assert set(table.loc[table["dose_nM"] == 0, "well"].str[1:]) == {"01"}
    assert table["plate"].nunique() == plates


def test_treatment_text_says_everything(model: Model, library: Library) -> None:
    table = dose_response(
        model,
        "plain+halved",
        "alphanib",
        [250.0],
        time="2 h",
        medium="serum 5 % + factor 1 nM",
        before="vehicle for 24 h",
        library=library,
    )
    assert list(table["treatment"]) == [
        "vehicle for 24 h then serum 5 % + factor 1 nM",
        "vehicle for 24 h then serum 5 % + factor 1 nM + alphanib 250 nM",
    ]
    for text in table["treatment"]:
        assert str(Treatment.parse(text)) == text
    assert set(table["cell_line"]) == {"plain+halved"}


def test_full_medium_is_serum_where_the_model_knows_it(tmp_path, model: Model, library: Library) -> None:
    assert dose_response(model, "plain", "alphanib", [1.0], library=library)["treatment"][0] == "vehicle"
    fed = tiny_model(tmp_path, ANT.replace("GF = 0;", "GF = 0; serum = 0;"))
    assert dose_response(fed, "plain", "alphanib", [1.0], library=library)["treatment"][0] == "serum 10 %"


def test_all_problems_at_once(model: Model, library: Library) -> None:
    with pytest.raises(InputError) as caught:
        dose_response(
            model,
            ["plan", "quick", "quick"],
            "alphanab",
            [-1.0, float("nan"), 5.0, 5.0],
            "viabilty",
            "3 parsec",
            plate=97,
            replicates=0,
            library=library,
        )
    said = str(caught.value)
    for part in (
        "did you mean plain",
        "'quick' is named twice",
        "did you mean alphanib",
        "-1.0 nM",
        "nan nM",
        "5 nM is given twice",
        "did you mean viability",
        "parsec",
        "97 wells",
        "replicates is 0",
    ):
        assert part in said, part


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"doses": []}, "none above zero"),
        ({"doses": "0 nM"}, "none above zero"),
        ({"doses": "0 nM .. 1 uM x 4"}, "cannot start at zero"),
        ({"doses": "1 .. 10 x 4"}, "no unit|number with a unit"),
        ({"doses": ["1 parsec"]}, "unit"),
        ({"time": "0 h"}, "not a time after 0"),
        ({"time": []}, "no time"),
        ({"medium": "serum 10 % for 2 h", "time": "3 h"}, "before the reading"),
        ({"medium": "alphanib 1 nM"}, "in the medium"),
        ({"before": "vehicle"}, "needs a duration"),
        ({"medium": "syrup 10 %"}, "did you mean serum"),
    ],
)
def test_bad_input_is_named(model: Model, library: Library, changes: dict[str, object], said: str) -> None:
    arguments = {"doses": [1.0], "time": "1 h", "library": library, **changes}
    with pytest.raises(InputError, match=said):
        dose_response(model, "plain", "alphanib", **arguments)


def test_viability_needs_cells_in_the_model(tmp_path, library: Library) -> None:
    text = "model bare\n  compartment cell = 1; drug_on_A = 0; species S in cell = 1;\n  r: S => S; drug_on_A;\nend\n"
    with pytest.raises(InputError, match="needs 'viability' or 'cell_count'"):
        dose_response(tiny_model(tmp_path, text), "plain", "alphanib", [1.0], library=library)


@pytest.mark.parametrize("noise", [{"well_cv": -0.1}, {"plate_cv": float("nan")}])
def test_noise_is_checked(noise: dict[str, float]) -> None:
    with pytest.raises(InputError, match="not negative"):
        WellNoise(**noise)


def test_any_plate(model: Model, library: Library) -> None:
    table = dose_response(model, "plain", "alphanib", [1.0, 2.0], time="1 h", plate=Plate(2, 3), library=library)
    assert list(table["well"]) == ["A01", "B01", "A02", "A03"]


def test_a_long_series_of_doses_is_read_at_once() -> None:
    problems: list[str] = []
    began = time.process_time()
    assert len(read_doses("0.01 nM .. 1 uM x 30000", "alpelisib", problems)) == 30000
    assert time.process_time() - began < 1.0  # each dose was looked for among all: 3 s, and with the square
    assert not problems
