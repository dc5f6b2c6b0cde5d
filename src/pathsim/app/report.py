"""One self-contained HTML page of what stands on the page of ``pathsim app``: pictures, notes, tables, commands."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..stamp import stamp_of
from .commands import shell_text
from .outcome import Outcome, as_picture

if TYPE_CHECKING:
    from ..model import Model


@dataclass(frozen=True, slots=True)
class Part:
    """A view: what it shows, the words that give it, and the same in Python."""

    title: str
    words: Sequence[str]
    python: str
    outcome: Outcome


_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; border-bottom: 1px solid #ccc; }
  img { max-width: 100%; height: auto; } pre { background: #f6f6f2; padding: .6rem .8rem; font-size: .82rem;
  white-space: pre-wrap; overflow-wrap: anywhere; } footer { color: #555; margin-top: 2rem; }
</style></head><body>
<h1>{{ title }}</h1>
{% for part in parts %}<section><h2>{{ part.title }}</h2>
{% if part.picture %}<img alt="{{ part.title }}" src="data:image/svg+xml;base64,{{ part.picture }}">{% endif %}
{% if part.notes %}<pre>{{ part.notes }}</pre>{% endif %}
<p>{% for name, data in part.tables %}
<a download="{{ name }}.csv" href="data:text/csv;base64,{{ data }}">{{ name }}.csv</a>
{% endfor %}</p>
<details><summary>Command and Python</summary><pre>{{ part.command }}</pre><pre>{{ part.python }}</pre></details>
</section>{% endfor %}
<footer><small>Simulated throughout. {{ stamp }}</small></footer>
</body></html>
"""


def write_report(
    title: str, parts: Sequence[Part], files: Sequence[tuple[str, str]] = (), model: Model | None = None
) -> str:
    """The page as text; ``files``: names and texts of files that the commands read, as compounds of one's own."""
    from jinja2 import Environment

    shown = [
        {
            "title": part.title,
            "command": shell_text(part.words),
            "python": part.python,
            "notes": "\n".join(part.outcome.notes),
            "picture": _coded(as_picture(part.outcome.figures[0])) if part.outcome.figures else "",
            "tables": [(name, _coded(part.outcome.csv(name).encode())) for name in part.outcome.tables],
        }
        for part in parts
    ]
    shown += [
        {"title": name, "command": "", "python": text, "notes": "", "picture": "", "tables": []} for name, text in files
    ]
    stamp = stamp_of(model, ("pathsim", "app")).sentence()
    return Environment(autoescape=True).from_string(_TEMPLATE).render(title=title, parts=shown, stamp=stamp)


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()
