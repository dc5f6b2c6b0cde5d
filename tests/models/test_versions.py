"""Earlier versions of the bundled models: never changed, with their own library, and refused by name where unknown."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import pathsim as ps
from pathsim.experiments.readings import Reading, take_readings
from pathsim.lab.clones import default_clones
from pathsim.lab.host import glucose_host, sites
from pathsim.lab.pharmacokinetics import default_pharmacy
from pathsim.lab.protocols import pathway_map, protocols
from pathsim.model import bundled_models, current_version, models_folder, version_of, versions

FROZEN = {"0.1": "d1920eda89b28b5f0aad28dc04880994e078692ad982f17996f0487766bb2973"}
"""What stands in the folder of each version; see ``models/versions/README.md``."""

AS_RELEASED = {
    ("T47D", "serum 10 %", 0.0, "pAKT_S473"): 45.03440912658435,
    (
        "T47D",
        "vehicle for 24 h then alpelisib 1 uM for 1 h then alpelisib 1 uM + IGF1 13 nM",
        15.0,
        "pAKT_S473",
    ): 4.59393049806697,
    ("MCF7", "serum 10 % + capivasertib 300 nM", 1440.0, "pS6_S240"): 1078.397484712161,
    ("BT-474", "serum 10 % + trametinib 10 nM", 1440.0, "pERK_T202"): 3.772869440341733,
    ("T47D+PTEN_loss", "serum 10 % + alpelisib 1 uM", 4320.0, "viability"): 2.962947828867257,
}
"""Readings of the model as it was released as 0.1.0."""


@pytest.mark.parametrize("version", versions()[:-1])
def test_a_frozen_version_stays_as_it_was(version: str) -> None:
    digest = hashlib.sha256()
    for path in sorted(models_folder(version).iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    assert digest.hexdigest() == FROZEN[version]


def test_version_0_1_reads_as_it_was_released() -> None:
    model = ps.load_model("pi3k_mapk@0.1")
    found = take_readings(model, [Reading(*asked) for asked in AS_RELEASED])[0]
    np.testing.assert_allclose(found, list(AS_RELEASED.values()), rtol=1e-6)


@pytest.mark.parametrize("version", versions())
def test_everything_bundled_goes_with_its_version(version: str) -> None:
    library, model = ps.default_library(version), ps.load_model(f"pi3k_mapk@{version}")
    assert model.version == library.version == version
    assert {clone.alteration for clone in default_clones(version)} <= set(library.alterations)
    assert {drug for drug, _ in default_pharmacy(version).kinetics} <= set(library.drugs)
    assert ps.load_model(glucose_host(version).model).version == version
    assert sites(version)
    assert set(pathway_map(version).places) <= set(model.symbols)
    assert protocols(version).names.viability in model.symbols
    known = {*model.symbols}
    assert {name.partition("@")[0] for name in ps.load_parameter_sets(version=version)[0]} <= known


def test_names_with_and_without_a_version() -> None:
    assert version_of("pi3k_mapk") == current_version() == ps.load_model("pi3k_mapk").version
    assert ps.load_model(f"pi3k_mapk@{current_version()}") is ps.load_model("pi3k_mapk")
    assert "pi3k_mapk@0.1" in bundled_models()
    assert version_of("somewhere/mine.ant") == ""


@pytest.mark.parametrize(
    ("name", "said"), [("pi3k_mapk@0.0.9", "there are 0.1 and "), ("pi3k_map@0.1", "did you mean pi3k_mapk@0.1")]
)
def test_an_unknown_version_is_refused_with_those_that_exist(name: str, said: str) -> None:
    with pytest.raises(ps.InputError, match=said):
        ps.load_model(name)
    with pytest.raises(ps.InputError, match=r"there are 0\.1 and "):
        ps.default_library("0.0.9")
