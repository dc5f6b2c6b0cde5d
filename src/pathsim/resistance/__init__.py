"""How a line becomes resistant: clones under step-wise rising dose.

In: a model, a cell line, a drug, rules of passage, a seed. Out: an :class:`Escalation`: the history of the flask, the
clones in it, and the resistant line as a cell line that every assay takes.

- the staircase, when it stops, what the winner is called, drug holidays: ``escalation.py``
- growth, births and deaths of clones: ``clone_population.py``; which clones there are: :mod:`pathsim.lab.clones`
"""

from .escalation import Escalation, Flask, Rules, Shift, escalate, washout

__all__ = ["Escalation", "Flask", "Rules", "Shift", "escalate", "washout"]
