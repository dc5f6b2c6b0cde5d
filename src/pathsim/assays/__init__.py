"""Virtual experiments, named as at the bench: each returns the one table.

In: a model, cell lines, treatment text, doses, times, readouts. Out: a DataFrame in the one schema
(``cell_line, treatment, time_min, readout, value`` and what belongs to the assay).

- another assay: a module of its own beside ``western_blot.py`` and ``dose_response.py``, and a line below
- wells, plates, readouts relative to vehicle or to growth: ``wells.py``; the matrix of a screen: ``combination.py``
- what may be asked of a screen, and how a wrong wish is said: ``screen_input.py``
- what gels and plate readers do to a signal: :mod:`pathsim.stats.noise`; how conditions are run:
  :mod:`pathsim.experiments`
"""
