"""Combination index: Chou's teaching set, the limits of Lee and Kong, and the sham combination."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathsim.errors import InputError
from pathsim.stats import synergy
from pathsim.stats.synergy import Response

# 833K cells, uM, fraction affected (Chou, Motzer, Tong & Bosl 1994, J Natl Cancer Inst 86:1517, table 3)
SINGLE = {
    "paclitaxel": ([0.002, 0.004, 0.005, 0.01, 0.02], [0.429, 0.708, 0.761, 0.882, 0.932]),
    "cisplatin": ([0.05, 0.1, 0.2, 0.5, 1, 2], [0.055, 0.233, 0.301, 0.559, 0.821, 0.953]),
    "topotecan": ([0.01, 0.02, 0.05, 0.1, 0.2, 0.5], [0.069, 0.213, 0.373, 0.785, 0.940, 0.991]),
}
PAIRS = {
    ("paclitaxel", "cisplatin"): ([0.001, 0.002, 0.005, 0.01], 100.0, [0.450, 0.701, 0.910, 0.968]),
    ("cisplatin", "topotecan"): ([0.05, 0.1, 0.2, 0.5, 1], 0.1, [0.304, 0.413, 0.675, 0.924, 0.977]),
    ("paclitaxel", "topotecan"): ([0.001, 0.002, 0.005, 0.01], 10.0, [0.274, 0.579, 0.901, 0.965]),
}


def chou(pair: tuple[str, str]) -> synergy.CombinationIndex:
    doses_1, ratio, mixed = PAIRS[pair]
    doses, fa = [], []
    for column, drug in enumerate(pair):
        for dose, effect in zip(*SINGLE[drug], strict=True):
            doses.append([dose, 0.0] if column == 0 else [0.0, dose])
            fa.append(effect)
    doses += [[dose, dose * ratio] for dose in doses_1]
    return synergy.combination_index(doses, fa + mixed, drugs=pair, units="uM", scale=Response.INHIBITION_FRACTION)


def test_single_drug_line_of_the_medianeffect_package() -> None:
    line = synergy.median_effect([0.10, 0.15, 0.20, 0.25, 0.35], [0.24, 0.44, 0.63, 0.81, 0.90])
    assert (line.m, line.dm, line.r) == pytest.approx((2.757031, 0.1570604, 0.9951608), rel=1e-6)


@pytest.mark.parametrize(
    ("drug", "m", "dm", "r"),
    [("paclitaxel", 1.24783, 0.002168, 0.99013), ("cisplatin", 1.45990, 0.320156, 0.98600),
     ("topotecan", 1.85486, 0.046213, 0.99103)],
)  # fmt: skip
def test_single_drugs_of_chou(drug: str, m: float, dm: float, r: float) -> None:
    line = synergy.median_effect(*SINGLE[drug])
    assert (line.m, line.r) == pytest.approx((m, r), abs=5e-6)
    assert line.dm == pytest.approx(dm, rel=3e-4)


@pytest.mark.parametrize(
    ("pair", "m", "dm", "r", "ci", "dri_1", "dri_2", "at_points"),
    [
        (("paclitaxel", "cisplatin"), 1.57160, 0.115861, 0.99995, [0.88749, 0.78105, 0.69014, 0.63591],
         [1.8897, 2.2655, 2.7161, 3.0727], [2.7909, 2.9442, 3.1060, 3.2211], [0.90016, 0.81458, 0.68132, 0.60241]),
        (("cisplatin", "topotecan"), 1.58782, 0.115883, 0.98948, [0.55701, 0.56153, 0.56969, 0.57742],
         [3.0390, 3.2290, 3.4308, 3.5752], [4.3867, 3.9708, 3.5944, 3.3589],
         [0.44454, 0.65895, 0.67049, 0.56357, 0.52625]),
        (("paclitaxel", "topotecan"), 1.89081, 0.018272, 0.99896, [1.12570, 0.92342, 0.77247, 0.69222],
         [1.3050, 1.7605, 2.3750, 2.9114], [2.7821, 2.8136, 2.8455, 2.8674], [1.37314, 1.07913, 0.72191, 0.68525]),
    ],
)  # fmt: skip
def test_pairs_of_chou(
    pair: tuple[str, str],
    m: float,
    dm: float,
    r: float,
    ci: list[float],
    dri_1: list[float],
    dri_2: list[float],
    at_points: list[float],
) -> None:
    found = chou(pair)
    (mixture,) = found.mixtures
    assert (mixture.line.m, mixture.line.r) == pytest.approx((m, r), abs=5e-6)
    assert mixture.line.dm == pytest.approx(dm, rel=1e-5)
    assert list(found.levels["fa"]) == [0.5, 0.75, 0.9, 0.95]
    assert list(found.levels["ci"]) == pytest.approx(ci, abs=1e-5)
    assert list(found.levels[f"dri_{pair[0]}"]) == pytest.approx(dri_1, abs=1e-4)
    assert list(found.levels[f"dri_{pair[1]}"]) == pytest.approx(dri_2, abs=1e-4)
    assert list(found.points["ci"]) == pytest.approx(at_points, abs=1e-5)


def test_identities() -> None:
    found = chou(("paclitaxel", "cisplatin"))
    for frame in (found.levels, found.points):
        assert list(1 / frame["dri_paclitaxel"] + 1 / frame["dri_cisplatin"]) == pytest.approx(list(frame["ci"]))
    (mixture,) = found.mixtures
    normal = sum(
        mixture.line.dose(0.5) * share / line.dose(0.5)
        for share, line in zip(mixture.share, found.singles, strict=True)
    )
    assert normal == pytest.approx(float(found.levels["ci"].iloc[0]))
    assert "CI 1:100 at fa 0.50: 0.887" in str(found)
    assert "< 1 is synergy" in str(found)


SCH = ([0.1, 0.5, 1, 2, 4], [0.6701, 0.6289, 0.5577, 0.4550, 0.3755])
HPR = ([0.1, 0.5, 1, 2], [0.7666, 0.5833, 0.5706, 0.4934])
BOTH = ([0.1, 0.5, 1, 2], [0.6539, 0.4919, 0.3551, 0.2341])


def lee_kong() -> synergy.CombinationIndex:
    """SCH66336 + 4-HPR on UMSCC22B, surviving fraction (Lee & Kong 2009, table 2)."""
    doses = [[d, 0] for d in SCH[0]] + [[0, d] for d in HPR[0]] + [[d, d] for d in BOTH[0]]
    levels = [1 - survival for survival in BOTH[1]]
    return synergy.combination_index(
        doses, SCH[1] + HPR[1] + BOTH[1], drugs=("SCH66336", "4-HPR"), units="uM", levels=levels
    )


def test_lines_of_lee_and_kong() -> None:
    found = lee_kong()
    lines = [*found.singles, found.mixtures[0].line]
    assert [-line.intercept for line in lines] == pytest.approx([0.09438, 0.21699, -0.22452], abs=1e-5)
    assert [-line.m for line in lines] == pytest.approx([-0.33492, -0.39759, -0.59593], abs=1e-5)
    assert [line.dm for line in lines] == pytest.approx([1.32552, 1.72590, 0.68608], abs=1e-5)


def test_limits_of_lee_and_kong() -> None:
    levels = lee_kong().levels
    assert list(levels["ci"]) == pytest.approx([0.93327, 0.44150, 0.23921, 0.12862], abs=1e-5)
    assert list(levels["ci_low"]) == pytest.approx([0.39591, 0.24555, 0.10011, 0.03397], abs=1e-5)
    assert list(levels["ci_high"]) == pytest.approx([2.19999, 0.79381, 0.57160, 0.48692], abs=1e-5)


def test_index_at_observed_doses_of_lee_and_kong() -> None:
    assert list(lee_kong().points["ci"]) == pytest.approx([0.79126, 0.60945, 0.25620, 0.10261], abs=1e-5)


def test_full_grid_of_lee_and_kong_gives_the_same_ray() -> None:
    """The 6 x 5 matrix of the same experiment (Lee et al. 2007, table 1) holds the 1:1 ray on its diagonal."""
    grid = [
        [1.0, 0.7666, 0.5833, 0.5706, 0.4934],
        [0.6701, 0.6539, 0.4767, 0.5171, 0.3923],
        [0.6289, 0.6005, 0.4919, 0.4625, 0.3402],
        [0.5577, 0.5102, 0.4541, 0.3551, 0.2851],
        [0.4550, 0.4203, 0.3441, 0.3082, 0.2341],
        [0.3755, 0.3196, 0.2978, 0.2502, 0.1578],
    ]
    wells = synergy.from_matrix([0, *SCH[0]], [0, *HPR[0]], grid, ["SCH66336", "4-HPR"], units="uM")
    found = synergy.combination_index(wells)
    ray = next(mixture for mixture in found.mixtures if mixture.label == "1:1")
    at = found.along(ray, [1 - survival for survival in BOTH[1]])
    assert list(at["ci"]) == pytest.approx([0.93327, 0.44150, 0.23921, 0.12862], abs=1e-5)
    assert list(at["ci_low"]) == pytest.approx([0.39591, 0.24555, 0.10011, 0.03397], abs=1e-5)
    assert len(found.points) == 20


lines = st.tuples(st.floats(0.2, 5.0), st.floats(0.6, 3.0))
DOSES = 2.0 ** np.arange(-3, 4)


def affected(doses: np.ndarray, drug: tuple[float, float]) -> np.ndarray:
    return 1 / (1 + (drug[0] / doses) ** drug[1])


@given(drug=lines, potency=st.floats(0.05, 20.0))
@settings(max_examples=30, deadline=None)
def test_a_drug_with_itself_has_index_one(drug: tuple[float, float], potency: float) -> None:
    """Also when the second vial is the same drug at another strength, at every ratio of a matrix."""
    other = DOSES / potency
    doses = [[d, 0] for d in DOSES] + [[0, d] for d in other] + [[a, b] for a in DOSES for b in other]
    total = np.array([a + b * potency for a, b in doses])
    fa = affected(total, drug)
    found = synergy.combination_index(doses, fa, scale=Response.INHIBITION_FRACTION)
    assert found.points["ci"].to_numpy() == pytest.approx(np.ones(49), rel=1e-6)
    assert found.levels["ci"].to_numpy() == pytest.approx(np.ones(len(found.levels)), rel=1e-6)


@given(first=lines, second=lines, factor=st.sampled_from([1e-6, 1e3]), seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_scaling_all_doses_changes_nothing(
    first: tuple[float, float], second: tuple[float, float], factor: float, seed: int
) -> None:
    singles = np.concatenate([affected(DOSES, first), affected(DOSES, second)])
    doses = np.array([[d, 0] for d in DOSES] + [[0, d] for d in DOSES] + [[d, d] for d in DOSES])
    noise = np.random.default_rng(seed).normal(0, 0.2, 7)
    fa = np.concatenate([singles, 1 / (1 + np.exp(-np.log(DOSES) - noise))])
    one, other = (
        synergy.combination_index(doses * scale, fa, scale=Response.INHIBITION_FRACTION) for scale in (1.0, factor)
    )
    for column in ("ci", "ci_low", "ci_high"):
        assert other.levels[column].to_numpy() == pytest.approx(one.levels[column].to_numpy(), rel=1e-6)


def test_limits_cover() -> None:
    rng = np.random.default_rng(6)
    doses = np.array([[d, 0] for d in DOSES] + [[0, d] for d in DOSES] + [[d, d] for d in DOSES])
    truth = np.concatenate([affected(DOSES, (1.0, 1.2)), affected(DOSES, (2.0, 1.2)), affected(2 * DOSES, (0.8, 1.2))])
    expected = synergy.combination_index(doses, truth, levels=(0.5,), scale=Response.INHIBITION_FRACTION).levels["ci"][
        0
    ]
    inside = 0
    for _ in range(100):
        noisy = 1 / (1 + (1 / truth - 1) * np.exp(rng.normal(0, 0.3, len(truth))))
        found = synergy.combination_index(doses, noisy, levels=(0.5,), scale=Response.INHIBITION_FRACTION).levels
        inside += bool(found["ci_low"][0] <= expected <= found["ci_high"][0])
    assert 0.88 <= inside / 100 <= 0.995


def test_three_drugs() -> None:
    drug = (1.0, 1.3)
    doses = [[d if i == k else 0.0 for i in range(3)] for k in range(3) for d in DOSES] + [[d, d, d] for d in DOSES]
    fa = affected(np.sum(doses, axis=1), drug)
    found = synergy.combination_index(doses, fa, scale=Response.INHIBITION_FRACTION)
    assert found.mixtures[0].label == "1:1:1"
    assert found.levels["ci"].to_numpy() == pytest.approx(np.ones(4))


def test_isobologram_of_chou() -> None:
    doses_1, ratio, mixed = PAIRS["paclitaxel", "cisplatin"]
    doses = [[d, 0] for d in SINGLE["paclitaxel"][0]] + [[0, d] for d in SINGLE["cisplatin"][0]]
    doses += [[d, d * ratio] for d in doses_1]
    found = synergy.isobologram(
        doses,
        SINGLE["paclitaxel"][1] + SINGLE["cisplatin"][1] + mixed,
        drugs=("paclitaxel", "cisplatin"),
        units="uM",
        scale=Response.INHIBITION_FRACTION,
        fa=0.75,
    )
    alone = found.alone.set_index("drug")["dose"]
    point = found.mixed.iloc[0]
    assert point["paclitaxel_uM"] / alone["paclitaxel"] + point["cisplatin_uM"] / alone["cisplatin"] == pytest.approx(
        0.78105, abs=1e-5
    )
    assert (found.alone["low"] < found.alone["dose"]).all()


def test_effects_outside_zero_to_one_are_left_out_and_named() -> None:
    doses = [[d, 0] for d in DOSES] + [[0, d] for d in DOSES] + [[d, d] for d in DOSES]
    fa = affected(np.sum(doses, axis=1), (1.0, 1.2))
    fa[0], fa[-1] = -0.05, 1.0
    found = synergy.combination_index(doses, fa, scale=Response.INHIBITION_FRACTION)
    notes = " | ".join(found.notes)
    assert "drug 1: effect not between 0 and 1 at 0.125 nM; left out of the line" in notes
    assert "drug 1 8 nM + drug 2 8 nM: effect 1 is not between 0 and 1; no index" in notes
    assert found.points["ci"].isna().tolist() == [False] * 6 + [True]
    assert found.points["mark"].tolist() == [""] * 6 + ["effect 1 is not between 0 and 1; no index"]


def test_levels_beyond_the_data_are_marked() -> None:
    levels = chou(("paclitaxel", "cisplatin")).levels
    assert list(levels["extrapolated"]) == [False, False, False, True]  # paclitaxel alone was seen up to 0.932
    assert "fa 0.95: 0.636" in str(chou(("paclitaxel", "cisplatin")))
    assert str(chou(("paclitaxel", "cisplatin"))).count("extrapolated") == 1


def test_a_drug_that_levels_off_is_named() -> None:
    doses = np.array([[d, 0] for d in DOSES] + [[0, d] for d in DOSES] + [[d, d] for d in DOSES])
    partial = np.concatenate(
        [0.6 * affected(DOSES, (0.5, 1.5)), affected(DOSES, (1.0, 1.0)), affected(DOSES, (0.5, 1.0))]
    )
    found = synergy.combination_index(doses, partial, drugs=("half", "full"), scale=Response.INHIBITION_FRACTION)
    assert any("half levels off at an effect of 0.60" in note for note in found.notes)
    assert not any(note.startswith("full levels off") for note in found.notes)


def test_a_drug_without_effect_has_no_index() -> None:
    doses = [[d, 0] for d in DOSES] + [[0, d] for d in DOSES] + [[d, d] for d in DOSES]
    fa = np.concatenate([affected(DOSES, (1.0, 1.0)), np.full(7, -0.01), affected(DOSES, (1.0, 1.0))])
    for effects, said in (
        (np.full(7, -0.01), "inert: 0 dose(s) with an effect between 0 and 1; a median-effect line needs two"),
        (np.linspace(0.3, 0.1, 7), "inert: the effect does not rise with dose"),
        (np.full(7, 0.3), "inert: the effect does not rise with dose"),
    ):
        fa[7:14] = effects
        found = synergy.combination_index(doses, fa, drugs=("active", "inert"), scale=Response.INHIBITION_FRACTION)
        assert len(found.points) == 7
        assert found.points["ci"].isna().all()
        assert found.points["mark"].str.startswith(said).all()
        assert found.levels["mark"].str.startswith(said).all()
        assert np.isfinite(found.points["dri_active"]).all()
        assert found.singles[1] is None
        assert found.row()["mean"] is None
        assert said in str(found)
        with pytest.raises(InputError, match="no isobologram: the effect of inert alone does not rise"):
            synergy.isobologram(doses, fa, drugs=("active", "inert"), scale=Response.INHIBITION_FRACTION)


def test_a_flat_matrix_has_marks_instead_of_indices() -> None:
    doses = [(a, b) for a in (0, 1, 3, 10) for b in (0, 1, 3, 10)]
    for level in (1.0, 0.8, 1.02):
        found = synergy.combination_index(doses, [level] * 16)
        assert len(found.points) == 9
        assert found.points["ci"].isna().all()
        assert (found.points["mark"] != "").all()
        loewe = synergy.loewe(doses, [level] * 16, resamples=20)
        assert loewe.wells["excess"].abs().max() < 1e-9
        assert loewe.wells["index"].isna().all()
        assert "no index at 9 of 9 combinations" in " ".join(loewe.notes)
