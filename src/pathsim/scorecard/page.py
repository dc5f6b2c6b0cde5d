"""The scorecard as one self-contained HTML page."""

from __future__ import annotations

from html import escape

import numpy as np

from .claims import USED
from .scoring import Scorecard, Verdict, predicted

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #d8dee4}th{background:#f3f5f7}
td.n{text-align:right;font-variant-numeric:tabular-nums}.mark{font-weight:600;white-space:nowrap}
.pass{color:#0b5e8a}.fail{color:#b34700}.report{color:#57606a}small{color:#57606a}
ul{margin:.1rem 0;padding-left:1rem}.wide{overflow-x:auto}
"""


def html_page(card: Scorecard, made_by: str = "") -> str:
    """The table, failed claims first, under the scores of the model and of the null models; ``made_by`` ends it."""
    others = {name: {item.claim.id: item for item in verdicts} for name, verdicts in card.nulls.items()}
    rows = "\n".join(
        _row(item, {name: found.get(item.claim.id) for name, found in others.items()}) for item in card.in_order()
    )
    heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in others)
    switches = sorted({name for item in card.verdicts for name in item.claim.hypotheses})
    separating = ", ".join(card.separating()) or "none"
    undecided = ", ".join(card.undecided()) or "none"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>pathsim scorecard</title><style>{_STYLE}</style></head><body>
<h1>pathsim scorecard</h1>
<p>{len(card.verdicts)} claims on the bundled model; intervals are the 5 to 95 % range over {card.sets} parameter sets
that fit the calibration data as well. Failures stay in the table. An identity follows from the wiring, from the
software or from constants chosen to give it: it is run and not counted. Claims marked as used are no predictions.</p>
<h2>Scores</h2><div class="wide">{_scores(card)}</div>
<p>Claims the model passes and its feedback-free version fails: {escape(separating)}.<br>
Claims about feedback that the feedback-free version passes, so that they do not discriminate: {escape(undecided)}.<br>
Hypothesis presets and switches in force: {escape(", ".join(switches))}.</p>
<h2>Claims</h2><div class="wide"><table><tr><th>id</th><th>verdict</th><th>claim</th><th>predicted</th>{heads}</tr>
{rows}
</table></div><footer><small>{escape(made_by)}</small></footer></body></html>
"""


def _scores(card: Scorecard) -> str:
    frame = card.summary()
    cells = []
    for _, row in frame.iterrows():
        shares = "".join(
            f'<td class="n">{_percent(value) if isinstance(value, float) else value}</td>' for value in row.iloc[2:]
        )
        name = escape(str(row["model"]).replace("_", " "))
        cells.append(f"<tr><td>{name}</td><td>{escape(str(row['scope']))}</td>{shares}</tr>")
    return (
        "<table><tr><th>model</th><th>scope</th><th>directions</th><th>right</th><th>weighted by confidence</th>"
        f"<th>intervals</th><th>right</th><th>sign right</th></tr>{''.join(cells)}</table>"
    )


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100.0 * share:.0f} %"


def _mark(item: Verdict) -> str:
    if item.claim.kind == "report":
        return '<span class="mark report">report</span>'
    return (
        '<span class="mark pass">&#10003; pass</span>'
        if item.passed
        else '<span class="mark fail">&#10007; fail</span>'
    )


def _row(item: Verdict, others: dict[str, Verdict | None]) -> str:
    claim = item.claim
    notes = [claim.kind, f"confidence {claim.confidence}", claim.basis]
    notes += [USED[claim.used]] if claim.used else []
    notes += [f"rests on {name}" for name in claim.hypotheses]
    cross = "<b class=fail>&#10007;</b> "
    values = "".join(
        f"<li>{'' if found.passed or claim.kind == 'report' else cross}{escape(predicted(found))}"
        f"{'' if claim.kind == 'report' else f' <small>[{escape(found.accepted)}]</small>'}</li>"
        for found in item.findings
    )
    reason = f'<br><span class="fail">{escape(item.reason)}</span>' if item.reason else ""
    nulls = "".join(f"<td>{'' if other is None else _mark(other)}</td>" for other in others.values())
    return (
        f"<tr><td>{escape(claim.id)}</td><td>{_mark(item)}</td><td>{escape(claim.statement)}<br>"
        f"<small>{escape('; '.join(notes))}</small>{reason}</td>"
        f"<td><ul>{values}</ul></td>{nulls}</tr>"
    )
