"""How a resistant line was made: the dose staircase with growth, the clones, and what the dose response became."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import COLOURS, INK, PALE, canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..assays.escalation import Escalation


def draw_escalation(run: Escalation) -> Figure:
    """Dose staircase and clone fractions over the same days."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    draw_staircase(run.history, run.drug, run.parental_ic50.value, upper)
    draw_clones(run.fractions, lower)
    upper.set_xlabel("")
    figure.suptitle(f"{run.line.name}: {run.reason}", x=0.01, ha="left", fontsize=10, weight="bold")
    return figure


def draw_staircase(
    history: pd.DataFrame, drug: str, parental_ic50_nM: float | None = None, ax: Axes | None = None
) -> Axes:
    """The dose over the months, in nM, and growth relative to untreated parental cells."""
    axes = canvas(ax, 7.0, 2.8)
    axes.step(history["day"], history["dose_nM"], where="pre", color=COLOURS[0], lw=1.8)
    axes.set(yscale="log", xlabel="days", ylabel=f"{drug} (nM)")
    axes.yaxis.label.set_color(COLOURS[0])
    if parental_ic50_nM:
        axes.axhline(parental_ic50_nM, color=PALE, lw=0.8, ls="--")
        axes.annotate("parental IC50", (0.005, parental_ic50_nM), xycoords=("axes fraction", "data"),
                      xytext=(0, 3), textcoords="offset points", fontsize=7, color=PALE)  # fmt: skip
    growth = axes.twinx()
    growth.spines[["top"]].set_visible(False)
    smooth = history["relative_growth"].clip(lower=-0.5)
    growth.plot(history["day"], 100 * smooth, color=COLOURS[1], lw=1.0)
    growth.set_ylabel("growth (% of untreated parental)", color=COLOURS[1])
    growth.axhline(0, color=PALE, lw=0.4)
    return axes


def draw_clones(fractions: pd.DataFrame, ax: Axes | None = None, label_from: float = 0.05) -> Axes:
    """A fish plot: the share of every clone over time, stacked; clones that never reach ``label_from`` stay unnamed."""
    axes = canvas(ax, 7.0, 2.8)
    table = fractions.pivot_table(index="day", columns="clone", values="fraction", fill_value=0.0)
    order = [name for name in dict.fromkeys(fractions["clone"]) if name in table.columns]
    order.sort(key=lambda name: (name != "parental", float(np.argmax(table[name].to_numpy()))))
    colours = ["#d9d9d9" if name == "parental" else COLOURS[i % len(COLOURS)] for i, name in enumerate(order)]
    days = table.index.to_numpy(dtype=float)
    axes.stackplot(days, [100 * table[name] for name in order], colors=colours, alpha=0.9, lw=0)
    bottom = np.zeros(len(days))
    for name in order:
        share = table[name].to_numpy()
        at = int(np.argmax(share))
        if share[at] >= label_from:
            near = min(max(days[at], days[0] + 0.2 * np.ptp(days)), days[-1] - 0.15 * np.ptp(days))
            here = int(np.searchsorted(days, near))
            height = 100 * (bottom[here] + share[here] / 2)
            axes.text(near, height, name.replace("+", "\n+ "), ha="center", va="center", fontsize=7, color=INK)
        bottom = bottom + share
    axes.set(xlim=(days[0], days[-1]), ylim=(0, 100), xlabel="days", ylabel="share of culture (%)")
    return axes
