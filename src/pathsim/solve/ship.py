"""Writes the IR of the integration loops that is part of the package: ``python -m pathsim.solve.ship``.

To be run after every change of a loop; a test says when that was forgotten. Takes about a minute.
"""

from __future__ import annotations

import platform
from importlib.metadata import version

from .integrate.loop import run_lanes
from .integrate.recorder import sort_steps
from .integrate.rest_loop import equations_of_rows, load_rows, outputs_of_rows, rates_of_rows
from .llvm import shipped
from .sensitivities.adjoint_loop import back_lanes, start_back
from .sensitivities.forward_loop import rest_outputs, rest_rates, run_tasks, start_tasks
from .sensitivities.segments import place_samples

LOOPS = (
    run_lanes, sort_steps, load_rows, rates_of_rows, equations_of_rows, outputs_of_rows, place_samples, start_tasks,
    run_tasks, rest_rates, rest_outputs, start_back, back_lanes,
)  # fmt: skip
"""Every function that :func:`pathsim.solve.llvm.loops.compiled` is called with."""


def made_with() -> str:
    """The versions of what IR is made with."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"numba {version('numba')}, llvmlite {version('llvmlite')}, Python {python}"


def main() -> None:
    """Compile every loop with numba and write what comes out."""
    from .llvm.translate import module_of

    for loop in LOOPS:
        text = module_of(loop)
        shipped.write(loop, text, made_with())
        print(f"{shipped.place_of(loop).name}: {len(text)} characters")


if __name__ == "__main__":
    main()
