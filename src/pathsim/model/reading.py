"""A model file read in this process. :mod:`~pathsim.model.isolated` does the same in a child process, which may end.

Antimony takes a tenth of a second to load: where it is not needed, it is not. The SBML of the bundled models is made
when the package is built (``hatch_build.py``); in a checkout it is made from their text.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ..files import read_bytes, read_text
from .annotations import read_annotations
from .loading import ARCHIVE, made_folder
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
    content = read_text(path)
    model = parse_sbml(_translated(path, content), str(path), written=False)
    return replace(model, annotations=tuple(read_annotations(content).values()))


def read_sbml_text(path: Path) -> bytes:
    """The SBML text that an ``.ant`` file stands for, or that is in an archive."""
    if path.suffix.lower() == ARCHIVE:
        return _archived(path)
    return _translated(path, read_text(path)).encode()


def read_level3(path: Path) -> bytes:
    """The SBML text of a file or archive in Level 3."""
    content = _archived(path) if path.suffix.lower() == ARCHIVE else read_bytes(path)
    return level3(content, str(path)).encode()


def read_antimony(path: Path) -> bytes:
    """The Antimony text of an SBML file."""
    from .antimony import sbml_to_antimony

    return sbml_to_antimony(path).encode()


def _translated(path: Path, content: str) -> str:
    """The SBML of Antimony text: what was made of the same text when the package was built, or made now."""
    made = made_folder() / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.xml"
    if made.is_file():
        return read_text(made)
    from .antimony import antimony_to_sbml

    return antimony_to_sbml(path, content)


def _archived(path: Path) -> bytes:
    from .archive import read_archive

    return read_archive(path).sbml
