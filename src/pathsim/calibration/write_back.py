"""What a calibration changes in the files of the models folder: constants, reference levels, speeds of cell cycles."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..experiments.readings import Reading, take_readings
from ..files import write_whole
from ..lab.protocols import protocols
from ..model import Model, load_model

if TYPE_CHECKING:
    import pandas as pd

FULL_MEDIUM = "serum 10 %"
SPEEDS = np.geomspace(0.1, 20.0, 36)
_DAYS = 3.0
_CONSTANT = re.compile(
    r"^(?P<name>[A-Za-z_]\w*) = [-+0-9.eE]+;\s*// (?P<unit>[^|]*) \| (?P<kind>estimate|calibrated): (?P<text>.*)$"
)
_REFERENCE = re.compile(
    r"^(?P<name>[A-Za-z_]\w*) = [-+0-9.eE]+;\s*// "
    r"(?P<rest>[^|]*\| definition: (?P<quantity>\w+) of T47D in full medium.*)$"
)
_SPEED = re.compile(
    r'(cycle_speed = \{ value = )[-+0-9.eE]+(, unit = "1", source = "calibrated to a doubling time of ([0-9.]+) h)'
)
_LINE = re.compile(r"^\[line\.(?P<name>[^.\]]+)\]$")


def write_back(constants: pd.DataFrame, source: Path, into: Path, report: Callable[[str], None]) -> None:
    """Write values and uncertainty into the comments of the model, then what follows from them: the levels at which
    feedbacks are held when off, and the speed of the cell cycle of every line that has a doubling time to meet."""
    path = into / "pi3k_mapk.ant"
    write_whole(path, _with_values((source / path.name).read_text(encoding="utf-8"), constants))
    model = load_model(path)
    write_whole(path, _with_references(path.read_text(encoding="utf-8"), model))
    lines = into / "cell_lines.toml"
    text = _with_speeds((source / lines.name).read_text(encoding="utf-8"), model, report)
    write_whole(lines, text)


def _with_values(text: str, constants: pd.DataFrame) -> str:
    rows = {str(row["name"]): row for row in constants.to_dict("records")}
    lines = []
    for line in text.splitlines():
        match = _CONSTANT.match(line)
        if match and match["name"] in rows:
            row = rows[match["name"]]
            fold = float(row["high"] / row["value"])
            note = re.sub(r"\s*\(start [^)]*\)$", "", match["text"])
            head = f"{match['name']} = {row['value']:.4g};".ljust(32)
            known = f"within {fold:.2g} fold" if row["identified"] else "not informed by the data"
            line = f"{head} // {match['unit']} | calibrated: {note} (start {row['start']:g}, {known})"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _with_references(text: str, model: Model) -> str:
    """Constants defined as a level of the reference line at rest in full medium."""
    lines = text.splitlines()
    found = {number: match for number, line in enumerate(lines) if (match := _REFERENCE.match(line))}
    readings = [Reading("T47D", FULL_MEDIUM, 0.0, match["quantity"]) for match in found.values()]
    values = take_readings(model, readings)[0]
    for (number, match), value in zip(found.items(), values, strict=True):
        lines[number] = f"{match['name']} = {value:.3g};".ljust(32) + f" // {match['rest']}"
    return "\n".join(lines) + "\n"


def _with_speeds(text: str, model: Model, report: Callable[[str], None]) -> str:
    """Cell cycle speeds, so that each line doubles in full medium in the time its file names."""
    lines, wanted, name = text.splitlines(), {}, ""
    for number, line in enumerate(lines):
        if head := _LINE.match(line):
            name = head["name"].strip('"')
        if match := _SPEED.search(line):
            wanted[number] = (name, float(match[3]))
    names = [name for name, _ in wanted.values()]
    symbols = protocols().names
    readings = [Reading(name, FULL_MEDIUM, day * 1440.0, symbols.cell_count) for name in names for day in (0.0, _DAYS)]
    sets = [{f"{symbols.cycle_speed}@{name}": float(speed) for name in names} for speed in SPEEDS]
    counts = take_readings(model, readings, sets).reshape(len(SPEEDS), len(wanted), 2)
    doublings = np.log2(counts[..., 1] / counts[..., 0]) / (24.0 * _DAYS)
    for column, (number, (name, hours)) in enumerate(wanted.items()):
        rate = np.maximum.accumulate(doublings[:, column])
        if not rate[0] < 1.0 / hours < rate[-1]:
            fastest = 1.0 / max(rate[-1], 1e-9)
            report(f"{name} cannot double in {hours:g} h: at the most in {fastest:.3g} h; its speed is left as it was")
            continue
        speed = float(np.exp(np.interp(1.0 / hours, rate, np.log(SPEEDS))))
        lines[number] = _SPEED.sub(rf"\g<1>{speed:.3g}\g<2>", lines[number])
    return "\n".join(lines) + "\n"
