"""Packages that take their public names from their stub: ``__init__.pyi`` imports each, and nothing else lists them.

Type checkers and editors read that file; ``__all__``, ``dir()`` and the import of a name when it is first used come
from it too, which keeps ``import pathsim`` and ``pathsim --help`` quick. To add a name, add its import there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any


def from_stub(package: str, file: str) -> tuple[list[str], Callable[[str], Any]]:
    """``__all__`` and ``__getattr__`` of a package, whose ``__init__.py`` is ``file``."""
    tree = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [statement for statement in tree.body if isinstance(statement, ast.ImportFrom)]
    table = {name.name: f".{statement.module or ''}" for statement in imports for name in statement.names}

    def get(name: str) -> Any:
        """A public name, imported when it is first used."""
        if name not in table:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        place = table[name]
        if place != ".":
            module = import_module(place, package)
            if hasattr(module, name):
                return getattr(module, name)
        return import_module(f"{place.rstrip('.')}.{name}", package)  # a whole module: ps.sweep, ps.synergy

    return sorted(table), get


def listing(names: Iterable[str]) -> Callable[[], list[str]]:
    """``__dir__`` of a module whose public names these are: what is offered when one presses Tab behind its name."""
    shown = sorted(names)
    return lambda: list(shown)
