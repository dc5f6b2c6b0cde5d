"""A treated cell line as Antimony text, the words of the model's own file behind its numbers."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from ..checked import checked
from ..lab import CellLine, Library, Treatment
from ..model import Model
from ..model.annotations import comment_text
from ..model.isolated import read_isolated
from ..solve import Solver
from .sbml import Treated, treated

_VALUE = re.compile(r"^  (?P<name>[A-Za-z_]\w*) :?= [^;\n]*;$", re.MULTILINE)


@checked
def to_antimony(
    model: Model | str | Path,
    cell_line: CellLine | str,
    treatment: Treatment | str,
    *,
    library: Library | None = None,
    solver: Solver | None = None,
) -> str:
    """A treated cell line as Antimony text, which tellurium runs: :func:`to_sbml` in other words.

    Units and sources stand as comments behind the numbers. Arguments and errors are those of :func:`to_sbml`.

    >>> text = ps.exchange.to_antimony("pi3k_mapk", "T47D", "serum 10 % + alpelisib 1 uM")
    >>> [line for line in text.splitlines() if "step_1" in line][0].startswith("  step_1: at")
    True
    """
    return antimony_of(treated(model, cell_line, treatment, library, solver))


def antimony_of(cells: Treated) -> str:
    """The Antimony text of a cell line under a treatment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        path.write_text(cells.text, encoding="utf-8")
        text = read_isolated("antimony", path).decode()
    comments = {item.name: comment_text(item) for item in cells.model.annotations}
    return _VALUE.sub(lambda match: _commented(match, comments), text)


def _commented(match: re.Match[str], comments: dict[str, str]) -> str:
    comment = comments.pop(match["name"], "")  # the first place only
    return f"{match[0]}  // {comment}" if comment else match[0]
