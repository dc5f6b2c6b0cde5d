"""A virtual wet lab for PI3K-pathway drug resistance.

The public names are those that ``__init__.pyi`` imports, and that file is the only table of them: type checkers and
editors read it, and so do ``__all__``, ``dir()`` and the import of a name when it is first used, which keeps
``import pathsim`` and ``pathsim --help`` quick. To add a name, add its import there.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def _read_table() -> dict[str, str]:
    """Public names, each with the module that ``__init__.pyi`` imports it from."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [statement for statement in tree.body if isinstance(statement, ast.ImportFrom)]
    return {name.name: f".{statement.module or ''}" for statement in imports for name in statement.names}


_TABLE = _read_table()
__all__ = sorted([*_TABLE, "__version__"])


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used."""
    if name not in _TABLE:
        raise AttributeError(f"module 'pathsim' has no attribute '{name}'")
    place = _TABLE[name]
    if place != ".":
        module = import_module(place, __name__)
        if hasattr(module, name):
            return getattr(module, name)
    return import_module(f"{place.rstrip('.')}.{name}", __name__)  # a whole module: ps.sweep, ps.synergy


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
