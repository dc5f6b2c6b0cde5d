"""A model file read in this process. :mod:`~pathsim.model.isolated` does the same in a child process, which may end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..files import read_text
from .annotations import read_annotations
from .antimony import antimony_to_sbml
from .records import Model
from .sbml import parse_sbml, read_sbml


def read_model(path: Path) -> Model:
    """The model in an ``.ant`` or SBML file. Raises :class:`~pathsim.errors.InputError` with file, line and what."""
    if path.suffix.lower() != ".ant":
        return read_sbml(path)
    content = read_text(path)
    model = parse_sbml(antimony_to_sbml(path, content), str(path), written=False)
    return replace(model, annotations=tuple(read_annotations(content).values()))


def read_sbml_text(path: Path) -> str:
    """The SBML text that an ``.ant`` file stands for."""
    return antimony_to_sbml(path)
