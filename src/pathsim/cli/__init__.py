"""The ``pathsim`` command: one module per verb, no science. See :mod:`pathsim.cli.app` for what all verbs share."""

from .app import main

__all__ = ["main"]
