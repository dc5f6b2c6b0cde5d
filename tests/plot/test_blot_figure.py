"""The blot figure and the pathway map: that they show what is in the table and the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

import pathsim as ps
from pathsim.lab.protocols import pathway_diagram
from pathsim.model.wiring import Effect, wiring
from pathsim.plot import draw_blot, draw_network, draw_time_course
from pathsim.plot.pathway import arrow_effects


def table(values: list[float], replicates: int = 1) -> pd.DataFrame:
    rows = [
        {"cell_line": "T47D", "treatment": treatment, "time_min": 15.0, "readout": readout, "value": value}
        for treatment in ("vehicle", "IGF1 13 nM")
        for readout, value in zip(("pAKT_S473", "vinculin"), values, strict=True)
        for _ in range(replicates)
    ]
    return pd.DataFrame(rows)


def test_bands_over_parameter_sets_are_whiskers() -> None:
    banded = table([2.0, 1.0]).assign(low=lambda t: 0.5 * t["value"], high=lambda t: 1.5 * t["value"])
    figure = draw_blot(banded)
    (lines,) = (c for c in figure.axes[1].collections if isinstance(c, LineCollection))
    assert [segment[:, 1].tolist() for segment in lines.get_segments()] == [[0.5, 1.5], [0.5, 1.5]]
    assert figure.axes[1].get_ylim()[1] > 1.5
    assert any("parameter sets" in text.get_text() for text in figure.texts)
    assert not any("parameter sets" in text.get_text() for text in draw_blot(table([2.0, 1.0])).texts)


def test_one_strip_and_one_quantification_per_antibody() -> None:
    figure = draw_blot(table([1.0, 1.0]))
    assert len(figure.axes) == 4
    shown = {text.get_text() for part in (figure, *figure.axes) for text in part.texts}
    assert {"pAKT S473", "vinculin", "117", "T47D"} <= shown


def test_bands_darken_with_the_signal() -> None:
    frame = table([1.0, 1.0])
    frame.loc[(frame["readout"] == "pAKT_S473") & (frame["treatment"] == "vehicle"), "value"] = 0.2
    image = np.asarray(draw_blot(frame).axes[0].images[0].get_array())
    first, second = np.split(image, 2, axis=1)
    assert second.min() < first.min() < 0.9


def test_dark_lanes_and_replicates_draw() -> None:
    frame = table([0.0, 1.0], replicates=3).assign(gel="gel 1")
    assert draw_blot(frame).axes


def test_a_blot_with_holes_is_refused() -> None:
    with pytest.raises(ps.InputError, match="not a whole blot"):
        draw_blot(table([1.0, 1.0]).iloc[:-1])


def test_the_pathway_map_shows_molecules_and_drugs() -> None:
    ax = draw_network(wiring(ps.load_model("pi3k_mapk")), ps.default_library().drugs.values()).axes[0]
    shown = {text.get_text() for text in ax.texts}
    assert {"AKT", "mTORC1", "PIP3", "ERK", "alpelisib", "capivasertib"} <= shown


def test_the_pathway_diagram_says_what_the_model_says() -> None:
    diagram, network = pathway_diagram(), wiring(ps.load_model("pi3k_mapk"))
    effects = arrow_effects(diagram, network)
    assert set(effects) == {*diagram.canonical, *diagram.resistance, *diagram.others}
    assert effects["AKT", "TSC2"] is effects["PTEN", "PIP3"] is Effect.INHIBITS
    assert effects["p110a", "PIP3"] is Effect.ACTIVATES
    assert {node for one in diagram.molecules.values() for node in one.nodes} <= set(network.kinds)
    assert set(diagram.alterations) <= set(ps.default_library().alterations)
    shown = [text.get_text() for text in ps.plot.draw_pathway().axes[0].texts]
    assert any("alpelisib" in text for text in shown)
    assert "PTEN loss" in shown


def test_time_courses_with_few_and_many_lines() -> None:
    times = np.linspace(0, 1, 5)
    for count in (2, 20):
        frame = pd.DataFrame({f"x{i}": times * i for i in range(count)}, index=pd.Index(times, name="time"))
        assert len(draw_time_course(frame).axes[0].lines) == count
