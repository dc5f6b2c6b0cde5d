"""What a calibration changes in the files of the models folder: constants, reference levels, speeds of cell cycles."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..experiments.readings import Reading, take_readings
from ..files import write_whole
from ..lab.constants import Constants
from ..lab.drug import drug_of
from ..lab.protocols import protocols
from ..model import Model, load_model

if TYPE_CHECKING:
    import pandas as pd

FULL_MEDIUM = "serum 10 %"
FACTORS = np.geomspace(0.02, 50.0, 60)
_DAYS = 3.0
_CONSTANT = re.compile(
    r"^(?P<name>[A-Za-z_]\w*) = [-+0-9.eE]+;\s*// (?P<unit>[^|]*) \| (?P<kind>estimate|calibrated): (?P<text>.*)$"
)
_REFERENCE = re.compile(
    r"^(?P<name>[A-Za-z_]\w*) = [-+0-9.eE]+;\s*// "
    r"(?P<rest>[^|]*\| definition: (?P<quantity>\w+) of T47D in full medium.*)$"
)
_DOUBLING = re.compile(
    r"^(?P<head>(?P<name>\w+) = \{ value = )[-+0-9.eE]+"
    r'(?P<tail>, .*source = "calibrated to a doubling time of (?P<hours>[0-9.]+) h)'
)
_LINE = re.compile(r"^\[line\.(?P<name>[^.\]]+)\]$")


def write_back(constants: pd.DataFrame, source: Path, into: Path, report: Callable[[str], None]) -> None:
    """Write values and uncertainty into the comments of the model and of drugs, then what follows: the levels at which
    feedbacks are held when off, and the constant that gives a line its doubling time, of every line that has one."""
    path = into / "pi3k_mapk.ant"
    write_whole(path, _with_values((source / path.name).read_text(encoding="utf-8"), constants))
    model = load_model(path)
    write_whole(path, _with_references(path.read_text(encoding="utf-8"), model))
    drugs = into / "drugs.toml"
    write_whole(drugs, _with_potencies((source / drugs.name).read_text(encoding="utf-8"), constants))
    lines = into / "cell_lines.toml"
    text = _with_doublings((source / lines.name).read_text(encoding="utf-8"), model, report)
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


def _with_potencies(text: str, constants: pd.DataFrame) -> str:
    """The potencies of drugs, each a line of its own behind the mass of the molecule."""
    rows = {drug: row for row in constants.to_dict("records") if (drug := drug_of(str(row["name"])))}
    lines: list[str] = []
    drug = ""
    for line in text.splitlines():
        if match := re.match(r"^\[([^\].]+)\]$", line):
            drug = match[1].strip('"')
        if drug in rows and line.startswith("potency = "):
            continue
        lines.append(line)
        if drug in rows and line.startswith("molar_mass = "):
            row = rows[drug]
            known = f"within {float(row['high'] / row['value']):.2g} fold" if row["identified"] else "not informed"
            lines.append(
                f'potency = {{ value = {row["value"]:.3g}, source = "calibrated: factor on 1/Kd in cells, known within '
                f'2 fold beforehand (start 1, {known})" }}'
            )
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


@dataclass(frozen=True, slots=True)
class Doubling:
    """In how many ``hours`` a cell line doubles, and which of its constants is to make it so; ``number`` is the row
    of the text of ``cell_lines.toml`` that says so."""

    number: int
    cell_line: str
    name: str
    hours: float


def doublings(text: str) -> list[Doubling]:
    """Every constant in the text of ``cell_lines.toml`` that follows from a doubling time."""
    found, line = [], ""
    for number, content in enumerate(text.splitlines()):
        if head := _LINE.match(content):
            line = head["name"].strip('"')
        if match := _DOUBLING.match(content):
            found.append(Doubling(number, line, match["name"], float(match["hours"])))
    return found


def doubling_constants(
    model: Model, wanted: Sequence[Doubling], report: Callable[[str], None], constants: Constants = MappingProxyType({})
) -> dict[Doubling, float]:
    """The values with which lines double in full medium in the time they are said to, beside other ``constants``.

    Lines that no value makes double so fast, or so slowly, are reported and left out.
    """
    count = protocols().names.cell_count
    readings = [Reading(one.cell_line, FULL_MEDIUM, day * 1440.0, count) for one in wanted for day in (0.0, _DAYS)]
    sets = [{**constants, **{f"{one.name}@{one.cell_line}": float(factor) for one in wanted}} for factor in FACTORS]
    counts = take_readings(model, readings, sets).reshape(len(FACTORS), len(wanted), 2)
    rates = np.log2(counts[..., 1] / counts[..., 0]) / (24.0 * _DAYS)
    found = {}
    for column, one in enumerate(wanted):
        slowest, fastest = rates[:, column].min(), rates[:, column].max()
        if not slowest < 1.0 / one.hours < fastest:
            report(
                f"{one.cell_line} cannot double in {one.hours:g} h: at the most in {1.0 / max(fastest, 1e-9):.3g} h; "
                "left as it was"
            )
            continue
        above = rates[:, column] > 1.0 / one.hours
        step = int(np.argmax(above[1:] != above[:-1]))  # the first crossing
        ends = rates[step : step + 2, column]
        share = (1.0 / one.hours - ends[0]) / (ends[1] - ends[0])
        found[one] = float(FACTORS[step] * (FACTORS[step + 1] / FACTORS[step]) ** share)
    return found


def _with_doublings(text: str, model: Model, report: Callable[[str], None]) -> str:
    """Constants of cell lines, so that each line doubles in full medium in the time its file names."""
    lines = text.splitlines()
    for one, value in doubling_constants(model, doublings(text), report).items():
        lines[one.number] = _DOUBLING.sub(rf"\g<head>{value:.3g}\g<tail>", lines[one.number])
    return "\n".join(lines) + "\n"
