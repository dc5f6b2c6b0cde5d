"""A small PEtab problem in both versions, whose tables tests change."""

from __future__ import annotations

from pathlib import Path

V1 = {
    "parameters": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
    "k\tlog10\t1e-3\t10\t0.2\t1\ns\tlin\t0\t10\t2\t1\n",
    "conditions": "conditionId\tA\nc1\t5\nc2\t6\n",
    "observables": "observableId\tobservableFormula\tnoiseFormula\no\tA\tnoiseParameter1_o\n",
    "measurements": "observableId\tsimulationConditionId\ttime\tmeasurement\tnoiseParameters\n"
    "o\tc1\t1\t8\ts\no\tc2\t2\t7\ts\n",
}
V2 = {
    "parameters": "parameterId\tlowerBound\tupperBound\tnominalValue\testimate\nk\t1e-3\t10\t0.2\ttrue\n"
    "s\t0\t10\t2\ttrue\n",
    "conditions": "conditionId\ttargetId\ttargetValue\nc1\tA\t5\nc2\tA\t6\n",
    "experiments": "experimentId\ttime\tconditionId\ne1\t0\tc1\ne2\t0\tc2\n",
    "observables": "observableId\tobservableFormula\tnoiseFormula\tnoisePlaceholders\no\tA\tn1\tn1\n",
    "measurements": "observableId\texperimentId\ttime\tmeasurement\tnoiseParameters\no\te1\t1\t8\ts\no\te2\t2\t7\ts\n",
}
YAML_1 = """format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.xml]
  condition_files: [conditions.tsv]
  observable_files: [observables.tsv]
  measurement_files: [measurements.tsv]
"""
YAML_2 = """format_version: 2.0.0
parameter_files: [parameters.tsv]
model_files: {m: {location: model.xml, language: sbml}}
condition_files: [conditions.tsv]
experiment_files: [experiments.tsv]
observable_files: [observables.tsv]
measurement_files: [measurements.tsv]
"""


def write(folder: Path, version: int, *changes: tuple[str, str, str]) -> Path:
    """A problem whose tables have ``(table, old, new)`` replaced, once each."""
    tables = dict(V1 if version == 1 else V2)
    for table, old, new in changes:
        assert old in tables[table]
        tables[table] = tables[table].replace(old, new, 1)
    for name, text in tables.items():
        (folder / f"{name}.tsv").write_text(text)
    import antimony

    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString("model m\n A = 1; A' = -k*A; k = 1;\nend\n") >= 0
    (folder / "model.xml").write_text(antimony.getSBMLString("m"))
    path = folder / "problem.yaml"
    path.write_text(YAML_1 if version == 1 else YAML_2)
    return path
