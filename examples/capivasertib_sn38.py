"""Capivasertib with SN38 in an alpelisib-resistant gastric line: combination index at 72 h, colonies at 14 days.

The published claim (resistant SNU601 and AGS): the pair kills better than either drug and leaves fewer colonies. The
resistant state here is the SRC/STAT1 state of the model, a hypothesis.

python examples/capivasertib_sn38.py [capivasertib_sn38.png]
"""

from __future__ import annotations

import sys

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import pathsim as ps
from pathsim.plot.synergy import draw_combination_index, draw_dose_matrix, draw_synergy

LINE = "SNU601+SRC_STAT1_adapted"
DRUGS = ["capivasertib", "SN38"]
DOSES = {"capivasertib": "30 nM .. 10 uM x 7", "SN38": "0.3 nM .. 100 nM x 7"}
COLONY = {"capivasertib": [300.0], "SN38": [1.0]}


def draw_colonies(colonies: dict[str, float], ax: Axes) -> None:
    """Colony area of vehicle, single drugs and the pair."""
    ax.bar(range(len(colonies)), list(colonies.values()), color=["#8a8a8a", "#56B4E9", "#009E73", "#D55E00"], width=0.6)
    for place, value in enumerate(colonies.values()):
        ax.annotate(f"{value:.3g}", (place, value), ha="center", va="bottom", fontsize=8)
    ax.set_xticks(range(len(colonies)), list(colonies), fontsize=8)
    ax.set_ylabel("colony area after 14 d (% of vehicle)")
    ax.spines[["top", "right"]].set_visible(False)


def main(target: str) -> None:
    """Screen, score, print, draw."""
    screen = ps.combination_screen("pi3k_mapk", LINE, DRUGS, DOSES, time="72 h")
    index, bliss, loewe = ps.synergy.combination_index(screen), ps.synergy.bliss(screen), ps.synergy.loewe(screen)
    middle = index.along(index.central, [0.5, 0.75, 0.9])
    print(f"{LINE}, 72 h, viability")
    for row in middle.itertuples():
        print(
            f"  combination index {row.ci:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f}) at fa {row.fa:.2f}, "
            f"{index.central.label} (no unit; < 1 is synergy)"
        )
    print(f"  {bliss}\n  {loewe}")
    plate = ps.combination_screen("pi3k_mapk", LINE, DRUGS, COLONY, time="14 d", readout="colony")
    names = ["vehicle", "SN38\n1 nM", "capivasertib\n300 nM", "both"]
    colonies = dict(zip(names, plate["value"], strict=True))
    print(
        "  colony area after 14 d, % of vehicle: "
        + ", ".join(f"{name.replace(chr(10), ' ')} {value:.3g}" for name, value in colonies.items())
    )
    figure = Figure(figsize=(13, 9.5))
    spaces = {"left": 0.07, "right": 0.95, "bottom": 0.08, "top": 0.95, "wspace": 0.42, "hspace": 0.28}
    matrix, surface, curve, bars = figure.subplots(2, 2, gridspec_kw=spaces).flat
    draw_dose_matrix(screen, ax=matrix)
    draw_synergy(bliss, ax=surface)
    draw_combination_index(index, ax=curve)
    draw_colonies(colonies, bars)
    figure.savefig(target, dpi=200)
    print(f"wrote {target}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "capivasertib_sn38.png")
