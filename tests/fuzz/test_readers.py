"""Mutated files and texts given to every reader: what comes out is a result or a :class:`PathsimError`, never another
exception, a dead process or a run without end.

Each input is a good one with a few pieces cut, doubled, moved or replaced by what people and programs get wrong. Seeds
count up from ``PATHSIM_FUZZ_SEED`` (0); ``PATHSIM_FUZZ_SECONDS`` (60) is shared between the readers, so a long run
is ``PATHSIM_FUZZ_SECONDS=36000 pytest tests/fuzz``. A failure shows its seed and leaves the input in its folder.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import pathsim as ps
from pathsim import units
from pathsim.errors import PathsimError
from pathsim.lab import Treatment
from pathsim.lab.clones import read_clones
from pathsim.lab.pharmacokinetics import read_pharmacy
from pathsim.model import check_model, models_folder
from pathsim.solve import build_system
from pathsim.table import read_table

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SECONDS = float(os.environ.get("PATHSIM_FUZZ_SECONDS", "60"))
FIRST_SEED = int(os.environ.get("PATHSIM_FUZZ_SEED", "0"))
SLOWEST = 20.0

TOKENS = (
    "", " ", "0", "-1", "1e400", "nan", "-inf", "NaN", "1,5", "<0.1", "24h", "1e-320", "9" * 400, "é", "β", "µ", "\0",
    "\ufeff", "\r", "\n", "\t", '"', "'", "''", '"""', "[", "]", "[[", "{", "}", "(", ")", "<", ">", "&lt;", "<!--",
    "/*", "//", "#", ",", ";", ":", "=", ":=", "|", "+", "..", "../../x", "%", "nM", "uM", "h", "then", "for", "time",
    "true", "null", "~", "&a", "*a", "!!x", "id", "S1", "model", "end", "species", "gene", "function", 'import "x.ant"',
    "None", "1970-01-01",
)  # fmt: skip


def mutated(text: str, rng: random.Random) -> str:
    """``text`` with up to four mistakes in it."""
    for _ in range(rng.randint(1, 4)):
        spans = [
            match.span() for match in re.finditer(rng.choice((r"\w+", r"[\d.]+", r"[^\n]*\n", r'"[^"]*"', r"\W")), text)
        ]
        first, last = rng.choice(spans) if spans else (0, len(text))
        kind = rng.randrange(5)
        if kind == 0:
            text = text[:first] + text[last:]
        elif kind == 1:
            text = text[:last] + text[first:last] * rng.choice((1, 2, 30)) + text[last:]
        elif kind == 2 and spans:
            other = rng.choice(spans)
            text = text[:first] + text[slice(*other)] + text[last:]
        elif kind == 3:
            text = (
                text[: rng.randint(0, len(text))] + rng.choice(TOKENS) + text[rng.randint(0, len(text)) :][: len(text)]
            )
        else:
            text = text[:first] + rng.choice(TOKENS) + text[last:]
    return text


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
ANTIMONY = """model m
  // a model
  compartment c = 1; species S in c = 2, P in c = 0;
  k = 0.5;  // 1/min | estimate: half a minute
  f := S/(1 + S^2);   // nM | readout: some, 40 kDa
  R1: S -> P; k*S; P' = 1;
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
mean = 50
sd = 0.5
"""


def _model(path: Path) -> object:
    model = ps.load_model(path)
    check_model(model)
    return build_system(model)


def _text(read: Callable[[str], object]) -> Callable[[Path], object]:
    return lambda path: read(path.read_bytes().decode("utf-8", errors="replace"))


def _in(folder: str, pattern: str, most: int = 40) -> list[str]:
    files = [path for path in sorted((SHARED / folder).glob(pattern)) if path.stat().st_size < 60_000]
    return [path.read_text(encoding="utf-8", errors="replace") for path in files[:: max(1, len(files) // most)]]


LIBRARY = ps.default_library()
PERCENT = ps.synergy.Response.VIABILITY_PERCENT
Reader = tuple[Callable[[Path], object], str, Callable[[], list[str]]]
"""What reads a file, how the file's name ends, and good texts to begin with."""
READERS: dict[str, Reader] = {
    "SBML": (_model, ".xml", lambda: _in("sbml_semantic", "*/model.xml") + _in("biomodels", "*.xml", 10)),
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
    "sweep": (ps.sweep.read_spec, ".toml", lambda: [_example_sweep()]),
    "table": (read_table, ".csv", lambda: [BLOTS]),
    "synergy": (lambda path: ps.synergy.read_csv(path, PERCENT), ".csv", lambda: [MATRIX]),
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


@pytest.mark.parametrize("name", READERS)
def test_only_our_own_errors_come_out(name: str, tmp_path: Path) -> None:
    read, suffix, texts_of = READERS[name]
    texts = texts_of()
    if not texts:
        pytest.skip("the outside data is not there")
    until = time.monotonic() + SECONDS / len(READERS)
    seed = FIRST_SEED
    path = tmp_path / f"input{suffix}"
    while time.monotonic() < until:
        rng = random.Random(seed)
        path.write_bytes(mutated(rng.choice(texts), rng).encode("utf-8", errors="surrogateescape"))
        began = time.monotonic()
        try:
            read(path)
        except PathsimError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error} (input in {path})") from error
        assert time.monotonic() - began < SLOWEST, (
            f"seed {seed}: took {time.monotonic() - began:.0f} s (input in {path})"
        )
        seed += 1
    assert seed > FIRST_SEED
