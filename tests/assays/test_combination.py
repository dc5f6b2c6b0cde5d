"""Combination screens against the closed form: independent drugs, a drug with itself, three drugs, plates."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_cell import tiny_library, tiny_model

from pathsim.assays.combination import combination_screen
from pathsim.assays.wells import WellNoise, percent_of_vehicle
from pathsim.assays.western_blot import western_blot
from pathsim.errors import InputError
from pathsim.lab import Library
from pathsim.model import Model
from pathsim.stats import synergy

LONG = "30 d"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def library() -> Library:
    return tiny_library()


def test_independent_drugs_multiply(model: Model, library: Library) -> None:
    table = combination_screen(model, "plain", ["alphanib", "betanib"], "1 nM .. 10 uM x 5", LONG, library=library)
    assert len(table) == 36
    expected = 100 / (1 + table["dose1_nM"] / 50) / (1 + table["dose2_nM"] / 200)
    np.testing.assert_allclose(table["value"], expected, rtol=3e-5)


def test_own_readout_in_percent_of_vehicle(model: Model, library: Library) -> None:
    screen = {"drugs": ["alphanib", "betanib"], "doses": [30.0, 60.0], "time": "5 10 h", "library": library}
    percent = percent_of_vehicle(combination_screen(model, ["plain", "quick"], readout="marker", **screen))
    known = combination_screen(model, ["plain", "quick"], readout="viability", **screen)
    np.testing.assert_allclose(percent["value"], known["value"], rtol=1e-12)
    assert set(percent["unit"]) == {"% of vehicle"}
    assert percent_of_vehicle(known) is known
    with pytest.raises(InputError, match="no vehicle well"):
        percent_of_vehicle(combination_screen(model, "plain", readout="marker", **screen).iloc[2:])


def test_scores_read_the_table_as_it_is(model: Model, library: Library) -> None:
    """Independent drugs have no Bliss excess; a drug with itself has no Loewe excess."""
    table = combination_screen(model, "plain", ["alphanib", "betanib"], "3 nM .. 3 uM x 5", LONG, library=library)
    assert synergy.bliss(table).mean == pytest.approx(0, abs=1e-3)
    assert np.abs(synergy.bliss(table).wells["excess"]).max() < 5e-3


def test_a_drug_with_itself_is_one_drug(model: Model, library: Library) -> None:
    table = combination_screen(model, "plain", ["alphanib", "ALX-1"], [10.0, 30.0, 40.0], "10 h", library=library)
    total = (table["dose1_nM"] + table["dose2_nM"]).to_numpy()
    for dose in np.unique(total):
        assert len(set(table["value"][total == dose])) == 1, dose


def test_three_drugs_with_doses_of_their_own(model: Model, library: Library) -> None:
    doses = {"alphanib": [50.0], "betanib": ["200 nM"], "factor": "1 nM 3 nM"}
    table = combination_screen(model, "plain", list(doses), doses, LONG, library=library)
    assert len(table) == 2 * 2 * 3
    expected = 100 * (1 + table["dose3_nM"]) / (1 + table["dose1_nM"] / 50) / (1 + table["dose2_nM"] / 200)
    np.testing.assert_allclose(table["value"], expected, rtol=3e-5)
    assert table["treatment"].iloc[-1] == "alphanib 50 nM + betanib 200 nM + factor 3 nM"


def test_order_of_drugs_changes_names_only(model: Model, library: Library) -> None:
    one = combination_screen(model, "plain", ["alphanib", "betanib"], [5.0, 70.0], "10 h", library=library)
    two = combination_screen(model, "plain", ["betanib", "alphanib"], [70.0, 5.0], "10 h", library=library)
    left = {(a, b): v for a, b, v in zip(one["dose1_nM"], one["dose2_nM"], one["value"], strict=True)}
    right = {(a, b): v for a, b, v in zip(two["dose2_nM"], two["dose1_nM"], two["value"], strict=True)}
    assert left == right


def test_matrix_on_plates_with_replicates(model: Model, library: Library) -> None:
    table = combination_screen(
        model,
        "plain",
        ["alphanib", "betanib"],
        "1 nM .. 10 uM x 10",
        "2 h",
        plate=96,
        replicates=3,
        noise=WellNoise(),
        seed=5,
        library=library,
    )
    assert not table.duplicated(["replicate", "plate", "well"]).any()
    assert table.groupby("replicate").size().tolist() == [120 + 16] * 3  # 11 x 11 - 1 on two plates, 8 controls each
    again = combination_screen(
        model,
        "plain",
        ["alphanib", "betanib"],
        "1 nM .. 10 uM x 10",
        "2 h",
        plate=96,
        replicates=3,
        noise=WellNoise(),
        seed=5,
        workers=1,
        library=library,
    )
    assert table.equals(again)


@pytest.mark.parametrize(
    ("drugs", "doses", "said"),
    [
        (["alphanib"], [1.0], "two or three drugs"),
        ("alphanib", [1.0], "drugs is 'alphanib'; give a list of texts"),
        (["alphanib"] * 4, [1.0], "two or three drugs"),
        (["alphanib", "betanob"], [1.0], "did you mean betanib"),
        (["alphanib", "betanib"], {"alphanib": [1.0]}, "no doses are given for betanib"),
        (["alphanib", "betanib"], {"alphanib": [1.0], "betanib": [1.0], "gammanib": [1.0]}, "unknown drug 'gammanib'"),
        (["alphanib", "betanib"], {"alphanib": [1.0], "betanib": [-1.0]}, "doses of betanib: -1.0 nM"),
    ],
)
def test_bad_input_is_named(model: Model, library: Library, drugs, doses, said: str) -> None:
    with pytest.raises(InputError, match=said):
        combination_screen(model, "plain", drugs, doses, library=library)


def test_one_drug_after_another(model: Model, library: Library) -> None:
    ask = {"time": "2 h", "readout": "marker", "library": library}
    table = combination_screen(model, "plain", ["alphanib", "betanib"], [30.0], sequence="3 h", **ask)

    assert [text.count("for 3 h then") for text in table["treatment"]] == [1, 1, 1, 1]
    vehicle = table["treatment"][0].partition(" for ")[0]
    texts = [
        f"{vehicle} for 3 h then {vehicle}",
        f"{vehicle} for 3 h then {vehicle} + betanib 30 nM",
        f"{vehicle} + alphanib 30 nM for 3 h then {vehicle}",
        f"{vehicle} + alphanib 30 nM for 3 h then {vehicle} + betanib 30 nM",
    ]
    texts = [text.replace("vehicle + ", "") for text in texts]
    assert table["treatment"].tolist() == texts
    expected = western_blot(model, "plain", texts, "marker", "2 h", library=library)
    np.testing.assert_array_equal(table["value"], expected["value"])
    turned = combination_screen(model, "plain", ["betanib", "alphanib"], [30.0], sequence="3 h", **ask)
    assert table["value"].iloc[-1] != pytest.approx(turned["value"].iloc[-1], rel=1e-3)
    with pytest.raises(InputError, match="GR compares growth since the one moment"):
        combination_screen(
            model, "plain", ["alphanib", "betanib"], [30.0], sequence="3 h", readout="GR", library=library
        )
