"""Measured against simulated: does the model say what was seen, and where does it not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..table import check_columns
from .style import COLOURS, INK, LABELS, PAGE, PALE, canvas, drawable, log_axis, page, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vP<>"
MOST_IN_LEGEND = 24


@checked
def draw_agreement(table: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Draw a table with columns ``observable, measurement, simulation, noise, scale``.

    Every observable is divided by its largest measurement, since units differ; bars are one standard deviation of the
    noise. Axes are logarithmic where everything is positive.
    """
    table = drawable(table, "agreement", ("observable", "scale"), ("measurement", "simulation"), sizes=("noise",))
    names = list(dict.fromkeys(table["observable"]))
    told_apart = 1 < len(names) <= MOST_IN_LEGEND
    ax = canvas(ax, width=PAGE if told_apart else 4.4, height=4.4)
    measured, simulated = (table[name].to_numpy(dtype=float) for name in ("measurement", "simulation"))
    logarithmic = bool((measured > 0).all() and (simulated > 0).all())
    for number, name in enumerate(names):
        rows = (table["observable"] == name).to_numpy()
        unit = np.abs(measured[rows]).max() or 1.0
        low, high = _bars(table[rows])
        ax.errorbar(
            simulated[rows] / unit,
            measured[rows] / unit,
            yerr=np.array([low, high]) / unit,
            fmt="none",
            ecolor=PALE,
            elinewidth=0.5,
            alpha=0.5,
            zorder=1,
        )
        colour, marker = _look(number if told_apart else 0)
        ax.plot(
            simulated[rows] / unit,
            measured[rows] / unit,
            marker,
            linestyle="none",
            markersize=3.5,
            color=colour,
            markeredgewidth=0,
            alpha=0.8,
            label=str(name).removeprefix("observable_").removeprefix("obs_"),
        )
    if logarithmic:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ends = np.array([min(ax.get_xlim()[0], ax.get_ylim()[0]), max(ax.get_xlim()[1], ax.get_ylim()[1])])
    ax.plot(ends, ends, color=INK, linewidth=0.8, zorder=0)
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    if logarithmic:
        log_axis(ax, "x", *ends)
        log_axis(ax, "y", *ends)
    ax.set_aspect("equal")
    ax.set_xlabel("simulated (share of the largest measurement)")
    ax.set_ylabel("measured (the same share)")
    if told_apart:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=6.5)
    else:
        ax.set_title(str(names[0]) if len(names) == 1 else f"{len(names)} observables", fontsize=LABELS, loc="left")
    return whole(ax)


@checked
def draw_left_out(table: pd.DataFrame) -> Figure:
    """Draw predictions of cell lines that were left out of the fit: predicted against measured, one panel per drug.

    ``table`` has columns ``drug, cell_line, measured, left_out, low, high`` (``panel.csv`` of
    ``python -m pathsim.calibration.leave_out``). Bars are the intervals; each panel tells the rank correlation over
    lines and how many intervals hold the measured value.
    """
    numbers = ("measured", "left_out", "low", "high")
    check_columns(table, numbers, "lines left out")
    table = drawable(table, "lines left out", ("drug", "cell_line"), ("left_out", "low", "high"), gaps=("measured",))
    table = table[table["measured"].notna()]
    if not len(table):
        raise InputError("lines left out: no row has a measured value")
    drugs, lines = list(dict.fromkeys(table["drug"])), list(dict.fromkeys(table["cell_line"]))
    across = min(6, len(drugs))
    down = -(-len(drugs) // across)
    figure = page(max(1.2 * across, 3.5), 1.4 * down + 0.9)
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    least, most = (float(extreme(table[list(numbers)].to_numpy(dtype=float))) for extreme in (np.min, np.max))
    for ax, drug in zip(axes, drugs, strict=False):
        canvas(ax, 2, 2)
        own = table[table["drug"] == drug]
        ax.plot([least, most], [least, most], color=INK, linewidth=0.7, zorder=0)
        for place, (x, y, low, high) in zip(own["cell_line"], own[list(numbers)].to_numpy(dtype=float), strict=True):
            colour, marker = _look(lines.index(place))
            ax.plot([x, x], [low, high], color=PALE, linewidth=0.6, zorder=1)
            ax.plot(x, y, linestyle="none", markersize=3.8, markeredgewidth=0, label=place, color=colour, marker=marker)
        held = int(((own["measured"] >= own["low"]) & (own["measured"] <= own["high"])).sum())
        correlation = own["measured"].rank().corr(own["left_out"].rank())
        ax.set_title(f"{drug}\nr {correlation:.2f}, {held}/{len(own)} held", fontsize=6, loc="left")
        ax.tick_params(labelsize=6)
    for ax in axes[len(drugs) :]:
        ax.set_visible(False)
    figure.supxlabel("measured area over the GR curve, 72 h", fontsize=LABELS)
    figure.supylabel("predicted without the line", fontsize=LABELS)
    shown = {name: handle for ax in axes for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    ordered = [name for name in lines if name in shown]
    figure.legend(
        [shown[name] for name in ordered], ordered, loc="outside upper center", ncols=8, frameon=False, fontsize=6
    )
    return figure


def _look(number: int) -> tuple[str, str]:
    """Colour and marker of one among many: every colour once, then again with the next marker."""
    return COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]


def _bars(table: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """How far down and up one standard deviation of the noise reaches from each measurement."""
    value, noise = table["measurement"].to_numpy(dtype=float), table["noise"].to_numpy(dtype=float)
    scale = str(table["scale"].iloc[0])
    if scale == "lin":
        return noise, noise
    factor = np.exp(noise if scale == "log" else noise * np.log(10.0))
    return value - value / factor, value * factor - value
