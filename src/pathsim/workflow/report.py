"""One self-contained HTML page about an investigation: figures inline, tables to download, how each number arose."""

from __future__ import annotations

import base64
import io
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..files import write_whole
from ..stamp import Stamp, stamp_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from .investigate import Investigation

ROWS_SHOWN = 30

_TITLES = {
    "escalation": "1 The resistant line",
    "phenotype": "2 Phenotype",
    "mechanisms": "3 Mechanisms",
    "rescue": "4 Rescue combinations",
    "ranking": "5 Ranking",
    "xenograft": "6 In animals",
}
_TABLES = {
    "escalation": ("escalation_history", "clone_fractions", "washed_out_clones"),
    "phenotype": ("potency", "dose_response", "growth_rate_inhibition"),
    "mechanisms": ("activity", "blot"),
    "rescue": ("combination_scores", "combinations"),
    "ranking": ("ranking",),
    "xenograft": ("xenograft_summary", "mice", "volumes", "lysate"),
}
_OPEN = ("potency", "ranking", "xenograft_summary")
_CAPTIONS = {
    "overview: pathway": "The pathway: what is blocked (red), what restores the signals (green), drugs on their sites.",
    "overview: workflow": "The steps of this investigation and what each has found.",
    "escalation: steps": "Dose staircase with growth, and the clones in the culture.",
    "escalation: washed out": "The culture without drug: adaptive states fade, mutations stay.",
    "phenotype: dose response": "Viability and growth-rate inhibition after 72 h.",
    "mechanisms: blot": "Western blot of the standard protocol.",
    "mechanisms: map": "Pathway activity after 24 h in drug, resistant over parental.",
    "rescue: best matrix": "The best partner: dose matrix and Bliss excess in the resistant line.",
    "ranking: order": "What is left of the resistant culture; intervals over sets, bars the better single drug.",
    "xenograft: study": "Survival, tumours and lysates of the xenograft study.",
}


def write_report(
    found: Investigation, figures: Mapping[str, Figure], path: str | Path, stamp: Stamp | None = None
) -> Path:
    """Write the page; ``stamp`` says what made it. Raises :class:`InputError` when jinja2 is missing."""
    try:
        from jinja2 import Environment
    except ImportError:
        raise InputError("reports need jinja2; install it with: pip install jinja2") from None
    source = files("pathsim.workflow").joinpath("report_template.html").read_text(encoding="utf-8")
    settings, made = found.settings, stamp or stamp_of()
    page = (
        Environment(autoescape=True)
        .from_string(source)
        .render(
            title=f"Resistance of {settings.line} to {settings.drug}",
            summary=_summary(found),
            overview=_figures("overview", figures, made),
            sections=[_section(name, found, figures, made) for name in _TITLES],
            provenance=_provenance(found, made),
            stamp=made.sentence(),
        )
    )
    target = Path(path)
    write_whole(target, page)
    return target


def _section(name: str, found: Investigation, figures: Mapping[str, Figure], stamp: Stamp) -> dict[str, Any]:
    return {
        "name": name,
        "title": _TITLES[name],
        "how": found.methods[name],
        "findings": _findings(name, found),
        "figures": _figures(name, figures, stamp),
        "tables": [_table(table, found.tables[table]) for table in _TABLES[name]],
    }


def _figures(name: str, figures: Mapping[str, Figure], stamp: Stamp) -> list[dict[str, Any]]:
    """The figures of a section, with captions."""
    return [
        {"caption": _CAPTIONS.get(key, key), "data": _png(figure, stamp)}
        for key, figure in figures.items()
        if key.startswith(f"{name}:")
    ]


def _png(figure: Figure, stamp: Stamp) -> str:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=130, metadata=stamp.figure_metadata("png"))
    return base64.b64encode(memory.getvalue()).decode()


def _table(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    shown = frame.head(ROWS_SHOWN).astype({name: object for name in frame.columns if str(name).startswith("median_")})
    for column in shown.columns[[str(label).startswith("median_") for label in shown.columns]]:
        values = pd.to_numeric(shown[column])
        shown[column] = [f"{value:.4g}" if value == value else "not reached" for value in values]
    return {
        "name": name,
        "rows": len(frame),
        "cut": ROWS_SHOWN if len(frame) > ROWS_SHOWN else 0,
        "open": name in _OPEN,
        "html": shown.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}", na_rep="–"),
        "csv": base64.b64encode(frame.to_csv(index=False).encode()).decode(),
    }


def _summary(found: Investigation) -> str:
    facts = found.facts["escalation"]
    changes = " and ".join(facts["changes"]) or "no change"
    if not facts["resistant"]:
        changes += f", and {facts['names']['resistant']} {facts['reason']}"
    first = found.tables["ranking"].iloc[0]
    drug = found.settings.drug
    return (
        f"After {facts['days']:g} days of step-wise {drug} the winning clone carries {changes}. {_shift(found)} Of the "
        f"combinations screened, {drug} with {first['partner']} ({first['strategy']}) gains most over the better of "
        f"its drugs: {first['gain_points']:.3g} points of viability ({first['gain_points_low']:.3g} to "
        f"{first['gain_points_high']:.3g} over parameter sets), which leaves "
        f"{first['viability_percent']:.3g} % of vehicle."
    )


def _shift(found: Investigation) -> str:
    """How far potency moved, in words; a fold is never given where it is not known."""
    parts = []
    for name, what in (("gr50", "GR50"), ("ic50", "IC50 of viability")):
        shift = found.facts["phenotype"][name]
        if shift["fold"] is None:
            parts.append(f"its {what} cannot be compared")
        else:
            parts.append(f"its {what} is {'more than ' if shift['bound'] else ''}{shift['fold']:.3g} times")
    return f"{parts[0][0].upper()}{parts[0][1:]} and {parts[1]} that of the parental line."


def _findings(name: str, found: Investigation) -> list[str]:
    facts = found.facts[name]
    if name == "escalation":
        faded = " and ".join(facts["reversible"]) or "nothing"
        return [
            f"{facts['names']['resistant']} {facts['reason']} ({facts['last_dose_nM']:.4g} nM; parental "
            f"{facts['measure']} {facts['parental_potency_nM']:.4g} nM) on day {facts['days']:g}.",
            f"The rule: {facts['rule']}.",
            f"Carries {' and '.join(facts['changes']) or 'no change'}; reversible: {faded}.",
        ]
    if name == "phenotype":
        return [_shift(found)]
    if name == "mechanisms":
        table = found.tables["activity"].set_index("readout")["log2_resistant_over_parental_with_drug"]
        top = table.sort_values(ascending=False).head(5)
        raised = ", ".join(f"{readout} {2.0**value:.3g}-fold" for readout, value in top.items())
        return [
            f"Highest in the resistant line relative to the parental one, both in {facts['dose']} for 24 h: {raised}."
        ]
    if name == "rescue":
        scores = found.tables["combination_scores"]
        part = scores[scores["state"] == "resistant"].sort_values("bliss_mean_points", ascending=False)
        return [
            f"Largest mean Bliss excess in the resistant line: {part['partner'].iloc[0]}, "
            f"{part['bliss_mean_points'].iloc[0]:.3g} percentage points."
        ]
    if name == "ranking":
        said = [f"Uncertainty: {facts['uncertainty']}.", f"Every combination contains {facts['dose']}."]
        ranking = found.tables["ranking"]
        least = ranking.sort_values("viability_percent").iloc[0]
        if least["partner"] != ranking["partner"].iloc[0]:
            said.append(
                f"Ranked by the gain over the better single drug, not by what is left: least is left with "
                f"{least['partner']} ({least['viability_percent']:.3g} %), of which it does most alone."
            )
        return said
    skipped = f" No mouse pharmacokinetics: {', '.join(facts['skipped'])}." if facts["skipped"] else ""
    best = found.best
    taken = facts["partner"] or "none"
    chosen = f"Partner taken into animals: {taken}" + (
        "." if taken == best else f" (the first ranked, {best}, cannot be)."
    )
    return [chosen + skipped, *facts["notes"]]


def _provenance(found: Investigation, stamp: Stamp) -> list[tuple[str, Any]]:
    packages = ("pathsim-lab", "numpy", "scipy", "pandas", "llvmlite", "matplotlib")
    asked = asdict(found.settings)
    rows: list[tuple[str, Any]] = list({**asked, **asked.pop("rules")}.items())
    rows += [(name.replace("_", " "), value) for name, value in stamp.facts().items() if name != "pathsim"]
    for name in packages:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            rows.append((name, "not installed as a package"))
    return [*rows, ("Python", platform.python_version()), ("machine", platform.machine())]
