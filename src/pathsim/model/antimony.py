"""Antimony text to SBML text and back. The only module that imports antimony."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path

import antimony

from ..errors import InputError
from ..files import read_text

_LOCK = threading.Lock()
"""The library keeps what it has read in global variables."""


def antimony_to_sbml(path: str | Path, content: str | None = None) -> str:
    """The SBML that the file ``path`` stands for, or its text ``content`` where that is at hand.

    Raises :class:`InputError` with file, line and what.

    The process is in the folder of the file meanwhile, where Antimony looks first for what the file imports.
    """
    path = Path(path)
    content = read_text(path) if content is None else content
    _refuse_other_characters(path, content)
    with _LOCK, contextlib.chdir(path.resolve().parent):
        antimony.clearPreviousLoads()
        try:
            if antimony.loadAntimonyString(content) < 0:
                raise InputError(_located(path, _last_error(), content))
            sbml = antimony.getSBMLString(antimony.getMainModuleName())
        finally:
            antimony.clearPreviousLoads()
    if not sbml:
        raise InputError(f"{path}: the file holds no model")
    return str(sbml)


def sbml_to_antimony(path: str | Path) -> str:
    """The Antimony text of the SBML file ``path``. Raises :class:`InputError` with file and what."""
    content = read_text(path)
    with _LOCK:
        antimony.clearPreviousLoads()
        try:
            if antimony.loadSBMLString(content) < 0:
                raise InputError(f"{path}: {' '.join(_last_error().split())}")
            return str(antimony.getAntimonyString(antimony.getMainModuleName()))
        finally:
            antimony.clearPreviousLoads()


_COMMENT_OR_STRING = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|(?P<comment>//[^\n]*|#[^\n]*|/\*(?:.|\n)*?\*/)')
_RESERVED = (
    "DNA", "after", "at", "compartment", "const", "constraint", "delete", "end", "event", "ext", "formula", "function",
    "gene", "has", "import", "in", "is", "maximize", "minimize", "model", "module", "operator", "reaction", "species",
    "substanceOnly", "unit", "var",
)  # fmt: skip
_SAME = {"model": "module", "const": "ext"}
"""Words that Antimony calls by another."""
_WORD = "|".join(_RESERVED)
_AS_NAME = re.compile(
    rf"(?:\b(?P<before>{_WORD})\b\s*(?:[='+*/^),;-]|:=|$))|(?:[=+*/^(,>-]\s*\b(?P<after>{_WORD})\b)", re.MULTILINE
)
"""A word of the language where only a name can stand: beside an operator, or at the end of a line."""


def _code(content: str) -> str:
    """``content`` without comments and with empty strings, lines kept."""

    def blank(match: re.Match[str]) -> str:
        inside = "" if match["comment"] is not None else '""'
        return inside + "\n" * match[0].count("\n")

    return _COMMENT_OR_STRING.sub(blank, content)


def _refuse_other_characters(path: Path, content: str) -> None:
    """Antimony reads names of ASCII letters only."""
    for number, line in enumerate(_code(content).split("\n"), start=1):
        for character in line:
            if not (character.isascii() and (character.isprintable() or character in "\t\f\v")):
                raise InputError(
                    f"{path}, line {number}: the character {character!r} cannot stand in a name or formula; Antimony "
                    "knows letters a to z, digits and _"
                )


def _last_error() -> str:
    try:
        return str(antimony.getLastError())
    except UnicodeDecodeError:  # it cuts characters of several bytes in two
        return "not valid Antimony"


def _located(path: Path, message: str, content: str) -> str:
    """Antimony's message with our ``file, line N:`` in front; a word of the language used as a name is named."""
    match = re.match(r"Error in (?:model string|file '([^']*)'), line (\d+):\s*(.*)", message, re.DOTALL)
    if match is None:
        return f"{path}: {' '.join(message.split())}"
    where = f"{match[1] or path}, line {match[2]}"
    lines = [] if match[1] else _code(content).split("\n")
    line = lines[int(match[2]) - 1] if int(match[2]) <= len(lines) else ""
    if "syntax error" in message and line.strip() != "end":
        unexpected = re.search(r"unexpected \W*(\w+)", message)
        words = (one for one in _AS_NAME.finditer(line) if one["before"] != "end" or line[one.end() :].strip())
        word = next(words, None)  # but for the end of a model that stands on one line
        if word is not None:
            name = word["before"] or word["after"]
        else:
            name = unexpected[1] if unexpected is not None and unexpected[1] != "end" else ""
            name = name if re.search(rf"\b{name}\b", line) else _SAME.get(name, "")
        if name in _RESERVED:
            return f"{where}: '{name}' is a word of Antimony itself and cannot be the name of anything"
    return f"{where}: {' '.join(match[3].split())}"
