"""Figures of combinations: the numbers drawn are the numbers scored, zero stands in the middle, axes carry units."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from pathsim import plot
from pathsim.errors import InputError
from pathsim.stats import synergy

GRID = np.concatenate([[0.0], np.geomspace(10, 1000, 5)])


def wells(extra: float = 0.1, drugs: tuple[str, str] = ("alpelisib", "capivasertib")) -> synergy.Wells:
    first, second = 1 / (1 + GRID / 100), 1 / (1 + (GRID / 300) ** 1.2)
    surface = first[:, None] * second
    surface[2:4, 2:4] -= extra
    noise = np.random.default_rng(0).normal(0, 0.02, (6, 6, 3))
    return synergy.from_matrix(GRID, GRID, surface[:, :, None] + noise, drugs)


def test_dose_matrix_writes_every_inhibition() -> None:
    data = wells()
    ax = plot.draw_dose_matrix(data).axes[0]
    written = [text.get_text() for text in ax.texts]
    conditions = data.conditions
    assert written == [
        f"{100 * (1 - mean):.0f}".replace("-0", "0") for mean in conditions.means
    ]  # rows are doses of the first drug
    assert ax.get_xlabel() == "capivasertib (nM)"
    assert ax.get_ylabel() == "alpelisib (nM)"
    assert ax.figure.axes[1].get_ylabel() == "inhibition (%)"


def test_landscape_is_centred_at_zero_and_marks_sure_wells() -> None:
    score = synergy.bliss(wells())
    ax = plot.draw_synergy(score).axes[0]
    filled = ax.collections[0]
    low, high = filled.get_clim()
    assert low == pytest.approx(-high)
    middle = filled.get_cmap()(0.5)[:3]
    assert min(middle) > 0.9  # white stands for no excess
    assert f"Bliss excess: mean {score.mean:.1f} (" in ax.get_title(loc="left")
    assert "percentage points; > 0 synergy" in ax.figure.axes[1].get_ylabel()
    sure = ((score.wells["excess_low"] > 0) | (score.wells["excess_high"] < 0)).sum()
    assert 0 < sure < 25
    assert [len(np.asarray(line.get_xdata())) for line in ax.get_lines()] == [25, sure]


def test_antagonism_is_drawn_on_the_other_side() -> None:
    ax = plot.draw_synergy(synergy.bliss(wells(extra=-0.3), resamples=0)).axes[0]
    assert ax.collections[0].get_clim()[0] <= -30


def test_isobologram_points_add_up_to_the_index() -> None:
    found = synergy.isobologram(wells())
    ax = plot.draw_isobologram(found).axes[0]
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    sums = [float(np.asarray(p.get_xdata())[0] + np.asarray(p.get_ydata())[0]) for p in points]
    assert sorted(sums) == pytest.approx(sorted(found.mixed["ci"]))
    assert "nM alone" in ax.get_xlabel()
    assert "50 % effect" in ax.get_title(loc="left")


def test_fa_ci_plot_shows_every_measured_index() -> None:
    index = synergy.combination_index(wells())
    ax = plot.draw_combination_index(index).axes[0]
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in dots])
    assert np.sort(values) == pytest.approx(np.sort(index.points["ci"].to_numpy()))
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("fraction affected", "combination index")


def test_ranking_has_the_best_on_top() -> None:
    experiments = [wells(extra, ("a", name)) for extra, name in ((0.0, "b"), (0.2, "c"), (0.1, "d"))]
    ranked = synergy.rank(experiments, resamples=100)
    ax = plot.draw_ranking(ranked).axes[0]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    heights = list(ax.get_yticks())
    assert labels[int(np.argmax(heights))] == "a + c"
    assert "> 0 is synergy" in " ".join(ax.get_xlabel().split())
    said = plot.draw_ranking(ranked, most=1).axes[0].get_xlabel()
    assert "2 more not shown" in " ".join(said.split())


def test_figures_draw_on_the_axes_given() -> None:
    mine = Figure().add_subplot()
    assert plot.draw_combination_index(synergy.combination_index(wells()), ax=mine) is mine.figure


def test_three_drugs_have_no_landscape() -> None:
    doses = [[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    score = synergy.bliss(doses, [0.5 ** sum(row) for row in doses])
    with pytest.raises(InputError, match="shows two drugs; there are 3"):
        plot.draw_synergy(score)


def test_one_dose_has_no_landscape() -> None:
    with pytest.raises(InputError, match="two doses of each drug"):
        plot.draw_synergy(synergy.bliss([[1, 0], [0, 1], [1, 1]], [0.8, 0.7, 0.4]))
