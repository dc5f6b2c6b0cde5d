"""What all figures share: a quiet frame and colours that colour-blind readers tell apart (Okabe and Ito 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import not_finite, row_label, shortened
from ..errors import InputError, raise_together
from ..table import check_columns, numeric_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INK = "#222222"
PALE = "#8a8a8a"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7a5195", "#a05d2c")
"""Okabe and Ito's colours without their yellow (too pale on white) and two darker ones."""


def canvas(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax``, or the only axes of a new figure of this size in inches; without the upper and right frame."""
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_prop_cycle(color=list(COLOURS))
    return ax


def label_ends(ax: Axes, most: int = 12) -> None:
    """Name each line at its right end, moved apart where names would collide; a legend beside when lines are many."""
    lines = ax.get_lines()
    if not lines:
        return
    if len(lines) > most:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=6, ncols=1 + len(lines) // 30)
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
            fontsize=8,
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
