"""Every figure of an investigation, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checked import checked
from ..stats import synergy
from .activity_map import draw_activity_map
from .blot import draw_blot
from .dose_response import draw_dose_response
from .escalation import draw_clones, draw_staircase
from .pathway import draw_pathway
from .study_plan import draw_workflow
from .style import COLOURS, INK, MIDDLE, PAGE, PALE, TICKS, canvas, caption, page, whole
from .synergy import draw_dose_matrix, draw_synergy
from .xenograft import draw_xenograft

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..workflow.investigate import Investigation


@checked
def draw_investigation(found: Investigation) -> dict[str, Figure]:
    """Figures by the name of the section they belong to, then a word for what they show."""
    tables, facts = found.tables, found.facts
    steps = page(PAGE, 5.0)
    upper, lower = steps.subplots(2, 1, sharex=True)
    draw_staircase(
        tables["escalation_history"],
        found.settings.drug,
        facts["escalation"]["parental_potency_nM"],
        upper,
        measure=facts["escalation"]["measure"],
    )
    upper.set_xlabel("")
    draw_clones(tables["clone_fractions"], lower)
    washed = page(MIDDLE, 2.4)
    draw_clones(tables["washed_out_clones"], washed_out := washed.subplots())
    washed_out.set_xlabel("days without drug")
    curves = page(PAGE, 3.6)
    left, right = curves.subplots(1, 2)
    draw_dose_response(tables["dose_response"], left)
    draw_dose_response(tables["growth_rate_inhibition"], right)
    activity = tables["activity"].set_index("readout")["log2_resistant_over_parental_with_drug"]
    chart = page(PAGE, 4.4)
    draw_activity_map(
        dict(zip(map(str, activity.index), map(float, activity), strict=True)),
        chart.subplots(),
        f"resistant over parental, both in {facts['mechanisms']['dose']}",
    )
    matrix = page(PAGE, 3.2)
    first, second = matrix.subplots(1, 2)
    wells = _best_matrix(found)
    draw_dose_matrix(wells, first)
    draw_synergy(synergy.bliss(wells, resamples=0), second)
    order = page(PAGE, 0.28 * len(tables["ranking"]) + 1.2)
    draw_rescue_ranking(tables["ranking"], order.subplots())
    return {
        "overview: pathway": draw_pathway(),
        "overview: workflow": draw_workflow(found),
        "escalation: steps": steps,
        "escalation: washed out": washed,
        "phenotype: dose response": curves,
        "mechanisms: blot": draw_blot(tables["blot"]),
        "mechanisms: map": chart,
        "rescue: best matrix": matrix,
        "ranking: order": order,
        "xenograft: study": draw_xenograft(found.trial),
    }


def _best_matrix(found: Investigation) -> pd.DataFrame:
    table = found.tables["combinations"]
    resistant = found.facts["escalation"]["names"]["resistant"]
    wells: pd.DataFrame = table[(table["drug2"] == found.best) & (table["cell_line"] == resistant)]
    return wells.reset_index(drop=True)


def draw_rescue_ranking(ranking: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """What is left of the resistant culture under each combination, with intervals over parameter sets, best on top."""
    axes = canvas(ax, PAGE, 4.0)
    strategies = list(dict.fromkeys(ranking["strategy"]))
    rows = range(len(ranking) - 1, -1, -1)
    for y, (_, row) in zip(rows, ranking.iterrows(), strict=True):
        colour = COLOURS[strategies.index(row["strategy"])]
        axes.plot([row["viability_percent_low"], row["viability_percent_high"]], [y, y], color=colour, lw=3, alpha=0.35)
        axes.plot(row["viability_percent"], y, "o", color=colour, ms=6)
        alone = row["viability_percent"] + row["gain_points"]
        axes.plot(alone, y, "|", color=INK, ms=9)
    axes.set_yticks(list(rows), [f"+ {name}" for name in ranking["partner_dose"]], fontsize=TICKS)
    axes.set(xlim=(0, 105), xlabel="viability of the resistant line, 72 h (% of vehicle)")
    for i, strategy in enumerate(strategies):
        axes.plot([], [], "o", color=COLOURS[i], label=strategy)
    axes.plot([], [], "|", color=INK, ms=9, label="better single drug")
    caption(axes, columns=4)
    axes.axvline(100, color=PALE, lw=0.6)
    return whole(axes)
