"""Figures: one function per figure, takes ``ax=None`` or draws its own, and returns what it drew on.

``__init__.pyi`` is the one table of them. A figure's module is imported when it is first used: matplotlib is slow to
load. To add a figure, write a function in the module of its subject and import it in that file; what figures have in
common (sizes, colours) is in ``style.py``.
"""

from __future__ import annotations

from .. import names

__all__, __getattr__ = names.from_stub(__name__, __file__)
