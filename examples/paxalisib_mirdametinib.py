"""Paxalisib with mirdametinib in the AT/RT preset: mean Bliss excess beside the published 16.77, and why.

The published score (ATRT-16 abstract) is read as the mean Bliss excess over the dose matrix in percentage points; its
doses and line are not stated, so the number is shown beside ours, not fitted to.

python examples/paxalisib_mirdametinib.py [paxalisib_mirdametinib.png]
"""

from __future__ import annotations

import sys

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import pathsim as ps
from pathsim.plot.synergy import draw_dose_matrix, draw_synergy

LINE = "ATRT"
DRUGS = ["paxalisib", "mirdametinib"]
DOSES = {"paxalisib": "30 nM .. 10 uM x 7", "mirdametinib": "1 nM .. 1 uM x 7"}
PUBLISHED = 16.77
ARMS = {
    "vehicle": "serum 10 %",
    "paxalisib 1 uM": "serum 10 % + paxalisib 1 uM",
    "mirdametinib 100 nM": "serum 10 % + mirdametinib 100 nM",
    "both": "serum 10 % + paxalisib 1 uM + mirdametinib 100 nM",
}
COLOURS = ("#8a8a8a", "#56B4E9", "#009E73", "#D55E00")
BLOTS = {"pS6_S240": "pS6 S240/244", "pERK_T202": "pERK T202/Y204", "cPARP": "cleaved PARP"}


def draw_blots(axes: list[Axes]) -> None:
    """The mechanism: mTOR output falls, ERK comes back, both drugs keep both down and kill."""
    hours = [0.0, 1.0, 4.0, 8.0, 24.0, 48.0, 72.0]
    table = ps.western_blot("pi3k_mapk", LINE, list(ARMS.values()), list(BLOTS), [60 * hour for hour in hours])
    for ax, (readout, title) in zip(axes, BLOTS.items(), strict=True):
        for (name, treatment), colour in zip(ARMS.items(), COLOURS, strict=True):
            band = table[(table["treatment"] == treatment) & (table["readout"] == readout)]
            ax.plot(band["time_min"] / 60, band["value"], "o-", color=colour, markersize=3, label=name)
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("time in drug (h)")
        ax.set_ylabel("nM")
        ax.set_ylim(bottom=0)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=7)


def main(target: str) -> None:
    """Screen, score, print, draw."""
    screen = ps.combination_screen("pi3k_mapk", LINE, DRUGS, DOSES, time="72 h")
    bliss = ps.synergy.bliss(screen)
    print(f"{LINE}, 72 h, viability")
    print(f"  {bliss}")
    print(f"  published: {PUBLISHED} (read as mean Bliss excess in percentage points; > 0 is synergy)")
    print(f"  {ps.synergy.hsa(screen)}\n  {ps.synergy.loewe(screen)}")
    figure = Figure(figsize=(12, 8.4), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(1.45, 1))
    draw_dose_matrix(screen, ax=figure.add_subplot(grid[0, :3]))
    draw_synergy(bliss, ax=figure.add_subplot(grid[0, 3:]))
    draw_blots([figure.add_subplot(grid[1, 2 * place : 2 * place + 2]) for place in range(3)])
    figure.savefig(target, dpi=200)
    print(f"wrote {target}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "paxalisib_mirdametinib.png")
