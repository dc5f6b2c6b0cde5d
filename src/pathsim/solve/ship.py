"""Writes the IR of the integration loops that is part of the package: ``python -m pathsim.solve.ship``.

To be run after every change of a loop; a test says when that was forgotten. Takes about two minutes.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version

from .integrate.loop import run_lanes
from .integrate.recorder import sort_steps
from .integrate.rest_loop import equations_of_rows, load_rows, outputs_of_rows, rates_of_rows
from .llvm import shipped
from .llvm.machine import CPU_VARIABLE
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


PROCESSORS = ("x86-64-v3", "x86-64-v4")
"""One for each number of lanes; the IR itself is for any processor."""


def main() -> None:
    """Write every loop for every number of lanes."""
    for processor in PROCESSORS:
        environment = {**os.environ, CPU_VARIABLE: processor}
        code = "from pathsim.solve.ship import write_all; write_all()"
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def write_all() -> None:
    """Compile every loop with numba, for the lanes of this process, and write what comes out."""
    from .llvm.translate import module_of

    for loop in LOOPS:
        text = module_of(loop)
        shipped.write(loop, text, made_with())
        print(f"{shipped.place_of(loop).name}: {len(text)} characters")


if __name__ == "__main__":
    main()
