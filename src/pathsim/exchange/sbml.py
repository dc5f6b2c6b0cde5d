"""A treated cell line as SBML: its constants and its resting state as initial values, the treatment as events.

Time runs from the start of the first step, in the model's own unit. The file is the model's own SBML with other numbers
in it; nothing is renamed, so readouts stay the assignment rules they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.dom.minidom import Document, Element, parseString
from xml.parsers.expat import ExpatError

from ..checked import checked
from ..errors import InputError, raise_together
from ..experiments.readings import Course, course_of
from ..lab import CellLine, Condition, Library, Treatment, default_library
from ..model import Model, load_model
from ..model.sbml_export import XHTML, child, level3_text, pretty, write_in
from ..solve import Rosenbrock, Solver
from ..stamp import stamp_of

MATHS = "http://www.w3.org/1998/Math/MathML"
TIME = "http://www.sbml.org/sbml/symbols/time"
TIGHT = Rosenbrock(rtol=1e-9, atol=1e-12)
"""How exactly cells come to rest before they are written."""


@checked
def to_sbml(
    model: Model | str | Path,
    cell_line: CellLine | str,
    treatment: Treatment | str,
    *,
    library: Library | None = None,
    solver: Solver | None = None,
) -> str:
    """A treated cell line as SBML Level 3 for other tools.

    Initial values are those of the line at rest in its medium. Each step of the treatment is an event that sets what
    the medium then holds; the first one happens at time 0, where the first step begins.

    Args:
        library: drugs and cell lines; default the bundled ones.
        solver: with which cells come to rest; default ``Rosenbrock(rtol=1e-9, atol=1e-12)``.

    Raises:
        InputError: a name or treatment that makes no sense, or what has no form in SBML. UnsupportedModelError: a model
            with explicit time, or with events and several steps, which begin anew with each step in pathsim.
            SimulationError: the line does not come to rest.

    >>> text = ps.exchange.to_sbml("pi3k_mapk", "T47D", "serum 10 % + alpelisib 1 uM for 24 h then serum 10 %")
    >>> text.count("<event ")
    2
    """
    return treated(model, cell_line, treatment, library, solver).text


@dataclass(frozen=True, eq=False)
class Treated:
    """A cell line under a treatment: ``course`` says when what changes, ``text`` is all of it as SBML."""

    model: Model
    condition: Condition
    course: Course

    @cached_property
    def text(self) -> str:
        """The SBML text."""
        with Editor(self.model) as editor:
            done = f"{self.condition.cell_line} under '{self.condition.treatment}'"
            editor.note(f"{done}. {stamp_of(self.model).sentence()}")
            for name, value in self.course.at_rest.items():
                editor.start(name, value)
            for i, (time, settings) in enumerate(self.course.steps, start=1):
                editor.event(f"step_{i}", str(self.condition.treatment.steps[i - 1]), time, settings)
            return editor.text()


def treated(
    model: Model | str | Path,
    cell_line: CellLine | str,
    treatment: Treatment | str,
    library: Library | None,
    solver: Solver | None,
) -> Treated:
    """The arguments of :func:`to_sbml` as a cell line at rest and what is done to it."""
    opened = model if isinstance(model, Model) else load_model(model)
    shelf = library or default_library(opened.version)
    line = shelf.cell_line(cell_line) if isinstance(cell_line, str) else cell_line
    steps = Treatment.parse(treatment) if isinstance(treatment, str) else treatment
    condition = Condition(line, steps)
    return Treated(opened, condition, course_of(opened, condition, shelf, solver or TIGHT))


class Editor:
    """The SBML of a model while numbers in it are replaced; every symbol that cannot be is told at the end."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.problems: list[str] = []
        try:
            self.document: Document = parseString(level3_text(model).encode())
        except ExpatError as error:
            raise InputError(f"{model.source}: cannot be written with a treatment: {error}") from None
        self.element = self.document.getElementsByTagName("model")[0]
        self.found = {
            item.getAttribute("id"): item
            for tag in ("species", "parameter", "compartment")
            for item in self.element.getElementsByTagName(tag)
        }
        self.local = {
            f"{reaction.getAttribute('id')}.{item.getAttribute('id')}": item
            for reaction in self.element.getElementsByTagName("reaction")
            for item in reaction.getElementsByTagName("localParameter")
        }

    def __enter__(self) -> Editor:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            raise_together(self.problems, self.model.source)

    def note(self, text: str) -> None:
        """Say ``text`` in the notes of the model."""
        notes = next(iter(self._groups("notes")), None)
        if notes is None:
            notes = self.document.createElement("notes")
            self.element.insertBefore(notes, self.element.firstChild)
        paragraph = self.document.createElement("p")
        paragraph.setAttribute("xmlns", XHTML)
        write_in(paragraph, text)
        body = next(iter(notes.getElementsByTagName("body")), notes)
        body.appendChild(paragraph)

    def start(self, name: str, value: float) -> None:
        """Let ``name`` begin with ``value``, in place of whatever said how it begins."""
        item = self.found.get(name) or self.local.get(name)
        if item is None:
            self.problems.append(f"'{name}' belongs to a submodel, whose values cannot be written")
            return
        if math.isnan(value):
            return
        for group in self._groups("listOfInitialAssignments"):
            for rule in self._children(group):
                if rule.getAttribute("symbol") == name:
                    group.removeChild(rule)
        attribute = {"species": "initialConcentration", "compartment": "size"}.get(item.tagName, "value")
        if item.tagName == "species":
            if item.getAttribute("hasOnlySubstanceUnits") == "true":
                attribute = "initialAmount"
            for other in {"initialAmount", "initialConcentration"} - {attribute}:
                if item.hasAttribute(other):
                    item.removeAttribute(other)
        if not (item.hasAttribute(attribute) and _as_number(item.getAttribute(attribute)) == value):
            item.setAttribute(attribute, number(value))

    def parameter(self, name: str, value: float) -> None:
        """Add a constant of the model."""
        parent = self._list("listOfParameters")
        self.found[name] = child(parent, "parameter", id=name, value=number(value), constant="true")

    def event(self, name: str, text: str, time: float | str, settings: Mapping[str, float | str]) -> None:
        """At ``time`` let ``settings`` hold from then on; numbers, or names of constants that say it."""
        if not settings:
            return
        event = child(self._list("listOfEvents"), "event", id=self._free_id(name), name=text)
        event.setAttribute("useValuesFromTriggerTime", "true")
        trigger = child(event, "trigger", initialValue="false", persistent="true")
        apply = child(self._maths(trigger), "apply")
        child(apply, "geq")
        clock = child(apply, "csymbol", encoding="text", definitionURL=TIME)
        write_in(clock, "time")
        self._value(apply, time)
        assignments = child(event, "listOfEventAssignments")
        for target, value in settings.items():
            if target not in self.found:
                self.problems.append(f"'{target}' belongs to one reaction, and no event can set it")
                continue
            self.found[target].setAttribute("constant", "false")
            self._value(self._maths(child(assignments, "eventAssignment", variable=target)), value)

    def text(self) -> str:
        """The document as text."""
        for group in self._groups("listOfInitialAssignments"):
            if not self._children(group):
                self.element.removeChild(group)
        return pretty(self.document)

    def _groups(self, tag: str) -> list[Element]:
        return [item for item in self._children(self.element) if item.tagName == tag]

    def _list(self, tag: str) -> Element:
        """The list of that name, made behind all others of the core where it is missing."""
        for found in self._groups(tag):
            return found
        made = self.document.createElement(tag)
        besides = [item for item in self._children(self.element) if ":" in item.tagName]
        self.element.insertBefore(made, besides[0] if besides else None)
        return made

    def _maths(self, parent: Element) -> Element:
        return child(parent, "math", xmlns=MATHS)

    def _value(self, parent: Element, value: float | str) -> None:
        if isinstance(value, str):
            write_in(child(parent, "ci"), value)
            return
        mantissa, _, power = number(value).partition("e")
        item = child(parent, "cn")
        write_in(item, mantissa)
        if power:
            item.setAttribute("type", "e-notation")
            child(item, "sep")
            write_in(item, power)

    def _free_id(self, wanted: str) -> str:
        taken = {item.getAttribute("id") for item in self.element.getElementsByTagName("*")}
        while wanted in taken:
            wanted += "_"
        return wanted

    @staticmethod
    def _children(parent: Element) -> list[Element]:
        return [item for item in parent.childNodes if isinstance(item, Element)]


def number(value: float) -> str:
    """A number as SBML writes it, every digit of it."""
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(float(value)).removesuffix(".0")


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
