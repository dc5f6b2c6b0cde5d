"""A plate as it stands on the bench: the reading of each well in its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ..assays.wells import PLATES, Plate, letter
from ..checked import checked
from ..errors import InputError, brief
from .style import LABELS, PAGE, PALE, TICKS, canvas, caption, drawable, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@checked
def draw_plate(table: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Draw a plate of :func:`pathsim.run_plate`, a square per well coloured by what it reads; empty wells are crossed.

    Args:
        table: one reading time; of replicates the mean is shown.

    Raises:
        InputError: columns are missing, a well is none, or there are several times or readouts.

    >>> figure = ps.plot.draw_plate(ps.run_plate("pi3k_mapk", "plate.toml"))  # doctest: +SKIP
    """
    rows = drawable(table, "plate", ("cell_line", "readout", "unit", "well"), ("time_min", "value"))
    for column in ("time_min", "readout"):
        kinds = rows[column].unique()
        if len(kinds) > 1:
            raise InputError(f"plate: {len(kinds)} values of {column}; draw one at a time")
    places = [_place(name) for name in rows["well"]]
    small = all(row < PLATES[96].rows and column < PLATES[96].columns for row, column in places)
    plate = PLATES[96 if small else 384]
    shown = np.full((plate.rows, plate.columns), np.nan)
    for well, value in rows.groupby("well", sort=False)["value"].mean().items():
        shown[_place(str(well))] = value
    ax = canvas(ax, PAGE, 4.6)
    image = ax.imshow(shown, cmap="viridis", aspect="equal")
    _frame(ax, plate)
    for row, column in zip(*np.nonzero(np.isnan(shown)), strict=True):
        ax.plot(column, row, "x", color=PALE, markersize=3, markeredgewidth=0.6)
    lines = ", ".join(dict.fromkeys(rows["cell_line"]))
    caption(ax, f"{lines}, {rows['time_min'].iloc[0] / 60:g} h")
    bar = whole(ax).colorbar(image, ax=ax, shrink=0.8, pad=0.02)
    unit = rows["unit"].iloc[0]
    bar.set_label(f"{rows['readout'].iloc[0]}{f' ({unit})' if unit else ''}", fontsize=LABELS)
    bar.ax.tick_params(labelsize=TICKS)
    return whole(ax)


def _frame(ax: Axes, plate: Plate) -> None:
    """Row letters and column numbers, as printed on the plate."""
    ax.set_xticks(range(plate.columns), [str(column + 1) for column in range(plate.columns)])
    ax.set_yticks(range(plate.rows), [letter(row) for row in range(plate.rows)])
    ax.set_xticks(np.arange(0.5, plate.columns - 1), minor=True)
    ax.set_yticks(np.arange(0.5, plate.rows - 1), minor=True)
    ax.grid(which="minor", color="white", linewidth=1.0)
    ax.xaxis.tick_top()
    ax.tick_params(which="both", length=0)
    ax.tick_params(labelsize=TICKS if plate.columns < 24 else 5)
    ax.spines[["left", "bottom"]].set_visible(False)


def _place(name: str) -> tuple[int, int]:
    match = re.fullmatch(r"([A-P])0*(\d{1,2})", name)
    if match is None or not 1 <= int(match[2]) <= PLATES[384].columns:
        raise InputError(f"plate: '{brief(name)}' is no well; they are named A01 to P24")
    return ord(match[1]) - ord("A"), int(match[2]) - 1
