"""SBML for other tools, with what the ``.ant`` file says about its numbers.

Every annotated symbol gets its unit (a ``unitDefinition``) and a note with unit, class and source in the words of the
``.ant`` comment, which :mod:`~pathsim.model.sbml` reads back. The maths stays as it is.

A compartment of an annotated model is a relative volume, so it is written as dimensionless, and the substance of a
species is written in the unit of its concentration (nM): rates in nM/min are then consistent. A unit that SBML has no
word for is written as a dimensionless unit of that name.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from xml.dom.minidom import Document, Element, Text, parseString

from ..errors import InputError
from ..files import read_bytes
from .annotations import NOTE_CLASS, Annotation, comment_text
from .checks import units_of
from .dimensions import Dimensions, dimensions_text
from .isolated import read_isolated
from .loading import ARCHIVE
from .records import Model

XHTML = "http://www.w3.org/1999/xhtml"


def sbml_text(model: Model) -> str:
    """The SBML text of the file that ``model`` was read from, with units and sources where the model is annotated.

    Raises :class:`InputError` when there is no such file any more, or another content in it.
    """
    source = Path(model.source)
    if source.suffix.lower() in (".ant", ARCHIVE):
        raw = read_isolated("sbml", source)
    else:
        raw = read_bytes(source)
    if hashlib.sha256(raw).hexdigest() != model.digest:
        raise InputError(f"{source}: has changed since the model was read from it; open it again")
    content = raw.decode("utf-8", errors="replace")
    return _annotated(content, model) if source.suffix.lower() == ".ant" and model.annotations else content


def level3_text(model: Model) -> str:
    """As :func:`sbml_text`, in Level 3 whatever the file is written in. Raises as it does."""
    content = sbml_text(model)
    if model.source.lower().endswith(".ant") or _LEVEL_3.search(content[:4096]):
        return content
    return read_isolated("level 3", Path(model.source)).decode()


_LEVEL_3 = re.compile(r"""<(?:\w+:)?sbml\b[^>]*\blevel\s*=\s*["']3["']""")


def _annotated(content: str, model: Model) -> str:
    document = parseString(content.encode())
    element = document.getElementsByTagName("model")[0]
    units = units_of(model)
    names = _UnitNames(document, element)
    notes = {item.name: item for item in model.annotations}
    extents: Counter[str] = Counter()
    for item in element.getElementsByTagName("compartment"):
        if not item.getAttribute("units"):
            item.setAttribute("units", "dimensionless")
    for item in element.getElementsByTagName("species"):
        unit = units.get(item.getAttribute("id"))
        if unit is not None and not item.getAttribute("substanceUnits"):
            item.setAttribute("substanceUnits", names.of(unit))
            extents[names.of(unit)] += 1
    if extents and not element.getAttribute("extentUnits"):
        element.setAttribute("extentUnits", extents.most_common(1)[0][0])
    for tag in ("species", "parameter", "compartment"):
        for item in element.getElementsByTagName(tag):
            note = notes.get(item.getAttribute("id"))
            if note is not None:
                if tag == "parameter" and note.name in units and not item.getAttribute("units"):
                    item.setAttribute("units", names.of(units[note.name]))
                item.insertBefore(_note(document, note), item.firstChild)
    _sort_parameters(element, list(notes))
    return pretty(document)


def pretty(document: Document) -> str:
    """A document as text, its lines indented anew."""
    _strip(root_of(document))
    return document.toprettyxml(indent="  ", encoding="UTF-8").decode()


def child(parent: Document | Element, tag: str, **attributes: str) -> Element:
    """A new element, the last in its parent."""
    document = parent if isinstance(parent, Document) else parent.ownerDocument
    assert document is not None
    made = document.createElement(tag)
    for name, value in attributes.items():
        made.setAttribute(name, value)
    parent.appendChild(made)
    return made


def write_in(element: Element, text: str) -> None:
    """Let an element hold ``text``, behind what it holds."""
    assert element.ownerDocument is not None
    element.appendChild(element.ownerDocument.createTextNode(text))


def root_of(document: Document) -> Element:
    """The outermost element of a document."""
    root = document.documentElement
    assert root is not None
    return root


def _strip(node: Element) -> None:
    """Remove line breaks and indents, which are written anew."""
    for inner in list(node.childNodes):
        if isinstance(inner, Text) and not inner.data.strip():
            node.removeChild(inner)
        elif isinstance(inner, Element):
            _strip(inner)


def _note(document: Document, item: Annotation) -> Element:
    note, paragraph = document.createElement("notes"), document.createElement("p")
    paragraph.setAttribute("xmlns", XHTML)
    paragraph.setAttribute("class", NOTE_CLASS)
    paragraph.appendChild(document.createTextNode(comment_text(item)))
    note.appendChild(paragraph)
    return note


def _sort_parameters(element: Element, order: list[str]) -> None:
    """Parameters in the order of the annotated file, so that lists of readouts read the same."""
    place = {name: number for number, name in enumerate(order)}
    for group in element.getElementsByTagName("listOfParameters"):
        for item in sorted(
            group.getElementsByTagName("parameter"), key=lambda item: place.get(item.getAttribute("id"), len(place))
        ):
            group.appendChild(item)  # moves it


class _UnitNames:
    """Unit definitions of one document: found by what they are, made when first asked for."""

    def __init__(self, document: Document, model: Element) -> None:
        self.document, self.model = document, model
        self.made: dict[str, str] = {"1": "dimensionless"}
        self.taken = {item.getAttribute("id") for item in model.getElementsByTagName("unitDefinition")}

    def of(self, unit: Dimensions) -> str:
        """The id of ``unit``."""
        spelt = dimensions_text(unit)
        if spelt not in self.made:
            self.made[spelt] = self._define(unit, spelt)
        return self.made[spelt]

    def _define(self, unit: Dimensions, spelt: str) -> str:
        identifier = _identifier(unit)
        while identifier in self.taken:
            identifier += "_"
        self.taken.add(identifier)
        definition, parts = self.document.createElement("unitDefinition"), self.document.createElement("listOfUnits")
        definition.setAttribute("id", identifier)
        definition.setAttribute("name", spelt)
        definition.appendChild(parts)
        for base, power in sorted(unit.items()):
            for kind, exponent, scale, multiplier in _BASE.get(base, (("dimensionless", 1, 0, 1.0),)):
                part = self.document.createElement("unit")
                part.setAttribute("kind", kind)
                part.setAttribute("exponent", _number(exponent * power))
                part.setAttribute("scale", str(scale))
                part.setAttribute("multiplier", _number(multiplier))
                parts.appendChild(part)
        self._list().appendChild(definition)
        return identifier

    def _list(self) -> Element:
        for node in self.model.getElementsByTagName("listOfUnitDefinitions"):
            return node
        made = self.document.createElement("listOfUnitDefinitions")
        # behind notes, annotation and functions, where SBML wants it
        before = ("notes", "annotation", "listOfFunctionDefinitions", "#text", "#comment")
        after = next((node for node in self.model.childNodes if node.nodeName not in before), None)
        self.model.insertBefore(made, after)
        return made


def _identifier(unit: Dimensions) -> str:
    """``nM_per_min`` for nM/min."""

    def words(signed: int) -> Iterable[str]:
        for base, power in sorted(unit.items()):
            if power * signed > 0:
                word = "".join(c if c.isascii() and c.isalnum() else "_" for c in base.replace("%", "percent"))
                yield word if abs(power) == 1 else f"{word}_{abs(power)}".replace("/", "_over_")

    above, below = "_".join(words(1)), "_".join(words(-1))
    return f"{above}_per_{below}".removeprefix("_") if below else above


def _number(value: Fraction | float) -> str:
    return repr(float(value)).removesuffix(".0")


_Part = tuple[str, int, int, float]
"""Kind, exponent, scale, multiplier of one ``unit`` element."""

_PREFIX = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3}
_BASE: dict[str, tuple[_Part, ...]] = {
    **{f"{prefix}M": (("mole", 1, scale, 1.0), ("litre", -1, 0, 1.0)) for prefix, scale in _PREFIX.items()},
    **{f"{prefix}mol": (("mole", 1, scale, 1.0),) for prefix, scale in _PREFIX.items()},
    **{f"{prefix}g": (("gram", 1, scale, 1.0),) for prefix, scale in _PREFIX.items()},
    **{f"{prefix}{litre}": (("litre", 1, scale, 1.0),) for prefix, scale in _PREFIX.items() for litre in "lL"},
    **{
        name: (("second", 1, 0, seconds),)
        for name, seconds in {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "week": 604800.0}.items()
    },
    **dict.fromkeys(("copies", "copy", "molecules", "molecule", "cells", "cell"), (("item", 1, 0, 1.0),)),
    "%": (("dimensionless", 1, 0, 0.01),),
}
