"""A western blot as the bench shows it: bands in strips, a table of plus and minus below, densitometry beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..lab import Treatment
from .style import COLOURS, INK, PALE, drawable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LANE, STRIP, TABLE_ROW = 0.42, 0.46, 0.19  # inches
_PIXELS = (48, 44)  # of one lane: high, wide


@checked
def draw_blot(
    table: pd.DataFrame, masses_kDa: Mapping[str, int] | None = None, loading: str | None = None, title: str = ""
) -> Figure:
    """Draw a table of :func:`pathsim.western_blot`, or a measured one in the same schema.

    One lane per line, treatment and time; one row per readout. Bands show the first replicate, each strip exposed to
    its own brightest band. Beside it every lane is quantified: mean over replicates (dots), relative to the largest
    lane of its row. Measured or noisy signals (a table with a ``gel`` column) are first divided by ``loading``
    (default: the first loading control in the table) and by the mean of their gel, because every gel has its own gain.
    Where a table without gels has columns ``low`` and ``high`` (``--ensemble``) they are whiskers on the bars.

    Returns the figure. Raises :class:`InputError` for a table with missing or repeated bands.
    """
    from matplotlib.figure import Figure

    from ..lab.protocols import protocols

    keys = ("cell_line", "treatment", "readout")
    table = drawable(table, "blot", keys, ("time_min", "value"), ("low", "high"))
    lanes = table[["cell_line", "treatment", "time_min"]].drop_duplicates().reset_index(drop=True)
    readouts = list(dict.fromkeys(table["readout"]))
    bands = _bands(table, lanes, readouts)
    controls = protocols().loading_controls
    control = loading or next((name for name in readouts if name in controls), None)
    measured = "gel" in table.columns and control in readouts
    amounts = bands / bands[:, [readouts.index(control)], :] if measured and control else bands
    if measured:
        amounts = amounts / np.maximum(amounts.mean(axis=0), 1e-300)
    whiskers = None
    if {"low", "high"} <= set(table.columns) and not measured:
        ends = [_bands(table, lanes, readouts, column).mean(axis=2) for column in ("low", "high")]
        whiskers = np.stack(ends, axis=2)
    legend = _LaneTable.of(lanes)
    wide = max(len(lanes), 3) * LANE
    below = 0.12 + TABLE_ROW * (len(legend.rows) + 1) + 0.16 * len(legend.notes)
    height = 0.75 + STRIP * 1.18 * len(readouts) + below
    margin = max(1.2, 0.35 + 0.066 * max(len(name) for name in (*readouts, *(name for name, _ in legend.rows))))
    figure = Figure(figsize=(margin + 2 * wide + 1.1, height))
    left, quantified = margin / figure.get_figwidth(), (margin + wide + 0.95) / figure.get_figwidth()
    share = wide / figure.get_figwidth()
    weights = {**controls, **(masses_kDa or {})}
    colours = _line_colours(list(lanes["cell_line"]))
    for row, readout in enumerate(readouts):
        bottom = (height - 0.75 - STRIP * (1.18 * row + 1)) / height
        strip = figure.add_axes((left, bottom, share, STRIP / height))
        _draw_strip(strip, bands[:, row, 0], readout, weights.get(readout), seed=row)
        bars = figure.add_axes((quantified, bottom, share, STRIP / height))
        _draw_bars(bars, amounts[:, row, :], colours, None if whiskers is None else whiskers[:, row])
        if row == 0:
            _draw_line_names(strip, list(lanes["cell_line"]), colours)
            _draw_line_names(bars, list(lanes["cell_line"]), colours)
    normalised = f"signal / {control}" if measured else "signal"
    middle = (height - 0.75 - STRIP * 1.18 * len(readouts) / 2) / height
    figure.text(
        quantified - 0.36 / figure.get_figwidth(),
        middle,
        f"{normalised} (share of largest lane)",
        rotation=90,
        va="center",
        ha="center",
        fontsize=7.5,
        color=INK,
    )
    if whiskers is not None:
        figure.text(quantified, 0.06 / height, "whiskers: 5 to 95 % of the parameter sets", fontsize=6.5, color=PALE)
    legend.draw(figure, left, share, (below - 0.1) / height, height)
    figure.text(
        0.012, 1 - 0.1 / height, title or "Virtual western blot", va="top", fontsize=10, color=INK, weight="bold"
    )
    return figure


def _bands(table: pd.DataFrame, lanes: pd.DataFrame, readouts: Sequence[str], column: str = "value") -> FloatArray:
    """Values of shape (lanes, readouts, replicates). Raises :class:`InputError` unless every band is there once."""
    keys = ["cell_line", "treatment", "time_min", "readout"]
    counts = table.groupby(keys, sort=False).size()
    replicates = int(counts.max()) if len(counts) else 0
    if len(counts) != len(lanes) * len(readouts) or (counts != replicates).any() or replicates == 0:
        raise InputError("the table is not a whole blot: every lane needs the same readouts and replicates")
    position = {tuple(lane): number for number, lane in enumerate(lanes.itertuples(index=False, name=None))}
    bands = np.empty((len(lanes), len(readouts), replicates))
    seen = np.zeros(bands.shape[:2], dtype=int)
    for line, treatment, time, readout, value in table[[*keys, column]].itertuples(index=False, name=None):
        where = position[line, treatment, time], readouts.index(readout)
        bands[(*where, seen[where])] = value
        seen[where] += 1
    return bands


def _line_colours(names: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(names))
    return [COLOURS[distinct.index(name) % len(COLOURS)] for name in names]


def _draw_strip(ax: Axes, values: FloatArray, readout: str, mass: int | None, seed: int) -> None:
    """Bands of one antibody; darkness grows with the signal, never beyond black."""
    high, wide = _PIXELS
    brightest = max(float(np.nanmax(values)), 1e-300)
    x = np.linspace(-1, 1, wide)[None, :]
    y = np.linspace(-1, 1, high)[:, None]
    rng = np.random.default_rng(seed)
    tilt = 0.05 * rng.standard_normal(len(values))
    image = np.zeros((high, wide * len(values)))
    for lane, value in enumerate(values):
        exposure = 1.0 - np.exp(-2.6 * max(float(value), 0.0) / brightest)
        centre = 0.10 * x**2 + tilt[lane] * x
        across = np.exp(-((np.abs(x) / 0.80) ** 8))
        image[:, lane * wide : (lane + 1) * wide] = exposure * across * np.exp(-(((y - centre) / 0.30) ** 2))
    grain = 0.012 * rng.standard_normal(image.shape)
    ax.imshow(
        np.clip(0.93 - 0.88 * image + grain, 0, 1),
        cmap="gray",
        vmin=0,
        vmax=1,
        aspect="auto",
        extent=(-0.5, len(values) - 0.5, 0, 1),
        interpolation="bilinear",
    )
    ax.set_yticks([])
    ax.set_xticks([])
    for spine in ax.spines.values():
        spine.set_color(PALE)
        spine.set_linewidth(0.6)
    ax.text(-0.75, 0.5, readout.replace("_", " "), ha="right", va="center", fontsize=9, color=INK)
    if mass:
        ax.text(len(values) - 0.4, 0.5, f"{mass}", ha="left", va="center", fontsize=7, color=PALE)


def _draw_bars(ax: Axes, values: FloatArray, colours: Sequence[str], ends: FloatArray | None = None) -> None:
    """Means over replicates; ``ends`` (lanes, 2) of whiskers."""
    largest = max(float(np.nanmax(values.mean(axis=1))), 1e-300)
    relative = values / largest
    lanes = np.arange(len(values))
    ax.bar(lanes, relative.mean(axis=1), width=0.68, color=list(colours), linewidth=0)
    if values.shape[1] > 1:
        for replicate in relative.T:
            ax.plot(lanes, replicate, ".", color=INK, markersize=2.5)
    top = float(np.nanmax(relative))
    if ends is not None:
        ax.vlines(lanes, ends[:, 0] / largest, ends[:, 1] / largest, color=INK, linewidth=0.9)
        top = max(top, float(np.nanmax(ends)) / largest)
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_ylim(0, max(1.12, top * 1.05))
    ax.set_yticks([0, 1])
    ax.tick_params(labelsize=6.5, length=2, colors=INK)
    ax.set_xticks([])
    ax.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_linewidth(0.6)


def _draw_line_names(ax: Axes, names: Sequence[str], colours: Sequence[str]) -> None:
    """A bracket over the lanes of each cell line."""
    transform = ax.get_xaxis_transform()
    start = 0
    for end in range(1, len(names) + 1):
        if end < len(names) and names[end] == names[start]:
            continue
        ax.plot(
            [start - 0.36, end - 0.64],
            [1.22, 1.22],
            transform=transform,
            color=colours[start],
            linewidth=2,
            clip_on=False,
            solid_capstyle="butt",
        )
        ax.text(
            (start + end - 1) / 2,
            1.3,
            names[start].replace("+", "\n+"),
            transform=transform,
            ha="center",
            va="bottom",
            fontsize=8,
            color=INK,
            linespacing=0.95,
        )
        start = end


class _LaneTable:
    """Rows of plus and minus below the lanes: what differs between lanes; what all share goes into a note."""

    def __init__(self, rows: list[tuple[str, list[str]]], notes: list[str]) -> None:
        self.rows = rows
        self.notes = notes

    @classmethod
    def of(cls, lanes: pd.DataFrame) -> _LaneTable:
        parts = [_parts(text) for text in lanes["treatment"]]
        distinct = list(dict.fromkeys(name for lane in parts for name in lane))
        rows = [
            (name, ["+" if name in lane else "−" for lane in parts])
            for name in distinct
            if not all(name in lane for lane in parts)
        ]
        shared = [name for name in distinct if all(name in lane for lane in parts)]
        notes = [f"all lanes: {', '.join(shared)}"] if shared else []
        shown = {tuple(column[number] for _, column in rows) for number in range(len(parts))}
        if len(shown) < len(set(lanes["treatment"])):  # plus and minus do not tell the treatments apart
            numbers = {text: str(number) for number, text in enumerate(dict.fromkeys(lanes["treatment"]), start=1)}
            rows = [("treatment", [numbers[text] for text in lanes["treatment"]])]
            notes = [f"{number}: {text}" for text, number in numbers.items()]
        times = [f"{time:g}" for time in lanes["time_min"]]
        if len(set(times)) > 1:
            rows.append(("min", times))
        else:
            notes.append(f"lysed {times[0]} min into the last step")
        return cls(rows, notes)

    def draw(self, figure: Figure, left: float, share: float, top: float, height: float) -> None:
        step = TABLE_ROW / height
        count = len(self.rows[0][1]) if self.rows else 1
        for row, (name, marks) in enumerate(self.rows):
            y = top - (row + 0.5) * step
            figure.text(left - 0.3 * share / count, y, name, ha="right", va="center", fontsize=7.5, color=INK)
            for lane, mark in enumerate(marks):
                style: dict[str, Any] = {"fontsize": 8.5 if mark in "+−" else 7, "color": INK if mark != "−" else PALE}
                for start in (left, left + share + 0.95 / figure.get_figwidth()):
                    figure.text(start + (lane + 0.5) * share / count, y, mark, ha="center", va="center", **style)
        for number, note in enumerate(self.notes):
            y = top - (len(self.rows) + 0.35) * step - number * 0.16 / height
            figure.text(left, y, note, ha="left", va="center", fontsize=7, color=PALE)


def _parts(text: str) -> list[str]:
    """What a lane got: earlier steps with something else in them, then each dose at lysis and how long before."""
    *earlier, final = Treatment.parse(text).steps
    last = [str(dose) for dose in final.doses]
    ahead: dict[str, list[str]] = {name: [] for name in last}
    parts: list[str] = []
    for step in earlier:
        others = [name for name in map(str, step.doses) if name not in ahead]
        for name in set(map(str, step.doses)) & set(ahead):
            ahead[name].append(str(step.duration))
        if others:
            parts.append(f"{' + '.join(others)} for {step.duration}")
    if earlier and not earlier[0].doses:
        parts.insert(0, f"first {earlier[0]}")
    doses = [f"{name} ({' + '.join(times)} before)" if (times := ahead[name]) else name for name in last]
    return list(dict.fromkeys([*parts, *doses]))
