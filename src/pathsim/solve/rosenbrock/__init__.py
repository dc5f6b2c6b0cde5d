"""Rosenbrock methods: tableaus, and everything that follows from one, as code with loops over the states.

In comes a :class:`~pathsim.solve.rosenbrock.tableau.Tableau`; out comes LLVM IR that depends on no model: it calls the
model's functions by address and is compiled once per machine and method.

- another method: a tableau in ``tableau.py``, nothing else; its orders are tested from its coefficients.
- the step, its error, step-size control and dense output: ``step.py``.
- the factorisation of large models: ``factorisation.py``.
- how recorded steps lie in memory: ``records.py``.
- the step differentiated: along directions ``forward_step.py``, backwards ``adjoint_step.py``.
"""
