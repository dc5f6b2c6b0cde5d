"""Extrapolation for one simulation at a time: the lanes of a register take its columns side by side.

In comes a :class:`~pathsim.solve.extrapolation.scheme.Scheme`; out comes LLVM IR that depends on no model, behind the
same table and functions as a Rosenbrock step, so that the integration loop does not know the difference. All lanes hold
the same simulation.

- ``scheme``: step numbers become weights and a schedule, without rounding. For other columns, change this.
- ``step``: an attempt, and the dense output.
"""
