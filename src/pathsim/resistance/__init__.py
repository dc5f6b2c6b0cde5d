"""How a line becomes resistant: clones under step-wise rising dose."""

from .escalation import Escalation, Flask, Rules, escalate, washout

__all__ = ["Escalation", "Flask", "Rules", "escalate", "washout"]
