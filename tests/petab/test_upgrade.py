"""Version 1 problems, upgraded to version 2 by petab itself, give the same simulations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

from pathsim.petab import load

DATA = Path(__file__).parents[3] / "shared" / "data"
SUITE = sorted((DATA / "petab_test_suite" / "v1.0.0").glob("*/_????.yaml"))
PUBLISHED = [
    DATA / "petab" / name / f"{name}.yaml"
    for name in ("Boehm_JProteomeRes2014", "Brannmark_JBC2010", "Raimundez_PCB2020", "SalazarCavazos_MBoC2020")
]
PROBLEMS = [path for path in (*SUITE, *PUBLISHED) if path.exists()]

pytestmark = pytest.mark.skipif(not PROBLEMS, reason=f"no PEtab problems at {DATA}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", PROBLEMS, ids=lambda path: path.stem.strip("_"))
def test_versions_agree(path: Path, tmp_path: Path) -> None:
    from petab.v2.petab1to2 import petab1to2

    petab1to2(str(path), str(tmp_path))
    before, after = load(path), load(next(iter(tmp_path.glob("*.yaml"))))
    first, second = before.agreement(), after.agreement()
    np.testing.assert_allclose(second["simulation"], first["simulation"], rtol=1e-7, atol=1e-12)
    if (first["scale"] == "lin").all():  # the upgrade loses transformations of observables
        np.testing.assert_allclose(second["log_likelihood"], first["log_likelihood"], rtol=1e-7, atol=1e-9)
    assert set(after.parameter_ids) == set(before.parameter_ids)
