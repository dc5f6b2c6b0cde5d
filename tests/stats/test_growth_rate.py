"""GR metrics against the toy data of datarail/gr_metrics (values of its Python and R programs)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pathsim.errors import InputError
from pathsim.stats import growth_rate

DOSES = [0.001, 0.003162, 0.01, 0.03162, 0.1, 0.3162, 1, 3.162, 10]  # uM


def test_values_of_the_toy_example() -> None:
    found = growth_rate.values([1131, 743, 249], 1212.5, 299.5)
    assert found == pytest.approx([0.932192640069, 0.568911721218, -0.0874718726645], rel=1e-10)


@pytest.mark.parametrize(
    ("counts", "control", "start", "gr50", "gr_max", "gr_aoc", "gec50", "gr_inf", "h"),
    [
        # BT20 drugA replicate 1, 48 h and 72 h; MCF10A drugA replicate 1, 48 h; BT20 drugA replicate 2, 72 h;
        # BT20 drugC replicate 2, 72 h (cells die)
        ([1079, 1033, 1006, 1009, 768, 569, 522, 489, 508], 1135.75, 492.8,
         0.07746081566, -0.006405684937, 0.5555532528, 0.08163137031, -0.02631670179, 0.9781393885),
        ([1710, 1796, 1691, 1343, 1082, 773, 585, 581, 510], 1766.0, 492.8,
         0.1083899586, 0.01880562988, 0.4764529639, 0.1017566840, 0.03080190863, 1.006842485),
        ([1131, 1205, 1021, 743, 459, 318, 284, 274, 249], 1212.5, 299.5,
         0.04015905405, -0.08747187266, 0.6226966377, 0.04465076571, -0.06566853896, 1.163894291),
        ([1740, 1744, 1707, 1386, 1064, 698, 597, 532, 493], 1720.5, 492.8,
         0.1074648777, 0.0002249794186, 0.4765675977, 0.1035834376, 0.02151440930, 1.195597572),
        ([1102, 1135, 1136, 1147, 1035, 732, 402, 183, 102], 1138.5, 497.7,
         0.2690451358, -0.7349215134, 0.5492535380, 0.5660635236, -0.7657681464, 1.248712623),
    ],
)  # fmt: skip
def test_metrics_of_the_toy_example(
    counts: list[float],
    control: float,
    start: float,
    gr50: float,
    gr_max: float,
    gr_aoc: float,
    gec50: float,
    gr_inf: float,
    h: float,
) -> None:
    found = growth_rate.metrics(DOSES, counts, control, start, unit="uM")
    assert found.gr50.reached
    assert found.gr50.value == pytest.approx(gr50, rel=1e-3)
    assert found.gr_max == pytest.approx(gr_max, rel=1e-8)
    assert found.gr_aoc == pytest.approx(gr_aoc, rel=1e-8)
    assert found.gec50.value == pytest.approx(gec50, rel=1e-3)
    assert found.gr_inf.value == pytest.approx(gr_inf, rel=1e-3)
    assert found.h.value == pytest.approx(h, rel=1e-3)
    assert found.gr50.low < gr50 < found.gr50.high  # type: ignore[operator]


def test_flat_drug_does_not_reach_gr50() -> None:
    """BT20 drugB replicate 2, 72 h: the programs print GR50 = Inf and a made-up slope 0.01."""
    found = growth_rate.metrics(DOSES, [1060, 1116, 1121, 1031, 1217, 1022, 1111, 1206, 1118], 1138.5, 497.7, unit="uM")
    assert (found.gr50.relation, found.gr50.value) == (">", 10)
    assert found.gec50.value is None
    assert found.h.value is None
    assert found.gr_inf.value == pytest.approx(0.959499467911911, rel=1e-8)
    assert "not reached" in str(found)


def test_growth_rate_is_blind_to_the_length_of_the_assay() -> None:
    """Exponential growth at a dose-dependent rate: GR is the same at 48 and at 72 h, viability is not."""
    rate = 0.03 / (1 + np.array(DOSES))
    for hours in (48.0, 72.0):
        gr = growth_rate.values(100 * np.exp(rate * hours), 100 * math.exp(0.03 * hours), 100.0)
        assert gr == pytest.approx(2.0 ** (rate / 0.03) - 1, rel=1e-12)


def test_total_kill_stays_finite() -> None:
    assert growth_rate.values([0.0], 1000.0, 300.0)[0] == pytest.approx(-1.0, abs=1e-3)


def test_bad_counts_are_reported_by_row() -> None:
    with pytest.raises(InputError) as caught:
        growth_rate.values([100, -5, math.nan], [1000, 1000, 200], [300, 0, 300])
    message = str(caught.value)
    for part in (
        "row 2: cell count -5 is negative",
        "row 3: cell count is nan",
        "row 2: start 0 is not above zero",
        "row 3: the control did not grow (200 from 300",
    ):
        assert part in message
