"""Which parameters matter: a tornado of elasticities, bars of Sobol indices and of Morris effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..errors import InputError, unknown
from ..units import time_text
from .style import COLOURS, INK, MIDDLE, TICKS, canvas, caption, drawable, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RISES, FALLS = COLOURS[0], COLOURS[1]


@checked
def draw_tornado(table: pd.DataFrame, readout: str | None = None, most: int = 15, ax: Axes | None = None) -> Figure:
    """Elasticities of one readout (default the only one), the largest on top.

    Raises :class:`InputError` when the table holds several readouts and none is chosen.
    """
    part = _one_readout(table, readout, ("elasticity",)).head(most).iloc[::-1]
    ax = canvas(ax, MIDDLE, 0.9 + 0.2 * len(part))
    values = part["elasticity"].to_numpy()
    ax.barh(np.arange(len(part)), values, height=0.7, color=[RISES if value > 0 else FALLS for value in values])
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(np.arange(len(part)), list(part["parameter"]), fontsize=TICKS)
    ax.tick_params(axis="y", length=0)
    ax.margins(y=0.02)
    reach = 1.12 * float(np.abs(values).max() or 1.0)
    ax.set_xlim(-reach if (values < 0).any() else -0.05 * reach, reach if (values > 0).any() else 0.05 * reach)
    ax.set_xlabel(f"elasticity of {part['readout'].iloc[0]} (% per % of the parameter)")
    caption(ax, _where(part))
    return whole(ax)


@checked
def draw_sobol(table: pd.DataFrame, readout: str | None = None, most: int = 12, ax: Axes | None = None) -> Figure:
    """First-order and total Sobol indices of one readout with their intervals, the largest on top."""
    part = _one_readout(table, readout, _SOBOL).head(most).iloc[::-1]
    ax = canvas(ax, MIDDLE, 1.2 + 0.3 * len(part))
    places = np.arange(len(part))
    kinds = ((0.19, "total", "total", COLOURS[0]), (-0.19, "first", "first order", COLOURS[5]))
    for shift, name, label, colour in kinds:
        value = part[name].to_numpy()
        error = np.maximum([value - part[f"{name}_low"], part[f"{name}_high"] - value], 0)
        ax.barh(
            places + shift,
            value,
            height=0.36,
            color=colour,
            label=label,
            xerr=error,
            error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 1.5},
        )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(places, list(part["parameter"]), fontsize=TICKS)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(left=min(0.0, float(part["first_low"].min())) - 0.01)
    ax.set_xlabel(f"share of the variance of {part['readout'].iloc[0]} (1)")
    caption(ax, _where(part), columns=2)
    return whole(ax)


@checked
def draw_morris(table: pd.DataFrame, readout: str | None = None, most: int = 15, ax: Axes | None = None) -> Figure:
    """Elementary effects of one readout: mu* as bars with their intervals, sigma as points, the largest on top.

    A point near or beyond the end of its bar says that the effect depends on the other parameters.
    """
    part = _one_readout(table, readout, ("mu_star", "sigma"), ("mu_star_error",)).head(most).iloc[::-1]
    ax = canvas(ax, MIDDLE, 1.2 + 0.2 * len(part))
    places = np.arange(len(part))
    ax.barh(
        places,
        part["mu_star"],
        height=0.7,
        color=COLOURS[5],
        xerr=part["mu_star_error"],
        label="mu* (mean size)",
        error_kw={"ecolor": INK, "elinewidth": 0.8, "capsize": 1.5},
    )
    ax.plot(part["sigma"], places, "D", markersize=4, color=COLOURS[1], label="sigma (spread)")
    ax.set_yticks(places, list(part["parameter"]), fontsize=TICKS)
    ax.tick_params(axis="y", length=0)
    ax.margins(y=0.02)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"effect on {part['readout'].iloc[0]} over the whole interval (its unit)")
    caption(ax, _where(part), columns=2)
    return whole(ax)


_NAMES = ("parameter", "readout", "cell_line", "treatment")
_SOBOL = ("total", "total_low", "total_high", "first", "first_low", "first_high")


def _one_readout(
    table: pd.DataFrame, readout: str | None, needed: tuple[str, ...], sizes: tuple[str, ...] = ()
) -> pd.DataFrame:
    """The rows of one readout with these numbers, those largest in the first of them on top."""
    table = drawable(table, "sensitivities", _NAMES, (*needed, "time_min"), sizes=sizes)
    names = list(dict.fromkeys(table["readout"]))
    if readout is None and len(names) > 1:
        raise InputError(f"the table has {len(names)} readouts; choose one: {', '.join(names)}")
    chosen = names[0] if readout is None else readout
    if chosen not in names:
        raise unknown("readout", chosen, names)
    return table[table["readout"] == chosen].sort_values(needed[0], key=np.abs, ascending=False, kind="stable")


def _where(part: pd.DataFrame) -> str:
    """Line, treatment and time, as a caption."""
    first = part.iloc[0]
    return f"{first['cell_line']}, {first['treatment']}, {time_text(float(first['time_min']))}"
