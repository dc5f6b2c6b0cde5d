"""A treated cell line as a COMBINE archive: its SBML, what is simulated and read (SED-ML), and the numbers expected."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from math import gcd
from pathlib import Path
from xml.dom.minidom import Document, Element, parseString

from ..checked import checked
from ..errors import InputError, raise_together, unknown
from ..experiments.readings import simulate_conditions
from ..files import write_whole
from ..lab import CellLine, Library, Treatment
from ..model import Model
from ..model.sbml_export import child, pretty, root_of, write_in
from ..solve import Solver
from ..units import times_min
from .sbml import MATHS, TIGHT, Treated, number, treated

SEDML = "http://sed-ml.org/sed-ml/level1/version4"
MANIFEST = "http://identifiers.org/combine.specifications/omex-manifest"
_FORMATS = "http://identifiers.org/combine.specifications"
_CSV = "http://purl.org/NET/mediatypes/text/csv"
_CVODE = "KISAO:0000019"
_TOLERANCES = {"KISAO:0000209": "1e-08", "KISAO:0000211": "1e-12"}
"""Relative and absolute tolerance."""
MOST_STEPS = 100_000
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive, so that the same content is the same archive."""


@checked
def write_omex(
    path: str | Path,
    model: Model | str | Path,
    cell_line: CellLine | str,
    treatment: Treatment | str,
    readouts: Sequence[str] | str,
    times: str = "0 .. 24 h x 49",
    *,
    library: Library | None = None,
    solver: Solver | None = None,
) -> Path:
    """Write a treated cell line as a COMBINE archive that COPASI, tellurium and others run to the same numbers.

    In it are ``model.xml`` (:func:`to_sbml`), ``simulation.sedml`` (SED-ML Level 1 Version 4: one uniform time course,
    a curve and a column of the report for each readout) and ``readouts.csv``, what pathsim itself finds at these times.

    Args:
        path: the ``.omex`` file.
        readouts: readouts of the model (:attr:`pathsim.Model.readouts`), or other symbols of it.
        times: as of :func:`pathsim.western_blot`, from the start of the last step. They must lie on an even grid, which
            the archive samples; in it, time runs from the start of the first step.
        model, cell_line, treatment, library, solver: as of :func:`to_sbml`.

    Returns:
        The path of the archive.

    Raises:
        As :func:`to_sbml`; InputError also for times that lie on no grid of at most 100,000 steps.

    >>> ps.exchange.write_omex("T47D.omex", "pi3k_mapk", "T47D", "alpelisib 1 uM", "pAKT_S473").name  # doctest: +SKIP
    'T47D.omex'
    """
    names = [readouts] if isinstance(readouts, str) else list(readouts)
    return archive_of(treated(model, cell_line, treatment, library, solver), path, names, times_min(times), library)


def archive_of(
    cells: Treated, path: str | Path, readouts: Sequence[str], times: Sequence[float], library: Library | None
) -> Path:
    """Write the archive of a cell line under a treatment; ``times`` in minutes from the start of the last step."""
    known = {name: group for group, items in _groups(cells.model).items() for name in items}
    raise_together(
        [str(unknown("readout", name, cells.model.readouts)) for name in dict.fromkeys(readouts) if name not in known]
    )
    if not readouts:
        raise InputError("an archive needs at least one readout")
    last = cells.condition.treatment.steps[-1]
    if last.minutes is not None and max(times) > last.minutes:
        raise InputError(f"the treatment ends {last.duration} after its last step began, before {max(times):g} min")
    begin = cells.course.steps[-1][0]
    grid = _grid([begin + time for time in times])
    found = simulate_conditions(
        cells.model, [cells.condition], [time - begin for time in grid.sampled()], readouts, library, TIGHT
    )[0]
    rows = [",".join(("time", *readouts))]
    rows += [",".join(map(number, (time, *row))) for time, row in zip(grid.sampled(), found.tolist(), strict=True)]
    sbml = cells.text
    namespace = str(root_of(parseString(sbml.encode())).namespaceURI)
    version = namespace.split("/")[-2].removeprefix("version")
    files = {
        "model.xml": (sbml, f"{_FORMATS}/sbml.level-3.version-{version}"),
        "simulation.sedml": (
            _sedml(grid, {name: known[name] for name in readouts}, namespace, version, str(cells.condition.treatment)),
            f"{_FORMATS}/sed-ml",  # without a level: COPASI 4.48 opens none of version 4 that is said to be it
        ),
        "readouts.csv": ("\n".join(rows) + "\n", _CSV),
    }
    target = Path(path)
    write_whole(target, _packed(files, first="simulation.sedml"))
    return target


@dataclass(frozen=True, slots=True)
class _Grid:
    """Evenly spaced times from ``first`` to ``last`` in so many ``steps``."""

    first: float
    last: float
    steps: int

    def sampled(self) -> list[float]:
        return [self.first + i * (self.last - self.first) / self.steps for i in range(self.steps + 1)]


def _grid(times: Sequence[float]) -> _Grid:
    """The widest even grid from 0 on (COPASI steps from there) with ``times`` on it; a single one ends a first step."""
    moments = sorted({Fraction(time).limit_denominator(10**6) for time in times})
    if len(moments) == 1:
        moments = [Fraction(0), moments[0] or Fraction(1)]
    gaps = [b - a for a, b in pairwise([Fraction(0), *moments])]
    below = reduce(lambda a, b: a * b // gcd(a, b), (gap.denominator for gap in gaps))
    step = Fraction(reduce(gcd, (int(gap * below) for gap in gaps)), below)
    steps = (moments[-1] - moments[0]) / step
    if steps > MOST_STEPS:
        raise InputError(
            f"the times lie on no even grid of at most {MOST_STEPS:,} steps, which is what a uniform time course of "
            "SED-ML samples; write for example '0 .. 24 h x 25'"
        )
    return _Grid(float(moments[0]), float(moments[-1]), int(steps))


def _groups(model: Model) -> dict[str, list[str]]:
    """Symbols by the path of their element in SBML."""
    return {
        "listOfSpecies/sbml:species": [item.id for item in model.species],
        "listOfParameters/sbml:parameter": [item.id for item in model.parameters if "." not in item.id],
        "listOfCompartments/sbml:compartment": [item.id for item in model.compartments],
    }


def _sedml(grid: _Grid, readouts: dict[str, str], namespace: str, version: str, treatment: str) -> str:
    """What is simulated and read; ``readouts``: the path of the element of each."""
    document = Document()
    root = child(document, "sedML", xmlns=SEDML, level="1", version="4")
    root.setAttribute("xmlns:sbml", namespace)
    child(
        child(root, "listOfModels"), "model",
        id="model", source="model.xml", language=f"urn:sedml:language:sbml.level-3.version-{version}",
    )  # fmt: skip
    course = child(
        child(root, "listOfSimulations"), "uniformTimeCourse",
        id="simulation", name=treatment, initialTime="0", outputStartTime=number(grid.first),
        outputEndTime=number(grid.last), numberOfSteps=str(grid.steps),
    )  # fmt: skip
    algorithm = child(course, "algorithm", kisaoID=_CVODE)
    tolerances = child(algorithm, "listOfAlgorithmParameters")
    for identifier, value in _TOLERANCES.items():
        child(tolerances, "algorithmParameter", kisaoID=identifier, value=value)
    tasks = child(root, "listOfTasks")
    child(tasks, "task", id="task", modelReference="model", simulationReference="simulation")
    generators = child(root, "listOfDataGenerators")
    _generator(generators, "time", symbol="urn:sedml:symbol:time")
    for name, place in readouts.items():
        target = f"/sbml:sbml/sbml:model/sbml:{place}[@id='{name}']"
        _generator(generators, name, target=target)
    outputs = child(root, "listOfOutputs")
    curves = child(child(outputs, "plot2D", id="figure"), "listOfCurves")
    sets = child(child(outputs, "report", id="report"), "listOfDataSets")
    for name in ("time", *readouts):
        data = f"data_{name}"
        child(sets, "dataSet", id=f"set_{name}", label=name, dataReference=data)
        if name != "time":
            child(
                curves, "curve", id=f"curve_{name}", name=name,
                xDataReference="data_time", yDataReference=data, logX="false", logY="false",
            )  # fmt: skip
    return pretty(document)


def _generator(parent: Element, name: str, **what: str) -> None:
    data = child(parent, "dataGenerator", id=f"data_{name}", name=name)
    child(
        child(data, "listOfVariables"), "variable",
        id=f"variable_{name}", name=name, taskReference="task", **what,
    )  # fmt: skip
    maths = child(data, "math", xmlns=MATHS)
    write_in(child(maths, "ci"), f"variable_{name}")


def _packed(files: dict[str, tuple[str, str]], first: str) -> bytes:
    """An archive of texts by name, each with its format; ``first`` is where a reader starts."""
    document = Document()
    manifest = child(document, "omexManifest", xmlns=MANIFEST)
    child(manifest, "content", location=".", format=f"{_FORMATS}/omex")
    child(manifest, "content", location="./manifest.xml", format=MANIFEST)
    for name, (_, kind) in files.items():
        item = child(manifest, "content", location=f"./{name}", format=kind)
        if name == first:
            item.setAttribute("master", "true")
    texts = {"manifest.xml": pretty(document), **{name: text for name, (text, _) in files.items()}}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _FIRST_DAY), text.encode(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()
