"""Bliss, HSA, Loewe and ZIP: published means, laws that hold for every drug, and coverage of the intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from pathsim.errors import InputError
from pathsim.stats import synergy
from pathsim.stats.synergy import Response

# ispinesib (rows) x ibrutinib (columns), nM, percent inhibition: example data of SynergyFinder (Mathews Griner 2014)
ISPINESIB = [0, 9.7656, 39.0626, 156.25, 625, 2500]
IBRUTINIB = [0, 0.1954, 0.7812, 3.125, 12.5, 50]
INHIBITION = [
    [-22.9562, -3.7601, -18.1385, 41.1731, 53.3330, 71.3049],
    [59.2244, 63.6251, 71.9630, 88.2397, 85.0046, 91.0519],
    [60.2457, 63.1284, 70.8970, 86.4888, 92.9351, 93.7234],
    [60.7626, 66.4826, 74.0660, 87.5748, 92.3878, 94.2758],
    [60.6274, 61.9479, 76.7389, 85.9040, 93.4483, 94.0666],
    [54.2094, 61.9569, 75.4961, 84.9104, 93.1687, 92.1974],
]
PERCENT = Response.VIABILITY_PERCENT
SCORES = [synergy.bliss, synergy.hsa, synergy.loewe, synergy.zip]
GRID = np.concatenate([[0.0], 2.0 ** np.arange(-4, 5)])

Corrected = Callable[[synergy.Wells], synergy.Wells]
hills = st.tuples(st.floats(0.2, 5.0), st.floats(0.6, 3.0), st.floats(0.0, 0.6))


def fall(doses: np.ndarray, drug: tuple[float, float, float]) -> np.ndarray:
    ec50, h, bottom = drug
    return bottom + (1 - bottom) / (1 + (doses / ec50) ** h)


def ispinesib_ibrutinib() -> synergy.Wells:
    return synergy.from_matrix(
        ISPINESIB, IBRUTINIB, INHIBITION, ["ispinesib", "ibrutinib"], scale=Response.INHIBITION_PERCENT
    )


def test_published_means() -> None:
    wells = ispinesib_ibrutinib()
    bliss, hsa, zip_ = synergy.bliss(wells), synergy.hsa(wells), synergy.zip(wells, resamples=50)
    assert (bliss.mean, bliss.max) == pytest.approx((10.8565, 29.5925), rel=1e-4)
    assert (hsa.mean, hsa.max) == pytest.approx((20.1951, 38.9593), rel=1e-4)
    assert zip_.mean == pytest.approx(11.50, abs=0.005)


@pytest.mark.parametrize(
    ("corrected", "zip_mean", "bliss", "hsa"),
    [(synergy.corrected_negatives, 6.89, 6.681, 20.195), (synergy.corrected_baseline, 3.58, 3.202, 15.559)],
)
def test_published_means_with_baseline_correction(
    corrected: Corrected, zip_mean: float, bliss: float, hsa: float
) -> None:
    wells = corrected(ispinesib_ibrutinib())
    assert synergy.bliss(wells, resamples=0).mean == pytest.approx(bliss, abs=1e-3)
    assert synergy.hsa(wells, resamples=0).mean == pytest.approx(hsa, abs=1e-3)
    assert synergy.zip(wells, resamples=0).mean == pytest.approx(zip_mean, abs=0.01)


def test_baseline_correction_leaves_clean_data_alone() -> None:
    wells = synergy.from_matrix(GRID, GRID, fall(GRID, (1.0, 1.2, 0.1))[:, None] * fall(GRID, (2.0, 1.0, 0.0)))
    assert synergy.corrected_baseline(wells).viability == pytest.approx(wells.viability, abs=1e-8)


def test_unit_and_convention_travel_with_the_number() -> None:
    score = synergy.bliss(ispinesib_ibrutinib())
    assert score.unit == "percentage points of inhibition"
    text = str(score)
    for part in (
        "ispinesib + ibrutinib",
        "10.86 percentage points",
        "> 0 is synergy",
        "95% interval",
        "25 combinations",
    ):
        assert part in text
    assert score.row()["unit"] == score.unit
    assert score.matrix().shape == (5, 5)
    assert list(score.wells.columns[:2]) == ["ispinesib_nM", "ibrutinib_nM"]


def test_bliss_calls_a_steep_drug_synergistic_with_itself() -> None:
    doses = [[0.5, 0], [0, 1.5], [0.5, 1.5]]
    drug = (2.0, 1.5, 0.0)
    viability = [fall(np.array(d), drug) for d in (0.5, 1.5, 2.0)]
    assert viability[2] == 0.5
    assert synergy.bliss(doses, viability).mean == pytest.approx(3.88776125, rel=1e-8)


@given(drug=hills)
@settings(max_examples=25, deadline=None)
def test_a_drug_with_itself_has_no_loewe_excess(drug: tuple[float, float, float]) -> None:
    score = synergy.loewe(synergy.from_matrix(GRID, GRID, fall(GRID[:, None] + GRID, drug)), resamples=0)
    assert score.wells["excess"].abs().max() < 1e-4
    assert score.wells["index"].to_numpy() == pytest.approx(np.ones(81), abs=0.02)


def test_a_sham_is_called_one() -> None:
    doses = [[a, b] for a in (0.0, 1.0, 3.0, 9.0) for b in (0.0, 1.0, 3.0, 9.0)]
    seen = [1 / (1 + (a + b) / 3) for a, b in doses]
    score = synergy.bliss(doses, seen, drugs=["A", "A (2)"], scale=synergy.Response.VIABILITY_FRACTION)
    assert "A is combined with itself" in str(score)
    other = synergy.bliss(doses, seen, drugs=["A", "B"], scale=synergy.Response.VIABILITY_FRACTION)
    assert "with itself" not in str(other)
    assert other.of_exact_wells() == other  # which has no interval to speak of
    finer = [[a, b] for a in (0.0, *range(1, 8)) for b in (0.0, *range(1, 8))]
    many = synergy.bliss(finer, [1 / (1 + (a + b) / 3) for a, b in finer], scale=synergy.Response.VIABILITY_FRACTION)
    assert many.low is not None
    assert "misfit, not confidence" in str(many.of_exact_wells())


@pytest.mark.parametrize("shape", [(3, 3), (4, 4), (3, 6), (6, 3)])
@pytest.mark.parametrize("ragged", [False, True])
def test_a_drug_with_itself_has_no_loewe_excess_on_sparse_grids(shape: tuple[int, int], ragged: bool) -> None:
    """Three doses of either drug, at other doses of both and with half of the combinations missing, are enough."""
    rng = np.random.default_rng(sum(shape) + ragged)
    for _ in range(5):
        drug = (float(10 ** rng.uniform(-1, 1)), float(rng.uniform(0.6, 3)), float(rng.choice([0.0, 0.5])))
        first, second = (np.r_[0.0, drug[0] * np.geomspace(0.1, 10, n) * rng.uniform(0.5, 2)] for n in shape)
        doses = np.array([(a, b) for a in first for b in second if min(a, b) == 0 or not ragged or rng.random() < 0.5])
        score = synergy.loewe(doses, fall(doses.sum(axis=1), drug), resamples=0)
        assert score.wells["excess"].abs().max() < 1e-6
        assert score.wells["index"].to_numpy() == pytest.approx(np.ones(len(score.wells)), abs=0.02)


def test_one_dose_of_a_drug_is_no_curve() -> None:
    drug, doses = (1.0, 1.5, 0.0), np.array([(a, b) for a in (0, 0.1, 0.3, 1, 3, 10, 30) for b in (0, 1)])
    with pytest.raises(InputError, match="drug 2 alone was measured at 1 dose"):
        synergy.loewe(doses, fall(doses.sum(axis=1), drug))


@given(first=hills, second=hills)
@settings(max_examples=25, deadline=None)
def test_product_surface_has_no_bliss_and_no_zip(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> None:
    wells = synergy.from_matrix(GRID, GRID, fall(GRID, first)[:, None] * fall(GRID, second))
    assert synergy.bliss(wells, resamples=0).wells["excess"].abs().max() < 1e-10
    assert synergy.zip(wells, resamples=0).wells["excess"].abs().max() < 1e-4


@given(first=hills, second=hills)
@settings(max_examples=15, deadline=None)
def test_best_single_surface_has_no_hsa(first: tuple[float, float, float], second: tuple[float, float, float]) -> None:
    surface = np.minimum(fall(GRID, first)[:, None], fall(GRID, second))
    assert synergy.hsa(GRID_DOSES, surface.reshape(-1)).wells["excess"].abs().max() < 1e-10


@given(first=hills, second=hills, factor=st.sampled_from([1e-6, 1e-3, 1e3, 1e6]), seed=st.integers(0, 50))
@settings(max_examples=6, deadline=None)
def test_scaling_all_doses_changes_nothing(
    first: tuple[float, float, float], second: tuple[float, float, float], factor: float, seed: int
) -> None:
    surface = fall(GRID, first)[:, None] * fall(GRID, second) ** 1.3
    surface = surface + np.random.default_rng(seed).normal(0, 0.02, surface.shape)
    for score in SCORES:
        one = score(synergy.from_matrix(GRID, GRID, surface), resamples=20)
        other = score(synergy.from_matrix(GRID * factor, GRID * factor, surface), resamples=20)
        assert other.mean == pytest.approx(one.mean, abs=1e-4)
        assert other.low == pytest.approx(one.low, abs=1e-3)


@given(first=hills, second=hills, seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_bliss_excess_is_at_most_hsa_excess(
    first: tuple[float, float, float], second: tuple[float, float, float], seed: int
) -> None:
    surface = np.clip(
        fall(GRID, first)[:, None] * fall(GRID, second)
        + np.random.default_rng(seed).normal(0, 0.1, (len(GRID), len(GRID))),
        0,
        1,
    )
    wells = synergy.from_matrix(GRID, GRID, surface)
    bliss, hsa = synergy.bliss(wells, resamples=0), synergy.hsa(wells, resamples=0)
    assert (bliss.wells["excess"] <= hsa.wells["excess"] + 1e-12).all()


def test_order_of_drugs_does_not_matter() -> None:
    wells = ispinesib_ibrutinib()
    turned = synergy.from_matrix(IBRUTINIB, ISPINESIB, np.array(INHIBITION).T, scale=Response.INHIBITION_PERCENT)
    for score in SCORES:
        assert score(turned, resamples=0).mean == pytest.approx(score(wells, resamples=0).mean, abs=1e-6)


def test_weak_partner_leaves_loewe_to_the_stronger_drug() -> None:
    """One drug stops at 60 % viability: where the other goes deeper, additivity expects the other alone."""
    strong, weak = fall(GRID, (1.0, 1.5, 0.0)), fall(GRID, (1.0, 1.0, 0.6))
    surface = strong[:, None] * np.ones(len(GRID))
    surface[0] = weak
    score = synergy.loewe(synergy.from_matrix(GRID, GRID, surface), resamples=0).wells
    deep = score[score["expected"] > 45]
    assert np.isfinite(score["expected"]).all()
    assert deep["excess"].abs().max() < 1e-4


GRID_DOSES = np.stack(np.meshgrid(GRID, GRID, indexing="ij"), axis=-1).reshape(-1, 2)


@given(first=hills, second=hills)
@settings(max_examples=15, deadline=None)
def test_additive_surface_solved_by_scipy_has_no_loewe_excess(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> None:
    """Two different drugs: the additive response from the definition, one root at a time."""

    def alone(level: float, drug: tuple[float, float, float]) -> float:
        ec50, h, bottom = drug
        return math.inf if level <= bottom else ec50 * ((1 - level) / (level - bottom)) ** (1 / h)

    def additive(one: float, two: float) -> float:
        if one == two == 0:
            return 1.0
        deepest = min(drug[2] for drug, dose in ((first, one), (second, two)) if dose > 0)
        return float(
            brentq(lambda e: one / alone(e, first) + two / alone(e, second) - 1, deepest + 1e-12, 1 - 1e-12, xtol=1e-14)
        )

    surface = np.array([[additive(one, two) for two in GRID] for one in GRID])
    score = synergy.loewe(synergy.from_matrix(GRID, GRID, surface), resamples=0)
    assert score.wells["excess"].abs().max() < 1e-2


def test_index_outside_the_curves_is_left_empty_and_counted() -> None:
    surface = fall(GRID, (1.0, 1.2, 0.3))[:, None] * fall(GRID, (1.0, 1.2, 0.3))
    score = synergy.loewe(synergy.from_matrix(GRID, GRID, surface), resamples=0)
    deeper = score.wells["observed"] > 70.0
    assert score.wells["index"].isna().to_numpy() == pytest.approx(deeper.to_numpy())
    assert f"no index at {deeper.sum()} of 81 combinations" in score.notes[-1]


def test_three_drugs() -> None:
    doses = np.array([[a, b, c] for a in (0, 1, 2, 4) for b in (0, 1, 2, 4) for c in (0, 1, 2, 4)], dtype=float)
    drugs = [(1.0, 1.0, 0.0), (2.0, 1.4, 0.1), (1.5, 0.8, 0.2)]
    singles = np.stack([fall(doses[:, i], drug) for i, drug in enumerate(drugs)], axis=1)
    score = synergy.bliss(doses, singles.prod(axis=1), drugs=("a", "b", "c"))
    assert score.wells["excess"].abs().max() < 1e-10
    assert len(score.wells) == 54
    assert synergy.hsa(doses, singles.min(axis=1)).wells["excess"].abs().max() < 1e-10
    sham = fall(doses.sum(axis=1), drugs[1])
    assert synergy.loewe(doses, sham, resamples=0).wells["excess"].abs().max() < 1e-3
    with pytest.raises(InputError, match="ZIP is defined for two drugs"):
        synergy.zip(doses, sham)
    with pytest.raises(InputError, match="needs two drugs"):
        score.matrix()


@pytest.mark.parametrize("score", SCORES)
def test_intervals_of_the_mean_cover_with_replicates(score: synergy.ScoreFunction) -> None:
    rng = np.random.default_rng(2)
    doses = np.concatenate([[0.0], 2.0 ** np.arange(-2, 4)])
    surface = fall(doses, (1.0, 1.2, 0.05))[:, None] * fall(doses, (2.0, 1.5, 0.1)) ** 1.2
    truth = score(synergy.from_matrix(doses, doses, surface), resamples=0).mean
    inside, runs = 0, 16
    for run in range(runs):
        noisy = surface[:, :, None] + rng.normal(0, 0.05, (7, 7, 3))
        found = score(synergy.from_matrix(doses, doses, noisy), resamples=80, seed=run)
        inside += found.low <= truth <= found.high
    assert 0.75 <= inside / runs <= 1.0


def test_intervals_cover_without_replicates() -> None:
    rng = np.random.default_rng(3)
    doses = np.concatenate([[0.0], 2.0 ** np.arange(-3, 5)])
    surface = fall(doses, (1.0, 1.2, 0.05))[:, None] * fall(doses, (2.0, 1.5, 0.1))
    inside = 0
    for run in range(80):
        found = synergy.bliss(
            synergy.from_matrix(doses, doses, surface + rng.normal(0, 0.05, surface.shape)), resamples=300, seed=run
        )
        inside += found.low <= 0 <= found.high
    assert 0.86 <= inside / 80 <= 1.0
    assert "no replicates" in found.noise


def test_too_few_wells_for_an_interval_say_so() -> None:
    score = synergy.bliss([[1, 0], [0, 1], [1, 1]], [0.8, 0.7, 0.4])
    assert (score.low, score.high) == (None, None)
    assert "no interval" in str(score)
    assert score.mean == pytest.approx(16.0)


def test_seed_decides_the_interval() -> None:
    wells = ispinesib_ibrutinib()
    assert synergy.bliss(wells, seed=1).low == synergy.bliss(wells, seed=1).low
    assert synergy.bliss(wells, seed=1).low != synergy.bliss(wells, seed=2).low


def test_missing_wells_are_listed() -> None:
    doses, viability = [[1, 0], [0, 1], [1, 1], [2, 2]], [0.8, 0.7, 0.4, 0.2]
    with pytest.raises(InputError) as caught:
        synergy.bliss(doses, viability, drugs=("A", "B"))
    message = str(caught.value)
    assert "A alone at 2 nM (needed for A 2 nM + B 2 nM)" in message
    assert "B alone at 2 nM" in message
    keep = np.ones(len(GRID_DOSES), dtype=bool)
    keep[[25, 47]] = False
    surface = (fall(GRID, (1.0, 1.0, 0.0))[:, None] * fall(GRID, (1.0, 1.0, 0.0))).reshape(-1)
    with pytest.raises(InputError, match="complete matrix; missing wells \\(2 problems\\)"):
        synergy.zip(GRID_DOSES[keep], surface[keep])


@pytest.mark.parametrize(
    ("doses", "responses", "options", "said"),
    [
        ([[1, 0], [0, 1], [1, -1]], [0.8, 0.7, 0.4], {}, "row 3: the dose of drug 2 is negative"),
        ([[1, 0], [0, 1], [1, 1]], [0.8, np.nan, 0.4], {}, "row 2: the response is nan"),
        ([[1, 0], [0, 1], [1, 1]], [80, 70, 40], {}, "look like percent"),
        ([[1, 0], [0, 1], [1, 1], [2, 2], [3, 3]], [0.8, 0.7, 40, 0.3, 0.2], {}, "row 3: 40 looks like percent among"),
        ([[1, 0], [0, 1], [1, 1], [2, 2]], [0.8, 0.7, 0.4, 0.2], {"scale": PERCENT}, "fractions, not"),
        ([[1, 0], [2, 0]], [0.8, 0.7], {}, "drug 2 is given at no dose above zero"),
        ([[1], [2]], [0.8, 0.7], {}, "at least two drugs"),
        ([[1, 0], [0, 1]], [0.8, 0.7], {}, "nothing to score"),
    ],
)  # fmt: skip
def test_bad_input(doses: list, responses: list, options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        synergy.bliss(doses, responses, **options)


def table() -> pd.DataFrame:
    rows = []
    for a in (0, 100, 1000):
        for b in (0, 10, 100):
            parts = [f"{name} {dose} nM" for name, dose in (("alpelisib", a), ("palbociclib", b)) if dose]
            text = " + ".join(parts) + " + IGF1 13 nM" if parts else "IGF1 13 nM"
            value = 1 / (1 + a / 300) / (1 + b / 50)
            rows.append(("T47D", f"vehicle for 24 h then {text}", 4320.0, "viability", value))
    return pd.DataFrame(rows, columns=["cell_line", "treatment", "time_min", "readout", "value"])


def test_one_table_is_read_by_its_treatments() -> None:
    wells = synergy.from_table(table())
    assert (wells.drugs, wells.units) == (("alpelisib", "palbociclib"), ("nM", "nM"))  # the ligand is background
    score = synergy.bliss(table())
    assert score.wells["excess"].abs().max() < 1e-10
    assert score.name == "T47D, viability, 72 h"
    micro = table()
    micro["treatment"] = micro["treatment"].str.replace("1000 nM", "1 uM")
    assert list(synergy.bliss(micro).wells["alpelisib_nM"].unique()) == [100.0, 1000.0]


def test_table_with_several_experiments_asks_which() -> None:
    both = pd.concat([table(), table().assign(cell_line="MCF7")])
    with pytest.raises(InputError, match="choose one with cell_line="):
        synergy.bliss(both)
    assert synergy.bliss(both, cell_line="MCF7").name.startswith("MCF7")
    with pytest.raises(InputError, match="'BT20' is not in the table; it has T47D, MCF7"):
        synergy.bliss(both, cell_line="BT20")


def test_table_with_unreadable_treatments_lists_the_rows() -> None:
    broken = table()
    broken.loc[1, "treatment"] = "vehicle for 24 h then palbociclib ten nM"
    broken.loc[2, "treatment"] = "vehicle for 2 h then palbociclib 100 nM"
    with pytest.raises(InputError) as caught:
        synergy.bliss(broken)
    assert "row 2: 'palbociclib ten nM' is not a dose" in str(caught.value)
    assert "treatments differ before their last step" in str(caught.value)


def test_counts_are_normalised_on_request() -> None:
    counts = table().assign(value=lambda frame: frame["value"] * 4.0)
    wells = synergy.normalised(synergy.from_table(counts))
    assert synergy.bliss(wells).mean == pytest.approx(0.0, abs=1e-10)
    raw = table().assign(value=lambda frame: frame["value"] * 52000.0)
    assert synergy.bliss(raw, scale=Response.SIGNAL).mean == pytest.approx(0.0, abs=1e-10)
    with pytest.raises(InputError, match="raw signal; say so with"):
        synergy.bliss(raw)
    with pytest.raises(InputError, match="no untreated well"):
        synergy.from_arrays([[1, 0], [0, 1], [1, 1]], [800, 700, 400], scale=Response.SIGNAL)
    with pytest.raises(InputError, match="no untreated well"):
        synergy.normalised(synergy.from_arrays([[1, 0], [0, 1], [1, 1]], [0.8, 0.7, 0.4]))


def test_far_replicates_are_named() -> None:
    wells = synergy.from_arrays([[1, 0], [1, 0], [0, 1], [1, 1]], [0.9, 0.2, 0.7, 0.4])
    assert "replicates differ by 0.7 (row 1, row 2)" in wells.notes[0]


def test_doses_equal_within_rounding_are_one() -> None:
    """0.1 + 0.2 in the combinations is the 0.3 of the single drug; a residue of subtraction is no dose."""
    written, summed = 0.3, 0.1 + 0.2
    for first, zero in ((summed, 0.0), (float(np.float32(0.3)), 0.0), (written, 0.3 - 0.2 - 0.1)):
        doses = [[zero, zero], [written, 0], [0, written], [first, written], [1, 0], [1, first], [first, zero]]
        score = synergy.bliss(doses, [1.0, 0.8, 0.7, 0.56, 0.5, 0.35, 0.8])
        assert score.mean == pytest.approx(0.0, abs=1e-9)
        assert score.wells["drug 2_nM"].tolist() == [0.3, 0.3]


DOSES_16 = [(a, b) for a in (0, 1, 3, 10) for b in (0, 1, 3, 10)]


def test_inhibition_called_viability_is_told() -> None:
    viability = np.array([1 / (1 + a / 3) / (1 + b / 5) for a, b in DOSES_16])
    for scale in (Response.VIABILITY_FRACTION, Response.INHIBITION_FRACTION):
        values = 1 - viability if scale is Response.VIABILITY_FRACTION else viability
        with pytest.raises(InputError, match=r"untreated wells average 0 of control, .* is this inhibition"):
            synergy.bliss(DOSES_16, values, scale=scale)
    for score in SCORES:
        assert "untreated wells average 0.8 of control, not 1" in " ".join(
            score(DOSES_16, 0.8 * viability, resamples=0).notes
        )
        assert not score(DOSES_16, viability, resamples=0).notes or score is synergy.loewe
    assert "untreated wells average 0.8" in str(synergy.bliss(DOSES_16, 0.8 * viability))
    normal = synergy.normalised(synergy.from_arrays(DOSES_16, 0.8 * viability))
    assert synergy.bliss(normal).notes == ()


@pytest.mark.parametrize(
    ("doses", "responses", "options", "said"),
    [
        (5, [1], {}, "doses have shape"),
        ([[1, 0], [0]], [1, 1], {}, "all must be of one length"),
        ([[1, 0], [0, 1]], 0.5, {}, "doses have shape .* and responses"),
        ([["1", 0], [0, 1]], [0.5, 0.5], {}, "row 1, column 1: dose is '1', a text"),
        ([[1, 0], [0, 1], [1, 1]], [0.5, True, 0.3], {}, "row 2: response is True"),
        (DOSES_16, [0.5] * 16, {"drugs": "AB"}, "drugs: 'AB' is no list of names"),
        (DOSES_16, [0.5] * 16, {"scale": "percent"}, "scale is 'percent'; give one of Response"),
        (DOSES_16, [0.5] * 16, {"seed": -1}, "seed is -1"),
        (DOSES_16, [0.5] * 16, {"resamples": 1e12}, "resamples is"),
        (DOSES_16, [0.5] * 16, {"confidence": 95}, "confidence is 95"),
        (DOSES_16, [0.5] * 16, {"unit": "uM"}, "unknown option 'unit': did you mean units"),
        (DOSES_16, [0.5] * 16, {"drugs": ("A", "A")}, "name each once"),
        ([], [], {}, "doses have shape"),
        ("a.csv", None, {}, "doses without responses"),
        (table, None, {}, "without"),
    ],
)
def test_arguments_of_another_kind(doses: object, responses: object, options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        synergy.bliss(doses, responses, **options)
