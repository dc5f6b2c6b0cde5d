"""Models and cell lines by name, as every assay takes them; what is wrong is added to a list, so that all is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import PathsimError
from ..lab import CellLine, Library
from ..model import Model, load_model


def open_model(model: Model | str | Path) -> Model:
    """The model itself, a bundled one, or one from a file."""
    return model if isinstance(model, Model) else load_model(model)


def read_line(line: CellLine | str, library: Library, problems: list[str]) -> CellLine | None:
    """A cell line as a record; None, and a line in ``problems``, when nobody knows it."""
    try:
        return library.cell_line(line) if isinstance(line, str) else line
    except PathsimError as error:
        problems.append(str(error))
        return None


def read_lines(
    cell_lines: Sequence[CellLine | str] | CellLine | str, library: Library, problems: list[str]
) -> list[CellLine]:
    """Cell lines as records; unknown and repeated names are added to ``problems``."""
    asked = [cell_lines] if isinstance(cell_lines, (CellLine, str)) else cell_lines
    lines = [line for item in asked if (line := read_line(item, library, problems)) is not None]
    named = Counter(line.name for line in lines)
    problems += [f"cell line '{name}' is named twice" for name in sorted(n for n in named if named[n] > 1)]
    if not lines and not problems:
        problems.append("no cell line is named")
    return lines
