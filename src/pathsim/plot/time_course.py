"""A time course: one line per output, labelled at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checked import checked
from .style import canvas, label_ends

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@checked
def draw_time_course(frame: pd.DataFrame, ax: Axes | None = None, time_unit: str = "", unit: str = "") -> Axes:
    """Draw a frame of :func:`pathsim.simulate`: index ``time``, one column per output; shaded where ``X`` comes with
    ``X_low`` and ``X_high``."""
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
