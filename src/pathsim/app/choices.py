"""What can be chosen on the page, and the treatment text that the choices spell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from ..experiments.conditions import resting_medium
from ..lab import Treatment, default_library
from ..lab.protocols import protocols
from ..model import load_model
from ..units import doses_nM, number_text

if TYPE_CHECKING:
    from ..lab import Library

MODEL = "pi3k_mapk"
LADDER = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
"""Doses of a decade of a slider."""
_LOWEST, _DECADES = 0.1, 6


class Schedule(StrEnum):
    """What happens to the cells before they are lysed."""

    stimulate = "starve, inhibit, stimulate"
    medium = "drugs in medium"
    washout = "drugs, then washout"


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that is chosen on the page. Doses in nM; times, media and series of doses as text.

    ``data``, ``drugs_file`` and ``lines_file`` are paths, empty where there is none; ``columns`` and ``settings`` are
    what ``--columns`` and ``--set`` take.
    """

    lines: tuple[str, ...]
    drugs: tuple[tuple[str, float], ...]
    partner: tuple[str, float]
    ligand: str
    ligand_nM: float
    readouts: tuple[str, ...]
    course_readouts: tuple[str, ...]
    arms: tuple[str, ...]
    alterations: tuple[str, ...] = ()
    parents: bool = True
    schedule: Schedule = Schedule.stimulate
    starved: str = "24 h"
    treated: str = "1 h"
    serum: str = ""
    treatments: tuple[str, ...] = ()
    lysed: str = "15 min"
    course: str = "0 .. 4 h x 49"
    line: str = ""
    doses: str = "1 nM .. 10 uM x 9"
    medium: str = ""
    before: str = ""
    read: str = "72 h"
    readout: str = "viability"
    metric: str = "bliss"
    mice: int = 10
    days: float = 120.0
    start: str = "100 nM"
    factor: float = 1.5
    fold: float = 5.0
    seed: int = 0
    settings: tuple[str, ...] = ()
    drugs_file: str = ""
    lines_file: str = ""
    data: str = ""
    columns: tuple[str, ...] = ()

    @property
    def cells(self) -> list[str]:
        """Lines as they are named to a verb: each with the alterations, and beside it without, where that is chosen."""
        if not self.alterations:
            return list(self.lines)
        altered = ["+".join((line, *self.alterations)) for line in self.lines]
        if not self.parents:
            return altered
        return [name for pair in zip(self.lines, altered, strict=True) for name in pair]

    @property
    def one_cell(self) -> str:
        """The line of what is done to one line: matrix, animals, escalation."""
        cells = self.cells
        return self.line if self.line in cells or not cells else cells[0]

    @property
    def pair(self) -> tuple[tuple[str, float], tuple[str, float]]:
        """The drugs of the matrix: the first two, or the one with its partner."""
        first, *others = self.drugs or (self.partner,)
        return first, others[0] if others else self.partner

    @property
    def lanes(self) -> list[str]:
        """Treatments of a blot and of time courses: every drug alone and all together, with every control."""
        if self.treatments:
            return list(self.treatments)
        doses = [dose_text(name, amount) for name, amount in self.drugs]
        mixtures: list[list[str]] = [[], *([dose] for dose in doses), *([doses] if len(doses) > 1 else [])]
        before = [f"vehicle for {self.starved}"] if self.starved else []
        ligand = dose_text(self.ligand, self.ligand_nM) if self.ligand else ""
        found = []
        for mixture in mixtures:
            if self.schedule is Schedule.stimulate:
                held = f"{self._with(mixture)} for {self.treated}"
                ends = ["", ligand] if ligand else [""]
                found += [[*before, held, self._with([*mixture, *([end] if end else [])])] for end in ends]
                continue
            drugged = self._with([*mixture, *([ligand] if ligand else [])])
            if self.schedule is Schedule.medium:
                found.append([*before, drugged])
            else:
                found.append([*before, f"{drugged} for {self.treated}", self._with([ligand] if ligand else [])])
        return [" then ".join(steps) for steps in found]

    def _with(self, doses: list[str]) -> str:
        return " + ".join([*([self.serum] if self.serum else []), *doses]) or "vehicle"


def dose_text(name: str, amount_nM: float) -> str:
    """``alpelisib 1 uM``."""
    return f"{name} {amount_text(amount_nM)}"


def amount_text(amount_nM: float) -> str:
    """``1 uM``, ``30 nM``: as one writes a dose, exactly."""
    factor, unit = (1e3, "uM") if amount_nM >= 1e3 else (1.0, "nM")
    return f"{number_text(float(f'{amount_nM / factor:.12g}'))} {unit}"


def ladder() -> list[float]:
    """The doses of a slider, in nM."""
    steps = [step * _LOWEST * 10.0**decade for decade in range(_DECADES) for step in LADDER]
    return [float(f"{dose:.3g}") for dose in (*steps, _LOWEST * 10.0**_DECADES)]


def rungs() -> dict[str, float]:
    """The doses of a slider, by how they are written."""
    return {amount_text(dose): dose for dose in ladder()}


def around(amount_nM: float) -> str:
    """Five doses from a tenth to ten times of one."""
    return f"{amount_text(amount_nM / 10)} .. {amount_text(amount_nM * 10)} x 5"


def known(kind: str, library: Library) -> list[str]:
    """Names of the drugs, or of the ligands, of a library."""
    return [drug.name for drug in library.drugs.values() if drug.kind == kind]


@cache
def media() -> dict[str, str]:
    """Media by what they are called: none, and a few percentages of what cells rest in."""
    (serum,) = resting_medium(load_model(MODEL)).doses
    return {"serum-free": "", **{f"{serum.name} {share} %": f"{serum.name} {share} %" for share in ("0.5", "1", "10")}}


@cache
def first_choices() -> Choices:
    """What the page opens with: the protocol that profiles resistance, as ``pathsim blot`` has it."""
    standard, shelf = protocols(), default_library()
    blot = standard.resistance_blot
    drug, ligand = (Treatment.parse(text).steps[0].doses[0] for text in (blot.drug, blot.ligand))
    first = standard.rescue[0]
    series = doses_nM(first.doses)
    middle = math.exp(sum(map(math.log, series)) / len(series))
    shown = tuple(name for name in blot.antibodies if name not in standard.loading_controls)
    parent, *others = blot.cell_lines
    alterations = tuple(name for other in others for name in other.split("+")[1:])
    return Choices(
        lines=(parent,),
        alterations=alterations,
        drugs=((shelf.drug(drug.name).name, drug.amount.inner),),
        partner=(first.drug, min(ladder(), key=lambda dose: abs(math.log(dose / middle)))),
        ligand=ligand.name,
        ligand_nM=ligand.amount.inner,
        readouts=tuple(blot.antibodies),
        course_readouts=tuple(name for name in shown if name.startswith("p"))[:3],
        arms=("vehicle", f"{shelf.drug(drug.name).name} 50 mg/kg daily"),
        lysed=blot.times,
        medium=list(media().values())[-1],
    )
