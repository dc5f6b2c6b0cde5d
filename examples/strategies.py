"""Which partner overcomes which resistance to alpelisib? Vertical, horizontal and non-canonical strategies, ranked.

Every resistance mechanism on the same background (T47D, PIK3CA H1047R); alpelisib with a drug further down the same
pathway (vertical), of a parallel pathway (horizontal), or of the metabolism (non-canonical). Two numbers each: the mean
Bliss excess over a 7 x 7 matrix (does the pair do more than its parts?), and the viability that is left at one dose of
each (does it help?), because synergy between two weak drugs is still weak. That dose is near the exposure in patients
for the targeted drugs (estimates), and what culture experiments use for metformin and dichloroacetate.

python examples/strategies.py [strategies.png]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pathsim as ps

MECHANISMS = {
    "parental": "T47D",
    "PTEN loss": "T47D+PTEN_loss",
    "mTORC1 hyperactive": "T47D+mTORC1_hyper",
    "SRC/STAT1 adapted": "T47D+SRC_STAT1_adapted",
    "MAPK up (NF1 loss)": "T47D+MAPK_up",
}
PARTNERS = {
    # partner: (strategy, doses of the matrix, the one dose in nM)
    "capivasertib": ("vertical", "10 nM .. 10 uM x 7", 1000.0),
    "everolimus": ("vertical", "0.01 nM .. 100 nM x 7", 5.0),
    "sapanisertib": ("vertical", "1 nM .. 1 uM x 7", 30.0),
    "mirdametinib": ("horizontal", "1 nM .. 1 uM x 7", 100.0),
    "dasatinib": ("horizontal", "1 nM .. 1 uM x 7", 100.0),
    "metformin": ("non-canonical", "0.1 mM .. 30 mM x 7", 5e6),
    "dichloroacetate": ("non-canonical", "0.3 mM .. 30 mM x 7", 1e7),
}
ALPELISIB = "10 nM .. 10 uM x 7"
EXPOSURE = 1000.0
COLOURS = {"vertical": "#0072B2", "horizontal": "#D55E00", "non-canonical": "#009E73"}


def strategies() -> pd.DataFrame:
    """One row per mechanism and partner: Bliss excess (percentage points) and viability left (% of vehicle)."""
    rows = []
    for mechanism, line in MECHANISMS.items():
        for partner, (strategy, doses, near) in PARTNERS.items():
            drugs = ["alpelisib", partner]
            score = ps.synergy.bliss(
                ps.combination_screen("pi3k_mapk", line, drugs, {"alpelisib": ALPELISIB, partner: doses})
            )
            few = ps.combination_screen("pi3k_mapk", line, drugs, {"alpelisib": [EXPOSURE], partner: [near]})
            _, with_partner, alone, both = few["value"]
            rows.append(
                {
                    "mechanism": mechanism,
                    "strategy": strategy,
                    "partner": partner,
                    "bliss": score.mean,
                    "low": score.low,
                    "high": score.high,
                    "alpelisib": alone,
                    "partner_alone": with_partner,
                    "both": both,
                }
            )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """A panel of synergy and one of viability for each mechanism."""
    figure = Figure(figsize=(2.7 * len(MECHANISMS) + 1.4, 6.4), layout="constrained")
    axes = figure.subplots(2, len(MECHANISMS), sharex="row")
    for column, mechanism in enumerate(MECHANISMS):
        part = table[table["mechanism"] == mechanism]
        top, bottom = axes[0, column], axes[1, column]
        by_bliss, by_both = part.sort_values("bliss"), part.sort_values("both", ascending=False)
        places = np.arange(len(part))
        error = [by_bliss["bliss"] - by_bliss["low"], by_bliss["high"] - by_bliss["bliss"]]
        top.barh(
            places,
            by_bliss["bliss"],
            color=[COLOURS[each] for each in by_bliss["strategy"]],
            xerr=error,
            error_kw={"elinewidth": 0.8},
        )
        top.axvline(0, color="#222222", linewidth=0.8)
        top.set_yticks(places, list(by_bliss["partner"]), fontsize=8)
        bottom.barh(places, by_both["both"], color=[COLOURS[each] for each in by_both["strategy"]])
        bottom.axvline(part["alpelisib"].iloc[0], color="#222222", linewidth=0.8, linestyle="--")
        bottom.set_yticks(places, list(by_both["partner"]), fontsize=8)
        top.set_title(mechanism, fontsize=10)
        for ax in (top, bottom):
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(axis="y", length=0)
    figure.supxlabel(
        "above: mean Bliss excess with alpelisib (percentage points; > 0 synergy, 95 % interval)\n"
        "below: viability left at one dose of each (% of vehicle); dashed: alpelisib alone",
        fontsize=9,
    )
    handles = [axes[0, 0].barh([0], [0], color=colour) for colour in COLOURS.values()]
    figure.legend(handles, list(COLOURS), loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "strategies.png"
    found = strategies()
    for mechanism in MECHANISMS:
        part = found[found["mechanism"] == mechanism].sort_values("both")
        print(f"\n{mechanism}: alpelisib 1 uM alone leaves {part['alpelisib'].iloc[0]:.0f} % of vehicle after 72 h")
        for rank, row in enumerate(part.itertuples(), start=1):
            print(
                f"  {rank}. + {row.partner:<16} {row.strategy:<14} leaves {row.both:5.1f} % (without alpelisib "
                f"{row.partner_alone:5.1f} %); Bliss {row.bliss:+6.2f} percentage points "
                f"({row.low:.2f} to {row.high:.2f})"
            )
    draw(found).savefig(target, dpi=200)
    print(f"\nwrote {target}")
