"""A two-state cell whose answer to drugs is known in closed form.

``cells`` is made at ``k_in*(1 + GF)`` and lost at ``k_out*(1 + drug_on_A)*(1 + drug_on_B)``, so that from the steady
state 1 the signal goes to ``(1 + GF)/((1 + a)(1 + b))`` with rate ``k_out (1 + a)(1 + b)``: at long times each drug is
a Hill curve with slope 1 and IC50 = Kd, and two drugs on A and B are Bliss independent exactly.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from pathsim.lab import Alteration, CellLine, Drug, Library
from pathsim.model import Model, load_model

ANT = """
model tiny
  compartment cell = 1;
  k_in = 0.01; k_out = 0.01; GF = 0; drug_on_A = 0; drug_on_B = 0;
  species cells in cell = 1;
  made: => cells; k_in*(1 + GF);
  lost: cells => ; k_out*(1 + drug_on_A)*(1 + drug_on_B)*cells;
  cell_count := cells;
  marker := 5*cells;
end
"""


def tiny_model(folder: Path, text: str = ANT) -> Model:
    path = folder / "tiny.ant"
    path.write_text(text)
    return load_model(path)


def tiny_library() -> Library:
    drugs = {
        "alphanib": Drug("alphanib", synonyms=("ALX-1",), per_nM=MappingProxyType({"drug_on_A": 1 / 50.0})),
        "betanib": Drug("betanib", per_nM=MappingProxyType({"drug_on_B": 1 / 200.0})),
        "factor": Drug("factor", kind="ligand", per_nM=MappingProxyType({"GF": 1.0})),
        "serum": Drug("serum", kind="medium", per_percent=MappingProxyType({"GF": 0.0})),
    }
    lines = {
        "plain": CellLine("plain"),
        "quick": CellLine("quick", set=MappingProxyType({"k_in": 0.05, "k_out": 0.05})),
    }
    halved = Alteration("halved", source="test", scale=MappingProxyType({"k_in": 0.5, "k_out": 0.5}))
    return Library(drugs, lines, {"halved": halved})
