"""Exact derivatives of what the integration loop computed: its steps are recorded, then differentiated as they were.

In come rows as for ``run_rows`` and directions (forward) or derivatives of one number by all results (adjoint); out
come derivatives by raw values and start states.

- the recording and its memory: ``recording.py``; in threads, with the adjoint: ``recording_parts.py``.
- segments between jumps, and the steps samples lie in: ``segments.py``.
- steady states, differentiated by their equations, both ways: ``at_rest.py``.
- forward sensitivities: ``forward.py``, what is compiled for them and their directions ``forward_machine.py``, their
  loop over recorded steps ``forward_loop.py``.
- the adjoint: ``adjoint.py``, ``adjoint_loop.py``.
- both across switches: all rows at once in systems without events (``switches.py``), row by row through events
  (``forward_jumps.py``).
"""
