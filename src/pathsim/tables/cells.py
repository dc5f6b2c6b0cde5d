"""What is a number in the tables of a lab, what a missing one, and when a comma is a decimal comma.

A comma is a decimal comma only in a file whose cells are separated by semicolons or tabs, and only where every number
of the column agrees; whoever reads is told. ``1,234`` in a file of commas (or in a spreadsheet, as text) could be
either, and is refused. A number that can be read in two ways is never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..arrays import FloatArray
from ..errors import brief
from .sheet import SEPARATOR_WORDS

_MISSING = frozenset(
    {
        "", "-", "--", "---", "–", "—", ".", "..", "...", "?", "na", "n/a", "n.a.", "n.a", "nan", "<na>", "nd", "n.d.",
        "n.d", "n/d", "nm", "n.m.", "none", "null", "nil", "missing", "not detected", "not determined", "not done",
        "not measured", "not available", "not quantified", "nq", "n.q.", "empty", "no data", "failed", "fail", "lost",
        "excluded", "omitted", "removed", "outlier", "error", "bubble", "smear", "smeared", "*",
    }
)  # fmt: skip
_SATURATED = frozenset(
    {
        "saturated", "saturation", "sat", "sat.", "overexposed", "over-exposed", "over exposed", "over", "overflow",
        "ovrflw", "ovf", "out of range", "oor", "max", "clipped", "too bright", "above range", ">max",
    }
)  # fmt: skip
_BELOW = frozenset({"<lod", "<loq", "<lloq", "lod", "loq", "blq", "bloq", "bdl", "bql", "below detection", "<min"})
_ERROR = re.compile(r"#\s*[A-ZÄÖÜ/0]+[!?/0-9A-Z]*|#+|err:\d+", re.IGNORECASE)
"""Cells that a spreadsheet shows where a formula failed, in English, German or French."""

_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")
_LIKE_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_POINT_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
_MIXED = re.compile(
    r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]*|[-+]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*|[-+]?[0-9]+(?:,[0-9]+){2,}"
)
_SPACED = re.compile(r"[-+]?[0-9]{1,3}(?:[ \u00a0\u202f\u2009'’][0-9]{3})+(?:[.,][0-9]+)?")
_LIMIT = re.compile(r"[<≤]\s*=?\s*(.+)")


def why_missing(text: str) -> str | None:
    """What a cell that holds no number on purpose says: ``missing``, ``saturated`` ...; None for any other."""
    word = " ".join(text.split()).lower()
    if word in _MISSING:
        return "missing"
    if word in _SATURATED or re.fullmatch(r">\s*=?\s*[0-9].*", word):
        return "saturated"
    if word in _BELOW:
        return "below detection without a limit"
    return "an error of a spreadsheet" if _ERROR.fullmatch(word) else None


@dataclass(slots=True)
class Numbers:
    """How one file writes its numbers: learnt from all its cells, asked for a column at a time.

    ``notes`` gathers, in a sentence each, what was decided.
    """

    separator: str
    comma_seen: str = ""
    point_seen: str = ""
    converted: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, separator: str, rows: Sequence[Sequence[str]]) -> Numbers:
        """What the cells of a file, taken together, say about commas and points."""
        comma = point = ""
        for row in rows:
            for cell in row:
                if not comma and "," in cell and _COMMA.fullmatch(cell) and not _LIKE_THOUSANDS.fullmatch(cell):
                    comma = cell
                if not point and "." in cell and _PLAIN.fullmatch(cell) and not _POINT_THOUSANDS.fullmatch(cell):
                    point = cell
            if comma and point:
                break
        return cls(separator, comma, point)

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma in a number of this file may be a decimal one."""
        return self.separator in (";", "\t")

    def column(self, name: str, cells: Sequence[str]) -> tuple[list[str], str | None]:
        """The cells of a column with numbers as Python writes them, and why the column cannot be read (or None).

        What is no number stays as it is; ``<0,5`` becomes ``<0.5``.
        """
        limits = [_LIMIT.fullmatch(cell) for cell in cells]
        bare = [_bare(limit[1] if limit else cell) for limit, cell in zip(limits, cells, strict=True)]
        commas = [i for i, text in enumerate(bare) if _COMMA.fullmatch(text) or _MIXED.fullmatch(text)]
        if commas:
            problem = self._refusal(name, bare, commas)
            if problem is not None:
                return list(cells), problem
            bare = [text.replace(",", ".") if _COMMA.fullmatch(text) else text for text in bare]
            self.converted.append(name)
        elif self.decimal_comma and self.comma_seen:
            odd = next((text for text in bare if _POINT_THOUSANDS.fullmatch(text)), None)
            if odd is not None and not any(_decimal_point(text) for text in bare):
                return list(cells), (
                    f"column '{name}' has '{odd}' with a point while the file has '{self.comma_seen}' with a comma; "
                    "write it without thousands separators"
                )
        return [f"<{text}" if limit else text for limit, text in zip(limits, bare, strict=True)], None

    def text(self, cell: str) -> str:
        """A text with amounts (``alpelisib 0,5 uM``) with its decimal commas as points, where they can be decimal."""
        return re.sub(r"(?<=[0-9]),(?=[0-9])", ".", cell) if self.decimal_comma else cell

    def note(self, where: str) -> list[str]:
        """What was decided about commas, as a line for the user, or nothing."""
        if not self.converted:
            return []
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(self.converted))
        cells = SEPARATOR_WORDS.get(self.separator, "cells")
        return [f"{where}: commas are read as decimal commas in {names} (cells are separated by {cells})"]

    def _refusal(self, name: str, bare: Sequence[str], commas: Sequence[int]) -> str | None:
        first = bare[commas[0]]
        if not self.decimal_comma:
            where = f"a file separated by {SEPARATOR_WORDS.get(self.separator, '?')}" if self.separator else "this file"
            return (
                f"column '{name}' has '{first}': in {where} the comma could be a decimal comma or a thousands "
                "separator; write numbers with a decimal point and without thousands separators"
            )
        mixed = next((bare[i] for i in commas if _MIXED.fullmatch(bare[i])), None)
        if mixed is not None:
            return f"column '{name}' has '{mixed}' with thousands separators; write numbers without them"
        point = next((text for text in bare if "." in text and _PLAIN.fullmatch(text)), None)
        if point is not None:
            return f"column '{name}' has '{first}' with a comma and '{point}' with a point; write all alike"
        like = all(_LIKE_THOUSANDS.fullmatch(bare[i]) for i in commas)
        if like and self.point_seen:
            return (
                f"column '{name}' has '{first}' with a comma while the file has '{self.point_seen}' with a point; "
                "write numbers without thousands separators"
            )
        whole = next((text for text in bare if re.fullmatch(r"[-+]?0*[1-9][0-9]*", text)), None)
        if like and not self.comma_seen and whole is not None:
            return (
                f"column '{name}' has '{first}' and '{whole}': the comma could be a thousands separator; write numbers "
                "without thousands separators and equally many decimals"
            )
        return None


def _decimal_point(text: str) -> bool:
    return "." in text and _PLAIN.fullmatch(text) is not None and _POINT_THOUSANDS.fullmatch(text) is None


def _bare(cell: str) -> str:
    """A number without the signs around it that change nothing: a typographic minus, a percent sign, spaces that group
    digits. What is no number stays as it is."""
    text = cell.replace("\u2212", "-").replace("\u2013", "-") if re.match(r"[\u2212\u2013]\s*[0-9.,]", cell) else cell
    if _SPACED.fullmatch(text):
        text = re.sub(r"[ \u00a0\u202f\u2009'’]", "", text)
    trimmed = text.removesuffix("%").rstrip()
    return trimmed if trimmed != text and (_PLAIN.fullmatch(trimmed) or _COMMA.fullmatch(trimmed)) else text


def as_number(text: str) -> float:
    """The finite number that a text is, NaN where it is none."""
    if not _PLAIN.fullmatch(text):
        return math.nan
    value = float(text)
    return value if math.isfinite(value) else math.nan


def as_numbers(cells: Sequence[str]) -> FloatArray:
    """The finite numbers of a column (n,), NaN where there is none."""
    return np.array([as_number(cell) for cell in cells], dtype=float)


def no_number(line: int, name: str, cell: str) -> str:
    """The line that refuses a cell."""
    if not cell.strip():
        return f"row {line}: {name} is empty; give a number, or leave the whole row empty"
    return (
        f"row {line}: {name} is '{brief(cell)}', not a finite number (leave the cell empty, or write n.d., where "
        "nothing was measured)"
    )
