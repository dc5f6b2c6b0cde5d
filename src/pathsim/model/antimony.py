"""Antimony text to SBML text. The only module that imports antimony."""

from __future__ import annotations

import re
from pathlib import Path

import antimony

from ..errors import InputError


def antimony_to_sbml(path: str | Path) -> str:
    """The SBML that an ``.ant`` file stands for. Raises :class:`InputError` with file, line and what."""
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    antimony.clearPreviousLoads()
    antimony.addDirectory(str(path.resolve().parent))  # for the file's own imports
    if antimony.loadAntimonyString(content) < 0:
        raise InputError(_located(path, antimony.getLastError()))
    sbml = antimony.getSBMLString(antimony.getMainModuleName())
    antimony.clearPreviousLoads()
    if not sbml:
        raise InputError(f"{path}: the file holds no model")
    return str(sbml)


def _located(path: Path, message: str) -> str:
    """Antimony's message with our ``file, line N:`` in front."""
    match = re.match(r"Error in (?:model string|file '[^']*'), line (\d+):\s*(.*)", message, re.DOTALL)
    if match is None:
        return f"{path}: {' '.join(message.split())}"
    return f"{path}, line {match[1]}: {' '.join(match[2].split())}"
