"""How results show themselves: a few lines of text at a prompt, a heading and a table in a notebook.

A class says once what is to be seen of it (a method ``_shown`` that returns :class:`Shown`) and takes both forms from
here: ``__repr__ = shown.as_text`` and ``_repr_html_ = shown.as_html``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS, MOST_WIDTH, MOST_LINES = 20, 120, 36


@dataclass(frozen=True)
class Shown:
    """What is to be seen: a heading, rows of a table (or a table), and sentences below."""

    heading: str
    rows: pd.DataFrame | Iterable[Mapping[str, object]] = ()
    notes: Iterable[str] = ()


def shortened(text: str, most: int) -> str:
    """A text cut to ``most`` letters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


class _Showing(Protocol):
    def _shown(self) -> Shown: ...


def as_text(result: _Showing) -> str:
    """Heading, table and notes as lines of text, never more than forty."""
    shown = result._shown()
    lines = shown.heading.splitlines()
    table = _frame(shown.rows)
    if len(table):
        lines += table.to_string(
            index=False, max_rows=MOST_ROWS, line_width=MOST_WIDTH, float_format=lambda value: f"{value:.4g}", na_rep=""
        ).splitlines()
    lines += [f"note: {note}" for note in shown.notes]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"... and {len(lines) - MOST_LINES + 1} more lines"]
    return "\n".join(lines)


def as_html(result: _Showing) -> str:
    """Heading, table and notes for a notebook."""
    from html import escape  # with the tables of entities, which no command line needs

    shown = result._shown()
    first, *more = shown.heading.splitlines() or [""]
    parts = [f"<p><strong>{escape(first)}</strong>{''.join(f'<br>{escape(line)}' for line in more)}</p>"]
    table = _frame(shown.rows)
    if len(table):
        parts.append(
            table.to_html(
                index=False, max_rows=MOST_ROWS, border=0, float_format=lambda value: f"{value:.4g}", na_rep=""
            )
        )
    notes = list(shown.notes)
    parts += [f"<p><small>{escape(note)}</small></p>" for note in notes[:MOST_ROWS]]
    return "\n".join(parts)


def _frame(rows: pd.DataFrame | Iterable[Mapping[str, object]]) -> pd.DataFrame:
    import pandas as pd

    return rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
