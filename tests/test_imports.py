"""What a call loads: nothing heavier than it needs, so that first results come soon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STAGES = """
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

HEAVY = {"pandas", "scipy", "matplotlib", "libsbml", "antimony", "numba", "pydantic", "rich", "dask"}
ESTIMATION = {"FreeParameter", "LBFGSB", "blot_problem", "fit", "identifiability_report", "load_fit", "petab",
              "posterior_ensemble", "problem", "profile", "read_blots", "read_free_parameters", "read_screen", "sample",
              "search"}

def check(stage, *unwanted):
    found = sorted(set(unwanted) & set(sys.modules))
    assert not found, f"{stage} loads {found}"

def verb(*words):
    from pathsim.cli import main
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        try:
            main(words)
        except SystemExit as stop:
            assert stop.code == 0, (words, stop.code)

import pathsim as ps
check("import pathsim", "numpy", *HEAVY)
ps.load_model("pi3k_mapk")
check("ps.load_model", "numpy", "llvmlite", *HEAVY)
ps.simulator("pi3k_mapk", [0.0, 1.0], outputs=["pAKT_S473"])()
check("ps.simulator", "typer", "tomllib", *HEAVY)
for name in sorted(set(ps.__all__) - ESTIMATION):
    getattr(ps, name)
    check(f"ps.{name}", "typer", *HEAVY)
verb("list", "readouts")
verb("list", "drugs")
verb("simulate", "pi3k_mapk", "--times", "0 1", "--outputs", "pAKT_S473")
verb("blot", "T47D", "--readouts", "pAKT_S473")
check("pathsim list, simulate and blot", *HEAVY)
ps.simulate("pi3k_mapk", [0.0, 1.0], outputs=["pAKT_S473"])
check("ps.simulate", *HEAVY - {"pandas"})
for name in sorted(ESTIMATION):
    getattr(ps, name)
    check(f"ps.{name}", *HEAVY - {"pandas", "scipy"})
verb("dose-response", "T47D", "alpelisib", "--doses", "100 nM .. 10 uM x 4", "-q")
verb("combine", "T47D", "alpelisib", "trametinib", "--doses", "10 nM .. 1 uM x 3")
check("pathsim dose-response and combine", "scipy.stats", "scipy.optimize", *HEAVY - {"pandas", "scipy"})
"""


def test_each_call_loads_what_it_needs() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", STAGES], capture_output=True, encoding="utf-8", env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
