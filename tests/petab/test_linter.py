"""Mutated problems given to petab's own linter and to us: what the linter finds, we refuse; what it accepts, we accept.

40 problems in CI; as many as ``PATHSIM_LINTED`` says otherwise, from seed ``PATHSIM_LINTED_SEED`` (0) on:

    PATHSIM_LINTED=500 pytest tests/petab/test_linter.py -s
"""

from __future__ import annotations

import io
import logging
import os
import random
import re
import shutil
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("petab", reason="the package petab is not installed")

import petab.v1
import petab.v1.lint
import petab.v2
import petab.v2.lint
import yaml
from small_problems import V1, V2, YAML_1, YAML_2

import pathsim.petab
from pathsim.errors import PathsimError

DATA = Path(__file__).parents[3] / "shared" / "data"
COUNT = int(os.environ.get("PATHSIM_LINTED", "40"))
FIRST = int(os.environ.get("PATHSIM_LINTED_SEED", "0"))

RICH_1 = {
    "parameters": "parameterId\tparameterName\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate"
    "\tobjectivePriorType\tobjectivePriorParameters\tinitializationPriorType\tinitializationPriorParameters\n"
    "k\trate\tlog10\t1e-3\t10\t0.2\t1\tparameterScaleNormal\t-0.7;0.5\tuniform\t0.1;1\n"
    "gain\tgain\tlin\t0\t10\t2\t1\tlaplace\t2;1\t\t\n"
    "dose\tdose\tlin\t0\t10\t4\t0\t\t\t\t\nsd\tnoise\tlog\t0.01\t10\t0.5\t1\t\t\t\t\n",
    "conditions": "conditionId\tconditionName\tA\ts\nrest\tat rest\t1\t0.5\nhigh\tdosed\tdose\t0\nlow\t\t0.5\t\n",
    "observables": "observableId\tobservableName\tobservableFormula\tnoiseFormula\tobservableTransformation"
    "\tnoiseDistribution\n"
    "o\tone\tobservableParameter1_o*A\tnoiseParameter1_o\tlin\tnormal\np\t\tA + 1\t0.1*A + sd\tlog\tlaplace\n",
    "measurements": "observableId\tpreequilibrationConditionId\tsimulationConditionId\ttime\tmeasurement"
    "\tobservableParameters\tnoiseParameters\n"
    "o\trest\thigh\t0\t8\tgain\tsd\no\trest\thigh\t1\t7\tgain\tsd\no\t\tlow\t2\t1\t1.5\t0.3\np\t\tlow\t2\t3\t\t\n"
    "p\t\thigh\tinf\t3\t\t\n",
}
RICH_2 = {
    "parameters": "parameterId\tparameterName\tlowerBound\tupperBound\tnominalValue\testimate\tpriorDistribution"
    "\tpriorParameters\n"
    "k\trate\t1e-3\t10\t0.2\ttrue\tlog-normal\t-1;0.5\ngain\tgain\t0\t10\t2\ttrue\tgamma\t2;1\n"
    "dose\tdose\t0\t10\t4\tfalse\t\t\nsd\tnoise\t0.01\t10\t0.5\ttrue\t\t\n",
    "conditions": "conditionId\ttargetId\ttargetValue\nrest\ts\t0.5\nhigh\tA\tdose*2\nhigh\ts\t0\nlow\tA\tA/2\n",
    "experiments": "experimentId\ttime\tconditionId\ne\t-inf\trest\ne\t0\thigh\nf\t0\t\nf\t1\tlow\n",
    "observables": "observableId\tobservableName\tobservableFormula\tnoiseFormula\tnoiseDistribution"
    "\tobservablePlaceholders\tnoisePlaceholders\n"
    "o\tone\tgain_o*A\tsd_o\tnormal\tgain_o\tsd_o\np\t\tA + 1\t0.1*p + sd\tlog-laplace\t\t\n",
    "measurements": "observableId\texperimentId\ttime\tmeasurement\tobservableParameters\tnoiseParameters\n"
    "o\te\t0\t8\tgain\tsd\no\te\t1\t7\tgain\tsd\no\tf\t2\t1\t1.5\t0.3\np\tf\t2\t3\t\t\np\t\tinf\t3\t\t\n",
}
MODEL = "model m\n species A; A = 1; s = 0.5; k = 1; twice := 2*A; A' = s - k*A;\nend\n"

TOKENS = (
    "", "0", "1", "-1", "1e400", "nan", "inf", "-inf", "<0.1", "0,4", "24h", "1_0", "0x1", "abc", "1abc", "a b", "k",
    "s", "A", "o", "time", "true", "False", "yes", "2*k", "k;s", "0.5;", "1;2", "0;0", "2;1", "1;-1", "log10", "normal",
    "uniform", "log-uniform", "twice", "m", "(", "k*(A", "sin(A)", "foo(A)", "noiseParameter1_o",
    "observableParameter2_o", "kα", "µ", "1e-3", "100", "None", "NA",
)  # fmt: skip

PETAB_WRONG = {
    "a name that reads as a number": re.compile(r"(observableName|parameterName)\s+Input should be a valid string"),
}
"""What petab refuses though the standard allows it, by what petab says. A name is any text, numbers among them; petab's
reader lets pandas guess types."""

WITH_REASON = {
    "an estimated parameter whose bounds are equal cannot be searched": r"must lie below upperBound",
    "a value on a logarithmic scale has a logarithm": r"on the scale log(10)? it must be positive",
    "columns and cells that the standard asks for are there": r"there is no column|(Formula|Id|time) is empty",
    "an experiment that a measurement names exists": r"unknown experiment",
    "one thing is said once": r"given twice|is set more than once",
    "names of columns have no spaces around them": r"spaces around its name",
    "numbers and flags are written as such, whatever Python takes for one": r"'(1_0|nan|true|false)'|estimate is '",
    "what a condition sets in version 1 is a number or stands in the parameter table": r"not in the parameter table",
    "likelihoods of infinite numbers are no numbers": r"not finite|must be finite|where a number belongs",
    "priors that are no densities, or of which nothing is between the bounds": r"of the prior '|has nothing between|"
    r"the prior '.*' needs|are given, but no (objectivePriorType|priorDistribution)",
}
"""What we refuse though petab's linter lets it pass, and why, by what we say."""


@dataclass(frozen=True)
class Base:
    """A problem to begin with: the name of its YAML file, and all files by name."""

    name: str
    version: int
    main: str
    files: dict[str, bytes]


def bases() -> list[Base]:
    """Problems that the linter accepts: small ones from here, the PEtab test suite, and published ones."""
    import antimony

    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(MODEL) >= 0
    model = antimony.getSBMLString("m").encode()
    found = []
    for name, version, text, tables in (
        ("small", 1, YAML_1, V1), ("small", 2, YAML_2, V2), ("rich", 1, YAML_1, RICH_1), ("rich", 2, YAML_2, RICH_2),
    ):  # fmt: skip
        files = {f"{table}.tsv": content.encode() for table, content in tables.items()}
        found.append(Base(name, version, "problem.yaml", {**files, "problem.yaml": text.encode(), "model.xml": model}))
    published = [
        DATA / "petab" / name for name in ("Boehm_JProteomeRes2014", "Crauste_CellSystems2017", "Bertozzi_PNAS2020")
    ]
    for folder in [*sorted((DATA / "petab_test_suite").glob("v*/*")), *published]:
        main = [path for path in sorted(folder.glob("*.yaml")) if "solution" not in path.name]
        if main:
            contents = yaml.safe_load(main[0].read_text())
            version = int(str(contents["format_version"])[0])
            files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
            found.append(Base(folder.name, version, main[0].name, files))
    return found


def mutated(text: str, rng: random.Random, ids: list[str]) -> str:
    """A table with one mistake of those that people make."""
    rows = [line.split("\t") for line in text.rstrip("\n").split("\n")]
    width = len(rows[0])
    row, column = rng.randrange(len(rows)), rng.randrange(width)
    filled = rows[row] + [""] * (width - len(rows[row]))
    rows[row] = filled
    kind = rng.randrange(14)
    if kind <= 3:
        row = rng.randrange(1, len(rows)) if len(rows) > 1 else 0
        rows[row] = rows[row] + [""] * (width - len(rows[row]))
        rows[row][column] = rng.choice(TOKENS)
    elif kind == 4:
        rows[row][column] = rng.choice(ids)
    elif kind == 5:
        cell = rows[row][column]
        place = rng.randint(0, len(cell))
        rows[row][column] = rng.choice(
            (
                cell[:place] + cell[place + 1 :],
                cell[:place] + "x" + cell[place:],
                cell.swapcase(),
                f" {cell}",
                f"{cell} ",
            )
        )
    elif kind == 6:
        rows.insert(rng.randint(1, len(rows)), list(rng.choice(rows)))
    elif kind == 7 and len(rows) > 2:
        del rows[rng.randrange(1, len(rows))]
    elif kind == 8:
        for cells in rows:
            del cells[column : column + 1]
    elif kind == 9:
        rows[0][column] = rng.choice((rows[0][column][:-1], rows[0][column].lower(), "k", "s", "A", "twice", "modelId"))
    elif kind == 10:
        other = rng.randrange(width)
        for cells in rows[rng.randrange(2) :]:
            if max(column, other) < len(cells):
                cells[column], cells[other] = cells[other], cells[column]
    elif kind == 11:
        names = (
            "objectivePriorType",
            "priorDistribution",
            "observableTransformation",
            "noiseDistribution",
            "conditionName",
        )
        names += ("k", "s", "A", "extra", "datasetId", "preequilibrationConditionId", "nominalValue")
        rows[0].append(rng.choice(names))
        for cells in rows[1:]:
            cells.append(rng.choice(TOKENS))
    elif kind == 12:
        for cells in rows[1:]:
            if column < len(cells):
                cells[column] = rng.choice((*TOKENS, rows[-1][column] if column < len(rows[-1]) else ""))
    elif kind == 13:
        rows = rng.choice((rows[:1], rows[:2], [rows[0][:-1], *rows[1:]], [*rows, [""] * width], [[]]))
    return "\n".join("\t".join(cells) for cells in rows) + "\n"


def mutation(base: Base, seed: int) -> dict[str, bytes]:
    """The files of a problem with one or two mistakes in its tables; now and then a file is gone or another's."""
    rng = random.Random(seed)
    files = dict(base.files)
    tables = [name for name in sorted(files) if name.endswith(".tsv") and "simul" not in name and "visu" not in name]
    tables = [name for name in tables if name.encode() in files[base.main]]
    ids = sorted({cell for name in tables for cell in re.split(r"[\t\n]", files[name].decode()) if cell})
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(tables)
        kind = rng.randrange(40)
        if kind == 0:
            files.pop(name, None)
        elif kind == 1:
            files[name] = base.files[rng.choice(tables)]
        elif kind == 2:
            files[base.main] = files[base.main].replace(name.encode(), b"missing.tsv")
        elif kind == 3 and name in files:
            files[name] = b"\xef\xbb\xbf" + files[name].replace(b"\n", b"\r\n")
        elif name in files:
            files[name] = mutated(files[name].decode("utf-8-sig"), rng, ids).encode()
    return files


def lint(path: Path, version: int) -> str:
    """What petab's linter finds; empty where it finds nothing."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setLevel(logging.ERROR)
    logger = logging.getLogger("petab")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if version == 1:
                bad = petab.v1.lint.lint_problem(petab.v1.Problem.from_yaml(path))
                return log.getvalue() or "found" if bad else ""
            found = petab.v2.lint.lint_problem(path)
            return "\n".join(issue.message for issue in found if issue.level >= 30)
    except Exception as error:  # its reader and some of its checks raise all kinds
        return f"{type(error).__name__}: {error}"
    finally:
        logger.propagate = True
        logger.removeHandler(handler)


def load(path: Path) -> str:
    """What we find; empty where we accept the problem."""
    try:
        pathsim.petab.load(path)
    except PathsimError as error:
        return str(error)
    return ""


def test_petabs_linter_and_we_agree(tmp_path: Path) -> None:
    found = bases()
    by_version = [[base for base in found if base.version == version] for version in (1, 2)]
    counts: Counter[str] = Counter()
    failures = []
    for seed in range(FIRST, FIRST + COUNT):
        base = random.Random(seed).choice(by_version[seed % 2])
        folder = tmp_path / "problem"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in mutation(base, seed).items():
            (folder / name).write_bytes(content)
        theirs, ours = lint(folder / base.main, base.version), load(folder / base.main)
        counts[f"version {base.version}, {'found' if theirs else 'accepted'}, {'refused' if ours else 'accepted'}"] += 1
        if theirs and not ours:
            if not any(pattern.search(theirs) for pattern in PETAB_WRONG.values()):
                failures.append(f"seed {seed} ({base.name}, version {base.version}): accepted, though petab: {theirs}")
        elif ours and not theirs and not any(re.search(pattern, ours, re.I) for pattern in WITH_REASON.values()):
            failures.append(f"seed {seed} ({base.name}, version {base.version}): petab accepts, but: {ours}")
    print()
    print("\n".join(f"{what}: {count}" for what, count in sorted(counts.items())))
    assert not failures, "\n\n".join([f"{len(failures)} of {COUNT}", *failures])
    assert sum(counts.values()) == COUNT


def test_the_problems_to_begin_with_are_accepted(tmp_path: Path) -> None:
    for base in bases():
        if base.name in ("small", "rich"):
            folder = tmp_path / f"{base.name}{base.version}"
            folder.mkdir()
            for name, content in base.files.items():
                (folder / name).write_bytes(content)
            assert (lint(folder / base.main, base.version), load(folder / base.main)) == ("", "")
