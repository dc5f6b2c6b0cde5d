"""Names of drugs and cell lines, which become parts of file names."""

from __future__ import annotations

from ..errors import InputError, brief

_NOT_IN_NAMES = "/\\:$"


def check_name(name: object) -> None:
    """Raise :class:`InputError` for a name that is no text, or that holds a path."""
    if not isinstance(name, str):
        raise InputError(f"the name {brief(repr(name))} is no text")
    if not name.strip() or name[0] == "." or not name.isprintable() or any(c in _NOT_IN_NAMES for c in name):
        raise InputError(
            f"the name {brief(repr(name))} cannot be used: names are parts of file names and figures, so they "
            "are not empty, do not begin with a dot and hold no / \\ : $ or line break"
        )
