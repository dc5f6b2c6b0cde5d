"""Conserved moieties: found exactly, positive where possible, and really conserved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathsim.model import Model, load_model
from pathsim.model.moieties import conserved_moieties, null_space
from pathsim.solve import Rosenbrock, build_system, run_rows

PETAB = Path(__file__).parents[2].parent / "shared" / "data" / "petab"


def moieties_of(text: str, folder: Path) -> list[str]:
    path = folder / "m.ant"
    path.write_text(text)
    return [str(moiety) for moiety in conserved_moieties(load_model(path))]


def test_an_enzyme_and_its_substrate(tmp_path: Path) -> None:
    text = "species E = 1, S = 5, ES = 0, P = 0; b: E + S -> ES; E*S; u: ES -> E + S; ES; c: ES -> E + P; ES;"
    assert sorted(moieties_of(text, tmp_path)) == ["E + ES", "S + ES + P"]


def test_weights_count_subunits(tmp_path: Path) -> None:
    text = "species A = 1, B = 1, D = 0, T = 0; d: 2 A -> D; A^2; t: D + B -> T; D*B;"
    assert sorted(moieties_of(text, tmp_path)) == ["A + 2 D + 2 T", "B + T"]


def test_fractions_of_stoichiometry(tmp_path: Path) -> None:
    assert moieties_of("species A = 1, B = 1; r: 0.5 A -> 1.5 B; A;", tmp_path) == ["3 A + B"]


def test_a_total_that_needs_a_difference(tmp_path: Path) -> None:
    assert moieties_of("species A = 1, B = 1; r: -> A + B; 1;", tmp_path) in (["A - B"], ["- A + B"])


@pytest.mark.parametrize(
    "changes",
    [
        "q: A -> ; A;",
        "at time > 1: A = 3;",
        "s: => A; 1;",
        "f = 1; f' = 0.1; q: f A -> B; A;",
    ],
    ids=["leaves", "event", "enters", "changing stoichiometry"],
)
def test_what_is_not_conserved_is_not_listed(changes: str, tmp_path: Path) -> None:
    assert moieties_of(f"species A = 1, B = 1; r: A -> B; A; {changes}", tmp_path) == []


def test_boundary_species_are_no_pool(tmp_path: Path) -> None:
    assert moieties_of("species A = 1, B = 1, $C = 1; r: A -> B; A; s: B -> C; B;", tmp_path) == []


@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=7))
@settings(max_examples=200, deadline=None)
def test_the_null_space_is_whole_and_exact(matrix: list[list[int]]) -> None:
    rows = [{j: value for j, value in enumerate(row) if value} for row in matrix]
    found = null_space(rows)
    dense = np.zeros((len(found), len(matrix)))
    for k, weights in enumerate(found):
        dense[k, list(weights)] = list(weights.values())
    assert not (dense @ np.array(matrix)).any()
    assert len(found) == len(matrix) - np.linalg.matrix_rank(np.array(matrix))
    assert not found or np.linalg.matrix_rank(dense) == len(found)


def check_conservation(model: Model) -> float:
    """The largest relative change of a total over a time course."""
    system = build_system(model)
    moieties = conserved_moieties(model)
    names = sorted({name for moiety in moieties for name in moiety.species})
    nodes = system.outputs([f"amount({name})" for name in names])
    done = run_rows(system, system.raw()[None, :], np.linspace(0, 100, 11), nodes, Rosenbrock(rtol=1e-5))
    assert done.status[0] == 0, done.sentence(0)
    worst = 0.0
    for moiety in moieties:
        picked = done.values[0][:, [names.index(name) for name in moiety.species]]
        total, size = picked @ np.array(moiety.weights), np.abs(picked) @ np.abs(moiety.weights)
        worst = max(worst, float(np.ptp(total) / (size.max() + 1e-300)))
    return worst


def test_the_bundled_model_conserves_every_moiety_to_rounding() -> None:
    model = load_model("pi3k_mapk")
    assert len(conserved_moieties(model)) >= 17
    assert all(min(moiety.weights) > 0 for moiety in conserved_moieties(model))
    assert check_conservation(model) < 1e-11


@pytest.mark.skipif(not PETAB.is_dir(), reason=f"the PEtab collection is not at {PETAB}")
@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("Bachmann_MSB2011", 3),
        ("Brannmark_JBC2010", 3),
        ("Boehm_JProteomeRes2014", 2),
        ("Lucarelli_CellSystems2018", 4),
    ],
)
def test_published_models_conserve_their_moieties(folder: str, count: int) -> None:
    model = load_model(next((PETAB / folder).glob("model*.xml")))
    assert len(conserved_moieties(model)) == count
    assert check_conservation(model) < 1e-10
