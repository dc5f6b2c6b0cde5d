"""Behaviours: what is asked of which preset, and that the list of presets where the model fails is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.lab import default_library
from pathsim.scorecard.behaviours import read_behaviours, see, to_frame
from pathsim.scorecard.measures import read_measure

ONE = """
[[behaviour]]
id = "X1"
statement = "Alpelisib lowers pAKT"
basis = "test"
lines = ["T47D", "MCF7", "MDA-MB-468"]
genotype = { PTEN = ["WT"] }
left_out.MCF7 = "for the test"
fails = ["T47D"]
measure.a = { fold = "pAKT_S473", treatment = "serum 10 % + alpelisib 1 uM", time = "1 h" }
[[behaviour.check]]
value = "a"
below = 0.01
label = "pAKT"
"""


def test_lines_are_chosen_by_genotype_and_failures_are_compared_with_the_list(tmp_path: Path) -> None:
    path = tmp_path / "behaviours.toml"
    path.write_text(ONE)
    (behaviour,) = read_behaviours(path)
    assert behaviour.lines == ("T47D",)
    seen = see([behaviour])
    row = to_frame(seen).iloc[0]
    assert (row["holds"], row["lines"], row["unexpected"]) == (0, 1, "")
    assert row["not_on"].startswith("T47D: pAKT 0.")
    path.write_text(ONE.replace('fails = ["T47D"]\n', ""))
    assert to_frame(see(read_behaviours(path))).iloc[0]["unexpected"] == "T47D"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('fails = ["T47D"]', 'fails = ["MCF7"]', "'MCF7' fails and is not asked"),
        ('"MDA-MB-468"]', '"MDA-MB-469"]', "MDA-MB-468"),
        ('value = "a"', 'value = "b"', "unknown measure 'b'"),
        ("statement", "statment", "statement"),
    ],
)
def test_what_is_wrong_with_a_behaviour_is_said(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "behaviours.toml"
    path.write_text(ONE.replace(old, new, 1))
    with pytest.raises(InputError, match=says):
        read_behaviours(path)


def test_doubling_highest_and_rebound() -> None:
    def value(kind: str, spec: dict[str, object], x: list[float]) -> float:
        measure = read_measure("m", {kind: spec.pop(kind), **spec}, "here", [])
        assert measure is not None
        return float(measure.value(np.array([x]))[0])

    assert value("doubling", {"doubling": "serum 10 %"}, [1.0, 8.0]) == pytest.approx(24.0)
    assert value("doubling", {"doubling": "serum 10 %"}, [1.0, 0.5]) == np.inf
    curves = [2.0, 1.0, 0.6, 0.8, 2.2, 1.0, 0.2]
    drugs = {"doses": "1 nM .. 100 nM x 3"}
    assert value("highest", {"highest": ["alpelisib", "SN38"], **drugs}, curves) == pytest.approx(1.1)
    assert value("rebound", {"rebound": ["alpelisib", "SN38"], **drugs}, curves) == pytest.approx(0.1)


def test_the_shipped_model_behaves_as_listed() -> None:
    """What is mended leaves the list of failures, and nothing enters it unseen."""
    behaviours = read_behaviours()
    assert {line for item in behaviours for line in item.lines} == set(default_library().cell_lines)
    frame = to_frame(see(behaviours))
    assert dict(zip(frame["id"], frame["unexpected"], strict=True)) == dict.fromkeys(frame["id"], "")
