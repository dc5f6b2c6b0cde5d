"""Studies under many parameter sets: whose constants win, what fails alone, and the files that sets are read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from tiny_cell import tiny_library, tiny_model

from pathsim.assays.dose_response import dose_response
from pathsim.errors import InputError, SimulationError
from pathsim.experiments.ensemble import Intervals, interval, load_parameter_sets, on_lines, prediction_intervals
from pathsim.lab import Alteration, CellLine
from pathsim.lab.constants import with_constants

LINE = CellLine("L", set=MappingProxyType({"a": 1.0}), scale=MappingProxyType({"b": 3.0, "c": 2.0}))


def test_the_lines_own_numbers_win_except_over_those_fitted_for_it() -> None:
    general = with_constants(LINE, {"a": 7.0, "b": 7.0, "d": 7.0}).apply({"b": 1.0, "c": 1.0})
    assert general == {"a": 1.0, "b": 21.0, "c": 2.0, "d": 7.0}
    fitted = with_constants(LINE, {"a@L": 7.0, "b@L": 7.0, "c@other": 7.0}).apply({"b": 1.0, "c": 1.0})
    assert fitted == {"a": 7.0, "b": 7.0, "c": 2.0}


def test_an_alteration_acts_on_what_was_fitted_for_its_line() -> None:
    halved = CellLine("L").altered(Alteration("half", scale=MappingProxyType({"a": 0.5})))
    assert with_constants(halved, {"a@L": 8.0}).apply({"a": 1.0}) == {"a": 4.0}
    assert with_constants(halved, {"a@L": 8.0, "a@L+half": 3.0}).apply({"a": 1.0}) == {"a": 3.0}


def test_the_interval_is_that_of_the_closed_form(tmp_path: Path) -> None:
    """At rest the cell is at (1 + GF) k_in/k_out; a drug divides it by 1 + dose/Kd, whatever the constants."""
    model, library = tiny_model(tmp_path), tiny_library()

    def run(lines: Sequence[CellLine | str]) -> pd.DataFrame:
        return dose_response(model, lines[0], "alphanib", [50.0], "marker", "2000 h", medium="vehicle", library=library)

    sets = [{"k_in": 0.01 * x} for x in (2.0, 1.0, 3.0)]
    table = prediction_intervals(on_lines(run, ["plain"], library), sets).table()
    assert list(table.columns).index("low") == list(table.columns).index("value") + 1
    dosed = table[table["dose_nM"] > 0].iloc[0]
    assert dosed["value"] == pytest.approx(5.0, rel=1e-4)  # the median
    assert dosed["low"] == pytest.approx(2.5 * 1.1, rel=1e-4)
    assert dosed["high"] == pytest.approx(2.5 * 2.9, rel=1e-4)


def test_the_value_lies_in_its_interval_where_the_best_set_does_not() -> None:
    table = pd.DataFrame({"value": [1.0]})
    studies = tuple(table * x for x in (9.0, *([1.0] * 20), 2.0))
    found = Intervals(studies).table().iloc[0]
    assert found["low"] <= found["value"] <= found["high"] < 9.0
    assert interval([np.inf, 1.0, 2.0], occurring=True).value == 2.0


def test_a_set_that_fails_is_left_out_and_said() -> None:
    told: list[str] = []

    def run(lines: Sequence[CellLine | str]) -> float:
        line = lines[0]
        if isinstance(line, CellLine) and line.set.get("a", 0.0) < 0:
            raise SimulationError("no")
        return 1.0 if isinstance(line, str) else line.set["a"]

    library = tiny_library()
    study = on_lines(run, ["plain"], library)
    found = prediction_intervals(study, [{}, {"a": 2.0}, {"a": -1.0}, {"a": 3.0}], tell=told.append)
    assert (found.best, found.studies) == (1.0, (1.0, 2.0, 3.0))
    assert found.failures == ("parameter set 2: no",)
    assert told == ["parameter set 1 of 3: done", "parameter set 2 of 3: left out: no", "parameter set 3 of 3: done"]
    assert found.of(lambda x: x).value == 2.0
    assert prediction_intervals(study, [{}]).sample == ()
    with pytest.raises(SimulationError, match="failed under all 1 parameter sets"):
        prediction_intervals(study, [{}, {"a": -1.0}])
    with pytest.raises(SimulationError, match="no"):
        prediction_intervals(study, [{"a": -1.0}, {}])
    with pytest.raises(InputError, match="at least one"):
        prediction_intervals(study, [])
    with pytest.raises(InputError, match="between 0 and 1"):
        prediction_intervals(study, [{}], level=90)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("k,l\n1,x\n2,\n", "row 2, column 'l': 'x'"),
        ("k\n", "no parameter set"),
        ("", "the file is empty"),
        (f"k\n{'9' * 400}\n", "row 2, column 'k'.* is not a number"),
    ],
)
def test_a_bad_file_of_sets_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "sets.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=says):
        load_parameter_sets(path)
