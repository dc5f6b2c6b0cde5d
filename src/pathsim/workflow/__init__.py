"""From the parental line to the resistant one and its rescue, with a report."""

from .investigate import Investigation, investigate

__all__ = ["Investigation", "investigate"]
