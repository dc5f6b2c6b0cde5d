"""Sensitivities against closed forms, the published indices of Ishigami's function, and bad questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny_sweep import write_files

from pathsim.errors import InputError, SimulationError
from pathsim.lab import CellLine, Drug, Library
from pathsim.model import Model, load_model
from pathsim.sensitivity import elasticities, morris_effects, sobol_indices
from pathsim.sensitivity.variance import _indices

ISHIGAMI = """
model ishigami
  compartment cell = 1;
  x1 = 0.1; x2 = 0.1; x3 = 0.1;
  species A in cell = 1;
  made: => A; 0.1;
  lost: A => ; 0.1*A;
  y := sin(x1) + 7*sin(x2)^2 + 0.1*x3^4*sin(x1) + 0*A;
  z := 2*x1 + x2;
end
"""
PI = (-float(np.pi), float(np.pi))
CUBE = {"x1": PI, "x2": PI, "x3": PI}
LIBRARY = Library(
    {
        "serum": Drug("serum", kind="medium", per_percent={"serum": 1.0}),
        "alphanib": Drug("alphanib", per_nM={"drug_on_A": 0.02}),
    },
    {"plain": CellLine("plain"), "scaled": CellLine("scaled", scale={"k_in": 2.0})},
    {},
)


@pytest.fixture(scope="module")
def ishigami(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("model") / "ishigami.ant"
    path.write_text(ISHIGAMI)
    return load_model(path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("model")
    write_files(folder)
    return load_model(folder / "tiny.ant")


def test_sobol_indices_of_ishigami(ishigami: Model) -> None:
    """Analytic: S1 .313905 .442411 0, ST .557589 .442411 .243684 (Ishigami and Homma 1990, a = 7, b = 0.1)."""
    table = sobol_indices(ishigami, "plain", "vehicle", ["y", "z"], "1 min", values=CUBE, points=4096, library=LIBRARY)
    mine = table[table["readout"] == "y"].set_index("parameter").loc[["x1", "x2", "x3"]]
    np.testing.assert_allclose(mine["first"], [0.313905, 0.442411, 0], atol=0.01)
    np.testing.assert_allclose(mine["total"], [0.557589, 0.442411, 0.243684], atol=0.01)
    assert (mine["first_low"] <= mine["first"]).all()
    assert (mine["total_high"] >= mine["total"]).all()
    assert table["simulations"].unique().tolist() == [4096 * 5]
    other = table[table["readout"] == "z"].set_index("parameter")
    np.testing.assert_allclose(other.loc[["x1", "x2", "x3"], "first"], [0.8, 0.2, 0], atol=0.01)
    assert list(table["parameter"][:3]) == ["x1", "x2", "x3"]  # the largest total first


def test_morris_effects(ishigami: Model) -> None:
    pytest.importorskip("SALib", reason="needs the extra [sensitivity]")
    cube = {"x1": (0.0, 1.0), "x2": (0.0, 3.0), "x3": (0.0, 1.0)}
    table = morris_effects(ishigami, "plain", "vehicle", "z", "1 min", values=cube, trajectories=20, library=LIBRARY)
    found = table.set_index("parameter")
    np.testing.assert_allclose(found.loc[["x1", "x2", "x3"], "mu"], [2, 3, 0], atol=1e-9)  # per width of the interval
    np.testing.assert_allclose(found["sigma"], 0, atol=1e-6)
    assert table["parameter"].tolist() == ["x2", "x1", "x3"]
    curved = morris_effects(ishigami, "plain", "vehicle", "y", "1 min", values=CUBE, trajectories=60, library=LIBRARY)
    assert (curved["sigma"] > 1).all()
    assert curved["simulations"].unique().tolist() == [240]


def test_elasticities_of_the_closed_form(tiny: Model) -> None:
    """cells(t) = 1/q + (1 - 1/q) exp(-k_out q t) from the steady state k_in/k_out, with q = 1 + drug."""
    table = elasticities(
        tiny, "plain", "alphanib 100 nM", ["cell_count", "marker"], "40 min", ["k_in", "k_out"], library=LIBRARY
    )

    def cells(k_in: float, k_out: float) -> float:
        k = k_out * 3
        return k_in / k + (k_in / k_out - k_in / k) * float(np.exp(-k * 40))

    h = 1e-5
    elasticity = (np.log(cells(0.01, 0.01 * np.exp(h))) - np.log(cells(0.01, 0.01 * np.exp(-h)))) / (2 * h)
    for readout in ("cell_count", "marker"):
        found = table[table["readout"] == readout].set_index("parameter")
        assert found.loc["k_in", "elasticity"] == pytest.approx(1.0, abs=1e-6)
        assert found.loc["k_out", "elasticity"] == pytest.approx(elasticity, rel=1e-5)
    assert table["readout_value"].iloc[0] == pytest.approx(cells(0.01, 0.01), rel=1e-6)
    assert table["parameter"].iloc[0] == "k_out"


def test_elasticities_of_everything(tiny: Model) -> None:
    """Without names, every constant above zero; a line's own value is what is scaled."""
    table = elasticities(tiny, "scaled", "vehicle", "cell_count", "1 h", library=LIBRARY)
    assert set(table["parameter"]) == {"k_in", "k_out"}
    assert table.set_index("parameter").loc["k_in", "parameter_value"] == 0.02


def test_factors_are_on_the_lines_own_value(tiny: Model) -> None:
    ways = {"values": {"k_in": (0.01, 0.04), "k_out": (0.005, 0.02)}, "factors": None}
    same = {"values": None, "factors": {"k_in": (0.5, 2.0), "k_out": (0.5, 2.0)}}
    tables = [
        sobol_indices(tiny, "scaled", "vehicle", "cell_count", "1 h", points=64, library=LIBRARY, **way)
        for way in (ways, same)
    ]
    np.testing.assert_allclose(tables[0]["total"], tables[1]["total"], rtol=1e-6)


def test_workers_and_seed(tiny: Model) -> None:
    factors = {"k_in": "0.5 .. 2 log", "k_out": "0.5 .. 2 log"}
    arguments: dict[str, Any] = {"factors": factors, "points": 32, "library": LIBRARY}
    first, again = (sobol_indices(tiny, "plain", "vehicle", "marker", "1 h", workers=w, **arguments) for w in (1, 3))
    assert first.equals(again)
    other = sobol_indices(tiny, "plain", "vehicle", "marker", "1 h", seed=1, **arguments)
    assert not first["total"].equals(other["total"])


def test_sets_that_fail_are_left_out_and_counted(tiny: Model) -> None:
    """Above trap 0.25 there is no steady state: the count of cells explodes."""
    tables = [
        sobol_indices(
            tiny,
            "plain",
            "vehicle",
            "cell_count",
            "1 h",
            points=256,
            library=LIBRARY,
            values={"trap": (0.0, 0.27), "k_in": (0.0099, 0.01)},
        ),
        morris_effects(
            tiny,
            "plain",
            "vehicle",
            "cell_count",
            "1 h",
            trajectories=20,
            levels=8,
            library=LIBRARY,
            values={"trap": (0.0, 0.27), "k_in": (0.0099, 0.01)},
        ),
    ]
    for table in tables:
        failed = table["failed"].iloc[0]
        assert 0 < failed < 0.2 * table["simulations"].iloc[0]
        assert table.select_dtypes("number").notna().all(axis=None)
    assert tables[0]["points"].iloc[0] == 128
    assert tables[1]["trajectories"].iloc[0] < 20
    wide = {"trap": (0.0, 1.0)}
    with pytest.raises(
        SimulationError,
        match=r"sets of parameters failed, most of them where trap is (large|small); narrow its range; with trap",
    ):
        sobol_indices(tiny, "plain", "vehicle", "cell_count", "1 h", points=64, values=wide, library=LIBRARY)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"values": {"x1": "0 .. 1 x 5"}}, "not an interval"),
        ({"values": {"x1": (1.0, 0.0)}}, "goes up"),
        ({"values": {"x9": (0.0, 1.0)}}, "unknown parameter 'x9'"),
        ({"values": {}}, "no parameter is varied"),
        ({"values": {"x1": PI}, "factors": {"x1": (0.5, 2.0)}}, "varied twice"),
        ({"values": {"x1": PI}, "points": 1000}, "power of 2"),
        ({"values": {"x3": (0.0, 1.0)}, "readouts": "z"}, "nothing that varies moves z"),
        ({"values": {"x1": PI}, "cell_line": "plan"}, "did you mean plain"),
        ({"values": {"x1": PI}, "readouts": ["yy"]}, "unknown readout 'yy'"),
        ({"values": {"x1": PI}, "treatment": "alphanab 1 nM"}, "did you mean alphanib"),
        ({"values": {"x1": PI}, "time": "1 2 h"}, "one time"),
    ],
)
def test_bad_questions(ishigami: Model, changes: dict[str, Any], said: str) -> None:
    asked = {"cell_line": "plain", "treatment": "vehicle", "readouts": "y", "time": "1 min", "points": 64, **changes}
    with pytest.raises(InputError, match=said):
        sobol_indices(ishigami, library=LIBRARY, **asked)


def test_no_elasticity_at_zero(tiny: Model) -> None:
    with pytest.raises(InputError, match="'drug_on_A' is 0 here"):
        elasticities(tiny, "plain", "vehicle", "cell_count", "1 h", ["k_in", "drug_on_A"], library=LIBRARY)
    with pytest.raises(InputError, match="readout 'trap' is not above zero"):
        elasticities(tiny, "plain", "vehicle", "trap", "1 h", ["k_in"], library=LIBRARY)


def test_one_parameter_of_one_readout_explains_everything() -> None:
    readings = np.random.default_rng(0).random((3, 64, 1))
    readings[2] = readings[1]  # A with its only column from B is B
    found = _indices(readings, 3, 0.9, 0)
    assert {name: value.shape for name, value in found.items()} == dict.fromkeys(found, (1, 1))
    both = _indices(np.repeat(readings, 2, axis=2), 3, 0.9, 0)
    assert all((both[name] == value).all() for name, value in found.items())
