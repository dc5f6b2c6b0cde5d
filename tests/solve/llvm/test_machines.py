"""The same numbers from narrow and wide vector units: code for other processors, forced in a process of its own."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_models import BUSY, system

from pathsim.solve.extrapolation.scheme import EXTRAPOLATION8
from pathsim.solve.extrapolation.step import extrapolation_module
from pathsim.solve.integrate.loop import run_lanes
from pathsim.solve.llvm import jit, shipped
from pathsim.solve.llvm.codegen import Program, model_module
from pathsim.solve.llvm.machine import Machine
from pathsim.solve.llvm.vector_maths import maths_module
from pathsim.solve.rosenbrock.step import step_module
from pathsim.solve.rosenbrock.tableau import RODAS5P

PROGRAM = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from small_models import BUSY, batch, draws, system
from pathsim.solve.llvm.machine import machine
equations = system(BUSY)
values = batch(equations, draws(equations, ["k", "D", "x", "y"], 40))
print(machine().cpu, machine().fused)
np.save(sys.argv[2], values)
"""
BASELINE = {"x86_64": "x86-64", "amd64": "x86-64", "arm64": "generic", "aarch64": "generic"}


def values_on(cpu: str, folder: Path) -> tuple[np.ndarray, str]:
    """What a processor (empty: this one) computes, and what it says it is."""
    environment = {**os.environ, "PATHSIM_CPU": cpu, "PYTHONPATH": os.pathsep.join(sys.path)}
    target = folder / "values.npy"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[1]), str(target)],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(target), done.stdout


@pytest.mark.skipif(platform.machine().lower() not in BASELINE, reason="no baseline processor is known here")
def test_the_narrowest_processor_gives_the_same_results(tmp_path: Path) -> None:
    here, _ = values_on("", tmp_path)
    narrow, said = values_on(BASELINE[platform.machine().lower()], tmp_path)
    assert said.split()[0] == BASELINE[platform.machine().lower()]
    assert not narrow[:, -2].any()
    assert np.max(np.abs(here[:, :-1] - narrow[:, :-1]) / (1 + np.abs(here[:, :-1]))) < 1e-5


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="not an x86-64 machine")
def test_avx2_and_this_processor_agree_to_the_last_bit(tmp_path: Path) -> None:
    """Both have fused multiply-add, so width must make no difference."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    if " avx2" not in flags or " fma" not in flags:
        pytest.skip("this processor has no AVX2")
    here, _ = values_on("", tmp_path)
    avx2, said = values_on("x86-64-v3", tmp_path)
    assert said.split() == ["x86-64-v3", "True"]
    assert np.array_equal(here, avx2)


NEON = Machine("neoverse-n1", "+neon", "aarch64-unknown-linux-gnu")
AARCH64 = 183
"""The processor in the header of an ELF file."""
LIBRARY = {"memset", "memcpy", "memmove", "nextafter", "fmod", "pow", "exp", "log"}
"""What the C library of any system has."""


def test_code_for_neon_is_emitted_and_assembled() -> None:
    """Not run: of the largest loop, a step, the vector functions and one model, object code for an ARM processor. Its
    arithmetic is fused, in registers of two numbers, and it calls nothing that is not there."""
    assert NEON.fused
    assert NEON.lanes == 4
    loop = shipped.read(run_lanes)
    assert loop is not None
    steps = (extrapolation_module(EXTRAPOLATION8, NEON.fused), step_module(RODAS5P, NEON.fused))
    texts = [(loop, False), *((text, True) for text in (*steps, maths_module(NEON.fused)))]
    texts.append((model_module(Program(system(BUSY)), NEON.fused), False))
    for text, optimise in texts:
        names, _, content = jit.object_of(text, optimise, 0, NEON).partition(b"\n")
        assert content[:4] == b"\x7fELF"
        assert int.from_bytes(content[18:20], "little") == AARCH64
        assert names
    assembly = "".join(jit.assembly_of(text, optimise, 0, NEON) for text, optimise in texts)
    assert re.search(r"fmla\s+v\d+\.2d", assembly)
    called, defined = (set(re.findall(form, assembly, re.M)) for form in (r"\sbl\s+(\S+)", r"^(\w\S*):"))
    assert called - defined <= LIBRARY
