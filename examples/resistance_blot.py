"""Three ways to escape alpelisib, one blot: PTEN loss, mTORC1 hyperactivation, MAPK reactivation.

python examples/resistance_blot.py [resistance_blot.png]
"""

from __future__ import annotations

import sys

import pathsim as ps
from pathsim.plot import draw_blot

LINES = ["T47D", "T47D+PTEN_loss", "T47D+mTORC1_hyper", "T47D+MAPK_up"]
READOUTS = ["pAKT_S473", "pPRAS40_T246", "pS6_S240", "pERK_T202", "AKT_total", "vinculin"]
STARVED = "vehicle for 24 h"
TREATMENTS = [
    f"{STARVED} then vehicle for 1 h then IGF1 13 nM",
    f"{STARVED} then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM",
    f"{STARVED} then alpelisib 1 uM + trametinib 10 nM for 1 h then alpelisib 1 uM + trametinib 10 nM + IGF1 13 nM",
]

if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "resistance_blot.png"
    table = ps.western_blot("pi3k_mapk", LINES, TREATMENTS, READOUTS, "15 min", noise=ps.noise.BlotNoise(), seed=1)
    masses = {item.name: item.mass_kDa for item in ps.load_model("pi3k_mapk").annotations if item.mass_kDa}
    draw_blot(table, masses, title="Escape from alpelisib").savefig(target, dpi=200)
    kept = table[table["readout"] == "pS6_S240"].pivot_table(
        index="cell_line", columns="treatment", values="value", sort=False
    )
    print("pS6 S240 left under alpelisib, share of IGF1 alone:")
    print((kept[TREATMENTS[1]] / kept[TREATMENTS[0]]).round(2).to_string())
    print(f"wrote {target}")
