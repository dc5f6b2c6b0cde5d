"""Sweep files: what they mean, and that everything wrong with one is said at once."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_sweep import content, expected, spec, toml, write_files

from pathsim.errors import InputError
from pathsim.experiments.readings import simulate_conditions
from pathsim.lab import Condition, Treatment, default_library
from pathsim.sweep import make_spec, read_spec
from pathsim.sweep.axes import Kind, Listed, Range, read_axis
from pathsim.sweep.chunk import Format, make_chunk
from pathsim.sweep.protocol import read_protocol


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    write_files(path)
    return path


@pytest.mark.parametrize(
    ("kind", "value", "points", "unit"),
    [
        (Kind.DOSE, "1 nM .. 1 uM x 4", Listed((1.0, 10.0, 100.0, 1000.0)), "nM"),
        (Kind.DOSE, ["0 nM", "1 nM .. 1 uM x 4"], Listed((0.0, 1.0, 10.0, 100.0, 1000.0)), "nM"),
        (Kind.DOSE, "0 1 10 nM", Listed((0.0, 1.0, 10.0)), "nM"),
        (Kind.DOSE, "5 mM", Listed((5e6,)), "nM"),
        (Kind.DOSE, ["0 %", "10 %"], Listed((0.0, 10.0)), "%"),
        (Kind.DOSE, "100 ng/ml", Listed((100.0,)), "ng/ml"),
        (Kind.DOSE, "1 nM .. 10 uM", Range(1.0, 1e4, True), "nM"),
        (Kind.DURATION, "1 24 h", Listed((60.0, 1440.0)), "min"),
        (Kind.DURATION, "1 h .. 2 d", Range(60.0, 2880.0, False), "min"),
        (Kind.PARAMETER, [0.5, 2], Listed((0.5, 2.0)), ""),
        (Kind.PARAMETER, "0 .. 10 x 3", Listed((0.0, 5.0, 10.0)), ""),
        (Kind.SCALE, "0.1 .. 10 x 3 log", Listed((0.1, 1.0, 10.0)), ""),
        (Kind.SCALE, "0.1 .. 10 log", Range(0.1, 10.0, True), ""),
        (Kind.SCALE, "-1 .. 1", Range(-1.0, 1.0, False), ""),
    ],
)
def test_axes(kind: Kind, value: Any, points: Listed | Range, unit: str) -> None:
    axis = read_axis("x", kind, value)
    assert axis.unit == unit
    if isinstance(points, Listed):
        assert isinstance(axis.points, Listed)
        np.testing.assert_allclose(axis.points.values, points.values, rtol=1e-12)
    else:
        assert axis.points == points


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Kind.DOSE, 5, "no unit"),
        (Kind.DOSE, "5", "number with a unit"),
        (Kind.DOSE, "0 nM .. 1 uM x 3", "cannot start at zero"),
        (Kind.DOSE, "-1 nM", "not a dose"),
        (Kind.DOSE, ["1 nM", "1 %"], "one kind of unit"),
        (Kind.DOSE, ["0 nM", "1 nM .. 1 uM"], "add 'x 9'"),
        (Kind.DOSE, "2 nM 2 nM", "given twice"),
        (Kind.DOSE, [], "no value"),
        (Kind.DOSE, "10 nM .. 1 nM", "goes up"),
        (Kind.DURATION, "0 h", "above zero"),
        (Kind.DURATION, 5, "no unit"),
        (Kind.PARAMETER, "0 .. 10 x 3 log", "positive ends"),
        (Kind.PARAMETER, "one", "not a number"),
        (Kind.PARAMETER, [True], "not a number"),
        (Kind.PARAMETER, "0 .. 1 x 1", "at least 2"),
        (Kind.PARAMETER, float("nan"), "nan"),
    ],
)
def test_bad_axes(kind: Kind, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_axis("x", kind, value)
    assert str(caught.value).startswith(f"[{kind.value}] x: ")


def test_wells_are_crossed_line_slowest(folder: Path) -> None:
    design = spec(folder, alterations=["none", "halved"]).design
    assert design.shape == (4, 1, 1, 5, 2)
    line, _, values = design.values(0, design.wells)
    assert [design.lines[i][0] for i in line[::10]] == ["plain", "plain+halved", "quick", "quick+halved"]
    assert values["betanib"][:4].tolist() == [100, 300, 100, 300]
    assert values["alphanib"][:4].tolist() == [0, 0, 1, 1]


def test_readings_are_the_closed_form(folder: Path) -> None:
    design = spec(folder).design
    line, _, values = design.values(0, design.wells)
    readings = design.read(0, design.wells)
    k_out = np.where(line == 0, 0.01, 0.05)
    for i, time in enumerate((30, 120)):
        known = expected(values["alphanib"], values["betanib"], time, k_out)
        np.testing.assert_allclose(readings.values[:, i, 0], known, rtol=2e-5)


def test_percent_of_the_well_without_drug(folder: Path) -> None:
    """Whatever else differs: line, duration, parameters; and next to the plain readout."""
    changes = {"readouts": ["marker %", "marker"], "scales": {"k_out": [1.0, 2.0]}, "durations": {"pause": "1 h 5 h"},
               "treatment": "betanib 50 nM for {pause} then alphanib {alphanib} + betanib {betanib}"}  # fmt: skip
    design = spec(folder, **changes).design
    plain = spec(folder, **{**changes, "readouts": ["marker"]}).design
    line, _, values = design.values(0, design.wells)
    read = design.read(0, design.wells).values
    np.testing.assert_array_equal(read[:, :, 1], plain.read(0, plain.wells).values[:, :, 0])
    undosed = {**values, "alphanib": np.zeros(design.wells), "betanib": np.zeros(design.wells)}
    vehicle = plain.measure(plain.protocols[0], line, undosed).values[:, :, 0]
    np.testing.assert_allclose(read[:, :, 0], 100 * read[:, :, 1] / vehicle, rtol=1e-12)
    np.testing.assert_array_equal(design.read(7, 20).values, read[7:20])


def test_no_percent_of_nothing(folder: Path) -> None:
    readings = spec(folder, readouts=["trap %"]).design.read(0, 4)
    assert np.isnan(readings.values).all()
    assert set(readings.failures) == {0, 1, 2, 3}
    assert "vehicle well shows no signal" in readings.failures[0]


def test_a_well_is_a_condition() -> None:
    """Bit for bit what the lab gives for the treatment text in the table, with the bundled model."""
    text = "vehicle for 24 h then alpelisib {a} for {pause} then alpelisib {a} + IGF1 {ligand} + serum {s}"
    made = make_spec(
        {
            "cell_lines": ["T47D+PTEN_loss", "BT-20"],
            "treatment": text,
            "times": "15 60 min",
            "readouts": ["pAKT_S473"],
            "doses": {"a": "0 nM 300 nM 1.1 uM", "ligand": "1.3 13 nM", "s": ["0.3 %"]},
            "durations": {"pause": "1 2 h"},
        }
    )
    design, library = made.design, default_library()
    readings = design.read(0, design.wells)
    line, protocol, values = design.values(0, design.wells)
    texts = [
        design.protocols[p].write({axis.name: axis.text(values[axis.name][i]) for axis in design.axes})
        for i, p in enumerate(protocol)
    ]
    conditions = [
        Condition(library.cell_line(design.lines[i][0]), Treatment.parse(text))
        for i, text in zip(line, texts, strict=True)
    ]
    known = simulate_conditions(design.model, conditions, [15.0, 60.0], ["pAKT_S473"], library)
    np.testing.assert_array_equal(readings.values, known)


def test_a_drug_named_twice_is_exactly_additive(folder: Path) -> None:
    doses = {"alphanib": "0.1 0.2 0.3 nM", "more": "0.1 0.2 0.3 nM"}
    design = spec(folder, treatment="alphanib {alphanib} + alphanib {more}", doses=doses, cell_lines="plain").design
    values = design.read(0, 9).values[:, -1, 0].reshape(3, 3)
    assert values[0, 1] == values[1, 0]
    assert values[0, 2] == values[1, 1] == values[2, 0]


def test_parameters_and_factors(folder: Path) -> None:
    design = spec(
        folder,
        treatment="vehicle",
        doses=None,
        parameters={"k_in": [0.02]},
        scales={"k_out": [2.0, 0.5]},
        cell_lines=["quick"],
    ).design
    readings = design.read(0, 2)
    np.testing.assert_allclose(readings.values[:, 0, 0], [0.02 / 0.1, 0.02 / 0.025], rtol=1e-5)


def test_default_treatment_is_full_medium_and_every_drug() -> None:
    made = make_spec({"cell_lines": "T47D", "times": "1 h", "readouts": "pS6_S240",
                      "doses": {"alpelisib": "1 nM", "MK-2206": "5 nM"}})  # fmt: skip
    assert made.design.protocols[0].text == "serum 10 % + alpelisib {alpelisib} + MK-2206 {MK-2206}"


def test_sampled_ranges_and_listed_values_are_crossed(folder: Path) -> None:
    design = spec(
        folder,
        doses={"alphanib": "1 nM .. 1 uM", "betanib": "1 2 nM"},
        sample={"method": "latin hypercube", "points": 50, "seed": 3},
    ).design
    assert design.shape == (2, 1, 50, 2)
    _, _, values = design.values(0, design.wells)
    assert values["betanib"][:4].tolist() == [1, 2, 1, 2]
    np.testing.assert_array_equal(values["alphanib"][:100:2], values["alphanib"][1:100:2])
    np.testing.assert_array_equal(values["alphanib"][:100], values["alphanib"][100:])
    logs = np.log10(values["alphanib"][:100:2])
    assert np.histogram(logs, bins=10, range=(0, 3))[0].tolist() == [5] * 10


def test_everything_wrong_at_once(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        make_spec(
            content(
                cell_lines=["plan"],
                readouts=["cell_cont"],
                times="30",
                tmies=1,
                treatment="alphanab {alphanib}",
                output={"format": "xls", "wells_per_chunk": 0},
                sample={"method": "sobol"},
                scales={"k_outt": [1]},
                parameters={"value": [1]},
            ),
            folder,
            "s.toml",
        )
    said = str(caught.value)
    assert said.startswith("s.toml (")
    for part in (
        "did you mean plain",
        "'30' has no unit",
        "did you mean times",
        "unknown format 'xls'",
        "wells_per_chunk is 0",
        "no range to sample",
        "[doses] betanib is not in treatment",
        "'value' cannot be the name",
    ):
        assert part in said, part


SAMPLED = {"alphanib": "1 nM .. 1 uM", "betanib": "1 nM"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"treatment": "alphanab {alphanib} + betanib {betanib}"}, "did you mean alphanib"),
        ({"treatment": "alphanib {alphanab} + betanib {betanib}"}, "unknown placeholder 'alphanab'"),
        ({"treatment": "alphanib {alphanib} + betanib {betanib} for {alphanib} then vehicle"}, "for doses|in nM"),
        ({"treatment": "alphanib {alphanib} + betanib {betanib} for 1 h"}, "must last until"),
        ({"treatment": "alphanib {alphanib} then betanib {betanib}"}, "needs a duration"),
        ({"scales": {"k_outt": [1.0]}}, "did you mean k_out"),
        ({"scales": {"k_out": [10**400]}}, "too large to hold"),
        ({"scales": {"k_out": [True]}}, "True, not a number"),
        ({"scales": {"cells": [1.0]}}, "where this species starts changes nothing"),
        ({"readouts": ["cell_cont"]}, "cell_count"),
        ({"readouts": None}, "readouts is missing"),
        ({"cell_lines": None}, "cell_lines is missing"),
        ({"times": None}, "times is missing"),
        ({"times": "2 1 h"}, "ascending"),
        ({"doses": SAMPLED}, r"needs a \[sample\] table"),
        ({"doses": SAMPLED, "sample": {"method": "sobol", "points": 100}}, "64 or 128"),
        ({"doses": SAMPLED, "sample": {"method": "sobbol"}}, "did you mean sobol"),
        ({"doses": {"alphanib": "1 %", "betanib": "1 nM"}}, "dosed like"),
        ({"solver": {"rtoll": 1}}, "rtoll"),
        ({"libraries": {"drugs": "nowhere.toml"}}, "nowhere.toml"),
        ({"model": "nowhere.ant"}, "nowhere.ant"),
        ({"durations": {"pause": "1 h"}}, "pause is not in treatment"),
        ({"parameters": {"alphanib": [1.0]}}, "varied twice"),
    ],
)
def test_bad_sweeps(folder: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        spec(folder, **changes)


@pytest.mark.parametrize("text", ["cell_lines = [\nx", "a = 1\na = 2\n"])
def test_toml_that_does_not_parse(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"sweep\.toml: not valid TOML: .*line 2"):
        read_spec(toml(tmp_path, text))


def test_every_well_with_every_parameter_set(folder: Path) -> None:
    """A set is a line with other constants: what the line sets itself stays, and "set" says which one it is."""
    (folder / "sets.csv").write_text("k_in\n0.02\n0.03\n")
    made = make_spec(content(ensemble="sets.csv"), folder)
    plain = make_spec(content(), folder)
    assert made.design.wells == 3 * plain.design.wells
    frame = pd.read_csv(BytesIO(make_chunk(made.design, 0, made.design.wells, Format.CSV).content))
    alone = pd.read_csv(BytesIO(make_chunk(plain.design, 0, plain.design.wells, Format.CSV).content))
    own = frame[frame["set"] == 0].drop(columns=["set", "well"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone.drop(columns="well"))
    for number, factor in ((1, 2.0), (2, 3.0)):
        one = frame[frame["set"] == number]
        expected = own["value"].where(own["cell_line"] == "quick", factor * own["value"])
        np.testing.assert_allclose(one["value"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("value", "said"), [(3, "belong to pi3k_mapk"), (True, "how many"), ("no.csv", "no such file")]
)
def test_a_bad_ensemble_is_refused(folder: Path, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_spec(content(ensemble=value), folder)


def test_doses_of_axes_are_held_against_the_limit_of_the_drug() -> None:
    """What is refused as one dose is refused as the end of a range, and written out in the treatment."""
    axis = read_axis("alpelisib", Kind.DOSE, "1 uM .. 1 M")
    shelf, rest = default_library(), Treatment.parse("serum 10 %").steps[0]
    with pytest.raises(InputError, match="beyond any dose of alpelisib"):
        read_protocol("alpelisib {alpelisib}", [axis], shelf, rest, 60.0)
    with pytest.raises(InputError, match="beyond any dose of alpelisib"):
        read_protocol("alpelisib 1 M", [], shelf, rest, 60.0)
