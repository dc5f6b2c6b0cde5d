"""A model file read in this process. :mod:`~pathsim.model.isolated` does the same in a child process, which may end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..files import read_bytes, read_text
from .annotations import read_annotations
from .antimony import antimony_to_sbml, sbml_to_antimony
from .archive import read_archive
from .loading import ARCHIVE
from .records import Model
from .sbml import level3, parse_sbml, read_sbml


def read_model(path: Path) -> Model:
    """The model in an ``.ant`` or SBML file, or in an archive.

    Raises :class:`~pathsim.errors.InputError` with file, line and what.
    """
    if path.suffix.lower() == ARCHIVE:
        return parse_sbml(read_archive(path).sbml, str(path))
    if path.suffix.lower() != ".ant":
        return read_sbml(path)
    content = read_text(path)
    model = parse_sbml(antimony_to_sbml(path, content), str(path), written=False)
    return replace(model, annotations=tuple(read_annotations(content).values()))


def read_sbml_text(path: Path) -> bytes:
    """The SBML text that an ``.ant`` file stands for, or that is in an archive."""
    return read_archive(path).sbml if path.suffix.lower() == ARCHIVE else antimony_to_sbml(path).encode()


def read_level3(path: Path) -> bytes:
    """The SBML text of a file or archive in Level 3."""
    content = read_archive(path).sbml if path.suffix.lower() == ARCHIVE else read_bytes(path)
    return level3(content, str(path)).encode()


def read_antimony(path: Path) -> bytes:
    """The Antimony text of an SBML file."""
    return sbml_to_antimony(path).encode()
