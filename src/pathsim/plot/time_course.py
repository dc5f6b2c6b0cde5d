"""A time course: one line per output, labelled at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import column, not_finite, shortened
from ..checked import checked
from ..errors import InputError, raise_together
from ..table import check_columns, numeric_cells
from .style import canvas, label_ends

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@checked
def draw_time_course(frame: pd.DataFrame, ax: Axes | None = None, time_unit: str = "", unit: str = "") -> Axes:
    """Draw a frame of :func:`pathsim.simulate`: index ``time``, one column per output; shaded where ``X`` comes with
    ``X_low`` and ``X_high``."""
    frame = _numbers(frame)
    ax = canvas(ax, width=6.4, height=4.0)
    ends = {end for name in frame.columns for end in (f"{name}_low", f"{name}_high")}
    for name in frame.columns:
        if name in ends:
            continue
        if {f"{name}_low", f"{name}_high"} <= set(frame.columns):
            ax.fill_between(frame.index, frame[f"{name}_low"], frame[f"{name}_high"], alpha=0.15, lw=0)
        ax.plot(frame.index, frame[name], linewidth=1.6, label=str(name), marker="o" if len(frame) < 12 else "", ms=3)
    ax.set_xlabel(f"time ({time_unit})" if time_unit else "time")
    ax.set_ylabel(f"value ({unit})" if unit else "value")
    ax.set_xlim(float(frame.index.min()), float(frame.index.max()) or None)
    label_ends(ax)
    return ax


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in numbers, NaN where there is none. Raises :class:`InputError` for one without rows or columns, or
    whose index is no time."""
    check_columns(frame, [name for name in frame.columns if isinstance(name, str)], "time course")
    if not frame.size:
        raise InputError("time course: the frame has no rows or no columns")
    times = column(frame.index, "time")
    raise_together(shortened(not_finite(times, "time")), "time course")
    return frame.apply(numeric_cells).set_axis(times)
