"""The equations of a model as one expression graph, ready to be compiled or read.

In comes a model; out comes a :class:`~pathsim.solve.equations.system.System`: nodes of rates, start values, outputs,
root functions and events, with names and defaults.

- another SBML function or operator: ``lowering.py`` (into nodes) and, if it is new to the graph, ``graph.py``.
- how a model becomes a system: ``building.py``; what a system is: ``system.py``.
- derivatives along directions and their transposes: ``differentiate.py``.
- the order of elimination and its fill-in: ``elimination.py``.
- what is left of a system where most numbers are the same in all rows: ``reduction.py``.
- nodes as plain Python or numpy functions: ``evaluate.py``, ``vectors.py``.
"""
