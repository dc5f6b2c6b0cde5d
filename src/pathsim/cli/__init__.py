"""The ``pathsim`` command: one module per verb, no science.

In: words of a command line. Out: tables on stdout (``--json``, ``-o DIR``), notes on stderr, figures where ``--plot``
says, and an exit code.

- another verb: a module named like it with one typed function, and its word in ``VERBS`` of ``app.py``
- the model, drugs, lines and constants that verbs of the lab share as one argument: ``bench.py``
- options that mean the same in every verb, exit codes, how errors become one line, where tables and figures
  go: ``app.py``
"""

from .app import main

__all__ = ["main"]
