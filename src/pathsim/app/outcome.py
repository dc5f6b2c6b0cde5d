"""What a command made, kept instead of printed: tables, figures and notes, and the files a figure is saved as."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..rows import rows_as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..model import Model

_DRAWING = threading.Lock()
"""matplotlib keeps its settings and fonts for all threads together."""


@dataclass
class Outcome:
    """``tables`` by name, the main one first; ``notes``: what the command says, the reason last where it ``failed``.

    ``tell`` hears every note as it is said.
    """

    tell: Callable[[str], None] = lambda said: None
    tables: dict[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: Model | None = None
    failed: bool = False

    def note(self, said: str) -> None:
        """Keep a note, and tell it."""
        self.notes.append(said)
        self.tell(said)

    def csv(self, name: str) -> str:
        """A table as the command writes it."""
        table = self.tables[name]
        return rows_as_csv(table) if isinstance(table, list) else str(table.to_csv(index=False))


def as_file(figure: Figure, ending: str, metadata: dict[str, Any]) -> bytes:
    """The figure as a file of that ending: ``svg``, ``pdf`` or ``png``."""
    written = io.BytesIO()
    with _DRAWING:
        figure.savefig(written, format=ending, metadata=metadata)
    return written.getvalue()


def as_picture(figure: Figure) -> bytes:
    """The figure as an SVG for screens, whose letters are outlines and look alike in every browser."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Plain

    written = io.BytesIO()
    with _DRAWING, mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "pathsim"}):
        Plain.savefig(figure, written, format="svg", metadata={"Date": None})
    return written.getvalue()
