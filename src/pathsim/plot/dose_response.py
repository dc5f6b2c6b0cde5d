"""Dose response: wells as dots, the Hill curve with its confidence interval, and the IC50 with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..checked import checked
from ..errors import InputError
from ..stats import growth_rate, hill
from ..stats.curve import Curve, Potency, rounded
from ..stats.doses import single_drug_curves
from ..stats.growth_rate import Metrics
from ..units import handy_concentration, time_text
from .style import COLOURS, INK, LABELS, MIDDLE, PAGE, PALE, TICKS, canvas, caption, log_axis, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vP<>"


@checked
def draw_dose_response(
    data: pd.DataFrame | Mapping[str, Curve | Metrics],
    ax: Axes | None = None,
    response_label: str = "",
    heading: str = "",
) -> Figure:
    """Draw the dose responses of a table in the one schema, or fitted curves (or GR metrics) by name.

    Untreated wells stand left of a break in the log axis. The dashed line is half of the top where there is one curve;
    a diamond on a curve is its IC50 (GR50 of GR values) with the profile interval; one that is not reached is said in
    the legend. Where the table has columns ``low`` and ``high`` (``--ensemble``) they are whiskers on the wells.

    Args:
        response_label, heading: of the response axis and above the legend; by default what the table says.

    >>> curve = ps.hill.fit([0, 10, 100, 1000], [1.0, 0.93, 0.48, 0.11])
    >>> figure = ps.plot.draw_dose_response({"alpelisib": curve})

    Raises :class:`InputError` for a table without a dose response and for curves in different dose units.
    """
    drawn, shared = (
        ([_fitted(name, curve) for name, curve in data.items()], "") if isinstance(data, Mapping) else _curves(data)
    )
    units = {each.curve.unit for each in drawn}
    if len(units) != 1:
        raise InputError(f"curves are in {' and '.join(sorted(units)) or 'no unit'}; one dose axis needs one unit")
    ax = canvas(ax, width=MIDDLE, height=3.0 + 0.15 * len(drawn))
    unit, factor = units.pop(), 1.0
    positive = np.concatenate([each.curve.doses[each.curve.doses > 0] for each in drawn])
    if unit == "nM":
        factor, unit = handy_concentration(float(positive.max()))
    positive = positive / factor
    zero_at = positive.min() / 10**0.75
    untreated = any((each.curve.doses == 0).any() for each in drawn)
    left = zero_at / 1.6 if untreated else positive.min() / 1.6
    log_axis(ax, "x", left, positive.max() * 1.6, {zero_at: "0"} if untreated else None)
    for number, each in enumerate(drawn):
        _draw_curve(ax, each, COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)], zero_at, factor, unit)
    with_ends = None if isinstance(data, Mapping) or not {"low", "high"} <= set(data.columns) else data
    if with_ends is not None:
        _draw_whiskers(ax, with_ends, zero_at, factor)
    if len(drawn) == 1:
        top = drawn[0].curve.top.value
        if top is not None:
            ax.axhline(0.5 * top, color=PALE, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    if untreated:
        _mark_break(ax, zero_at, float(positive.min()))
    ax.set_xlabel(f"dose ({unit})" if len(drawn) > 1 or not shared else f"{drawn[0].of[1] or 'dose'} ({unit})")
    ax.set_ylabel(response_label or _response_label(data))
    if ax.get_ylim()[0] > 0:
        ax.set_ylim(0, None)
    said = [heading or shared, *(() if with_ends is None else ("whiskers: 5 to 95 % of the parameter sets",))]
    caption(ax, "; ".join(part for part in said if part))
    return whole(ax)


@checked
def draw_potencies(table: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """The IC50 (GR50 of GR values) of every cell line under every drug of a table, as a heat map.

    Dark is potent, on a logarithmic scale of doses; a bound that is not reached, or passed already at the lowest dose,
    stands with its sign.

    Raises :class:`InputError` for a table without a dose response, or with several readouts or times.
    """
    from matplotlib.colors import LogNorm

    drawn, shared = _curves(table)
    lines, drugs = (list(dict.fromkeys(names)) for names in zip(*(each.of for each in drawn), strict=True))
    if len({each.of for each in drawn}) < len(drawn):
        raise InputError("potencies: the table has several readouts or times; choose one")
    grid = np.full((len(lines), len(drugs)), np.nan)
    ax = canvas(ax, width=min(PAGE, 1.9 + 0.75 * len(drugs)), height=1.3 + 0.22 * len(lines))
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    texts = {}
    for each in drawn:
        place, found = (lines.index(each.of[0]), drugs.index(each.of[1])), each.curve.ic50
        if found.value is None:
            texts[place] = "?"
            continue
        factor, unit = handy_concentration(found.value) if found.unit == "nM" else (1.0, found.unit)
        grid[place] = found.value
        texts[place] = f"{'' if found.relation == '=' else found.relation}{rounded(found.value / factor, 2)} {unit}"
    ends = (float(np.nanmin(grid)), float(np.nanmax(grid))) if np.isfinite(grid).any() else (1.0, 10.0)
    scale = LogNorm(ends[0] / 1.01, ends[1] * 1.01)
    image = ax.imshow(grid, cmap="cividis", norm=scale, aspect="auto")
    for (row, column), text in texts.items():
        dark = np.isfinite(grid[row, column]) and float(scale(grid[row, column])) < 0.5
        ax.text(column, row, text, ha="center", va="center", fontsize=6, color="white" if dark else INK)
    ax.set_xticks(range(len(drugs)), drugs, fontsize=TICKS, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(lines)), lines, fontsize=TICKS)
    bar = whole(ax).colorbar(image, ax=ax, shrink=0.9, pad=0.02)
    bar.set_label(f"{drawn[0].potency} ({drawn[0].curve.unit})", fontsize=LABELS)
    bar.ax.tick_params(labelsize=TICKS)
    caption(ax, ", ".join(part for part in (str(table["readout"].iloc[0]), shared) if part), [])
    return whole(ax)


@dataclass(frozen=True)
class _Drawn:
    """A curve with its name in the legend, what its potency is called, and the cell line and drug it is of."""

    name: str
    curve: Curve
    potency: str
    of: tuple[str, str] = ("", "")


def _fitted(name: str, found: Curve | Metrics) -> _Drawn:
    return _Drawn(name, found.curve, "GR50") if isinstance(found, Metrics) else _Drawn(name, found, "IC50")


def _draw_whiskers(ax: Axes, table: pd.DataFrame, zero_at: float, factor: float) -> None:
    ends = [single_drug_curves(table.assign(value=table[column])) for column in ("low", "high")]
    for number, ((_, doses, low, _), (_, _, high, _)) in enumerate(zip(*ends, strict=True)):
        at = np.where(doses > 0, doses / factor, zero_at)
        ax.vlines(at, low, high, color=COLOURS[number % len(COLOURS)], linewidth=0.9, alpha=0.8)


def _curves(table: pd.DataFrame) -> tuple[list[_Drawn], str]:
    """Every curve of a table, and what all of them share: cell line, time, what else is in the medium."""
    found: list[_Drawn] = []
    keys = list(single_drug_curves(table))
    if not keys:
        raise InputError("the table holds no dose response")
    names = ("cell_line", "readout", "time_min")
    text = {"time_min": lambda value: time_text(float(str(value)))}
    told = [{name: text.get(name, str)(key[name]) for name in names} for key, *_ in keys]
    varying = [name for name in names if len({each[name] for each in told}) > 1]
    shared = [told[0][name] for name in ("cell_line", "time_min") if name not in varying]
    for each, (key, doses, responses, unit) in zip(told, keys, strict=True):
        gr = key["readout"] == "GR"
        curve = (
            growth_rate.from_values(doses, responses, unit=unit).curve if gr else hill.fit(doses, responses, unit=unit)
        )
        parts = [str(key["drug"]), *(each[name] for name in varying)]
        found.append(_Drawn(", ".join(parts), curve, "GR50" if gr else "IC50", (each["cell_line"], str(key["drug"]))))
    return found, ", ".join(shared)


def _draw_curve(ax: Axes, each: _Drawn, colour: str, marker: str, zero_at: float, factor: float, unit: str) -> None:
    curve = each.curve
    positive = curve.doses[curve.doses > 0]
    at = np.geomspace(positive.min() / 1.3, positive.max() * 1.3, 240)
    interval = curve.interval(at)
    if interval is not None:
        ax.fill_between(at / factor, *interval, color=colour, alpha=0.16, linewidth=0)
    ax.plot(
        at / factor,
        curve(at),
        color=colour,
        linewidth=1.6,
        label=f"{each.name}: {each.potency} {_potency_text(curve.ic50, factor, unit)}",
    )
    ax.plot(
        np.where(curve.doses > 0, curve.doses / factor, zero_at),
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
            ends = [max(low / factor, left), min(high / factor, right)]
            ax.plot(ends, [height, height], color=INK, linewidth=1.1, solid_capstyle="butt", zorder=4)
        ax.plot([curve.ic50.value / factor], [height], marker="d", color=INK, markersize=5, linestyle="", zorder=5)


def _potency_text(potency: Potency, factor: float, unit: str) -> str:
    if potency.value is None:
        return "not estimable"
    if potency.relation == ">":
        return f"not reached (> {rounded(potency.value / factor)} {unit})"
    if potency.relation == "<":
        return f"< {rounded(potency.value / factor, 3)} {unit}"
    text = f"{rounded(potency.value / factor, 3)} {unit}"
    if potency.low is None or potency.high is None:
        return text
    low, high = (
        "open" if math.isinf(end) or end == 0 else f"{rounded(end / factor, 3)}" for end in (potency.low, potency.high)
    )
    return f"{text} ({low} to {high})"


def _mark_break(ax: Axes, zero_at: float, lowest: float) -> None:
    """Two strokes across the axis between the untreated wells and the lowest dose."""
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


def _response_label(data: pd.DataFrame | Mapping[str, Curve | Metrics]) -> str:
    if isinstance(data, Mapping):
        return "response"
    readouts = list(dict.fromkeys(str(name) for name in data["readout"]))
    unit = str(data["unit"].iloc[0]) if "unit" in data.columns else "fraction of control"
    if readouts == ["GR"]:
        return "GR (growth rate, 1 as untreated, 0 arrest)"
    return f"{' / '.join(readouts)} ({unit})" if unit not in ("", "1") else " / ".join(readouts)
