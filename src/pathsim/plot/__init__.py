"""Figures: one function per figure, which draws on ``ax`` or on a new page, and returns the whole figure.

``__init__.pyi`` is the one table of them. A figure's module is imported when it is first used: matplotlib is slow to
load. To add a figure, write a function in the module of its subject and import it in that file; what figures have in
common (frames, colours, captions) is in ``style.py``, the page with its sizes in ``page.py``.
"""

from __future__ import annotations

from .. import names

__all__, __getattr__ = names.from_stub(__name__, __file__)
__dir__ = names.listing(__all__)
