"""Measured results beside simulated ones: bands of lanes, dose responses, dose matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..checked import checked
from ..errors import InputError
from ..stats import growth_rate, hill, synergy
from ..stats.measured import DoseResponse
from ..units import time_text
from .dose_response import draw_dose_response
from .style import COLOURS, INK, LABELS, NOTES, PAGE, TICKS, drawable, page
from .synergy import draw_dose_matrix, draw_synergy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@checked
def draw_blot_beside(table: pd.DataFrame) -> Figure:
    """Draw measured bands (dots) beside simulated ones (bars): a row for each readout, a lane for each place.

    Args:
        table: of :func:`pathsim.estimation.beside.beside`: ``cell_line, treatment, time_min, readout, simulated,
            measured``, a row per measured band.

    Raises :class:`InputError` for a table without these columns or rows.
    """
    keys = ("cell_line", "treatment", "readout")
    table = drawable(table, "blot", keys, ("time_min", "simulated", "measured"))
    lanes = list(table[["cell_line", "treatment", "time_min"]].drop_duplicates().itertuples(index=False, name=None))
    readouts = list(dict.fromkeys(table["readout"]))
    names = [f"{number}. {line}, {text}, {time_text(time)}" for number, (line, text, time) in enumerate(lanes, start=1)]
    figure = page(PAGE, 0.9 + 1.0 * len(readouts) + 0.14 * len(names))
    axes = figure.subplots(len(readouts), 1, sharex=True, squeeze=False)[:, 0]
    places = {lane: place for place, lane in enumerate(lanes)}
    for ax, readout in zip(axes, readouts, strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        part = table[table["readout"] == readout]
        at = [places[lane] for lane in part[["cell_line", "treatment", "time_min"]].itertuples(index=False, name=None)]
        largest = max(float(part["simulated"].max()), 1e-300)
        shown = dict(zip(at, part["simulated"] / largest, strict=True))
        ax.bar(list(shown), list(shown.values()), width=0.7, color=COLOURS[0], alpha=0.45, label="simulated")
        ax.plot(
            at, part["measured"] / largest, marker="o", linestyle="", color=COLOURS[1], markersize=4, label="measured"
        )
        ax.set_ylabel(str(readout), fontsize=LABELS, color=INK)
        ax.set_ylim(0, None)
        ax.tick_params(labelsize=TICKS)
    axes[0].legend(frameon=False, fontsize=NOTES, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    axes[-1].set_xticks(range(len(lanes)), labels=[str(number) for number in range(1, len(lanes) + 1)])
    axes[-1].set_xlabel("\n".join(names), fontsize=NOTES, loc="left")
    figure.supylabel("share of the largest simulated lane", fontsize=LABELS)
    return figure


@checked
def draw_dose_response_beside(simulated: pd.DataFrame, measured: Sequence[DoseResponse]) -> Figure:
    """Draw measured dose responses beside the simulated ones of a table of :func:`pathsim.dose_response`.

    Measured values are drawn in percent of their untreated wells, GR values as they are.

    Raises :class:`InputError` when nothing is measured, or without GR values beside simulated ones.
    """
    if not measured:
        raise InputError("no measured dose response to draw")
    curves: dict[str, hill.Curve | growth_rate.Metrics] = {}
    readout = str(simulated["readout"].iloc[0])
    for (line, drug), wells in simulated.groupby(["cell_line", "drug"], sort=False):
        fit = growth_rate.from_values if readout == "GR" else hill.fit
        curves[f"simulated {line}, {drug}"] = fit(wells["dose_nM"].tolist(), wells["value"].tolist())
    for one in measured:
        if readout == "GR" and one.metrics is None:
            raise InputError(f"{one.name}: no GR values; they need counts at the start")
        found = one.metrics if readout == "GR" else one.in_percent().curve
        assert found is not None
        curves[one.as_measured] = found
    unit = str(simulated["unit"].iloc[0]) if "unit" in simulated.columns else ""
    return draw_dose_response(curves, response_label=f"{readout} ({unit})" if unit else readout)


@checked
def draw_matrix_beside(simulated: synergy.Wells, measured: synergy.Wells, seed: int = 0) -> Figure:
    """Draw a simulated dose matrix and its Bliss excess above the measured one and its own.

    Raises :class:`InputError` for other than two drugs.
    """
    figure = page(PAGE, 6.2)
    axes = figure.subplots(2, 2)
    for row, name, wells in ((0, "simulated", simulated), (1, "measured", measured)):
        draw_dose_matrix(wells, ax=axes[row, 0])
        draw_synergy(synergy.bliss(wells, seed=seed), ax=axes[row, 1])
        axes[row, 0].set_title(name, loc="left", fontsize=LABELS, color=INK)
    return figure
