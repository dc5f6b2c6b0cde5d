"""A time course: one line per output, labelled at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .style import canvas, label_ends

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def draw_time_course(frame: pd.DataFrame, ax: Axes | None = None, time_unit: str = "", unit: str = "") -> Axes:
    """Draw a frame of :func:`pathsim.simulate`: index ``time``, one column per output."""
    ax = canvas(ax, width=6.4, height=4.0)
    for name in frame.columns:
        ax.plot(frame.index, frame[name], linewidth=1.6, label=str(name), marker="o" if len(frame) < 12 else "", ms=3)
    ax.set_xlabel(f"time ({time_unit})" if time_unit else "time")
    ax.set_ylabel(f"value ({unit})" if unit else "value")
    ax.set_xlim(float(frame.index.min()), float(frame.index.max()) or None)
    label_ends(ax)
    return ax
