"""A model file read in this process. :mod:`~pathsim.model.isolated` does the same in a child process, which may end.

Antimony takes a tenth of a second to load: where it is not needed, it is not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..files import read_bytes, read_text
from .annotations import read_annotations
from .loading import ARCHIVE
from .records import Model
from .sbml import level3, parse_sbml, read_sbml


def read_model(path: Path) -> Model:
    """The model in an ``.ant`` or SBML file, or in an archive.

    Raises :class:`~pathsim.errors.InputError` with file, line and what.
    """
    if path.suffix.lower() == ARCHIVE:
        return parse_sbml(_archived(path), str(path))
    if path.suffix.lower() != ".ant":
        return read_sbml(path)
    from .antimony import antimony_to_sbml

    content = read_text(path)
    model = parse_sbml(antimony_to_sbml(path, content), str(path), written=False)
    return replace(model, annotations=tuple(read_annotations(content).values()))


def read_sbml_text(path: Path) -> bytes:
    """The SBML text that an ``.ant`` file stands for, or that is in an archive."""
    if path.suffix.lower() == ARCHIVE:
        return _archived(path)
    from .antimony import antimony_to_sbml

    return antimony_to_sbml(path).encode()


def read_level3(path: Path) -> bytes:
    """The SBML text of a file or archive in Level 3."""
    content = _archived(path) if path.suffix.lower() == ARCHIVE else read_bytes(path)
    return level3(content, str(path)).encode()


def read_antimony(path: Path) -> bytes:
    """The Antimony text of an SBML file."""
    from .antimony import sbml_to_antimony

    return sbml_to_antimony(path).encode()


def _archived(path: Path) -> bytes:
    from .archive import read_archive

    return read_archive(path).sbml
