"""The commands that the choices spell, one per view: their words, and the text to copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from shlex import quote

from . import python_text
from .choices import Choices, around

FOLDER = "results"
"""Where a copied command writes its tables."""


@dataclass(frozen=True, slots=True)
class View:
    """A tab of the page: the verb it shows, and how long that takes.

    ``words`` and ``python`` make the command and the Python of some choices. ``slow``: runs when it is asked to.
    ``measured``: a measured table can stand beside it.
    """

    verb: str
    title: str
    words: Callable[[Choices], list[str]]
    python: Callable[[Choices], str]
    slow: bool = False
    measured: bool = False

    def command(self, choices: Choices, folder: str = "") -> list[str]:
        """The words after ``pathsim``; tables and the figure go into ``folder``."""
        place = os.path.join(folder, FOLDER)
        return [*self.words(choices), "-o", place, "--plot", os.path.join(folder, f"{self.verb}.svg")]


def without_folder(words: Sequence[str], folder: str) -> list[str]:
    """The words with files of ``folder`` by their names alone, as they are where the command is run."""
    return [word.removeprefix(folder + os.sep) for word in words]


def shell_text(words: Sequence[str]) -> str:
    """The command as one types it; quoted as POSIX shells and those of Windows both read it."""
    return " ".join(["pathsim", *map(_quoted, words)])


def _quoted(word: str) -> str:
    if quote(word) == word or any(letter in word for letter in '"$`\\!'):
        return quote(word)
    return f'"{word}"'


def _own(choices: Choices) -> list[str]:
    """Files and constants of one's own."""
    return [
        *(["--drugs", choices.drugs_file] if choices.drugs_file else []),
        *(["--cell-lines", choices.lines_file] if choices.lines_file else []),
        *(["--set", *choices.settings] if choices.settings else []),
    ]


def _data(choices: Choices) -> list[str]:
    if not choices.data:
        return []
    return ["--data", choices.data, *(["--columns", *choices.columns] if choices.columns else [])]


def _wells(choices: Choices) -> list[str]:
    return [
        *("--time", choices.read, "--readout", choices.readout),
        *(["--medium", choices.medium] if choices.medium else ["--medium", "vehicle"]),
        *(["--before", choices.before] if choices.before else []),
    ]


def blot(choices: Choices) -> list[str]:
    """``pathsim blot``; of a measured table its own lanes, times and antibodies."""
    if choices.data:
        return ["blot", *_data(choices), *_own(choices)]
    asked = ["--treatment", *choices.lanes, "--times", choices.lysed, "--readouts", *choices.readouts]
    return ["blot", *choices.cells, *asked, *_own(choices)]


def timecourse(choices: Choices) -> list[str]:
    """``pathsim timecourse``."""
    asked = ["--treatment", *choices.lanes, "--times", choices.course, "--readouts", *choices.course_readouts]
    return ["timecourse", *choices.cells, *asked, *_own(choices)]


def dose_response(choices: Choices) -> list[str]:
    """``pathsim dose-response``."""
    drugs = [name for name, _ in choices.drugs]
    asked = ["--doses", choices.doses, *_wells(choices)]
    return ["dose-response", *choices.cells, *drugs, *asked, *_data(choices), *_own(choices)]


def combine(choices: Choices) -> list[str]:
    """``pathsim combine``: five doses of each drug, around those chosen."""
    series = [word for _, amount in choices.pair for word in ("--doses", around(amount))]
    asked = [*series, "--metric", choices.metric, *_wells(choices)]
    drugs = [name for name, _ in choices.pair]
    return ["combine", choices.one_cell, *drugs, *asked, *_data(choices), *_own(choices)]


def xenograft(choices: Choices) -> list[str]:
    """``pathsim xenograft``."""
    arms = [word for arm in choices.arms for word in ("--arm", arm)]
    asked = ["--mice", str(choices.mice), "--days", f"{choices.days:g}", "--seed", str(choices.seed)]
    return ["xenograft", choices.one_cell, *arms, *asked, *_own(choices)]


def escalate(choices: Choices) -> list[str]:
    """``pathsim escalate``."""
    asked = ["--start", choices.start, "--factor", f"{choices.factor:g}", "--fold", f"{choices.fold:g}"]
    drugs = [name for name, _ in choices.drugs[:1]]
    return ["escalate", choices.one_cell, *drugs, *asked, "--seed", str(choices.seed), *_own(choices)]


VIEWS = (
    View("blot", "Blot", blot, python_text.blot, measured=True),
    View("timecourse", "Time course", timecourse, python_text.timecourse),
    View("dose-response", "Dose response", dose_response, python_text.dose_response, measured=True),
    View("combine", "Combination", combine, python_text.combine, measured=True),
    View("xenograft", "Survival", xenograft, python_text.xenograft, slow=True),
    View("escalate", "Resistance", escalate, python_text.escalate, slow=True),
)
