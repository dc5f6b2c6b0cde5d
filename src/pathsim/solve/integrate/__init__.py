"""The integration loop: simulations side by side in lanes, each with its own time, step and fate.

In come a system, rows of raw values, times and outputs; out come values at the times, how each row ended, last states
(``batch.run_rows``, ``batch.settle_rows``; ``single.Single`` for one row again and again).

- what a row may be asked for, solvers behind one door: ``batch.py``. Threads, compiled code, addresses: ``engine.py``.
- rows of a system by what a reduction leaves of it: ``reduced_rows.py``.
- the memory compiled code works in, and how it is lent: ``workspace.py``.
- what happens between two steps: ``loop.py``; before the first: ``start.py``; at sample times: ``samples.py``.
- what is written down to be differentiated: ``recorder.py``.
- where equations switch: ``discontinuities.py``, found by ``root_functions.py``; SBML events: ``events.py``,
  those that follow from time alone: ``moments.py``.
- the last digits of a steady state: ``steady_state.py``, its loops over rows: ``rest_loop.py``.
"""
