"""The readable reference of the engine, and scipy's solvers behind the same interface: what tests trust.

In come a system, one row of raw values, times and a solver; out comes one
:class:`~pathsim.solve.reference.integrate.Run`. It shares graph and tableaus with the engine.

- one simulation, its discontinuities, events and samples: ``integrate.py``.
- steps of scipy's LSODA and BDF, and a Rosenbrock step on a dense matrix: ``steps.py``.
- the system as Python functions: ``functions.py``.
"""
