"""The SBML semantic test suite as data: cases, their settings, and whether a result passes (used by the tests here)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pathsim.arrays import FloatArray
from pathsim.errors import InputError, UnsupportedModelError
from pathsim.model import Model, load_model
from pathsim.solve import Solver, build_system, run_rows

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "sbml_semantic"

Outcome = Literal["passed", "refused", "absent file", "wrong", "failed"]


@dataclass(frozen=True)
class Verdict:
    """How one case ended, and a sentence where it did not pass."""

    case: str
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True)
class Expected:
    """``results.csv`` of a case for the variables it asks for, with its tolerances."""

    outputs: tuple[str, ...]
    times: FloatArray
    values: FloatArray
    absolute: float
    relative: float

    def deviation(self, values: FloatArray) -> str:
        """Where ``values`` leave the tolerances of the case; empty when they do not."""
        with np.errstate(all="ignore"):
            close = np.abs(values - self.values) <= self.absolute + self.relative * np.abs(self.values)
        good = close | (values == self.values) | (np.isnan(values) & np.isnan(self.values))
        if good.all():
            return ""
        i, j = np.argwhere(~good)[0]
        return f"{self.outputs[j]} at {self.times[i]:g}: {values[i, j]!r}, expected {self.values[i, j]!r}"


def cases() -> list[str]:
    """Case numbers, ascending."""
    return sorted(path.name for path in FOLDER.glob("[0-9]*"))


def tags() -> dict[str, list[str]]:
    """Component and test tags of each case."""
    with (FOLDER / "tags.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    texts = {row["case"]: f"{row['componentTags']}, {row['testTags']}" for row in rows}
    split = {case: [tag.strip() for tag in text.split(",")] for case, text in texts.items()}
    return {case: [tag for tag in found if tag and "testType" not in tag] for case, found in split.items()}


def expected(case: str, model: Model) -> Expected:
    """What the case wants, with ``amount(S)`` and ``concentration(S)`` where its settings ask for them."""
    settings = _settings(FOLDER / case / "settings.txt")
    amounts, concentrations = _names(settings["amount"]), _names(settings["concentration"])
    names = _names(settings["variables"])
    with (FOLDER / case / "results.csv").open(newline="") as file:
        header, *rows = [row for row in csv.reader(file) if row]
    columns = [cell.strip() for cell in header[1:]]  # a variable may be called like the time column
    data = np.array([[float(cell) for cell in row] for row in rows])
    outputs = []
    for name in names:
        is_species = name in model.species_by_id
        asks = "amount" if name in amounts else ("concentration" if name in concentrations else "")
        outputs.append(f"{asks}({name})" if is_species and asks else name)
    chosen = [columns.index(name) + 1 for name in names]
    return Expected(
        tuple(outputs), data[:, 0], data[:, chosen], float(settings["absolute"]), float(settings["relative"])
    )


def judge(case: str, solver: Solver) -> Verdict:
    """Run one case and compare."""
    try:
        model = load_model(FOLDER / case / "model.xml")
        system = build_system(model)
    except UnsupportedModelError as error:
        return Verdict(case, "refused", str(error))
    except InputError as error:
        return Verdict(case, "absent file" if "external model" in str(error) else "failed", str(error))
    wanted = expected(case, model)
    rows = run_rows(system, system.raw()[None, :], wanted.times, system.outputs(wanted.outputs), solver)
    if rows.status[0]:
        return Verdict(case, "failed", rows.sentence(0))
    deviation = wanted.deviation(rows.values[0])
    return Verdict(case, "wrong" if deviation else "passed", deviation)


def _settings(path: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in path.read_text().splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in lines}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
