"""The Python that gives what a view shows: ``table`` holds the numbers, ``figure`` the picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .choices import MODEL, Choices, around

_WIDE = 88


def blot(choices: Choices) -> str:
    """A blot; of a measured table, its lanes simulated and its bands beside them."""
    if not choices.data:
        return _western_blot(choices, choices.readouts, choices.lysed, "ps.plot.draw_blot(table)")
    read = _call("measured = ps.read_blots", [_name(choices.data)], _columns(choices))
    lanes = [
        "measured = with_known_names(measured, [*ps.load_model(model).readouts, *loading_controls()])",
        "bands = measured[~measured.readout.isin(loading_controls())]",
        "lines, treatments = measured.cell_line.unique().tolist(), measured.treatment.unique().tolist()",
        "times, readouts = measured.time_min.unique().tolist(), bands.readout.unique().tolist()",
    ]
    run = [
        f"table = ps.western_blot(model, lines, treatments, readouts, times{_shelf(choices)})",
        "figure = ps.plot.draw_blot_beside(beside(table, measured))",
    ]
    imports = [
        "from pathsim.estimation.beside import beside",
        "from pathsim.estimation.blot_table import loading_controls, with_known_names",
    ]
    return _script(choices, [f'model = "{MODEL}"', read, *lanes, *run], imports)


def timecourse(choices: Choices) -> str:
    """Readouts over time."""
    return _western_blot(choices, choices.course_readouts, choices.course, "ps.plot.draw_readouts(table)")


def _western_blot(choices: Choices, readouts: Sequence[str], times: str, figure: str) -> str:
    table = _call("table = ps.western_blot", [MODEL, _cells(choices), choices.lanes, [*readouts], times], {}, choices)
    return _script(choices, [table, f"figure = {figure}"])


def dose_response(choices: Choices) -> str:
    """Wells, and the fitted curve of every line and drug."""
    asked = [MODEL, _cells(choices), [name for name, _ in choices.drugs], choices.doses, choices.readout, choices.read]
    lines = [
        _call("table = ps.dose_response", asked, _medium(choices), choices),
        f"fit = {'ps.growth_rate.from_values' if choices.readout == 'GR' else 'ps.hill.fit'}",
        'for (line, drug), wells in table.groupby(["cell_line", "drug"], sort=False):',
        '    print(line, drug, fit(wells["dose_nM"], wells["value"], exact=True))',
    ]
    if not choices.data:
        return _script(choices, [*lines, "figure = ps.plot.draw_dose_response(table)"])
    lines.append(_call("measured = ps.read_curves", [_name(choices.data)], _columns(choices)))
    return _script(choices, [*lines, "figure = ps.plot.draw_dose_response_beside(table, measured)"])


def combine(choices: Choices) -> str:
    """The matrix, and its score."""
    doses = {name: around(amount) for name, amount in choices.pair}
    asked = [MODEL, _cells(choices, [choices.one_cell])[0], list(doses), doses, choices.read, choices.readout]
    lines = [
        _call("table = ps.combination_screen", asked, _medium(choices), choices),
        "percent = percent_of_vehicle(table)",
    ]
    named = {"ci": "combination_index(percent)", "musyc": "musyc(percent)"}
    lines.append(f"score = ps.synergy.{named.get(choices.metric, f'{choices.metric}(percent, seed=0)')}")
    drawn = {"ci": "draw_combination_index(score)", "musyc": "draw_musyc(score, percent)"}
    lines += ["print(score)", f"figure = ps.plot.{drawn.get(choices.metric, 'draw_synergy(score)')}"]
    if choices.data:
        read = _call("measured = ps.synergy.read_csv", [_name(choices.data)], _columns(choices))
        lines[-1:] = [read, "figure = ps.plot.draw_matrix_beside(ps.synergy.from_table(percent), measured[0])"]
    return _script(choices, lines, ["from pathsim.assays.wells import percent_of_vehicle"])


def xenograft(choices: Choices) -> str:
    """A study in mice."""
    asked = [MODEL, _cells(choices, [choices.one_cell])[0], [*choices.arms]]
    more = {"mice": choices.mice, "seed": choices.seed, "days": choices.days}
    lines = [_call("trial = ps.xenograft", asked, more, choices), "table = trial.summary()"]
    return _script(choices, [*lines, "figure = ps.plot.draw_xenograft(trial)"])


def escalate(choices: Choices) -> str:
    """A resistant line."""
    rules = f"Rules(factor={choices.factor:g}, fold={choices.fold:g})"
    asked = [MODEL, _cells(choices, [choices.one_cell])[0], *(name for name, _ in choices.drugs[:1]), choices.start]
    call = _call("made = ps.escalate", [*asked, choices.factor], {"rules": _As(rules), "seed": choices.seed}, choices)
    lines = [call, "table = made.history", "figure = ps.plot.draw_escalation(made)"]
    return _script(choices, lines, ["from pathsim.resistance import Rules"])


class _As(str):
    """Text that stands in the Python as it is."""


def _script(choices: Choices, lines: Sequence[str], imports: Sequence[str] = ()) -> str:
    shelf = "ps.default_library()"
    if choices.drugs_file:
        shelf += f".with_drugs({_text(_name(choices.drugs_file))})"
    if choices.lines_file:
        shelf += f".with_cell_lines({_text(_name(choices.lines_file))})"
    if choices.settings:
        pairs = {name.strip(): _As(number) for name, _, number in (pair.partition("=") for pair in choices.settings)}
        shelf += f".with_settings({_text(pairs)})"
    own = [f"library = {shelf}"] if _has_own(choices) else []
    return "\n".join(["import pathsim as ps", *imports, "", *own, *lines]) + "\n"


def _has_own(choices: Choices) -> bool:
    return bool(choices.drugs_file or choices.lines_file or choices.settings)


def _shelf(choices: Choices) -> str:
    return ", library=library" if _has_own(choices) else ""


def _cells(choices: Choices, cells: Sequence[str] | None = None) -> list[str]:
    """Cell lines, those of files by the name of the file."""
    return [os.path.basename(name) if os.path.isabs(name) else name for name in cells or choices.cells]


def _name(path: str) -> str:
    return os.path.basename(path)


def _medium(choices: Choices) -> dict[str, Any]:
    return {"medium": choices.medium or "vehicle", **({"before": choices.before} if choices.before else {})}


def _columns(choices: Choices) -> dict[str, Any]:
    if not choices.columns:
        return {}
    return {"columns": dict(pair.rpartition("=")[::2] for pair in choices.columns)}


def _call(name: str, given: Sequence[Any], named: Mapping[str, Any], choices: Choices | None = None) -> str:
    """A call on one line where it fits, else an argument a line."""
    more = {"library": _As("library")} if choices is not None and _has_own(choices) else {}
    parts = [*map(_text, given), *(f"{key}={_text(value)}" for key, value in {**named, **more}.items())]
    return _bracketed(f"{name}(", parts, ")", 0)


def _bracketed(head: str, parts: Sequence[str], tail: str, indent: int) -> str:
    flat = f"{head}{', '.join(parts)}{tail}"
    if indent + len(flat) <= _WIDE and "\n" not in flat:
        return flat
    inner = "".join(f"{' ' * (indent + 4)}{part},\n" for part in parts)
    return f"{head}\n{inner}{' ' * indent}{tail}"


def _text(value: Any, indent: int = 4) -> str:
    """A value as Python, of the indent that an argument has."""
    if isinstance(value, _As):
        return str(value)
    if isinstance(value, Mapping):
        parts = [f"{_text(key, indent + 4)}: {_text(item, indent + 4)}" for key, item in value.items()]
        return _bracketed("{", parts, "}", indent)
    if isinstance(value, list | tuple):
        return _bracketed("[", [_text(item, indent + 4) for item in value], "]", indent)
    return json.dumps(value, ensure_ascii=False)
