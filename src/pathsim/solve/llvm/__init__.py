"""Everything that writes, compiles or loads machine code.

In come the expression graph of a system and typed Python loops; out come addresses of functions that serve all lanes
at once, and loops called with the interpreter lock released. ``README.md`` tells how, and the rules for a loop.

- what a model's functions look like: ``codegen.py``; their derivatives: ``forward_code.py``, ``adjoint_code.py``.
- how IR is written: ``vector_ir.py`` (straight lines), ``loop_ir.py`` (loops), ``vector_maths.py`` (exp, log, pow).
- where the numbers of the lanes lie: ``layout.py``.
- loops: ``translate.py`` (by numba), ``shipped.py`` (as part of the package), ``loops.py`` and ``calls.py`` (called).
- the processor, and the cache of compiled code: ``jit.py``.
"""
