"""What all figures share: a quiet frame and colours that colour-blind readers tell apart (Okabe and Ito 2008)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..arguments import not_finite, row_label, shortened
from ..errors import InputError, raise_together
from ..table import check_columns, numeric_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, MIDDLE, PAGE = 3.5, 5.2, 7.2
"""Widths of a journal's column, of one and a half, and of the page, in inches (89, 132 and 183 mm)."""
HEADING, LABELS, TICKS, NOTES = 9.0, 8.0, 7.0, 7.0
"""Sizes of letters in points."""
_FINE = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
INK = "#222222"
PALE = "#8a8a8a"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7a5195", "#a05d2c")
"""Okabe and Ito's colours without their yellow (too pale on white) and two darker ones."""


def page(width: float, height: float) -> Figure:
    """A new page of this size in inches; what is on it makes room for each other."""
    from .page import Page

    return Page(figsize=(width, height), layout="constrained")


def canvas(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax``, or the only axes of a new page of this size in inches; without the upper and right frame."""
    if ax is None:
        ax = page(width, height).add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_prop_cycle(color=list(COLOURS))
    ax.tick_params(labelsize=TICKS)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(LABELS)
    return ax


def whole(ax: Axes) -> Figure:
    """The figure that these axes are part of."""
    return ax.figure.figure


def caption(ax: Axes, heading: str = "", handles: Sequence[Artist] | None = None, columns: int = 1) -> None:
    """What is shown, and the legend below it, above the frame, where no curve runs through them.

    Args:
        heading: cell line, time and the like; broken into lines that fit the frame.
        handles: what the legend explains; by default everything on the axes that has a label.
    """
    found = ax.get_legend_handles_labels()[0] if handles is None else list(handles)
    wide, above = letters(ax), 4.0
    if found:
        names = [fill(str(handle.get_label()), max(wide // columns - 5, 12)) for handle in found]
        rows = [names[start :: -(-len(names) // columns)] for start in range(-(-len(names) // columns))]
        above += sum(1.12 * NOTES * max(name.count("\n") + 1 for name in row) + 0.3 * NOTES for row in rows)
        ax.legend(
            found,
            names,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            borderaxespad=0.2,
            borderpad=0.1,
            handlelength=1.5,
            labelspacing=0.3,
            frameon=False,
            fontsize=NOTES,
            alignment="left",
            ncols=columns,
        )
    if heading:
        lines = "\n".join(fill(line, wide) for line in heading.splitlines())
        ax.set_title(lines, loc="left", fontsize=NOTES + 0.5, color=INK, pad=above)


def letters(ax: Axes) -> int:
    """How many letters of a caption fit the width that these axes have on their page."""
    return max(20, int(1.15 * ax.get_position().width * whole(ax).get_figwidth() / 0.062))


def log_axis(
    ax: Axes, side: Literal["x", "y"], low: float, high: float, extra: Mapping[float, str] | None = None
) -> None:
    """A logarithmic axis from ``low`` to ``high`` whose ticks are all written the same way.

    Decades as plain numbers where they lie between 0.001 and 10 000, all as powers of ten elsewhere; 1, 2 and 5 of each
    decade on short axes. ``extra`` ticks keep their own text.
    """
    if side == "x":
        ax.set_xscale("log")
        ax.set_xlim(low, high)
    else:
        ax.set_yscale("log")
        ax.set_ylim(low, high)
    axis = ax.xaxis if side == "x" else ax.yaxis
    places = np.arange(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    decades = math.log10(high / low)
    steps: Sequence[float] = (1.0,) if decades > 1.7 else (1.0, 2.0, 5.0) if decades > 0.7 else _FINE
    every = max(1, round(decades / 7))
    ticks = [step * 10.0**place for place in places[:: 1 if len(steps) > 1 else every] for step in steps]
    ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    plain = all(1e-3 * 0.99 <= tick <= 1.01e4 for tick in ticks)
    names = [f"{tick:g}" if plain else f"$10^{{{round(math.log10(tick))}}}$" for tick in ticks]
    if not plain and len(steps) > 1:
        names = [f"{tick:.0e}".replace("e-0", "e-").replace("e+0", "e") for tick in ticks]
    own = dict(extra or {})
    axis.set_ticks([*own, *ticks], labels=[*own.values(), *names])
    axis.set_ticks([], minor=True)


def label_ends(ax: Axes, most: int = 12) -> None:
    """Name each line at its right end, moved apart where names would collide; a legend beside when lines are many."""
    lines = ax.get_lines()
    if not lines:
        return
    if len(lines) > most:
        ax.legend(
            loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=6, ncols=1 + (len(lines) - 1) // 24
        )
        return
    low, high = ax.get_ylim()
    gap = 0.055 * (high - low)
    ends = sorted(((float(np.asarray(line.get_ydata())[-1]), line) for line in lines), key=lambda end: end[0])
    heights: list[float] = []
    for value, _ in ends:
        heights.append(max(value, heights[-1] + gap) if heights else value)
    excess = max(0.0, heights[-1] - high)
    for (_, line), height in zip(ends, heights, strict=True):
        ax.annotate(
            str(line.get_label()),
            (1.0, height - excess),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            fontsize=LABELS,
            annotation_clip=False,
        )


def drawable(
    table: pd.DataFrame,
    what: str,
    names: Sequence[str],
    numbers: Sequence[str],
    gaps: Sequence[str] = (),
    sizes: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows of a table, counted anew, with columns of text (``names``) and of finite numbers (``numbers``, and
    ``sizes``, which are not negative); those of ``gaps``, where they are there at all, may be NaN.

    Raises :class:`InputError` in one line per column or row that is none.
    """
    check_columns(table, (*names, *numbers, *sizes), what)
    check_columns(table, [name for name in table.columns if isinstance(name, str)], what)
    if not len(table):
        raise InputError(f"{what}: the table has no rows")
    found = table.reset_index(drop=True).copy()
    problems: list[str] = []
    for name in names:
        found[name] = found[name].astype(object).map(str)
    for name in (*numbers, *sizes, *(gap for gap in gaps if gap in found.columns)):
        found[name] = numeric_cells(found[name])
        if name not in gaps:
            problems += not_finite(found[name].to_numpy(), name)
        if name in sizes:
            problems += [f"{row_label(i)}: {name} is negative" for i in np.flatnonzero(found[name] < 0).tolist()]
    raise_together(shortened(problems), what)
    return found
