"""A culture small enough for thousands of problems: one phosphoprotein, cells that grow by it, two lines and a drug."""

from __future__ import annotations

from pathlib import Path

import pathsim as ps


def culture_model() -> ps.Model:
    return ps.load_model(Path(__file__).with_name("culture.ant"))


def culture_library() -> ps.Library:
    drugs = {
        "inhibitor": ps.Drug("inhibitor", per_nM={"drug_on_AKT_ATP": 0.01}),
        "IGF1": ps.Drug("IGF1", kind="ligand", per_nM={"IGF1": 1.0}),
        "serum": ps.Drug("serum", kind="medium", per_percent={"serum": 1.0}),
    }
    lines = {"T47D": ps.CellLine("T47D"), "MCF7": ps.CellLine("MCF7", scale={"AKT_total": 0.5})}
    return ps.Library(drugs, lines, {})
