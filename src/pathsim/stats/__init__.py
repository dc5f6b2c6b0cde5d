"""Statistics of measured or simulated tables: Hill curves, growth rates, drug combinations, survival.

Pure functions on arrays and on tables with the columns they name; they do not care whether a bench or a model filled
the values.
"""
