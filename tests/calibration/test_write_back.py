"""What a calibration writes: the shipped files must agree with what the model does."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

import pathsim as ps
from pathsim.calibration.write_back import (
    FULL_MEDIUM,
    _with_doublings,
    _with_potencies,
    _with_references,
    _with_values,
)
from pathsim.experiments.readings import Reading, take_readings
from pathsim.model import models_folder

MODEL = "pi3k_mapk.ant"


def test_values_go_into_the_comments_and_nothing_else_changes() -> None:
    text = (
        "k_a = 1;                         // 1/min | estimate: minutes\n"
        "k_b = 2;                         // 1/min | calibrated: hours (start 3, within 2 fold)\n"
        "k_c = 4;                         // 1/min | source: Somebody 2001\n"
    )
    rows = pd.DataFrame({
        "name": ["k_a", "k_b", "k_c"], "value": [1.5, 2.5, 9.0], "high": [3.0, 9.0, 9.0], "start": [1.0, 3.0, 4.0],
        "identified": [True, False, True],
    })  # fmt: skip
    lines = _with_values(text, rows).splitlines()
    assert lines[0].startswith("k_a = 1.5;")
    assert lines[0].endswith("| calibrated: minutes (start 1, within 2 fold)")
    assert lines[1].startswith("k_b = 2.5;")
    assert lines[1].endswith("hours (start 3, not informed by the data)")
    assert lines[2] == text.splitlines()[2]


def test_the_shipped_reference_levels_are_those_of_the_shipped_model() -> None:
    text = (models_folder() / MODEL).read_text(encoding="utf-8")
    again = _with_references(text, ps.load_model("pi3k_mapk"))
    pattern = re.compile(r"^(\w+_reference) = ([-+0-9.eE]+);", re.MULTILINE)
    shipped, found = dict(pattern.findall(text)), dict(pattern.findall(again))
    assert len(shipped) > 6
    for name, value in shipped.items():
        np.testing.assert_allclose(float(found[name]), float(value), rtol=0.01, err_msg=name)


def test_every_line_doubles_in_the_time_its_file_names() -> None:
    text = (models_folder() / "cell_lines.toml").read_text(encoding="utf-8")
    hours: dict[str, float] = {}
    name = ""
    for line in text.splitlines():
        if head := re.match(r"^\[line\.\"?([^.\"\]]+)\"?\]$", line):
            name = head[1]
        if match := re.search(r"E2F_requirement = .*calibrated to a doubling time of ([0-9.]+) h", line):
            hours[name] = float(match[1])
    assert len(hours) > 20
    readings = [Reading(line, FULL_MEDIUM, time, "cell_count") for line in hours for time in (0.0, 4320.0)]
    counts = take_readings(ps.load_model("pi3k_mapk"), readings)[0].reshape(-1, 2)
    found = 72.0 / np.log2(counts[:, 1] / counts[:, 0])
    np.testing.assert_allclose(found, list(hours.values()), rtol=0.04)


def test_a_doubling_time_out_of_reach_is_told_and_left() -> None:
    said: list[str] = []
    text = (
        "[line.MCF7.set]\n[line.MCF7]\n"
        'E2F_requirement = { value = 1.53, unit = "1", source = "calibrated to a doubling time of 0.5 h" }\n'
    )
    assert _with_doublings(text, ps.load_model("pi3k_mapk"), said.append) == text
    assert len(said) == 1
    assert said[0].startswith("MCF7 cannot double in 0.5 h")


def test_potencies_go_behind_the_mass_of_their_drug_and_replace_those_before() -> None:
    text = '[a]\nmolar_mass = { g_per_mol = 1, source = "x" }\n\n[b]\nmolar_mass = { g_per_mol = 2, source = "x" }\n'
    rows = pd.DataFrame({
        "name": ["potency(b)", "k"], "value": [1.5, 1.0], "high": [3.0, 2.0], "start": [1.0, 1.0],
        "identified": [True, True],
    })  # fmt: skip
    once = _with_potencies(text, rows)
    assert once.splitlines()[:4] == text.splitlines()[:4]
    assert once.splitlines()[5].startswith("potency = { value = 1.5, ")
    assert "(start 1, within 2 fold)" in once
    assert _with_potencies(once, rows.assign(value=1.25)).count("potency = ") == 1
