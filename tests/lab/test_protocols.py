"""Protocols and the pathway map name what exists, and a file with a slip in it is refused by name."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

import pathsim as ps
from pathsim.errors import InputError
from pathsim.lab import Treatment
from pathsim.lab.host import glucose_host
from pathsim.lab.protocols import pathway_map, protocols, read_pathway_map, read_protocols
from pathsim.model import models_folder

BUNDLED = models_folder() / "protocols.toml"


def test_every_name_is_one_of_the_bundled_model() -> None:
    model = ps.load_model("pi3k_mapk")
    known, asked = set(model.symbols), protocols()
    names = asdict(asked.names)
    symbols = {
        *names.pop("population"),
        *names.values(),
        *asked.xenograft_lysate,
        *asked.glucose_readouts,
        *asked.numerics.readouts,
        *asked.numerics.not_at_rest,
        *asked.numerics.conserved,
        *(form for forms in asked.numerics.conserved.values() for form in forms),
        *asked.without_feedback.off,
        *asked.without_feedback.held,
        *asked.without_feedback.held.values(),
        *(set(asked.resistance_blot.antibodies) - set(asked.loading_controls)),
        *pathway_map().places,
    }
    assert symbols <= known, sorted(symbols - known)


def test_every_drug_line_and_treatment_reads() -> None:
    library, asked = ps.default_library(), protocols()
    for line in (*asked.resistance_blot.cell_lines, asked.numerics.cell_line):
        library.cell_line(line)
    for partner in asked.rescue:
        library.drug(partner.drug)
    for text in (*ps.resistance_blot_protocol(), asked.numerics.treatment, asked.glucose_medium):
        for name in Treatment.parse(text).names:
            library.drug(name)


def test_the_host_answers_to_its_own_names() -> None:
    host = glucose_host()
    symbols = set(ps.load_model(host.model).symbols)
    changed = {name for changes in host.interventions.values() for name in changes}
    assert {host.drug_input, *host.readouts, *host.from_first_dose, *changed} <= symbols
    assert any(host.drug_target in drug.per_nM for drug in ps.default_library().drugs.values())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "times = ",
            "time = ",
            r"resistance_blot.times is missing.*unknown entry 'time'.*\[resistance_blot\]",
        ),
        ('population = ["G1_cells"', "population = [1", r"names.population is \[1, .*write population = "),
        (
            "mass_kDa = 117",
            'mass_kDa = "117"',
            "loading_controls.vinculin.mass_kDa is '117'; write mass_kDa = a number",
        ),
        (
            'doses = "1 nM .. 30 nM x 4"\nsource = "estimate: as capivasertib"',
            'doses = "1 nM"',
            "rescue.SN38.source is missing",
        ),
        ("[xenograft]", "[xenografts]", r"unknown entry 'xenografts'"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = BUNDLED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=f"(?s)mine.toml.*{says}"):
        read_protocols(path)


def test_an_influence_on_nothing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(
        'source = "mine"\n[readouts]\npAKT = {x = 0, y = 0, label = "AKT"}\n[influences]\npAKT = ["pAKTT"]\n',
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="unknown readout 'pAKTT': did you mean pAKT"):
        read_pathway_map(path)
