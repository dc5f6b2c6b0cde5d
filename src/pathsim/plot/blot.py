"""A western blot as the bench shows it: bands in strips, a table of plus and minus below, densitometry beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError
from ..lab import Treatment
from ..model import load_model
from ..units import time_text
from .style import COLOURS, HEADING, INK, LABELS, NOTES, PAGE, PALE, drawable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


WIDEST, NARROWEST = 0.36, 0.235
"""Of a lane, in inches: few lanes get the first, many as much as the page has, and more than fit go on below."""
STRIP, GAP, TABLE_ROW, NOTE_ROW = 0.34, 0.06, 0.165, 0.14
_BETWEEN, _EDGE = 0.92, 0.12
_LETTER = 0.068
"""Width of a letter of 8 points, in inches; generous."""
_PIXELS = (48, 44)  # of one lane: high, wide


@checked
def draw_blot(
    table: pd.DataFrame, masses_kDa: Mapping[str, int] | None = None, loading: str | None = None, title: str = ""
) -> Figure:
    """Draw a table of :func:`pathsim.western_blot`, or a measured one in the same schema.

    One lane per line, treatment and time; one row per readout. Bands show the first replicate, each strip exposed to
    its own brightest band; what is no protein (a fraction of cells, a count) is drawn as bars instead. Beside it every
    lane is quantified: mean over replicates (dots), relative to the largest lane of its row. Measured or noisy signals
    (a table with a ``gel`` column) are first divided by ``loading`` (default: the first loading control in the table)
    and by the mean of their gel, because every gel has its own gain. Where a table without gels has columns ``low`` and
    ``high`` (``--ensemble``) they are whiskers on the bars. Lanes that do not fit the page go on below, exposed alike.

    Args:
        masses_kDa: by readout, 0 for what is no protein; default: those of the bundled model. A readout that is not
            named is a band.

    >>> table = ps.western_blot("pi3k_mapk", ["T47D"], ["vehicle", "alpelisib 1 uM"], ["pAKT_S473"], "1 h")
    >>> figure = ps.plot.draw_blot(table)

    Returns the figure. Raises :class:`InputError` for a table with missing or repeated bands.
    """
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
    masses = {**controls, **(_bundled_masses() if masses_kDa is None else masses_kDa)}
    signal = f"signal / {control}" if measured else "signal"
    said = [] if whiskers is None else ["whiskers: 5 to 95 % of the parameter sets"]
    return _Sheet(lanes, readouts, bands, amounts, whiskers, masses, signal, said).draw(title or "Virtual western blot")


@cache
def _bundled_masses() -> dict[str, int]:
    """Apparent masses of the readouts of the bundled model, 0 for what is no protein."""
    return {item.name: item.mass_kDa for item in load_model("pi3k_mapk").annotations if item.readout}


class _Sheet:
    """The page: blocks of lanes one below the other, each with its strips, bars and table of plus and minus."""

    def __init__(
        self,
        lanes: pd.DataFrame,
        readouts: Sequence[str],
        bands: FloatArray,
        amounts: FloatArray,
        whiskers: FloatArray | None,
        masses: Mapping[str, int],
        signal: str,
        notes: Sequence[str],
    ) -> None:
        self.lanes, self.readouts, self.masses = lanes, readouts, masses
        self.bands, self.amounts, self.whiskers = bands, amounts, whiskers
        self.signal = signal
        self.names = [str(name) for name in lanes["cell_line"]]
        self.colours = _line_colours(self.names)
        self.legend = _LaneTable.of(lanes)
        named = [*readouts, *(name for name, _ in self.legend.rows)]
        self.margin = max(1.0, 0.3 + _LETTER * max(len(name) for name in named))
        self.blocks, self.lane, edge = self._lanes(_EDGE)
        self.tilted = self._names_are_wide()
        if self.tilted:  # the name of the last lane leans over the edge
            self.blocks, self.lane, edge = self._lanes(_EDGE + 0.033 * max(map(len, self.names)))
        most = max(len(block) for block in self.blocks)
        self.width = self.margin + 2 * self.lane * max(most, 3) + _BETWEEN + edge
        self.notes = [line for note in (*self.legend.notes, *notes) for line in wrap(note, int(self.width / 0.058))]
        self.above = self._room_for_names()
        self.block_height = self.above + (STRIP + GAP) * len(readouts) + TABLE_ROW * len(self.legend.rows) + 0.08

    def draw(self, title: str) -> Figure:
        """The whole figure."""
        from .page import Page

        self.height = 0.34 + self.block_height * len(self.blocks) + NOTE_ROW * len(self.notes) + 0.08
        self.figure = Page(figsize=(self.width, self.height))
        self._text(0.08, 0.08, title, fontsize=HEADING, weight="bold", va="top")
        for number, block in enumerate(self.blocks):
            self._draw_block(block, 0.34 + number * self.block_height)
        for number, note in enumerate(self.notes):
            self._text(
                self.margin, self.height - 0.08 - NOTE_ROW * (len(self.notes) - number), note, va="top", color=PALE
            )
        return self.figure

    def _draw_block(self, block: Sequence[int], top: float) -> None:
        here = np.array(block)
        wide = self.lane * len(block)
        lefts = self.margin, self.margin + wide + _BETWEEN
        names = [self.names[lane] for lane in block]
        colours = [self.colours[lane] for lane in block]
        down = top + self.above
        for row, readout in enumerate(self.readouts):
            at = down + (STRIP + GAP) * row
            strip, bars = (self._axes(left, at, wide) for left in lefts)
            values = self.bands[here, row, 0]
            mass = self.masses.get(readout)
            if mass == 0:
                largest = max(float(np.nanmax(self.bands[:, row, :].mean(axis=1))), 1e-300)
                _draw_levels(strip, self.bands[here, row, :].mean(axis=1), largest, colours)
            else:
                brightest = max(float(np.nanmax(self.bands[:, row, 0])), 1e-300)
                _draw_strip(strip, values, brightest, mass, seed=row)
            self._text(
                lefts[0] - 0.1,
                at + STRIP / 2,
                readout.replace("_", " "),
                ha="right",
                fontsize=LABELS,
            )
            ends = None if self.whiskers is None else self.whiskers[here, row]
            every = self.amounts[:, row, :]
            top_end = (
                float(np.nanmax(every))
                if self.whiskers is None
                else max(float(np.nanmax(every)), float(np.nanmax(self.whiskers[:, row])))
            )
            _draw_bars(bars, every[here], float(np.nanmax(every.mean(axis=1))), top_end, colours, ends)
            if row == 0:
                for ax in (strip, bars):
                    self._draw_line_names(ax, names, colours)
        tall = (STRIP + GAP) * len(self.readouts)
        said = f"{self.signal}\n(share of largest lane)" if tall < 2.6 else f"{self.signal} (share of largest lane)"
        if tall > 0.9:
            self._text(lefts[1] - 0.36, down + tall / 2, said, rotation=90, ha="center", color=INK)
        else:
            self._text(lefts[1] - 0.3, down + STRIP / 2, "share of\nlargest", ha="right", fontsize=6)
        self._draw_marks(block, lefts, down + tall)

    def _draw_marks(self, block: Sequence[int], lefts: tuple[float, float], top: float) -> None:
        for row, (name, marks) in enumerate(self.legend.rows):
            y = top + (row + 0.5) * TABLE_ROW
            self._text(lefts[0] - 0.1, y, name, ha="right")
            for place, lane in enumerate(block):
                mark = marks[lane]
                for left in lefts:
                    self._text(
                        left + (place + 0.5) * self.lane,
                        y,
                        mark,
                        ha="center",
                        fontsize=8.0 if mark in "+−" else 6.5,
                        color=INK if mark != "−" else PALE,
                    )

    def _draw_line_names(self, ax: Axes, names: Sequence[str], colours: Sequence[str]) -> None:
        """A bracket over the lanes of each cell line."""
        for start, end in _runs(names):
            ax.plot(
                [start - 0.36, end - 0.64],
                [1.14, 1.14],
                transform=ax.get_xaxis_transform(),
                color=colours[start],
                linewidth=2,
                clip_on=False,
                solid_capstyle="butt",
            )
            ax.annotate(
                names[start] if self.tilted else names[start].replace("+", "\n+"),
                ((start + end - 1) / 2 - (0.15 if self.tilted else 0.0), 1.14),
                xycoords=ax.get_xaxis_transform(),
                xytext=(0, 3),
                textcoords="offset points",
                ha="left" if self.tilted else "center",
                va="bottom",
                rotation=60 if self.tilted else 0,
                rotation_mode="anchor" if self.tilted else "default",
                fontsize=NOTES,
                color=INK,
                linespacing=0.95,
                annotation_clip=False,
            )

    def _lanes(self, edge: float) -> tuple[list[list[int]], float, float]:
        """Blocks of lanes and the width of a lane on a page with so much room at its right edge."""
        room = (PAGE - self.margin - _BETWEEN - edge) / 2
        blocks = _blocks(self.names, max(1, int(room / NARROWEST)))
        return blocks, min(WIDEST, room / max(*map(len, blocks), 3)), edge

    def _names_are_wide(self) -> bool:
        """Whether some name is wider than its lanes, so that names are written at a slant."""
        spans = [
            (names[start], end - start)
            for names in ([self.names[lane] for lane in block] for block in self.blocks)
            for start, end in _runs(names)
        ]
        return any(0.9 * _LETTER * max(map(len, name.split("+"))) > self.lane * count for name, count in spans)

    def _room_for_names(self) -> float:
        """Inches above the strips."""
        if self.tilted:
            return 0.16 + 0.052 * max(map(len, self.names))
        return 0.16 + 0.13 * max(len(name.split("+")) for name in self.names)

    def _axes(self, left: float, top: float, wide: float) -> Axes:
        place = left / self.width, 1 - (top + STRIP) / self.height, wide / self.width, STRIP / self.height
        return self.figure.add_axes(place)

    def _text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Text so many inches from the left and from the top."""
        chosen = {"va": "center", "fontsize": NOTES, "color": INK, **style}
        self.figure.text(x / self.width, 1 - y / self.height, text, **chosen)


def _blocks(names: Sequence[str], most: int) -> list[list[int]]:
    """Lanes in blocks of at most ``most``; the lanes of a cell line stay together where they can."""
    if len(names) <= most:
        return [list(range(len(names)))]
    blocks: list[list[int]] = [[]]
    for start, end in _runs(names):
        lanes = list(range(start, end))
        if blocks[-1] and len(blocks[-1]) + len(lanes) > most:
            blocks.append([])
        while len(lanes) > most:
            blocks[-1] += lanes[:most]
            blocks.append([])
            lanes = lanes[most:]
        blocks[-1] += lanes
    return blocks


def _runs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Where equal names that stand side by side start and end."""
    edges = [0, *(i for i in range(1, len(names)) if names[i] != names[i - 1]), len(names)]
    return list(pairwise(edges))


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


def _draw_strip(ax: Axes, values: FloatArray, brightest: float, mass: int | None, seed: int) -> None:
    """Bands of one antibody; darkness grows with the signal, never beyond black."""
    high, wide = _PIXELS
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
    if mass:
        ax.text(len(values) - 0.4, 0.5, f"{mass}", ha="left", va="center", fontsize=6.5, color=PALE)


def _draw_levels(ax: Axes, values: FloatArray, largest: float, colours: Sequence[str]) -> None:
    """Bars of what is no protein, in its own unit from zero on."""
    ax.bar(np.arange(len(values)), values, width=0.68, color=list(colours), linewidth=0)
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_ylim(0, 1.12 * largest)
    ax.set_yticks([])
    _plain_frame(ax)
    ax.text(
        len(values) - 0.4,
        1.0,
        f"max\n{largest:.2g}",
        ha="left",
        va="top",
        fontsize=6,
        color=PALE,
        transform=ax.get_xaxis_transform(),
    )


def _draw_bars(
    ax: Axes, values: FloatArray, largest: float, top: float, colours: Sequence[str], ends: FloatArray | None
) -> None:
    """Means over replicates, relative to the ``largest``; ``ends`` (lanes, 2) of whiskers."""
    largest = max(largest, 1e-300)
    relative = values / largest
    lanes = np.arange(len(values))
    ax.bar(lanes, relative.mean(axis=1), width=0.68, color=list(colours), linewidth=0)
    if values.shape[1] > 1:
        for replicate in relative.T:
            ax.plot(lanes, replicate, ".", color=INK, markersize=2.5)
    if ends is not None:
        ax.vlines(lanes, ends[:, 0] / largest, ends[:, 1] / largest, color=INK, linewidth=0.9)
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_ylim(0, max(1.12, 1.05 * top / largest))
    ax.set_yticks([0, 1])
    _plain_frame(ax)


def _plain_frame(ax: Axes) -> None:
    ax.tick_params(labelsize=6, length=2, colors=INK, pad=1.5)
    ax.set_xticks([])
    ax.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_linewidth(0.6)


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
        times = lanes["time_min"].to_numpy(dtype=float)
        if len(set(times)) > 1:
            unit, minutes = ("h", 60.0) if max(times) >= 120 else ("min", 1.0)
            rows.append((unit, [f"{time / minutes:.3g}" for time in times]))
        else:
            notes.append(f"lysed {time_text(times[0])} into the last step")
        return cls(rows, notes)


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
