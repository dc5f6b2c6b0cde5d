"""The scorecard: arithmetic, measures with known answers, verdicts that can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.experiments.readings import Reading, take_readings
from pathsim.invivo.glucose import glucose_insulin_study
from pathsim.lab import default_library
from pathsim.model import load_model
from pathsim.scorecard import feedback_free, html_page, read_claims, validate
from pathsim.scorecard.expressions import evaluate, names_in
from pathsim.scorecard.measures import crossing, read_measure
from pathsim.scorecard.patients import ONE_DOSE, gbm_cohort, host_insulin

CLAIMS = """
[[claim]]
id = "X1"
statement = "Alpelisib lowers pAKT"
kind = "direction"
confidence = "H"
basis = "test"
measure.a = { fold = "pAKT_S473", treatment = "serum 10 % + alpelisib 1 uM", time = "1 h" }
[[claim.check]]
value = "a"
below = 0.9

[[claim]]
id = "X2"
statement = "Alpelisib raises pAKT a hundred fold"
kind = "interval"
confidence = "L"
basis = "test"
measure.a = { fold = "pAKT_S473", treatment = "serum 10 % + alpelisib 1 uM", time = "1 h" }
[[claim.check]]
value = "a"
above = 100

[[claim]]
id = "X3"
statement = "An experiment nobody built"
kind = "direction"
confidence = "L"
basis = "test"
experiment = "astrology"
[[claim.check]]
value = "stars"
above = 2
"""


def test_expressions_are_arithmetic_and_nothing_else() -> None:
    values = {"a": np.array([8.0, 2.0]), "b": np.array([2.0, 4.0])}
    np.testing.assert_allclose(evaluate("log2(max(a, b)/min(a, b)) - 1", values), [1.0, 0.0])
    assert names_in("a/b + abs(c)") == ["a", "b", "c"]
    for text in ("__import__('os')", "a.real", "a if b else 1", "a[0]", "a +"):
        with pytest.raises(InputError):
            names_in(text)


def test_crossing_interpolates_in_the_logarithm_and_caps() -> None:
    doses = np.array([1.0, 10.0, 100.0])
    curves = np.array([[0.9, 0.6, 0.4], [0.9, 0.8, 0.7], [0.3, 0.2, 0.1]])
    np.testing.assert_allclose(crossing(doses, curves, 0.5), [10**1.5, 100.0, 1.0])


def test_independent_drugs_have_no_bliss_excess() -> None:
    spec = {"bliss": ["alpelisib", "SN38"], "doses": ["10 nM .. 1 uM x 3", "1 nM .. 100 nM x 2"]}
    measure = read_measure("b", spec, "here", [])
    assert measure is not None
    assert len(measure.readings("T47D")) == 1 + 3 + 2 + 6
    a, b = np.array([0.9, 0.5, 0.2]), np.array([0.8, 0.3])
    readings = 7.0 * np.concatenate([[1.0], a, b, np.outer(a, b).ravel()])
    np.testing.assert_allclose(measure.value(readings[None, :]), [0.0], atol=1e-12)
    readings[6:] *= 0.5
    assert measure.value(readings[None, :])[0] > 0
    peak = read_measure("p", {"bliss_peak": spec["bliss"], "doses": spec["doses"]}, "here", [])
    assert peak is not None
    np.testing.assert_allclose(peak.value(readings[None, :]), [50 * np.outer(a, b).max()])


def test_a_drug_with_itself_is_additive_by_loewe_and_by_the_index() -> None:
    doses = np.geomspace(1.0, 100.0, 5)
    both = [0.0, *doses, *doses, *np.add.outer(doses, doses).ravel()]
    viability = 1.0 / (1.0 + (np.array(both) / 10.0) ** 1.3)
    found = {}
    for name in ("loewe", "index"):
        spec = {name: ["alpelisib", "SN38"], "doses": ["1 nM .. 100 nM x 5", "1 nM .. 100 nM x 5"]}
        measure = read_measure("m", spec, "here", [])
        assert measure is not None
        found[name] = measure.value(3.0 * viability[None, :])[0]
    assert found["loewe"] == pytest.approx(0.0, abs=1e-3)
    assert found["index"] == pytest.approx(1.0, abs=1e-6)


def test_colonies_are_cells_after_two_weeks() -> None:
    measure = read_measure("k", {"colony": "serum 10 % + SN38 5 nM"}, "here", [])
    assert measure is not None
    (treated, vehicle) = measure.readings("T47D")
    assert (treated.time_min, treated.readout, vehicle.treatment) == (14 * 1440.0, "cell_count", "serum 10 %")
    np.testing.assert_allclose(measure.value(np.array([[3.0, 4.0]])), [0.75])


def test_verdicts_pass_fail_and_name_what_did_not_run(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(CLAIMS)
    card = validate(read_claims(path))
    verdicts = {item.claim.id: item for item in card.verdicts}
    assert verdicts["X1"].passed
    assert not verdicts["X2"].passed
    assert "accepted is above 100" in verdicts["X2"].reason
    assert "astrology" in verdicts["X3"].reason
    assert not {item.claim.id: item.passed for item in card.nulls["no_effect"]}["X1"]
    frame = card.to_frame()
    assert list(frame["verdict"]) == ["FAIL", "FAIL", "pass"]
    page = html_page(card)
    assert "X2" in page
    assert "did not run" in page


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('value = "stars"\nabove = 2', 'value = "stars"\nabove = 2\nbelow = 1', "accepts nothing"),
        ('value = "a"\nbelow', 'value = "q"\nbelow', "unknown measure 'q'"),
        ('id = "X2"', 'id = "X1"', "stands twice"),
        ('kind = "interval"', 'kind = "guess"', "one of direction, interval, identity, report"),
        ('kind = "interval"', 'kind = "interval"\nused = "maybe"', "one of fit, watched, by hand"),
        ('value = "a"\nbelow = 0.9', 'value = "a"\nbelow = 0.95', "less than a tenth from no change"),
        ('fold = "pAKT_S473", treatment', 'folds = "pAKT_S473", treatment', "needs one of fold"),
        ('value = "stars"\nabove', 'value = "stars"\nabov', "unknown key 'abov'"),
        ('value = "stars"\nabove = 2', 'value = "stars"\nabove = "1"', "above is '1', not a finite number"),
        (
            "measure.a",
            'measure.b = { bliss = ["a", "b"], doses = ["1 nM"] }\nmeasure.a',
            "doses is .* give one text for each of the two drugs",
        ),
        ("measure.a = {", "measure.b = 3\nmeasure.a = {", "measure b: is 3, not a table"),
        ("[[claim.check]]", "[claim.check]", r"write a table \[\[check\]\] for each"),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CLAIMS
    path = tmp_path / "claims.toml"
    path.write_text(CLAIMS.replace(old, new, 1))
    with pytest.raises(InputError, match=says):
        read_claims(path)


def test_the_score_counts_directions_and_intervals_apart_and_no_identities(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    sure = CLAIMS.split("[[claim]]")[1].replace("X1", "X0").replace('"direction"', '"identity"')
    path.write_text(f"[[claim]]{sure}{CLAIMS}")
    card = validate(read_claims(path))
    row = card.summary().iloc[0]
    assert (row["scope"], row["directions"], row["directions_right"]) == ("all claims", 2, 0.5)
    assert (row["intervals"], row["intervals_right"]) == (1, 0.0)
    assert list(card.to_frame()["id"]) == ["X2", "X3", "X1", "X0"]


def test_the_shipped_claims_are_well_formed() -> None:
    claims = read_claims()
    letters = {claim.id[0] for claim in claims}
    assert letters >= {"A", "B", "C", "D"}
    assert len(claims) > 80


def test_host_claims_report_what_the_studies_show() -> None:
    """The numbers of a claim are those of the study it names, read here in another way."""
    library = default_library()
    model = load_model("pi3k_mapk")
    found = host_insulin(model, library)
    line, regimen = ONE_DOSE["alp"]
    study = glucose_insulin_study(model, line, regimen, days=1.0, library=library)
    drug = study.host[study.host["arm"] == "none"].set_index("time_h")
    assert found["alp_glucose_3h"] == pytest.approx(drug.at[3.0, "glucose_mM"] / drug.at[0.0, "glucose_mM"])
    assert found["alp_insulin_1h"] == pytest.approx(drug.at[1.0, "insulin_nM"] / drug.at[0.0, "insulin_nM"])
    assert drug.index.max() == 24.0  # before the second dose acts
    growth = study.summary.set_index("arm")["net_growth_per_day"]
    assert found["alp_spared_diet"] == pytest.approx(growth["none"] - growth["ketogenic diet"])


def test_the_cohort_claims_hold_the_reported_ratios() -> None:
    found = gbm_cohort(load_model("pi3k_mapk"), default_library())
    assert found["hr_primary"] == pytest.approx(13.84 / 14.77)
    assert found["hr_secondary"] == pytest.approx(11.89 / 15.54)
    assert found["hr_low"] < found["hr_high"]
    assert 0 < found["recurrent_error"] < 0.1


def test_without_feedback_no_loop_answers() -> None:
    """Signals that feedback would move stay where they were under drugs that open every loop."""
    model, library = load_model("pi3k_mapk"), default_library()
    times = {"everolimus 20 nM": 4320.0, "MK-2206 1 uM": 4320.0, "trametinib 100 nM": 1440.0}
    seen = ("GRB10", "receptor_program", "IRS1_protein", "DUSP", "SPRY2", "SOS", "SRC_active", "KMT2D")
    readings = [Reading("T47D", f"serum 10 % + {drug}", time, name) for drug, time in times.items() for name in seen]
    rest = [Reading("T47D", "serum 10 %", 0.0, name) for name in seen]
    cut = feedback_free(model, library, ["T47D"])
    moved = take_readings(model, readings, lines=cut)[0].reshape(len(times), len(seen))
    at_rest = take_readings(model, rest, lines=cut)[0]
    np.testing.assert_allclose(moved / at_rest, np.ones_like(moved), rtol=0.01)
    whole = take_readings(model, readings)[0].reshape(len(times), len(seen))
    assert (np.abs(whole / at_rest - 1).max(axis=0) > 0.05).all()


def test_a_claim_about_feedback_that_needs_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(CLAIMS.replace('basis = "test"', 'basis = "test"\nseparates = true', 1))
    card = validate(read_claims(path))
    assert card.undecided() == ["X1"]
    assert "do not discriminate: X1" in html_page(card)


def test_the_feedback_free_model_fails_the_claims_it_must() -> None:
    """The scoring rule names them; one that passed would mean that a loop is left on."""
    named = {"A13", "B02", "C01", "C03", "C04", "C11", "C12"}
    card = validate([claim for claim in read_claims() if claim.id in named])
    assert len(card.verdicts) == len(named)
    assert card.undecided() == []
