"""The ``pathsim`` command: one module per verb, no science.

In: words of a command line. Out: tables on stdout (``--json``, ``-o DIR``), notes on stderr, figures where ``--plot``
says, and an exit code.

- another verb: a module named like it with one typed function, and its word in ``VERBS`` of ``app.py``
- the model, drugs, lines and constants that verbs of the lab share as one argument: ``bench.py``
- options that mean the same in every verb, exit codes, how errors become one line, where tables and figures
  go: ``app.py``
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]

NEW_OBJECTS = 100_000
"""As many come before the next look for garbage: what is imported is none."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    gc.set_threshold(NEW_OBJECTS, 50, 50)
    from .app import main as run

    run(arguments)
