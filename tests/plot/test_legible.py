"""No text of a figure runs into another, over the edge of the page, or under a curve's legend; files are editable."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import pathsim as ps
from pathsim.model.wiring import wiring
from pathsim.plot.page import Page
from pathsim.plot.style import page
from pathsim.stats import hill, synergy
from pathsim.stats.survival import kaplan_meier, log_rank

SLACK = 1.5  # pixels at 60 dpi


def drawn(figure: Figure) -> RendererAgg:
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(60)
    canvas.draw()
    return canvas.get_renderer()


def texts_of(figure: Figure, renderer: RendererAgg) -> list[tuple[str, Bbox]]:
    """Every text that is seen, and where; slanted ones are left to the eye, since their boxes are larger than they."""
    ticks = {
        label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels(which="both")
    }
    seen: list[Text] = [item for item in figure.findobj(Text) if isinstance(item, Text) and item not in ticks]
    for ax in figure.axes:
        if ax.get_visible() and ax.axison:
            for axis in (ax.xaxis, ax.yaxis):
                seen += [tick.label1 for tick in axis._update_ticks() if tick.label1.get_visible()]  # type: ignore[attr-defined]
    return [
        (item.get_text(), item.get_window_extent(renderer))
        for item in seen
        if item.get_text().strip()
        and item.get_visible()
        and not item.get_rotation() % 90
        and (item.axes is None or item.axes.get_visible())
    ]


def faults(figure: Figure, renderer: RendererAgg) -> list[str]:
    """Texts that run into another or over the edge of the page."""
    texts, edge = texts_of(figure, renderer), figure.bbox
    said = [
        f"'{text}' over the edge"
        for text, box in texts
        if box.x0 < edge.x0 - SLACK or box.x1 > edge.x1 + SLACK or box.y0 < edge.y0 - SLACK or box.y1 > edge.y1 + SLACK
    ]
    for (one, first), (two, second) in combinations(texts, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        if wide > SLACK and high > 2 * SLACK:
            said.append(f"'{one}' over '{two}'")
    return said


def covered(figure: Figure, renderer: RendererAgg) -> list[str]:
    """Legends that lie inside the frame, where curves run."""
    said = []
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None:
            continue
        box, frame = legend.get_window_extent(renderer), ax.get_window_extent(renderer)
        inside = min(box.x1, frame.x1) - max(box.x0, frame.x0) > 2 and min(box.y1, frame.y1) - max(box.y0, frame.y0) > 2
        said += [f"legend of '{ax.get_ylabel()}' lies on the curves"] if inside else []
    return said


def blot(
    lines: int, treatments: int, times: list[float], readouts: tuple[str, ...] = ("pAKT_S473", "vinculin")
) -> Figure:
    names = ["T47D", "MDA-MB-468", "SNU601+SRC_STAT1_adapted", *(f"line-{i}" for i in range(lines))][:lines]
    given = ["vehicle", *(f"serum 10 % + alpelisib {dose} nM" for dose in range(1, treatments))]
    rows = [
        (name, text, time, readout, 1.0 + i)
        for i, name in enumerate(names)
        for text in given
        for time in times
        for readout in readouts
    ]
    return ps.plot.draw_blot(pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value"]))


def doses(drugs: int, top: float) -> pd.DataFrame:
    at = np.array([0, *np.geomspace(top / 1e4, top, 7)])
    rows = [
        ("SNU601+SRC_STAT1_adapted", "serum 10 %", 4320.0, "viability", 100 / (1 + dose / (top / 10 ** (i / 2))),
         "% of vehicle", f"capivasertib{i}", dose)
        for i in range(drugs) for dose in at
    ]  # fmt: skip
    columns = ["cell_line", "treatment", "time_min", "readout", "value", "unit", "drug", "dose_nM"]
    return pd.DataFrame(rows, columns=columns)


def wells(first: int = 6, second: int = 6, top: float = 1e4, excess: float = 0.2) -> synergy.Wells:
    levels = [[0.0, *np.geomspace(top / 1e3, top, n)] for n in (first, second)]
    grid = [[a, b] for a in levels[0] for b in levels[1]]
    values = [1 / (1 + a / top * 20) / (1 + b / top * 40) - excess * (0 < a < top) * (0 < b < top / 3) for a, b in grid]
    name = "SNU601+SRC_STAT1_adapted, viability, 72 h"
    return synergy.from_arrays(grid, values, ("capivasertib", "mirdametinib"), ("nM", "nM"), name=name)


def pair(score: str) -> Figure:
    figure = page(7.2, 3.2)
    left, right = figure.subplots(1, 2)
    ps.plot.draw_dose_matrix(wells(), ax=left)
    ps.plot.draw_synergy(getattr(synergy, score)(wells(), resamples=20), ax=right)
    return figure


def three_drugs() -> Figure:
    grid = [[a, b, c] for a in (0, 10, 1e3) for b in (0, 10, 1e3) for c in (0, 1e6, 1e7)]
    values = [1 / (1 + a / 100) / (1 + b / 50) / (1 + c / 1e7) for a, b, c in grid]
    names = ("alpelisib", "capivasertib", "metformin")
    return ps.plot.draw_three_drugs(synergy.bliss(grid, values, drugs=names, units="nM", resamples=0))


def course(lines: int, treatments: int, readouts: int) -> Figure:
    rows = [
        (f"SNU601+SRC_STAT1_adapted{i}", f"vehicle for 24 h then serum 10 % + capivasertib {j} nM", time, f"pAKT_S{k}",
         time * (1 + j) + i)
        for i in range(lines) for j in range(treatments) for time in np.linspace(0, 4320, 5) for k in range(readouts)
    ]  # fmt: skip
    return ps.plot.draw_readouts(pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value"]))


def animals() -> Figure:
    arms = {
        name: kaplan_meier([20 + 3 * i + j for j in range(8)], name=name)
        for i, name in enumerate(
            (
                "vehicle",
                "paxalisib 15 mg/kg daily",
                "paxalisib 15 mg/kg daily + mirdametinib 1 mg/kg twice daily 5 on / 2 off",
            )
        )
    }
    test = log_rank([1, 2, 3, 4, 5, 6], ["a", "b"] * 3)
    return ps.plot.draw_survival(arms, test=test)


FIGURES: dict[str, Callable[[], Figure]] = {
    "blot": lambda: blot(2, 4, [15.0]),
    "blot of one lane": lambda: blot(1, 1, [15.0]),
    "blot of many lines": lambda: blot(29, 1, [60.0]),
    "blot over time": lambda: blot(3, 2, [0.0, 15.0, 1440.0, 4320.0], ("cPARP", "senescent_fraction", "vinculin")),
    "curve": lambda: ps.plot.draw_dose_response(doses(1, 1e4)),
    "seven curves": lambda: ps.plot.draw_dose_response(doses(7, 1e4)),
    "curve in mM": lambda: ps.plot.draw_dose_response(doses(1, 3e7)),
    "fitted curve": lambda: ps.plot.draw_dose_response({"a": hill.fit([0, 1, 10, 100], [1, 0.8, 0.3, 0.1])}),
    "potencies": lambda: ps.plot.draw_potencies(doses(6, 1e4)),
    "dose matrix": lambda: ps.plot.draw_dose_matrix(wells()),
    "landscape": lambda: ps.plot.draw_synergy(synergy.bliss(wells(), resamples=20)),
    "landscape of antagonism": lambda: ps.plot.draw_synergy(synergy.bliss(wells(4, 4, 3e7, -0.3), resamples=20)),
    "matrix and landscape": lambda: pair("bliss"),
    "three drugs": three_drugs,
    "isobologram": lambda: ps.plot.draw_isobologram(synergy.isobologram(wells(excess=0.0))),
    "index": lambda: ps.plot.draw_combination_index(synergy.combination_index(wells(excess=0.0))),
    "surface": lambda: ps.plot.draw_musyc(synergy.musyc(wells(3, 4, excess=0.0)), wells(3, 4, excess=0.0)),
    "survival": animals,
    "time course": lambda: course(2, 2, 4),
    "one time course": lambda: course(1, 3, 1),
    "outputs": lambda: ps.plot.draw_time_course(
        pd.DataFrame({f"x{i}": [i / 9, i, i + 1] for i in range(6)}, index=pd.Index([0.0, 1.0, 2.0], name="time"))
    ),
    "small network": lambda: ps.plot.draw_network(wiring(ps.load_model(SMALL))),
}
SMALL = Path(__file__).parents[1] / "estimation" / "culture.ant"


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.filterwarnings("error")
def test_no_text_runs_into_another_or_over_the_edge(name: str) -> None:
    figure = FIGURES[name]()
    assert isinstance(figure, Page)
    renderer = drawn(figure)
    assert faults(figure, renderer) == []
    assert covered(figure, renderer) == []
    assert figure.get_figwidth() <= 7.2 + 1e-9 or name == "small network"


def test_faults_are_found() -> None:
    figure = page(2.0, 2.0)
    figure.text(0.9, 0.5, "far too long a text")
    figure.text(0.1, 0.5, "one")
    figure.text(0.11, 0.5, "two")
    ax = figure.add_subplot()
    ax.plot([0, 1], [0, 1], label="a")
    ax.legend(loc="center")
    renderer = drawn(figure)
    said = faults(figure, renderer)
    assert "'far too long a text' over the edge" in said
    assert "'one' over 'two'" in said
    assert covered(figure, renderer)


def test_files_are_as_journals_ask() -> None:
    figure = ps.plot.draw_dose_response(doses(2, 1e4))
    written = {ending: io.BytesIO() for ending in ("svg", "pdf", "png")}
    for ending, file in written.items():
        figure.savefig(file, format=ending)
    assert b"capivasertib0" in written["svg"].getvalue()
    assert b"/Type3" not in written["pdf"].getvalue()
    assert b"/Subtype /CIDFontType2" in written["pdf"].getvalue() or b"/TrueType" in written["pdf"].getvalue()
    assert int.from_bytes(written["png"].getvalue()[16:20], "big") == round(300 * figure.get_figwidth())
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
