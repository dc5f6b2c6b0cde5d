"""What reactions cannot change stays what it is, to 1e-6, in every line and under every kind of drug."""

from __future__ import annotations

import numpy as np
import pytest

import pathsim as ps
from pathsim.lab import Condition, Treatment
from pathsim.model.moieties import conserved_moieties

DRUGS = [
    "IGF1 13 nM",
    "serum 10 % + alpelisib 1 uM",
    "MK-2206 1 uM + EGF 10 nM",
    "sapanisertib 0.1 uM + trametinib 10 nM",
]


@pytest.mark.parametrize("line", ["T47D", "T47D+PTEN_loss", "MCF7", "BT-20"])
@pytest.mark.parametrize("doses", DRUGS)
def test_conserved_totals_stay(line: str, doses: str) -> None:
    model, library = ps.load_model("pi3k_mapk"), ps.default_library()
    condition = Condition(library.cell_line(line), Treatment.parse(doses))
    defaults = {item.id: item.value for item in model.parameters if item.value == item.value}
    settings = condition.settings(condition.treatment.steps[0], defaults, library)
    frame = ps.simulate(model, [0.0, 1.0, 15.0, 240.0, 1440.0], settings)
    moieties = conserved_moieties(model)
    assert {"AKT", "PIP3", "TSC2", "RAS_GTP"} <= {name for moiety in moieties for name in moiety.species}
    for moiety in moieties:
        total = frame[list(moiety.species)].to_numpy() @ np.array(moiety.weights, dtype=float)
        assert np.max(np.abs(total / total[0] - 1)) < 1e-6 or total[0] == 0, str(moiety)
