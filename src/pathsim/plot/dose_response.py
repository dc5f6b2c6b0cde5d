"""Dose response: wells as dots, the Hill curve with its confidence interval, and the IC50 with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..errors import InputError
from ..stats import hill
from ..stats.curve import Curve, Potency, rounded
from ..stats.doses import single_drug_curves
from .style import COLOURS, INK, PALE, canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MARKERS = "osD^vP<>"


@checked
def draw_dose_response(
    data: pd.DataFrame | Mapping[str, Curve], ax: Axes | None = None, response_label: str = ""
) -> Axes:
    """Draw the dose responses of a table in the one schema, or fitted curves by name.

    Untreated wells stand left of a break in the log axis. The dashed line is half of the top where there is one curve;
    a diamond on a curve is its IC50 with the profile interval; an IC50 that is not reached is said in the legend.
    Where the table has columns ``low`` and ``high`` (``--ensemble``) they are whiskers on the wells.

    Raises :class:`InputError` for a table without a dose response and for curves in different dose units.
    """
    curves = dict(data) if isinstance(data, Mapping) else _curves(data)
    units = {curve.unit for curve in curves.values()}
    if len(units) != 1:
        raise InputError(f"curves are in {' and '.join(sorted(units)) or 'no unit'}; one dose axis needs one unit")
    ax = canvas(ax, width=5.6, height=3.9)
    positive = np.concatenate([curve.doses[curve.doses > 0] for curve in curves.values()])
    zero_at = positive.min() / 10**0.75
    untreated = any((curve.doses == 0).any() for curve in curves.values())
    for number, (name, curve) in enumerate(curves.items()):
        _draw_curve(ax, name, curve, COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)], zero_at)
    banded = None if isinstance(data, Mapping) or not {"low", "high"} <= set(data.columns) else data
    if banded is not None:
        _draw_whiskers(ax, banded, zero_at)
    if len(curves) == 1:
        (curve,) = curves.values()
        if curve.top.value is not None:
            ax.axhline(0.5 * curve.top.value, color=PALE, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(zero_at / 1.6 if untreated else positive.min() / 1.6, positive.max() * 1.6)
    if untreated:
        _mark_zero(ax, zero_at, float(positive.min()))
    ax.set_xlabel(f"dose ({units.pop()})")
    ax.set_ylabel(response_label or _response_label(data))
    if ax.get_ylim()[0] > 0:
        ax.set_ylim(0, None)
    title = None if banded is None else "whiskers: 5 to 95 % of the parameter sets"
    ax.legend(frameon=False, fontsize=7.5, loc="best", handlelength=1.6, title=title, title_fontsize=7)
    return ax


def _draw_whiskers(ax: Axes, table: pd.DataFrame, zero_at: float) -> None:
    ends = [single_drug_curves(table.assign(value=table[column])) for column in ("low", "high")]
    for number, ((_, doses, low, _), (_, _, high, _)) in enumerate(zip(*ends, strict=True)):
        at = np.where(doses > 0, doses, zero_at)
        ax.vlines(at, low, high, color=COLOURS[number % len(COLOURS)], linewidth=0.9, alpha=0.8)


def _curves(table: pd.DataFrame) -> dict[str, Curve]:
    found = {}
    keys = list(single_drug_curves(table))
    varying = [name for name in ("cell_line", "readout", "time_min") if len({str(key[name]) for key, *_ in keys}) > 1]
    for key, doses, responses, unit in keys:
        parts = [str(key["drug"]), *(f"{key[name]} min" if name == "time_min" else str(key[name]) for name in varying)]
        found[", ".join(parts)] = hill.fit(doses, responses, unit=unit)
    if not found:
        raise InputError("the table holds no dose response")
    return found


def _draw_curve(ax: Axes, name: str, curve: Curve, colour: str, marker: str, zero_at: float) -> None:
    positive = curve.doses[curve.doses > 0]
    at = np.geomspace(positive.min() / 1.3, positive.max() * 1.3, 240)
    interval = curve.interval(at)
    if interval is not None:
        ax.fill_between(at, *interval, color=colour, alpha=0.16, linewidth=0)
    ax.plot(at, curve(at), color=colour, linewidth=1.7, label=f"{name}: IC50 {_potency_text(curve.ic50)}")
    ax.plot(
        np.where(curve.doses > 0, curve.doses, zero_at),
        curve.responses,
        marker=marker,
        linestyle="",
        color=colour,
        markersize=3.8,
        markeredgecolor="white",
        markeredgewidth=0.4,
        alpha=0.9,
    )
    if curve.ic50.reached and curve.ic50.value is not None:
        height = float(curve([curve.ic50.value])[0])
        low, high = curve.ic50.low, curve.ic50.high
        if low is not None and high is not None:
            left, right = ax.get_xlim()
            ends = [max(low, left, 1e-300), high if math.isfinite(high) else max(right, positive.max() * 1.6)]
            ax.plot(ends, [height, height], color=INK, linewidth=1.1, solid_capstyle="butt", zorder=4)
        ax.plot([curve.ic50.value], [height], marker="d", color=INK, markersize=5, linestyle="", zorder=5)


def _potency_text(potency: Potency) -> str:
    if potency.value is None:
        return "not estimable"
    if potency.relation == ">":
        return f"not reached (> {rounded(potency.value)} {potency.unit})"
    if potency.relation == "<":
        return f"< {rounded(potency.value, 3)} {potency.unit}"
    text = f"{rounded(potency.value, 3)} {potency.unit}"
    if potency.low is None or potency.high is None:
        return text
    low, high = ("open" if math.isinf(end) or end == 0 else f"{rounded(end, 3)}" for end in (potency.low, potency.high))
    return f"{text} ({low} to {high})"


def _mark_zero(ax: Axes, zero_at: float, lowest: float) -> None:
    """Write 0 where the untreated wells stand, and two strokes across the axis between them and the lowest dose."""
    ticks = [tick for tick in 10.0 ** np.arange(-12, 13) if lowest * 0.99 <= tick <= ax.get_xlim()[1]]
    labels = [f"{tick:g}" if 1e-3 <= tick < 1e5 else f"$10^{{{round(math.log10(tick))}}}$" for tick in ticks]
    ax.set_xticks([zero_at, *ticks], labels=["0", *labels])
    ax.set_xticks([], minor=True)
    middle = math.sqrt(zero_at * lowest)
    for place in (middle / 1.07, middle * 1.07):
        ax.plot(
            [place / 1.05, place * 1.05],
            [-0.018, 0.018],
            transform=ax.get_xaxis_transform(),
            color=INK,
            linewidth=0.8,
            clip_on=False,
            zorder=6,
        )


def _response_label(data: pd.DataFrame | Mapping[str, Curve]) -> str:
    if isinstance(data, Mapping):
        return "response"
    readouts = list(dict.fromkeys(str(name) for name in data["readout"]))
    unit = str(data["unit"].iloc[0]) if "unit" in data.columns else "fraction of control"
    return f"{' / '.join(readouts)} ({unit})" if unit else " / ".join(readouts)
