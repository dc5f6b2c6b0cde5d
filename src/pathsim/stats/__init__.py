"""Statistics of measured or simulated tables: Hill curves, growth rates, drug combinations, survival.

Pure functions on arrays and on tables with the columns they name; they do not care whether a bench or a model filled
the values.

- one dose response: ``hill.py`` on ``logistic.py`` (least squares), ``profile.py`` (intervals), ``curve.py`` (the
  answer); growth rate inhibition: ``growth_rate.py``; which drug at which dose a row is: ``doses.py``
- another score of combinations: :mod:`pathsim.stats.synergy`
- another noise family, what gels and plates do to a signal: ``noise.py``; times to events: ``survival.py``
"""
