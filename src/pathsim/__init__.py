"""A virtual wet lab for PI3K-pathway drug resistance; ``__init__.pyi`` is the one table of its public names."""

from __future__ import annotations

from . import names, namesake

__version__ = "0.1.0"

_names, __getattr__ = names.from_stub(__name__, __file__)
__all__ = sorted([*_names, "__version__"])

__dir__ = names.listing(__all__)

namesake.tell()
