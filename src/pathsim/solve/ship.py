"""Writes the IR of the integration loops and the object code that are part of the package:
``python -m pathsim.solve.ship``.

To be run after every change of a loop; a test says when that was forgotten. Takes about two minutes. After a change of
a step or of the vector functions ``python -m pathsim.solve.ship objects`` is enough, and takes some seconds.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version

from .extrapolation.scheme import EXTRAPOLATION8
from .extrapolation.step import extrapolation_module
from .integrate.loop import run_lanes
from .integrate.recorder import sort_steps
from .integrate.rest_loop import equations_of_rows, load_rows, outputs_of_rows, rates_of_rows
from .llvm import jit, objects, shipped
from .llvm.machine import CPU_VARIABLE, Machine, machine
from .llvm.tables import interpreter_module
from .llvm.vector_maths import maths_module
from .rosenbrock.adjoint_step import adjoint_step_module
from .rosenbrock.forward_step import forward_step_module
from .rosenbrock.step import step_module
from .rosenbrock.tableau import RODAS5P
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


EFFORT = 2
"""Of the code generator for what is shipped: that of loops and of whatever is optimised."""

PROCESSORS = ("x86-64-v3", "x86-64-v4")
"""One for each number of lanes; the IR itself is for any processor."""


def main(only_objects: bool = False) -> None:
    """Write every loop for every number of lanes."""
    for path in objects.FOLDER.glob("*"):
        path.unlink()
    for processor in PROCESSORS:
        environment = {**os.environ, CPU_VARIABLE: processor}
        what = "write_objects()" if only_objects else "write_all(); write_objects()"
        code = f"from pathsim.solve.ship import write_all, write_objects; {what}"
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def write_all() -> None:
    """Compile every loop with numba, for the lanes of this process, and write what comes out."""
    from .llvm.translate import module_of

    for loop in LOOPS:
        text = module_of(loop)
        shipped.write(loop, text, made_with())
        print(f"{shipped.place_of(loop).name}: {len(text)} characters")


def compiled_texts() -> list[tuple[str, bool]]:
    """The IR of all that depends on no model, for the lanes of this process, and whether it is optimised."""
    steps = [step_module(RODAS5P, True), forward_step_module(RODAS5P, True), adjoint_step_module(RODAS5P, True)]
    steps.append(extrapolation_module(EXTRAPOLATION8, True))
    loops = [text for loop in LOOPS if (text := shipped.read(loop)) is not None]
    return [(text, True) for text in (maths_module(True), interpreter_module(True), *steps)] + [
        (text, False) for text in loops
    ]


def write_objects() -> None:
    """Compile all of it, for the processor of this process."""
    level = machine().cpu
    for text, optimise in compiled_texts():
        content = jit.object_of(text, optimise, EFFORT, Machine(level, objects.TUNING[level]))
        objects.write(text, optimise, EFFORT, level, content)
        print(f"{objects.place_of(text, optimise, EFFORT, level).name}: {len(content)} bytes")


if __name__ == "__main__":
    main("objects" in sys.argv[1:])
