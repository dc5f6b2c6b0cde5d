"""A sweep of a cell whose answer is known in closed form, with its own model, drugs and lines on disk.

From the steady state 1, a dose d of ``alphanib`` and e of ``betanib`` gives
``1/q + (1 - 1/q) exp(-k_out q t)`` with ``q = (1 + d/50)(1 + e/200)``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pathsim.sweep import Spec, make_spec

MODEL = """
model tiny
  compartment cell = 1;
  k_in = 0.01; k_out = 0.01; serum = 0; drug_on_A = 0; drug_on_B = 0; trap = 0;
  species cells in cell = 1;
  made: => cells; k_in*(1 + trap*cells*cells);
  lost: cells => ; k_out*(1 + drug_on_A)*(1 + drug_on_B)*cells;
  cell_count := cells;
  marker := 5*cells;
end
"""
DRUGS = """
[alphanib]
per_nM.drug_on_A = { value = 0.02, source = "test" }
[betanib]
per_nM.drug_on_B = { value = 0.005, source = "test" }
"""
LINES = """
[line.plain]
[line.quick]
set.k_in = { value = 0.05, source = "test" }
set.k_out = { value = 0.05, source = "test" }
[alteration.halved]
source = "test"
scale.k_in = 0.5
scale.k_out = 0.5
"""


def write_files(folder: Path) -> None:
    (folder / "tiny.ant").write_text(MODEL)
    (folder / "drugs.toml").write_text(DRUGS)
    (folder / "lines.toml").write_text(LINES)


def content(**changes: Any) -> dict[str, Any]:
    """The content of a sweep file that uses the files above."""
    base: dict[str, Any] = {
        "model": "tiny.ant",
        "cell_lines": ["plain", "quick"],
        "treatment": "alphanib {alphanib} + betanib {betanib}",
        "times": "30 120 min",
        "readouts": ["cell_count"],
        "doses": {"alphanib": ["0 nM", "1 nM .. 1 uM x 4"], "betanib": "100 nM 300 nM"},
        "libraries": {"drugs": "drugs.toml", "cell_lines": "lines.toml"},
        "output": {"wells_per_chunk": 3},
    }
    merged = {**base, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def spec(folder: Path, **changes: Any) -> Spec:
    return make_spec(content(**changes), folder)


def expected(d: Any, e: Any, t: Any, k_out: Any = 0.01) -> Any:
    q = (1 + np.asarray(d) / 50) * (1 + np.asarray(e) / 200)
    return 1 / q + (1 - 1 / q) * np.exp(-k_out * q * np.asarray(t))


def toml(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def parts(folder: Path) -> dict[str, bytes]:
    """Every file of a sweep folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
