"""Figures of any table: drawn, or refused in lines that name what is wrong with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pathsim as ps
from pathsim.errors import InputError

BASE = {"cell_line": "T47D", "treatment": "vehicle", "time_min": 60.0, "readout": "pAKT"}
TABLES: dict[str, pd.DataFrame] = {
    "draw_agreement": pd.DataFrame(
        {"observable": "a", "measurement": [1.0, 2.0], "simulation": 1.0, "noise": 0.1, "scale": "lin"}
    ),
    "draw_left_out": pd.DataFrame(
        {"drug": "a", "cell_line": ["x", "y"], "measured": [0.1, 0.2], "left_out": 0.1, "low": 0.0, "high": 0.2}
    ),
    "draw_blot": pd.DataFrame({**BASE, "time_min": [0.0, 5.0], "value": [1.0, 2.0]}),
    "draw_blot_fit": pd.DataFrame(
        {**BASE, "value": [1.0, 2.0], "predicted": 1.0, "gel": "a", "unit_scale": 1.0, "censored": False}
    ),
    "draw_tornado": pd.DataFrame({**BASE, "parameter": ["a", "b"], "elasticity": 0.1}),
    "draw_morris": pd.DataFrame({**BASE, "parameter": ["a", "b"], "mu_star": 1.0, "mu_star_error": 0.1, "sigma": 0.2}),
    "draw_ranking": pd.DataFrame(
        {"experiment": "x", "drugs": ["a + b", "a + c"], "metric": "bliss", "unit": "%", "synergy_if": "> 0",
         "mean": 1.0, "low": 0.0, "high": 2.0}
    ),
}  # fmt: skip


def spoilt(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for name in table.columns:
        yield table.assign(**{name: pd.Series(["x", *table[name][1:]], index=table.index, dtype=object)})
        yield table.drop(columns=name)
    name = table.columns[-1]
    yield from (table.assign(**{name: cell}) for cell in (None, np.inf, -1.0, 1j))
    yield pd.concat([table, table[[name]]], axis=1)
    yield table.iloc[:0]
    yield table.set_axis([0, 0], axis=0)
    yield table.set_axis(range(table.shape[1]), axis=1)


def refused_or_drawn(draw: Callable[..., Any], *args: Any, **options: Any) -> str:
    try:
        draw(*args, **options)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.filterwarnings("ignore")
def test_any_table_is_drawn_or_refused(name: str) -> None:
    draw = getattr(ps.plot, name)
    draw(TABLES[name])
    for table in spoilt(TABLES[name]):
        refused_or_drawn(draw, table)
    if "most" in inspect.signature(draw).parameters:
        assert "most is 0" in refused_or_drawn(draw, TABLES[name], most=0)


@pytest.mark.parametrize("name", ps.plot.__all__)
def test_what_is_no_table_or_result_is_refused(name: str) -> None:
    draw = getattr(ps.plot, name)
    needed = [one for one in inspect.signature(draw).parameters.values() if one.default is one.empty]
    for wrong in (None, 3, "x", pd.DataFrame({"a": [1]}), pd.DataFrame(), [1], object()):
        said = refused_or_drawn(draw, *[wrong] * max(len(needed), 1))
        assert (
            said
            or (name == "draw_time_course" and len(wrong) == 1)
            or (name in ("draw_pathway", "draw_workflow") and wrong is None)
        )  # type: ignore[arg-type]


def test_every_step_of_the_workflow_stands_whole() -> None:
    axes = ps.plot.draw_workflow().axes[0]
    low, high = axes.get_ylim()
    for box in axes.patches:
        ends = box.get_path().get_extents().transformed(box.get_patch_transform())
        assert low <= ends.y0 < ends.y1 <= high
