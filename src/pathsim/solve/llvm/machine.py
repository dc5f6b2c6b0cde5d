"""The processor that code is made for, and how many simulations it serves side by side."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

import llvmlite.binding as llvm

CPU_VARIABLE = "PATHSIM_CPU"
"""Environment variable that forces a target processor (such as ``x86-64`` or ``x86-64-v3``) instead of this one's."""

_AVX512 = ("x86-64-v4", "skylake-avx512", "cascadelake", "icelake-server", "sapphirerapids", "znver4", "znver5")
"""Processors that may be forced and have registers of eight doubles."""


_LEVEL_3 = frozenset(("+avx2", "+bmi", "+bmi2", "+f16c", "+fma", "+lzcnt", "+movbe", "+popcnt", "+sse4.2"))
_LEVEL_4 = frozenset(("+avx512f", "+avx512bw", "+avx512cd", "+avx512dq", "+avx512vl")) | _LEVEL_3
"""Features of the levels x86-64-v3 and x86-64-v4, as far as compiled code uses them."""


@dataclass(frozen=True)
class Machine:
    """The processor code is made for, of this system or of the one that ``triple`` names as LLVM does."""

    cpu: str
    features: str
    triple: str = ""

    @property
    def fused(self) -> bool:
        """Whether it has fused multiply-add (all but the oldest do)."""
        if self.features:
            return "+fma" in self.features.split(",") or "+neon" in self.features.split(",")
        return self.cpu not in ("x86-64", "x86-64-v2")

    @property
    def lanes(self) -> int:
        """Simulations side by side: 8 where a register holds so many numbers (AVX-512), else 4.

        Measured on AVX2 (Zen 3, ten published models, geometric means): 4 lanes take 1.9 times less than 8 for one
        simulation at a time, and 1.14 times less in sweeps. On NEON 4 take two of its registers of two: code for it is
        emitted and assembled (``tests/solve/llvm/test_machines.py``) but has been measured on no such machine.
        """
        wide = "+avx512f" in self.features.split(",") if self.features else self.cpu in _AVX512
        return 8 if wide else 4

    @property
    def level(self) -> str:
        """The level of x86-64 whose code it runs and whose number of lanes it has; else the processor itself."""
        features = frozenset(self.features.split(","))
        if features >= _LEVEL_4 and self.lanes == 8:
            return "x86-64-v4"
        return "x86-64-v3" if features >= _LEVEL_3 and self.lanes == 4 else self.cpu


@functools.cache
def machine() -> Machine:
    """The processor of this process, or the one :data:`CPU_VARIABLE` names."""
    forced = os.environ.get(CPU_VARIABLE)
    if forced:
        return Machine(forced, "")
    features = llvm.get_host_cpu_features().flatten()
    arm = llvm.get_default_triple().startswith(("aarch64", "arm64"))
    return Machine(llvm.get_host_cpu_name(), f"{features},{'+neon' if arm else '-prefer-256-bit'}" if features else "")
