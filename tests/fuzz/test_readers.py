"""Mutated files and texts given to every reader: what comes out is a result or a :class:`PathsimError`, never another
exception, a dead process, a run without end or a NaN without a word.

Each input is a good one with a few pieces cut, doubled, moved or replaced by what people and programs get wrong. Seeds
count up from ``PATHSIM_FUZZ_SEED`` (0); ``PATHSIM_FUZZ_SECONDS`` (60) is shared between the readers. A failure shows
its seed and leaves the input in its folder. As many inputs as one likes, the same number for each reader, with a log
(inputs, what came out, the slowest, findings) in a folder that keeps the inputs of findings:

    PYTHONPATH=tests/estimation nice python tests/fuzz/test_readers.py 100000 FOLDER
"""

from __future__ import annotations

import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType

import pandas as pd
import pytest
from culture import culture_library, culture_model

import pathsim as ps
from pathsim import units
from pathsim.assays.plate_map import read_plate_map
from pathsim.cli.experiment import read_experiment
from pathsim.errors import PathsimError
from pathsim.estimation.stored_problem import PROBLEM_FILE, keep_problem, kept_problem
from pathsim.lab import Treatment
from pathsim.lab.clones import read_clones
from pathsim.lab.pharmacokinetics import read_pharmacy
from pathsim.lab.protocols import read_pathway_diagram, read_pathway_map, read_protocols
from pathsim.model import models_folder
from pathsim.model.archive import read_archive
from pathsim.model.checks import check_model
from pathsim.scorecard.claims import read_claims
from pathsim.solve import build_system
from pathsim.table import check_table, read_csv

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SECONDS = float(os.environ.get("PATHSIM_FUZZ_SECONDS", "60"))
FIRST_SEED = int(os.environ.get("PATHSIM_FUZZ_SEED", "0"))
SLOWEST = 20.0
"""Seconds of the processor that one input may take."""
LONGEST = 300.0
"""Seconds by the clock, of which a busy machine takes its share."""
SEPARATOR = "=== "
"""Begins the line with the name of a file where an input stands for several."""

TOKENS = (
    "", " ", "0", "-1", "1e400", "nan", "-inf", "NaN", "1,5", "<0.1", "24h", "1e-320", "9" * 400, "é", "β", "µ", "\0",
    "\ufeff", "\r", "\n", "\t", '"', "'", "''", '"""', "[", "]", "[[", "{", "}", "(", ")", "<", ">", "&lt;", "<!--",
    "/*", "//", "#", ",", ";", ":", "=", ":=", "|", "+", "..", "../../x", "%", "nM", "uM", "h", "then", "for", "time",
    "true", "null", "~", "&a", "*a", "!!x", "id", "S1", "model", "end", "species", "gene", "function", 'import "x.ant"',
    "None", "1970-01-01",
)  # fmt: skip


def mutated(text: str, rng: random.Random) -> str:
    """``text`` with up to four mistakes in it."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        spans = [
            match.span() for match in re.finditer(rng.choice((r"\w+", r"[\d.]+", r"[^\n]*\n", r'"[^"]*"', r"\W")), text)
        ]
        first, last = rng.choice(spans) if spans else (0, len(text))
        kind = rng.randrange(7)
        if kind == 0:
            text = text[:first] + text[last:]
        elif kind == 1:
            text = text[:last] + text[first:last] * rng.choice((1, 2, 30)) + text[last:]
        elif kind == 2 and spans:
            other = rng.choice(spans)
            text = text[:first] + text[slice(*other)] + text[last:]
        elif kind == 3:
            text = other_number(text, rng)
        elif kind == 4:
            text = other_cell(text, rng)
        elif kind == 5:
            text = (
                text[: rng.randint(0, len(text))] + rng.choice(TOKENS) + text[rng.randint(0, len(text)) :][: len(text)]
            )
        else:
            text = text[:first] + rng.choice(TOKENS) + text[last:]
    return text


def other_number(text: str, rng: random.Random) -> str:
    """``text`` with one of its numbers wrong, so that the reader goes on to what is made of it."""
    found = list(re.finditer(r"(?<![\w.])\d+\.?\d*(?:[eE][+-]?\d+)?", text))
    if not found:
        return text
    one = rng.choice(found)
    value = float(one[0]) * rng.choice((-1.0, 0.0, 1e-3, 1.0000001, 2.0, 1e3, 1e12, 1e-300, 1e300))
    return text[: one.start()] + rng.choice((f"{value:.9g}", rng.choice(found)[0])) + text[one.end() :]


def other_cell(text: str, rng: random.Random) -> str:
    """A table with a cell of one row taken from another row, a row left out, or the rows in another order."""
    lines = text.splitlines(keepends=True)
    rows = [i for i, line in enumerate(lines) if "," in line or "\t" in line]
    if len(rows) < 3:
        return text
    comma = "," if "," in lines[rows[-1]] else "\t"
    first, second = rng.sample(rows, 2)
    here, there = (lines[i].rstrip("\n").split(comma) for i in (first, second))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[first]
    elif kind == 1:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        column = rng.randrange(min(len(here), len(there)))
        here[column] = there[column]
        lines[first] = comma.join(here) + "\n"
    return "".join(lines)


def encoded(text: str, rng: random.Random) -> bytes:
    """``text`` as the bytes of a file: UTF-8, and now and then what other editors write."""
    codec = rng.choice(("utf-8-sig", "utf-16", "latin-1", "cp1252")) if rng.random() < 0.03 else "utf-8"
    if rng.random() < 0.03:
        text = text.replace("\n", rng.choice(("\r\n", "\r")))
    return text.encode(codec, errors="surrogateescape" if codec == "utf-8" else "replace")


BLOTS = """cell_line,treatment,time_min,readout,value,gel,replicate
T47D,vehicle,0,pAKT_S473,1.0,a,1
T47D,alpelisib 1 uM,60,pAKT_S473,0.2,a,1
T47D,vehicle,0,pERK_T202,1.5,a,1
T47D,alpelisib 1 uM,60,pERK_T202,1.2,b,1
"""
MATRIX = """drug_row,drug_col,conc_r,conc_c,response,conc_unit
a,b,0,0,100,nM
a,b,0,10,80,nM
a,b,10,0,70,nM
a,b,10,10,30,nM
"""
TIME_COURSE = """cell_line,treatment,time_min,readout,value,sd,replicate
T47D,IGF1 5 nM,0,pAKT,20,1,1
T47D,IGF1 5 nM,15,pAKT,60,3,1
MCF7,inhibitor 300 nM,60,pAKT,11,1,2
"""
PLATE = """cell_line,treatment,time_min,readout,value,replicate
T47D,vehicle,4320,viability,100,1
T47D,vehicle,4320,viability,97,2
T47D,inhibitor 1 nM,4320,viability,96,1
T47D,inhibitor 10 nM,4320,viability,81,1
T47D,inhibitor 100 nM,4320,viability,52,1
T47D,inhibitor 1 uM,4320,viability,24,1
T47D,inhibitor 10 uM,4320,viability,11,1
"""
COMBINED = """cell_line,treatment,time_min,readout,value,unit
T47D,vehicle,4320,viability,100,% of vehicle
T47D,a 1 nM,4320,viability,80,% of vehicle
T47D,a 10 nM,4320,viability,60,% of vehicle
T47D,b 5 nM,4320,viability,70,% of vehicle
T47D,a 1 nM + b 5 nM,4320,viability,50,% of vehicle
T47D,a 10 nM + b 5 nM,4320,viability,20,% of vehicle
"""
TUMOURS = """cell_line,treatment,time_min,readout,value,sd,replicate
T47D,vehicle,0,tumour_volume,100,5,1
T47D,vehicle,1440,tumour_volume,130,9,1
T47D,inhibitor 300 nM,0,tumour_volume,110,6,2
T47D,inhibitor 300 nM,1440,tumour_volume,115,6,2
T47D,inhibitor 300 nM,4320,GR,0.5,0.1,2
"""
GELS = """cell_line,treatment,time_min,readout,value,gel,replicate,sd
T47D,IGF1 5 nM,0,pAKT,1.0,a,1,0.1
T47D,IGF1 5 nM,0,vinculin,700,a,1,20
T47D,IGF1 5 nM,15,pAKT,3.1,a,1,0.2
T47D,IGF1 5 nM,15,vinculin,650,a,1,20
MCF7,inhibitor 300 nM,60,pAKT,0.7,b,1,0.1
MCF7,inhibitor 300 nM,60,vinculin,810,b,1,30
"""
SCREEN = """cell_line,drug,dose_nM,viability,replicate
T47D,alpelisib,0,100,1
T47D,alpelisib,10,97,1
T47D,alpelisib,100,71,1
T47D,alpelisib,1000,42,1
T47D,alpelisib,10000,30,1
"""
LANES = """cell_line;treatment;time_min;readout
T47D;IGF1 5 nM;0;pAKT
T47D;IGF1 5 nM;15;pAKT
MCF7;inhibitor 300 nM;60;pAKT
"""
WIDE_BLOTS = """cell_line;treatment;time_h;pAKT;vinculin;gel
T47D;IGF1 5 nM;0;1,0;700;a
T47D;IGF1 5 nM;0,25;3,1;650;a
MCF7;inhibitor 300 nM;1;n.d.;810;b
"""
SYNERGY_MATRIX = """Drug1:;a;;
Drug2:;b;;
ConcUnit:;uM;;
;0;1;10
0;100;80,5;40
0,1;90;70;30
1;50;;11

Drug1:;a;;
Drug2:;c;;
ConcUnit:;nM;;
;0;1;10
0;100;80,5;40
0,1;90;70;30
1;50;20;n.d.
"""
COMBENEFIT = """,0,1,10
0,1.0,0.9,0.5
5,0.8,0.7,0.3
50,0.4,0.3,0.1

Agent1,a
Agent2,b
Unit1,nM
Unit2,uM
Title,cells
"""
CURVES = """cell_line,drug,dose_uM,viability,replicate
PC9,a,0,100,1
PC9,a,0.01,91,1
PC9,a,0.1,52,1
PC9,a,1,11,1
PC9,a,10,3,1
PC9R,a,0,100,1
PC9R,a,0.1,93,1
PC9R,a,1,55,1
PC9R,a,10,12,1
PC9R,a,100,2,1
"""
PRISM = """Log[a], M;P;;R;
-9;99,5;101;100;
-8;90;88,1;99;97
-7;50;;91;90
-6;9;11;52;48
-5;1;2;9;n.d.
"""
GR_TOOLS = """cell_line\tagent\ttime\tconcentration\tcell_count\tcell_count__ctrl\tcell_count__time0
BT20\ta\t72\t0.01\t1180\t1200\t300
BT20\ta\t72\t0.1\t900\t1200\t300
BT20\ta\t72\t1\t420\t1200\t300
BT20\ta\t72\t10\t260\t1200\t300
"""
SURVIVAL = """time_days,event,arm
10,1,vehicle
12,1,vehicle
20,0,vehicle
25,1,alpelisib
31,0,alpelisib
40,1,alpelisib
"""
COUNTS = """dose_nM,count,control,start
0,400,400,100
1,390,400,100
10,300,400,100
100,180,400,100
1000,90,400,100
"""
PARAMETER_SETS = """k_off,growth,AKT_total
0.2,0.0004,100
0.25,0.0003,90
"""
ANTIMONY = """model m
  // a model
  compartment c = 1; species S in c = 2, P in c = 0;
  k = 0.5;  // 1/min | estimate: half a minute
  f := S/(1 + S^2);   // nM | readout: some, 40 kDa
  R1: S -> P; k*S; species Q in c = 1; Q' = 1;
  E1: at (time > 5), priority = 1: S = 2*S;
  S is "thing"
end
"""
TREATMENT = "vehicle for 24 h then alpelisib 1 uM + IGF1 13 nM for 1 h then serum 10 %"
DRUGS = """[new]
kind = "drug"
synonyms = ["n"]
molar_mass = { g_per_mol = 400, source = "x" }
Kd_nM.SRC = { value = 5, source = "x" }
per_nM.IGF1 = { value = 1, source = "x" }
"""
LINES = """[line.X]
description = "x"
genotype = { PTEN = "null" }
volume_pL = 2
copies_source = "y"
copies = { AKT_total = 1e5 }
set.PTEN_total = { value = 0, source = "x" }
[alteration.loss]
source = "x"
set.PTEN_total = 0
scale.AKT_total = 2
"""
FREE = """[kcat_PI3K]
lower = 0.01
upper = 10
scale = "log10"
[PTEN_total]
prior = { mean = 50, sd = 0.5 }
"""


MANIFEST = """<omexManifest xmlns="http://identifiers.org/combine.specifications/omex-manifest">
<content location="./m.xml" format="http://identifiers.org/combine.specifications/sbml.level-3.version-1"/>
<content location="./s.sedml" format="http://identifiers.org/combine.specifications/sed-ml" master="true"/>
</omexManifest>"""
SEDML = """<sedML xmlns="http://sed-ml.org/sed-ml/level1/version4" level="1" version="4"><listOfModels>
<model id="a" source="m.xml"/><model id="b" source="#a"/></listOfModels>
<listOfSimulations><uniformTimeCourse id="s" initialTime="0" outputStartTime="1" outputEndTime="3" numberOfSteps="4"/>
</listOfSimulations><listOfTasks><task id="t" modelReference="b" simulationReference="s"/></listOfTasks></sedML>"""


def _model(path: Path) -> object:
    model = ps.load_model(path)
    check_model(model)
    return build_system(model)


def _text(read: Callable[[str], object]) -> Callable[[Path], object]:
    return lambda path: read(path.read_bytes().decode("utf-8", errors="replace"))


def _in(folder: str, pattern: str, most: int = 40) -> list[str]:
    files = [path for path in sorted((SHARED / folder).glob(pattern)) if path.stat().st_size < 60_000]
    return [path.read_text(encoding="utf-8", errors="replace") for path in files[:: max(1, len(files) // most)]]


def _folders(pattern: str) -> list[str]:
    """PEtab problems, all files of each in one text."""
    found = []
    for folder in sorted(SHARED.glob(pattern)):
        files = [path for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".tsv", ".xml")]
        files = [path for path in files if "solution" not in path.name and "simul" not in path.name]
        found.append("".join(f"{SEPARATOR}{path.name}\n{path.read_text(encoding='utf-8')}" for path in files))
    return found


def _petab(path: Path) -> list[float]:
    """Load the problem whose files stand in one text, and evaluate it."""
    folder = path.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    main = folder / "none.yaml"
    for piece in ("\n" + path.read_bytes().decode("utf-8", errors="replace")).split("\n" + SEPARATOR)[1:]:
        name, _, content = piece.partition("\n")
        if re.fullmatch(r"[\w.]{1,100}", name):
            (folder / name).write_text(content, encoding="utf-8", errors="replace")
            main = folder / name if name.endswith(".yaml") else main
    problem = ps.petab.load(main)
    return [*_numbers(problem.theta), problem.log_likelihood()]


def _archive(path: Path) -> object:
    """Open the archive whose files stand in one text."""
    packed = path.with_suffix(".omex")
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name twice
        for piece in ("\n" + path.read_bytes().decode("utf-8", errors="replace")).split("\n" + SEPARATOR)[1:]:
            name, _, content = piece.partition("\n")
            archive.writestr(name[:100], content.encode("utf-8", errors="replace"))
    found = read_archive(packed)
    return [_model(packed), *_numbers(found.times or ())]


def _good_archive() -> str:
    """A model of the suite with SED-ML and manifest, all in one text."""
    files = {"manifest.xml": MANIFEST, "s.sedml": SEDML, "m.xml": _in("sbml_semantic", "*/model.xml", 1)[0]}
    return "\n".join(f"{SEPARATOR}{name}\n{text}" for name, text in files.items())


@cache
def _culture() -> tuple[ps.Model, ps.Library]:
    """A model and what goes with it, small enough for thousands of problems."""
    return culture_model(), culture_library()


def _blots(path: Path) -> list[float]:
    model, library = _culture()
    problem = ps.blot_problem(model, ps.read_blots(path), ["k_off"], library=library)
    return [*_numbers(problem.theta), problem.log_likelihood()]


def _measured(path: Path) -> list[float]:
    model, library = _culture()
    problem = ps.problem(model, path, ["k_off", "growth"], library=library)
    return [*_numbers(problem.theta), problem.log_likelihood()]


def _screens(path: Path) -> list[float]:
    found = ps.read_screen(path, "T47D", "72 h", tell=lambda said: None, dose_unit="nM")
    return _numbers(found["value"])


def _lanes(path: Path) -> list[float]:
    """A table of lanes, for the measured numbers of as many rows."""
    results = path.with_name("Results.csv")
    results.write_text("\n".join([" ,Area,IntDen", *(f"{n},9,{n + 0.5}" for n in range(1, LANES.count("\n")))]))
    return _numbers(ps.read_blots(results, tell=lambda said: None, lanes=path)["value"])


def _kept_problem(path: Path) -> list[float]:
    """The problem that the folder of a fit holds."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    (folder / PROBLEM_FILE).write_bytes(path.read_bytes())
    found = kept_problem(folder)
    return [] if found is None else _numbers(found.theta)


@cache
def _good_problem() -> str:
    """A problem as a fit keeps it."""
    model, library = _culture()
    with tempfile.TemporaryDirectory() as folder:
        blots = Path(folder) / "blots.csv"
        blots.write_text(GELS, encoding="utf-8")
        problem = ps.blot_problem(model, ps.read_blots(blots), ["k_off"], library=library)
        keep_problem(Path(folder), problem.description, ps.Rosenbrock())
        return (Path(folder) / PROBLEM_FILE).read_text(encoding="utf-8")


def _curves(path: Path) -> list[float]:
    found = ps.read_curves(path, tell=lambda said: None)
    rows = [one.row() for one in found]
    if len({one.unit for one in found}) == 1 and 1 < len(found) < 5:
        str(ps.compare_curves(found))
    return _numbers(row[name] for row in rows for name in ("top", "bottom"))


def _matrices(path: Path) -> list[float]:
    found = ps.synergy.read_csv(path, tell=lambda said: None)
    ps.synergy.outliers(found)
    return [ps.synergy.hsa(wells, resamples=0).mean for wells in found[:3]]


def read_table(path: Path) -> pd.DataFrame:
    """A CSV in the one schema, checked."""
    return check_table(read_csv(path, skipinitialspace=True), str(path))


def _plate(path: Path) -> list[float]:
    rows = ps.hill.fit_table(read_table(path)).to_dict("records")
    return _numbers(row[name] for row in rows for name in ("top", "bottom"))


def _combined(path: Path) -> list[float]:
    return [ps.synergy.bliss(wells, resamples=0).mean for wells in ps.synergy.experiments(read_table(path))]


def _survival(path: Path) -> list[float]:
    frame = read_csv(path)
    curves = ps.survival.by_arm(frame)
    test = ps.survival.log_rank(frame["time_days"], frame["arm"], frame["event"])
    return [float(point) for curve in curves.values() for point in curve.survival] + ([test.p] if test.p else [])


def _counts(path: Path) -> list[float]:
    frame = read_csv(path)
    if not {"dose_nM", "count", "control", "start"} <= set(frame.columns):
        return []
    found = ps.growth_rate.metrics(frame["dose_nM"], frame["count"], frame["control"], frame["start"])
    return [found.gr_max, found.gr_aoc]


def _parameter_sets(path: Path) -> list[float]:
    return [value for one in ps.load_parameter_sets(path) for value in one.values()]


def _numbers(values: Iterable[float]) -> list[float]:
    return [float(value) for value in values]


def _plate_map(path: Path) -> object:
    return dict(read_plate_map(path, "T47D").wells)


PLATE_MAP = """wells = 96
cell_line = "T47D"
time = "72 h"
empty = ["A3-B3", "H12"]
[rows]
A = "vehicle"
"B-D" = { cell_line = "T47D+PTEN_loss", add = "alpelisib 1 uM" }
[columns]
1 = "vehicle"
"2-12" = "trametinib 10 nM"
[well]
H1 = "vehicle"
"""
GRID = ",1,2,3\nA,vehicle,alpelisib 1 uM,\nB,vehicle,,trametinib 1 nM + alpelisib 1 uM\n"
WELLS = "well,cell_line,treatment\nA1,T47D,serum 10 %\nB02,MCF7,serum 10 % + alpelisib 1 uM\n"


def _experiment(path: Path) -> object:
    return read_experiment(path, ["blot", "combine"]).words()


EXPERIMENT = """verb = "blot"
made_with = "pathsim 0.1.0; pi3k_mapk@0.2 (a3ef02b1a102)"
[arguments]
cell_lines = ["T47D", "MCF7"]
[options]
times = "0 15 min"
readouts = ["pAKT_S473", "pERK_T202"]
replicates = 1
noise = true
"""
LIBRARY = ps.default_library()
PERCENT = ps.synergy.Response.VIABILITY_PERCENT
Reader = tuple[Callable[[Path], object], str, Callable[[], list[str]]]
"""What reads a file, how the file's name ends, and good texts to begin with."""
READERS: dict[str, Reader] = {
    "SBML": (_model, ".xml", lambda: _in("sbml_semantic", "*/model.xml") + _in("biomodels", "*.xml", 10)),
    "archive": (_archive, ".txt", lambda: [_good_archive()]),
    "Antimony": (_model, ".ant", lambda: [ANTIMONY, _bundled("host_glucose.ant")]),
    "drugs": (ps.default_library().with_drugs, ".toml", lambda: [DRUGS]),
    "cell lines": (ps.default_library().with_cell_lines, ".toml", lambda: [LINES]),
    "clones": (lambda path: read_clones(path, LIBRARY), ".toml", lambda: [_bundled("clones.toml")]),
    "pharmacokinetics": (
        lambda path: read_pharmacy(path, LIBRARY),
        ".toml",
        lambda: [_bundled("pharmacokinetics.toml")],
    ),
    "free parameters": (ps.read_free_parameters, ".toml", lambda: [FREE]),
    "plate map": (_plate_map, ".toml", lambda: [PLATE_MAP]),
    "plate grid": (_plate_map, ".csv", lambda: [GRID, WELLS]),
    "experiment": (_experiment, ".toml", lambda: [EXPERIMENT]),
    "sweep": (ps.sweep.read_spec, ".toml", lambda: [_example_sweep()]),
    "protocols": (read_protocols, ".toml", lambda: [_bundled("protocols.toml")]),
    "pathway diagram": (read_pathway_diagram, ".toml", lambda: [_bundled("pathway_diagram.toml")]),
    "pathway map": (read_pathway_map, ".toml", lambda: [_bundled("pathway_map.toml")]),
    "claims": (read_claims, ".toml", lambda: [_bundled("claims.toml")]),
    "PEtab 1": (_petab, ".txt", lambda: _folders("petab_test_suite/v1*/*")),
    "PEtab 2": (_petab, ".txt", lambda: _folders("petab_test_suite/v2*/*")),
    "table": (read_table, ".csv", lambda: [BLOTS]),
    "blots": (_blots, ".csv", lambda: [GELS]),
    "measured tables": (_measured, ".csv", lambda: [TIME_COURSE, PLATE, TUMOURS, GELS]),
    "wide blots": (lambda path: ps.read_blots(path, tell=lambda said: None), ".csv", lambda: [WIDE_BLOTS, GELS]),
    "lanes": (_lanes, ".csv", lambda: [LANES]),
    "screens": (_screens, ".csv", lambda: [SCREEN, CURVES]),
    "kept problem": (_kept_problem, ".json", lambda: [_good_problem()]),
    "curves": (_curves, ".csv", lambda: [CURVES, PRISM, GR_TOOLS, PLATE]),
    "plates": (_plate, ".csv", lambda: [PLATE]),
    "combinations": (_combined, ".csv", lambda: [COMBINED]),
    "survival": (_survival, ".csv", lambda: [SURVIVAL]),
    "cell counts": (_counts, ".csv", lambda: [COUNTS]),
    "parameter sets": (_parameter_sets, ".csv", lambda: [PARAMETER_SETS]),
    "synergy": (lambda path: ps.synergy.read_csv(path, PERCENT), ".csv", lambda: [MATRIX]),
    "matrices": (_matrices, ".csv", lambda: [MATRIX, SYNERGY_MATRIX, COMBENEFIT, COMBINED]),
    "treatment": (_text(lambda text: str(Treatment.parse(text))), ".txt", lambda: [TREATMENT]),
    "quantity": (_text(units.quantity), ".txt", lambda: ["1.5 uM", "10 %", "2 h", "3 mg/kg"]),
    "times": (_text(units.times_min), ".txt", lambda: ["0 15 min 2 h", "0 .. 2 h x 9"]),
    "doses": (_text(units.doses_nM), ".txt", lambda: ["0 nM 100 nM 1 uM", "1 nM .. 10 uM x 9"]),
    "numbers": (_text(units.numbers), ".txt", lambda: ["0 1 5", "0 .. 60 x 61"]),
}


def _bundled(name: str) -> str:
    return (models_folder() / name).read_text(encoding="utf-8")


def _example_sweep() -> str:
    found = sorted(ROOT.glob("examples/**/*sweep*.toml")) or sorted((SHARED.parent).glob("field_cases/**/spec.toml"))
    return found[0].read_text(encoding="utf-8") if found else 'model = "pi3k_mapk"\n'


@dataclass
class Log:
    """What came of some inputs of one reader."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_seed: int = 0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common())
        slow = f"slowest {self.slowest:.2f} s (seed {self.slowest_seed})"
        return f"{self.inputs} inputs: {shown}; {slow}; {len(self.findings)} findings"


class _TooSlowError(Exception):
    pass


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise _TooSlowError


def try_one(name: str, texts: list[str], seed: int, folder: Path, log: Log) -> None:
    """Give one mutated input to a reader; what came out goes to ``log``."""
    read, suffix, _ = READERS[name]
    rng = random.Random(seed)
    path = folder / f"{name.replace(' ', '_')}{suffix}"
    path.write_bytes(encoded(mutated(rng.choice(texts), rng), rng))
    began, outcome, finding = time.process_time(), "read", ""
    timers = [(signal.ITIMER_PROF, signal.SIGPROF, SLOWEST), (signal.ITIMER_REAL, signal.SIGALRM, LONGEST)]
    before = [signal.signal(number, _interrupt) for _, number, _ in timers]
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        found = read(path)
        if isinstance(found, list) and any(isinstance(one, float) and math.isnan(one) for one in found):
            outcome, finding = "NaN", "a result is NaN without a word"
    except PathsimError as error:
        outcome = type(error).__name__
        if not str(error).strip():
            finding = "an error without a word"
    except _TooSlowError:
        outcome, finding = "hang", f"took over {SLOWEST:g} s"
    except Exception as error:
        outcome, finding = type(error).__name__, f"{type(error).__name__}: {error}"
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
    took = time.process_time() - began
    log.inputs += 1
    log.outcomes[outcome] += 1
    if took > log.slowest:
        log.slowest, log.slowest_seed = took, seed
    if finding:
        kept = path.with_name(f"{path.stem}_{seed}{suffix}")
        kept.write_bytes(path.read_bytes())
        log.findings.append(f"{name}, seed {seed}: {finding} (input in {kept})")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers to end a run with")
@pytest.mark.parametrize("name", READERS)
def test_only_our_own_errors_come_out(name: str, tmp_path: Path) -> None:
    if name.startswith("PEtab"):
        pytest.importorskip("petab", reason="the package petab is not installed")
    texts = READERS[name][2]()
    if not texts:
        pytest.skip("the outside data is not there")
    log, until = Log(), time.monotonic() + SECONDS / len(READERS)
    while log.inputs < 3 or time.monotonic() < until:
        try_one(name, texts, FIRST_SEED + log.inputs, tmp_path, log)
    assert not log.findings, "\n".join(log.findings)


def run(count: int, folder: Path) -> dict[str, Log]:
    """``count`` inputs, as many of each reader as of every other, with a log in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    texts = {name: texts_of() for name, (_, _, texts_of) in READERS.items()}
    logs = {name: Log() for name in READERS if texts[name]}
    total = 0
    while total < count:
        for name, log in logs.items():
            for _ in range(10):
                try_one(name, texts[name], FIRST_SEED + log.inputs, folder, log)
        total = sum(log.inputs for log in logs.values())
        lines = [f"{total} inputs", *(f"{name}: {log}" for name, log in logs.items())]
        lines += [finding for log in logs.values() for finding in log.findings]
        (folder / "log.txt").write_text("\n".join(lines) + "\n")
    return logs


if __name__ == "__main__":
    for reader, found_log in run(int(sys.argv[1]), Path(sys.argv[2])).items():
        print(f"{reader}: {found_log}")
