"""The figure that every ``draw_*`` returns: it shows itself at the end of a cell and saves as journals ask."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

SAVED_DPI = 300
_SHOWN_DPI = 120
_AS_TEXT: Any = {"svg.fonttype": "none", "svg.hashsalt": "pathsim", "pdf.fonttype": 42, "ps.fonttype": 42}
"""Letters stay letters: text in SVG, TrueType (Type 42) fonts in PDF, which editors and journals take."""


class Page(Figure):
    """A matplotlib figure, laid out without overlaps, 300 dpi when saved, with text that stays text in SVG and PDF."""

    def savefig(self, fname: Any, *, transparent: bool | None = None, **options: Any) -> None:
        """As :meth:`matplotlib.figure.Figure.savefig`, at 300 dpi unless ``dpi`` says otherwise."""
        with mpl.rc_context(_AS_TEXT):
            super().savefig(fname, transparent=transparent, **{"dpi": SAVED_DPI, **options})

    def _repr_png_(self) -> bytes:
        """What a notebook shows of the last line of a cell."""
        picture = io.BytesIO()
        super().savefig(picture, format="png", dpi=_SHOWN_DPI)
        return picture.getvalue()
