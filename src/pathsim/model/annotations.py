"""What an ``.ant`` file says about its numbers in the comment behind each of them.

::

    k_PTEN = 0.035;   // 1/(nM*min) | estimate: PIP3 half-life below 1 min
    pAKT_S473 := ...; // nM | readout: AKT phosphorylated at S473, 60 kDa
    AKT_total = 285;  // nM | source: Niepel 2013 ... | readout: all AKT, 60 kDa

Antimony throws comments away, so this module reads the text itself, line by line. In SBML the same words stand in the
notes of an element (``sbml_export`` writes them, ``sbml`` reads them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CLASSES = ("source", "estimate", "calibrated", "input", "switch", "definition", "readout")
NOTE_CLASS = "pathsim"
"""The class of the XHTML paragraph that holds a comment in SBML notes."""

_LINE = re.compile(r"^\s*(?P<name>[A-Za-z_]\w*)\s*(?P<sign>:?=)[^;]*;\s*//\s*(?P<comment>.*)$")
_FIELD = re.compile(r"^\s*(?P<kind>\w+)\s*:?\s*(?P<text>.*?)\s*$")
_MASS = re.compile(r",?\s*(?P<mass>\d+)\s*kDa\s*$")


_SHARE = re.compile(r"share (?:of|that)\b")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated symbol: where it stands, its unit, the class of its value and the text that backs it."""

    name: str
    line: int
    unit: str
    kind: str
    text: str
    is_rule: bool = False
    readout: str = ""
    mass_kDa: int = 0

    @property
    def is_share(self) -> bool:
        """Whether the number lies between 0 and 1: a switch, or one whose text begins with "share of"."""
        return self.kind == "switch" or (self.unit == "1" and _SHARE.match(self.text) is not None)


def read_annotations(content: str) -> dict[str, Annotation]:
    """Annotations of an ``.ant`` text by symbol; symbols without a well-formed comment are left out."""
    found: dict[str, Annotation] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        match = _LINE.match(line)
        if match is None:
            continue
        annotation = read_comment(match["comment"], match["name"], number, match["sign"] == ":=")
        if annotation is not None:
            found[annotation.name] = annotation
    return found


def read_comment(comment: str, name: str, line: int, is_rule: bool) -> Annotation | None:
    """The annotation that ``comment`` gives the symbol ``name``; None where it has no class that is known."""
    unit, *fields = (part.strip() for part in comment.split("|"))
    kind = text = readout = ""
    mass = 0
    for part in fields:
        match = _FIELD.match(part)
        if match is None or match["kind"] not in CLASSES:
            continue
        if match["kind"] == "readout":
            found = _MASS.search(match["text"])
            mass = int(found["mass"]) if found else 0
            readout = _MASS.sub("", match["text"])
        if not kind:
            kind, text = match["kind"], match["text"]
    return Annotation(name, line, unit, kind, text, is_rule, readout, mass) if kind else None


def comment_text(item: Annotation) -> str:
    """The comment that :func:`read_comment` reads as ``item``."""
    fields = [item.unit, f"{item.kind}: {item.text}" if item.text else item.kind]
    if item.readout and item.kind != "readout":
        fields.append(f"readout: {item.readout}" + (f", {item.mass_kDa} kDa" if item.mass_kDa else ""))
    return " | ".join(fields)
