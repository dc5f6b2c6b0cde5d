"""Time courses: outputs of a model as lines labelled at their ends, and readouts of treated cell lines in panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import column, not_finite, shortened
from ..checked import checked
from ..errors import InputError, raise_together
from ..model import Model, load_model
from ..table import check_columns, numeric_cells
from .style import COLOURS, COLUMN, INK, LABELS, MIDDLE, NOTES, PAGE, canvas, drawable, label_ends, page, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = ("-", "--", ":", "-.")


@checked
def draw_time_course(
    frame: pd.DataFrame, ax: Axes | None = None, time_unit: str = "", unit: str = "", title: str = ""
) -> Figure:
    """Draw a frame of :func:`pathsim.simulate`: index ``time``, one column per output; shaded where ``X`` comes with
    ``X_low`` and ``X_high``.

    >>> figure = ps.plot.draw_time_course(ps.simulate("pi3k_mapk", "0 .. 60 x 13", outputs=["pAKT_S473"]))

    Raises :class:`InputError` for what is no such frame; :func:`draw_readouts` draws tables of treated cell lines.
    """
    if {"cell_line", "readout", "value"} <= set(getattr(frame, "columns", ())):
        raise InputError("time course: this is a table of treated cell lines; draw_readouts draws it")
    frame = _numbers(frame)
    ax = canvas(ax, width=MIDDLE, height=3.2)
    ends = {end for name in frame.columns for end in (f"{name}_low", f"{name}_high")}
    shaded = False
    for name in frame.columns:
        if name in ends:
            continue
        if {f"{name}_low", f"{name}_high"} <= set(frame.columns):
            shaded = True
            ax.fill_between(frame.index, frame[f"{name}_low"], frame[f"{name}_high"], alpha=0.15, lw=0)
        ax.plot(frame.index, frame[name], linewidth=1.6, label=str(name), marker="o" if len(frame) < 12 else "", ms=3)
    ax.set_xlabel(f"time ({time_unit})" if time_unit else "time")
    ax.set_ylabel(f"value ({unit})" if unit else "value")
    ax.set_xlim(float(frame.index.min()), float(frame.index.max()) or None)
    label_ends(ax)
    said = [title, "shaded: 5 to 95 % of the parameter sets" if shaded else ""]
    ax.set_title(fill("; ".join(part for part in said if part), 80), fontsize=LABELS, loc="left", color=INK)
    return whole(ax)


@checked
def draw_readouts(table: pd.DataFrame, units: Mapping[str, str] | None = None, title: str = "") -> Figure:
    """Readouts of treated cell lines over time: one panel per readout, one line per cell line and treatment.

    Shaded where the table has columns ``low`` and ``high`` (``--ensemble``).

    Args:
        table: of :func:`pathsim.western_blot`, with several times.
        units: of the readouts, by name; default: as the bundled model says.

    >>> table = ps.western_blot("pi3k_mapk", ["T47D"], ["alpelisib 1 uM"], ["pAKT_S473"], "0 1 4 24 h")
    >>> figure = ps.plot.draw_readouts(table)

    Raises :class:`InputError` for a table that holds a single time.
    """
    table = drawable(
        table, "time course", ("cell_line", "treatment", "readout"), ("time_min", "value"), ("low", "high")
    )
    moments = table["time_min"].nunique()
    if moments < 2:
        raise InputError("time course: the table holds a single time; draw_blot draws it")
    readouts = list(dict.fromkeys(table["readout"]))
    lines = list(dict.fromkeys(zip(table["cell_line"], table["treatment"], strict=True)))
    across = min(3, len(readouts))
    down = -(-len(readouts) // across)
    names = [_named(line, treatment, lines) for line, treatment in lines]
    below = sum(-(-len(name) // 110) for name in names)
    wide = (COLUMN, MIDDLE, PAGE)[across - 1]
    figure = page(wide, 1.75 * down + 0.16 * below + 0.45)
    axes = np.atleast_1d(np.asarray(figure.subplots(down, across, sharex=True))).ravel()
    unit, minutes = _time_unit(float(table["time_min"].max()))
    known = _bundled_units() if units is None else units
    for number, (ax, readout) in enumerate(zip(axes, readouts, strict=False)):
        canvas(ax, 0, 0)
        part = table[table["readout"] == readout]
        for colour, style, (line, treatment), name in zip(*_styles(lines), lines, names, strict=True):
            own = part[(part["cell_line"] == line) & (part["treatment"] == treatment)]
            means = own.groupby("time_min", sort=True)[[c for c in ("value", "low", "high") if c in own]].mean()
            at = means.index.to_numpy(dtype=float) / minutes
            if {"low", "high"} <= set(means.columns):
                ax.fill_between(at, means["low"], means["high"], color=colour, alpha=0.15, lw=0)
            marker = "o" if moments < 15 else ""
            ax.plot(at, means["value"], style, color=colour, lw=1.4, marker=marker, ms=2.8, label=name)
        ax.set_title(readout, fontsize=LABELS, loc="left")
        own_unit = str(part["unit"].iloc[0]) if "unit" in part else known.get(readout, "")
        ax.set_ylabel("relative" if own_unit == "1" else own_unit or "value", fontsize=NOTES)
        ax.set_ylim(0 if part["value"].min() >= 0 else None, None)
        if number + across >= len(readouts):
            ax.set_xlabel(f"time ({unit})", fontsize=NOTES)
            ax.tick_params(labelbottom=True)
    for ax in axes[len(readouts) :]:
        ax.set_visible(False)
    handles, _ = axes[0].get_legend_handles_labels()
    wrapped = [fill(name, 26 * across + 16) for name in names]
    figure.legend(handles, wrapped, loc="outside lower left", frameon=False, fontsize=NOTES)
    shared = {line for line, _ in lines}
    said = [title or (next(iter(shared)) if len(shared) == 1 else "")]
    said += ["shaded: 5 to 95 % of the parameter sets"] if {"low", "high"} <= set(table.columns) else []
    if any(said):
        figure.suptitle("; ".join(part for part in said if part), x=0.01, ha="left", fontsize=LABELS)
    return figure


def units_of(model: Model) -> dict[str, str]:
    """Units of the readouts of a model; what is a mere number is called relative."""
    notes = model.annotations
    return {item.name: "relative" if item.unit in ("", "1") else item.unit for item in notes if item.readout}


@cache
def _bundled_units() -> dict[str, str]:
    return units_of(load_model("pi3k_mapk"))


def _named(line: str, treatment: str, lines: Sequence[tuple[str, str]]) -> str:
    """What tells a line of the figure from the others."""
    if len({name for name, _ in lines}) == 1:
        return treatment
    return f"{line}, {treatment}"


def _styles(lines: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Colours and dashes: colours by treatment and dashes by cell line where both differ, else a colour each."""
    cells, treatments = (list(dict.fromkeys(pair[which] for pair in lines)) for which in (0, 1))
    if len(cells) > 1 and len(treatments) > 1 and len(cells) <= len(_DASHES):
        colours = [COLOURS[treatments.index(treatment) % len(COLOURS)] for _, treatment in lines]
        return colours, [_DASHES[cells.index(line)] for line, _ in lines]
    return [COLOURS[i % len(COLOURS)] for i in range(len(lines))], [
        "-" if i < len(COLOURS) else "--" for i in range(len(lines))
    ]


def _time_unit(latest_min: float) -> tuple[str, float]:
    if latest_min < 180:
        return "min", 1.0
    return ("h", 60.0) if latest_min <= 10 * 1440 else ("d", 1440.0)


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in numbers, NaN where there is none. Raises :class:`InputError` for one without rows or columns, or
    whose index is no time."""
    check_columns(frame, [name for name in frame.columns if isinstance(name, str)], "time course")
    if not frame.size:
        raise InputError("time course: the frame has no rows or no columns")
    times = column(frame.index, "time")
    raise_together(shortened(not_finite(times, "time")), "time course")
    return frame.apply(numeric_cells).set_axis(times)
