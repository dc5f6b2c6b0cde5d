"""What a user reads when a problem cannot be opened: one message, naming file, row and what would be right."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

from pathsim import InputError
from pathsim.petab import load

TABLES = {
    "parameters": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
    "k\tlog10\t0.01\t10\t0.5\t1\nscale\tlin\t0\t10\t2\t0",
    "conditions": "conditionId\tA\nc\t4",
    "observables": "observableId\tobservableFormula\tnoiseFormula\nobs\tobservableParameter1_obs*A\t0.5",
    "measurements": "observableId\tsimulationConditionId\ttime\tmeasurement\tobservableParameters\nobs\tc\t1\t2\tscale",
}
YAML = """format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.ant]
  condition_files: [conditions.tsv]
  observable_files: [observables.tsv]
  measurement_files: [measurements.tsv]
"""


def write(folder: Path, **changed: str) -> Path:
    (folder / "model.ant").write_text("model m\n A = 1; A' = -k*A; k = 1;\nend\n")
    for name, text in {**TABLES, **changed}.items():
        (folder / f"{name}.tsv").write_text(text + "\n")
    (folder / "problem.yaml").write_text(YAML)
    return folder / "problem.yaml"


def test_antimony_models_are_welcome(tmp_path: Path) -> None:
    assert load(write(tmp_path)).simulate()["simulation"][0] == pytest.approx(8 * 0.60653066, rel=1e-6)


def test_problems_travel_to_other_processes(tmp_path: Path) -> None:
    problem = load(write(tmp_path))
    before = problem.log_likelihood()
    assert pickle.loads(pickle.dumps(problem)).log_likelihood() == before


def test_without_the_package_petab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathsim.petab.loading.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install petab pyyaml"):
        load(write(tmp_path))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"measurements": TABLES["measurements"].replace("\tc\t", "\tcc\t")},
            "measurements.tsv, row 1 (observable 'obs'): unknown condition 'cc'",
        ),
        ({"measurements": TABLES["measurements"].replace("\tscale", "\t")}, "takes 1 observableParameters, not 0"),
        ({"measurements": TABLES["measurements"].replace("obs\tc", "osb\tc")}, "did you mean obs"),
        ({"measurements": TABLES["measurements"].replace("\tscale", "\tsacle")}, "sacle"),
        (
            {"parameters": TABLES["parameters"].replace("log10", "log5")},
            "parameterScale is 'log5'; it must be lin, log or log10",
        ),
        ({"conditions": "conditionId\tA\nc\tk2"}, "A: unknown parameter 'k2': did you mean k?"),
        (
            {"observables": TABLES["observables"].replace("*A", "*(A")},
            "(observable 'obs'): observableFormula: the formula",
        ),
        (
            {"observables": TABLES["observables"].replace("noiseFormula", "noise")},
            "observables.tsv: there is no column 'noiseFormula'",
        ),
    ],
)
def test_mistakes_in_tables(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, **changed))
    assert message in str(caught.value)


def test_files_that_are_missing(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "observables.tsv").unlink()
    with pytest.raises(InputError, match=r"observables\.tsv: no such file"):
        load(path)
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "nothing.yaml")


def test_versions_that_do_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(YAML.replace("format_version: 1", "format_version: 7"))
    with pytest.raises(InputError, match=r"problem\.yaml"):
        load(path)
