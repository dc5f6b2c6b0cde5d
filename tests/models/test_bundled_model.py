"""The bundled model: laws it must keep whatever its constants, and the time scales and drug modes of the pathway."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import pathsim as ps
from pathsim.experiments.ensemble import load_parameter_sets
from pathsim.experiments.readings import Reading, take_readings
from pathsim.lab import default_library
from pathsim.lab.protocols import protocols
from pathsim.scorecard.null_models import feedback_free, without_drug_effects
from pathsim.solve import Rosenbrock

SHARED = Path(__file__).parents[3] / "shared" / "data"
FULL = "serum 10 %"
STARVED_INHIBITED = "vehicle for 24 h then alpelisib 1 uM for 2 h then alpelisib 1 uM + IGF1 13 nM"


@pytest.fixture(scope="module")
def model() -> ps.Model:
    return ps.load_model("pi3k_mapk")


def read(model: ps.Model, *readings: tuple[str, str, float, str]) -> list[float]:
    return [float(value) for value in take_readings(model, [Reading(*reading) for reading in readings])[0]]


def fold(model: ps.Model, line: str, drugs: str, minutes: float, readout: str) -> float:
    treated, untreated = read(model, (line, f"{FULL} + {drugs}", minutes, readout), (line, FULL, minutes, readout))
    return treated / untreated


@pytest.mark.parametrize("line", ["T47D", "MCF10A", "MDA-MB-468", "AGS"])
@pytest.mark.parametrize("total", list(protocols().numerics.conserved))
def test_totals_are_conserved(model: ps.Model, line: str, total: str) -> None:
    times = (0.0, 15.0, 1440.0)
    forms = protocols().numerics.conserved[total]
    readings = [Reading(line, STARVED_INHIBITED, time, form) for time in times for form in forms]
    sums = take_readings(model, readings)[0].reshape(len(times), -1).sum(axis=1)
    assert np.ptp(sums) < 1e-6 * sums.mean()


def test_every_line_rests_before_it_is_treated(model: ps.Model) -> None:
    readouts = ("pAKT_S473", "pERK_T202", "pS6_S240", "cyclinD1", "p21", "BIM", "ATP_level", "S_phase_fraction")
    lines = list(default_library().cell_lines)
    readings = [Reading(line, FULL, time, name) for line in lines for time in (0.0, 60.0) for name in readouts]
    values = take_readings(model, readings)[0].reshape(len(lines), 2, len(readouts))
    assert np.abs(values[:, 1] / values[:, 0] - 1).max() < 1e-3


def test_a_culture_starts_at_one_and_doubles_in_its_time(model: ps.Model) -> None:
    for line, hours in {"T47D": 45.0, "MCF7": 34.0, "BT-20": 50.0, "MDA-MB-468": 35.0}.items():
        start, end = read(model, (line, FULL, 0.0, "cell_count"), (line, FULL, 4320.0, "cell_count"))
        assert start == pytest.approx(1.0, abs=0.1)  # live cells; the rest of the culture is dying
        assert 72 / np.log2(end / start) == pytest.approx(hours, rel=0.12), line


def test_every_line_solves_under_every_drug(model: ps.Model) -> None:
    library = default_library()
    drugs = [name for name, drug in library.drugs.items() if drug.kind == "drug"]
    lines = [*library.cell_lines, *(f"T47D+{name}" for name in library.alterations)]
    readings = [Reading(line, f"{FULL} + {drug} 3 uM", 5760.0, "viability") for line in lines for drug in drugs]
    values = take_readings(model, readings, solver=Rosenbrock())[0]
    assert np.isfinite(values).all()
    assert (values > 0).all()


def test_all_drugs_of_the_fact_sheet_are_on_the_shelf() -> None:
    sheet = SHARED / "drugs.tsv"
    if not sheet.exists():
        pytest.skip("the fact sheet of drugs is not here")
    library = default_library()
    with sheet.open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            assert library.drug(row["name"]).per_nM, row["name"]


def test_more_alpelisib_never_means_more_signal_downstream_at_first(model: ps.Model) -> None:
    doses = np.geomspace(1, 1e4, 9)
    for readout in ("pAKT_S473", "pPRAS40_T246", "pS6_S240"):
        values = read(model, *(("T47D", f"{FULL} + alpelisib {dose:.4g} nM", 120.0, readout) for dose in doses))
        assert (np.diff(values) < 0).all(), readout


@pytest.mark.parametrize("drug", ["capivasertib 3 uM", "ipatasertib 3 uM", "GSK690693 3 uM"])
@pytest.mark.parametrize("line", ["T47D", "MCF7", "BT-474"])
def test_atp_competitive_akt_inhibitors_raise_pakt_and_lower_substrates(model: ps.Model, line: str, drug: str) -> None:
    assert fold(model, line, drug, 60.0, "pAKT_S473") > 1.1
    assert fold(model, line, drug, 60.0, "pAKT_T308") > 1.1
    assert fold(model, line, drug, 60.0, "pPRAS40_T246") < 0.7


def test_the_allosteric_akt_inhibitor_lowers_both_sites_and_substrates(model: ps.Model) -> None:
    for readout in ("pAKT_S473", "pAKT_T308", "pPRAS40_T246"):
        assert fold(model, "T47D", "MK-2206 1 uM", 60.0, readout) < 0.6


def test_rapalogs_and_kinase_inhibitors_of_mtor_differ(model: ps.Model) -> None:
    assert fold(model, "T47D", "everolimus 20 nM", 1440.0, "pS6K_T389") < 0.2
    assert fold(model, "T47D", "everolimus 20 nM", 1440.0, "p4EBP1_T37") > 0.6
    assert fold(model, "T47D", "sapanisertib 100 nM", 1440.0, "p4EBP1_T37") < 0.3
    assert fold(model, "T47D", "sapanisertib 100 nM", 1440.0, "pAKT_S473") < 0.5
    assert fold(model, "T47D", "everolimus 20 nM", 1440.0, "pAKT_S473") > 1.0


def test_pten_loss_shifts_alpelisib_to_the_right_step_by_step(model: ps.Model) -> None:
    lines = ("T47D", "T47D+PTEN_half", "T47D+PTEN_loss")
    counts = read(
        model,
        *((line, f"{FULL} + alpelisib 500 nM", 4320.0, "cell_count") for line in lines),
        *((line, FULL, 4320.0, "cell_count") for line in lines),
    )
    relative = np.log(counts[:3]) / np.log(counts[3:])
    assert relative[0] < relative[1] < relative[2]


def test_foxo_makes_receptors_and_its_knockout_does_not(model: ps.Model) -> None:
    assert fold(model, "T47D", "MK-2206 1 uM", 1440.0, "receptor_mRNA") > 1.2
    assert fold(model, "T47D+FOXO_knockout", "MK-2206 1 uM", 1440.0, "receptor_mRNA") == pytest.approx(1.0)


def test_insulin_comes_to_akt_before_s6k(model: ps.Model) -> None:
    times = np.array([0, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120], dtype=float)
    reached = {}
    for readout in ("pAKT_S473", "pS6K_T389"):
        values = np.array(read(model, *(("MCF7", "vehicle for 24 h then insulin 100 nM", t, readout) for t in times)))
        reached[readout] = times[np.flatnonzero(values >= 0.8 * values.max())[0]]
    assert reached["pAKT_S473"] <= 20
    assert reached["pAKT_S473"] <= reached["pS6K_T389"] <= 60


def test_erk_peaks_and_adapts(model: ps.Model) -> None:
    times = (5.0, 10.0, 15.0, 20.0, 90.0)
    values = read(model, *(("T47D", "vehicle for 24 h then insulin 100 nM", t, "pERK_T202") for t in times))
    assert values[-1] < 0.7 * max(values[:-1])


def test_inavolisib_degrades_the_mutant_only(model: ps.Model) -> None:
    assert fold(model, "T47D", "inavolisib 100 nM", 1440.0, "p110a_mutant") < 0.7
    assert fold(model, "T47D", "inavolisib 100 nM", 1440.0, "p110a_wild_type") == pytest.approx(1.0, abs=0.02)


def test_cutting_feedback_leaves_the_untreated_state(model: ps.Model) -> None:
    library = default_library()
    readouts = ("pAKT_S473", "pERK_T202", "pS6_S240", "ERBB3_protein")
    for line in ("T47D", "BT-474"):
        readings = [Reading(line, FULL, 0.0, name) for name in readouts]
        whole = take_readings(model, readings)[0]
        cut = take_readings(model, readings, lines=feedback_free(model, library, [line]))[0]
        np.testing.assert_allclose(cut, whole, rtol=1e-3)


def test_inert_drugs_do_nothing(model: ps.Model) -> None:
    readings = [Reading("T47D", text, 1440.0, "pAKT_S473") for text in (f"{FULL} + alpelisib 1 uM", FULL)]
    treated, untreated = take_readings(model, readings, library=without_drug_effects(default_library()))[0]
    assert treated == untreated


def test_the_ensemble_is_large_enough_and_simulates(model: ps.Model) -> None:
    sets = load_parameter_sets()
    assert len(sets) >= 50
    readings = [Reading("T47D", text, 1440.0, "pAKT_S473") for text in (f"{FULL} + alpelisib 1 uM", FULL)]
    values = take_readings(model, readings, sets[:8])
    assert ((values[:, 0] / values[:, 1]) < 0.9).all()
    assert np.ptp(values[:, 1]) > 0


def test_energy_begins_below_the_sum_of_nucleotides() -> None:
    """ATP is never more than all nucleotides, whatever their sum is: beyond it the cell would make ATP without end."""
    for total in (2.0, 4.0, 8.0):
        course = ps.simulate(
            "pi3k_mapk", [0.0, 1440.0], {"nucleotides": total, "passaging": 1.0, "serum": 10.0}, ["ATP", "ADP"]
        )
        assert course["ATP"].iloc[0] == 0.85 * total
        assert (course > 0).all(axis=None)
