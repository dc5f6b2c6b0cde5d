"""From the parental line to the resistant one and its rescue, with a report.

In: a model, a line, a drug, a seed. Out: an :class:`Investigation`: tables, a resistant line, figures, one HTML page.

- the steps and their order, what is kept of each, resuming: ``investigate.py``
- the page: ``report.py`` and ``report_template.html``; how each number is obtained, in words: ``methods.py``
- the same studies over parameter sets: ``study_intervals.py``; figures: :mod:`pathsim.plot.investigation`
"""

from .investigate import Investigation, investigate

__all__ = ["Investigation", "investigate"]
