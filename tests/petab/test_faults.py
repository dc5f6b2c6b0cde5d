"""Faults in PEtab tables: each is refused with one line that names the table, the row or id, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

from small_problems import write

from pathsim import InputError
from pathsim.petab import load


@pytest.mark.parametrize("version", [1, 2])
def test_the_unchanged_problem_is_accepted(tmp_path: Path, version: int) -> None:
    assert load(write(tmp_path, version)).parameter_ids == ("k", "s")


BOTH = [
    (("measurements", "\t8\t", "\t<0.1\t"), "measurements.tsv, row 1 (observable 'o'): measurement is '<0.1'"),
    (
        ("measurements", "\t7\t", "\t0,4\t"),
        "row 2 (observable 'o'): measurement is '0,4', where a number belongs",
    ),
    (("measurements", "\t1\t8", "\t24h\t8"), "row 1 (observable 'o'): time is '24h'"),
    (("measurements", "\t1\t8", "\t\t8"), "row 1 (observable 'o'): time is empty"),
    (("measurements", "\t1\t8", "\t1\tinf"), "measurement is 'inf', which is not finite"),
    (("measurements", "8\ts", "8\tzz"), "measurements.tsv, row 1 (observable 'o'): unknown parameter 'zz'"),
    (
        ("measurements", "8\ts", "8\t0,4"),
        "noiseParameters is '0,4', but '0,4' is neither a number nor the id of a parameter (is 0.4 meant?",
    ),
    (("parameters", "\t0.2\t", "\t0,2\t"), "parameters.tsv, row 1 (parameter 'k'): nominalValue is '0,2'"),
    (("parameters", "1e-3\t10", "10\t1e-3"), "(parameter 'k'): lowerBound 10 must lie below upperBound 0.001"),
    (("parameters", "s\t", "k\t"), "parameters.tsv, row 2 (parameter 'k'): parameter given twice: parameterId 'k'"),
    (
        ("observables", "\no\t", "\no\tA\t1\no\t"),
        "observables.tsv, row 2 (observable 'o'): observable given twice: observableId 'o'",
    ),
    (("conditions", "c2\t", "c1\t"), "conditions.tsv, row 2 (condition 'c1'): condition given twice: conditionId 'c1'"),
    (("parameters", "s\t", "o\t"), "'o' names both an observable and a parameter"),
    (("observables", "\tA\t", "\t\t"), "observables.tsv, row 1 (observable 'o'): observableFormula is empty"),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("change", "message"), BOTH)
def test_faults_of_both_versions(tmp_path: Path, version: int, change: tuple[str, str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, version, change))
    assert message in str(caught.value)


PRIORS_1 = ("parameters", "estimate\n", "estimate\tobjectivePriorType\tobjectivePriorParameters\n")
PRIORS_2 = ("parameters", "estimate\n", "estimate\tpriorDistribution\tpriorParameters\n")


@pytest.mark.parametrize(
    ("version", "changes", "message"),
    [
        (1, [("parameters", "\t1\n", "\t\n")], "row 1 (parameter 'k'): estimate is empty"),
        (1, [("parameters", "\t1\n", "\t2\n")], "estimate is '2'; it must be 0 or 1"),
        (2, [("parameters", "\ttrue\n", "\t\n")], "row 1 (parameter 'k'): estimate is empty"),
        (2, [("parameters", "\ttrue\n", "\tyes\n")], "estimate is 'yes'; it must be true or false"),
        (1, [("parameters", "0.2", "-0.2")], "nominalValue is -0.2; on the scale log10 it must be positive"),
        (1, [("parameters", "1e-3", "0")], "lowerBound is 0; on the scale log10 it must be positive"),
        (1, [("parameters", "s\tlin", "zz\tlin\t0\t1\t0.5\t1\ns\tlin")], "(parameter 'zz'): neither the model"),
        (2, [("parameters", "\ns\t", "\nzz\t0\t1\t0.5\ttrue\ns\t")], "(parameter 'zz'): neither the model"),
        (1, [("conditions", "\tA", "\tkk")], "column 'kk' is neither in the model nor in an observable"),
        (2, [("conditions", "\tA", "\tkk")], "targetId 'kk' is neither in the model nor in an observable"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\tnormal\t0.3;0\n")], "standard deviation of the prior 'normal'"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\tnormal\t0.1,0.2\n")], "objectivePriorParameters is '0.1,0.2'"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\tnormal\ta;b\n")], "objectivePriorParameters is 'a;b'"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\tnormal\t\n")], "'normal' needs its objectivePriorParameters"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\t\t1;2\n")], "but no objectivePriorType"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\tuniform\t2;1\n")], "to rise: lower end first"),
        (1, [PRIORS_1, ("parameters", "\t1\n", "\t1\tuniform\t20;30\n")], "has nothing between the bounds"),
        (2, [PRIORS_2, ("parameters", "true\n", "true\tnormal\t0.3;-1\n")], "standard deviation of the prior 'normal'"),
        (2, [PRIORS_2, ("parameters", "true\n", "true\tuniform\t20;30\n")], "has nothing between the bounds"),
        (2, [PRIORS_2, ("parameters", "true\n", "true\tgamma\t0;1\n")], "scale or shape of the prior 'gamma'"),
        (2, [("observables", "observableFormula", "zzz")], "observables.tsv: there is no column 'observableFormula'"),
        (2, [("experiments", "e2\t0\tc2", "e1\t0\tc1")], "experiment given twice: experimentId 'e1'"),
    ],
)  # fmt: skip
def test_faults_of_one_version(tmp_path: Path, version: int, changes: list[tuple[str, str, str]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, version, *changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("version", [1, 2])
def test_an_observable_named_like_a_state_that_its_noise_means(tmp_path: Path, version: int) -> None:
    changes = [("observables", "\no\tA\t", "\nA\t2*A\tA*"), *[("measurements", "\no\t", "\nA\t")] * 2]
    if version == 1:
        changes[0] = ("observables", "\no\tA\tnoiseParameter1_o", "\nA\t2*A\tA*noiseParameter1_A")
    with pytest.raises(InputError, match="'A' names both an observable and a symbol of the model"):
        load(write(tmp_path, version, *changes))


@pytest.mark.parametrize("version", [1, 2])
def test_all_cells_are_told_at_once(tmp_path: Path, version: int) -> None:
    changes = [("measurements", "\t8\t", "\t<8\t"), ("measurements", "\t2\t", "\t2 h\t"), ("parameters", "0.2", "x")]
    with pytest.raises(InputError, match=r"3 problems") as caught:
        load(write(tmp_path, version, *changes))
    assert all(text in str(caught.value) for text in ("'<8'", "'2 h'", "'x'"))


@pytest.mark.parametrize("version", [1, 2])
def test_faults_of_all_tables_are_told_at_once(tmp_path: Path, version: int) -> None:
    """Cells, names, bounds, priors and a model that cannot be read: nothing stops at the first."""
    prior = (
        ("objectivePriorType", "objectivePriorParameters") if version == 1 else ("priorDistribution", "priorParameters")
    )
    estimated = "\t1\n" if version == 1 else "\ttrue\n"
    changes = [
        ("parameters", "estimate\n", f"estimate\t{prior[0]}\t{prior[1]}\n"),
        ("parameters", estimated, f"{estimated[:-1]}\tnormal\t0.3;0\n"),
        ("parameters", "0\t10\t2", "10\t0\t2"),
        ("conditions", "\tA", "\tkk"),
        ("measurements", "\t8\t", "\t<8\t"),
        ("measurements", "\t7\ts", "\t7\tzz"),
        ("observables", "\tA\t", "\tA*(\t"),
    ]
    path = write(tmp_path, version, *changes)
    with pytest.raises(InputError) as caught:
        load(path)
    found = str(caught.value)
    for text in ("'normal' (0.3; 0)", "lowerBound 10 must", "'kk' is neither", "'<8'", "'A*(' cannot be read"):
        assert text in found
    (tmp_path / "model.xml").write_text("no model")
    (tmp_path / "conditions.tsv").unlink()
    with pytest.raises(InputError) as caught:
        load(path)
    for text in ("conditions.tsv: no such file", "model.xml", "'<8'", "lowerBound 10 must"):
        assert text in str(caught.value)
