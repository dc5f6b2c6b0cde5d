"""The TOML file that says what to sweep.

::

    model = "pi3k_mapk"                              # bundled name or path (relative to this file)
    cell_lines = ["T47D", "T47D+PTEN_loss"]
    alterations = ["none", "SRC_STAT1_adapted"]      # optional: every line with each of these
    treatment = "serum 10 % + alpelisib {alpelisib} + capivasertib {capivasertib}"    # or treatments = [...]
    ensemble = 20                                    # optional: every well with 20 of the shipped parameter sets too,
                                                     # or with those of a file; column "set" is 0 for the model itself
    times = "24 72 h"                                # from the start of the last step
    readouts = ["pS6_S240", "viability %"]           # "%": of the same well with the {doses} at zero

    [doses]                                          # {name} in the treatment; lists and counted ranges are crossed
    alpelisib = ["0 nM", "1 nM .. 10 uM x 9"]
    capivasertib = "1 nM .. 10 uM"                   # a range without a count is sampled

    [durations]                                      # {name} behind "for" in the treatment
    [parameters]                                     # values of model parameters: "0.1 .. 10 x 5 log", [1, 2]
    [scales]                                         # factors on the line's own value
    PTEN_total = "0.1 .. 1 log"

    [sample]                                         # needed when there are ranges to sample
    method = "sobol"                                 # or "latin hypercube"
    points = 1024
    seed = 0

    [output]
    format = "csv"                                   # or "parquet" (pip install pyarrow)
    wells_per_chunk = 10000

    [solver]
    rtol = 1e-6                                      # atol follows the values unless it is given

    [libraries]                                      # TOML files with more drugs and cell lines, constants of a fit
    drugs = "my_drugs.toml"
    cell_lines = "my_lines.toml"
    parameters = "fit"

Without a treatment, cells are in ``serum 10 %`` (where the model knows serum) and every dose is of the drug its name
says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..checked import checked
from ..errors import InputError, PathsimError, raise_together, repeated, unknown
from ..experiments.conditions import resting_medium
from ..experiments.ensemble import choose_sets
from ..files import read_toml
from ..lab import CellLine, Library, default_library
from ..lab.constants import with_constants
from ..model import Model, bundled_models, load_model
from ..solve import Rosenbrock
from ..units import times_min
from .axes import Axis, Kind, Range, read_axis
from .chunk import RESERVED, Format
from .design import Design, line_settings
from .protocol import Protocol, read_media, read_protocol
from .sampling import Method, Sample


@dataclass(frozen=True, eq=False)
class Spec:
    """A sweep ready to run: its design, and how its table is written."""

    design: Design
    format: Format
    wells_per_chunk: int

    def wells_of(self, chunk: int) -> tuple[int, int]:
        """The first well of a chunk and the one after its last."""
        first = chunk * self.wells_per_chunk
        return first, min(first + self.wells_per_chunk, self.design.wells)


_KEYS = ("model", "cell_lines", "alterations", "ensemble", "treatment", "treatments", "times", "readouts", "doses",
         "durations", "parameters", "scales", "sample", "output", "solver", "libraries")  # fmt: skip


@checked
def read_spec(path: str | Path) -> Spec:
    """Read a sweep file.

    Raises :class:`InputError` naming the file and every entry that is wrong, all at once.

    >>> spec = ps.sweep.read_spec("sweep.toml")  # doctest: +SKIP
    """
    path = Path(path)
    return make_spec(read_toml(path), path.parent, str(path))


@checked
def make_spec(content: Mapping[str, Any], folder: Path = Path(), where: str = "sweep") -> Spec:
    """A sweep from the content of a sweep file; files it names are looked for in ``folder``. Errors as above.

    >>> spec = ps.sweep.make_spec({"cell_lines": ["T47D"], "treatment": "alpelisib 1 uM", "times": "1 h",
    ...     "readouts": ["pAKT_S473"]})  # doctest: +SKIP
    """
    reader = _Reader(content, Path(folder), [])
    spec = reader.spec()
    raise_together(reader.problems, where)
    assert spec is not None
    return spec


@dataclass(frozen=True)
class _Reader:
    content: Mapping[str, Any]
    folder: Path
    problems: list[str]

    def spec(self) -> Spec | None:
        """The sweep, or None when something is wrong."""
        self._check_keys("", self.content, _KEYS)
        model = self._try(self._model)
        version = model.version if model else ""
        library = self._try(partial(self._library, version)) or default_library(version)
        sets = self._try(partial(self._sets, model)) or [] if model else []
        lines = [with_constants(line, constants) for line in self._lines(library) for constants in ({}, *sets)]
        axes = self._axes()
        sample = self._try(lambda: self._sample(axes))
        times = self._try(self._times) or ()
        readouts = self._texts("readouts")
        format, wells_per_chunk = self._output()
        solver = self._try(self._solver)
        protocols = self._protocols(axes, library, model, max(times, default=0.0)) if model else ()
        if self.problems or model is None or solver is None:
            return None
        media = self._try(partial(read_media, lines, library)) or ()
        settings = line_settings(lines, model)
        design = Design(model, settings, protocols, axes, sample, times, readouts, solver, len(sets), media)
        self._try(design.check)
        return Spec(design, format, wells_per_chunk)

    def _try(self, read: Callable[[], Any]) -> Any:
        """What ``read`` gives, or None with its complaint noted."""
        try:
            return read()
        except PathsimError as error:
            self.problems.append(str(error))
            return None

    def _check_keys(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        place = f"in [{where}]" if where else ""
        self.problems.extend(str(unknown("key", key, known, place)) for key in table if key not in known)

    def _table(self, name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
        table = self.content.get(name, {})
        if not isinstance(table, dict):
            self.problems.append(f"{name} is not a table; write [{name}] and its entries below")
            return {}
        if known:
            self._check_keys(name, table, known)
        return table

    def _texts(self, name: str, default: list[str] | None = None) -> tuple[str, ...]:
        value = self.content.get(name, default)
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            self.problems.append(
                f'{name} is missing; write {name} = ["..."]'
                if value is None
                else f"{name} is {value!r}; write a list of texts"
            )
            return ()
        twice = sorted(repeated(value))
        self.problems.extend(f"{name} names '{item}' twice" for item in twice)
        return tuple(value)

    def _library(self, version: str) -> Library:
        library = default_library(version)
        files = self._table("libraries", ("drugs", "cell_lines", "parameters"))
        if "drugs" in files:
            library = library.with_drugs(self.folder / str(files["drugs"]))
        if "cell_lines" in files:
            library = library.with_cell_lines(self.folder / str(files["cell_lines"]))
        if "parameters" in files:
            library = library.with_parameters(self.folder / str(files["parameters"]))
        return library

    def _model(self) -> Model:
        name = self.content.get("model", "pi3k_mapk")
        if not isinstance(name, str):
            raise InputError(f"model is {name!r}; write a name or a path")
        beside = self.folder / name
        return load_model(beside if name not in bundled_models() and os.path.isfile(beside) else name)

    def _lines(self, library: Library) -> list[CellLine]:
        found: list[CellLine] = []
        alterations = self._texts("alterations", ["none"])
        for name in self._texts("cell_lines"):
            for alteration in alterations:
                full = name if alteration == "none" else f"{name}+{alteration}"
                line = self._try(partial(library.cell_line, full))
                found += [line] if line else []
        return found

    def _sets(self, model: Model) -> list[dict[str, float]]:
        wanted = self.content.get("ensemble")
        if wanted is None:
            return []
        if isinstance(wanted, bool) or not isinstance(wanted, (int, str)):
            raise InputError(f"ensemble is {wanted!r}; write how many of the shipped parameter sets, or a file of sets")
        return choose_sets(model, self.folder / wanted if isinstance(wanted, str) else wanted)

    def _axes(self) -> tuple[Axis, ...]:
        axes: list[Axis] = []
        for kind in Kind:
            for name, value in self._table(kind.value, ()).items():
                axis = self._try(partial(read_axis, name, kind, value))
                axes += [axis] if axis else []
        names = [axis.name for axis in axes]
        self.problems.extend(
            f"'{axis.name}' cannot be the name of an axis: the table has a column of that name"
            for axis in axes
            if axis.column in RESERVED
        )
        self.problems.extend(f"'{name}' is varied twice" for name in sorted(repeated(names)))
        return tuple(axes)

    def _sample(self, axes: tuple[Axis, ...]) -> Sample | None:
        ranges = [axis.name for axis in axes if isinstance(axis.points, Range)]
        table = self._table("sample", ("method", "points", "seed"))
        if not table:
            if ranges:
                raise InputError(
                    f"{', '.join(ranges)}: a range without a count is sampled, which needs a [sample] table "
                    '(method = "sobol", points = 1024); or add a count, as in "1 nM .. 10 uM x 9"'
                )
            return None
        if not ranges:
            raise InputError('[sample] has no range to sample; write one without a count, as in "1 nM .. 10 uM"')
        methods = {method.value: method for method in Method}
        method = str(table.get("method", "sobol"))
        if method not in methods:
            raise unknown("method", method, methods, "in [sample]")
        points, seed = self._count(table, "sample", "points", 0, 1), self._count(table, "sample", "seed", 0, 0)
        return Sample(methods[method], points, seed)

    def _count(self, table: Mapping[str, Any], where: str, name: str, default: int, least: int) -> int:
        value = table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"[{where}] {name} is {value!r}; write a whole number from {least} on")
        return value

    def _times(self) -> tuple[float, ...]:
        value = self.content.get("times")
        if value is None:
            raise InputError('times is missing; write times = "24 72 h"')
        if not isinstance(value, str):
            raise InputError(f'times is {value!r}; write a text with a unit, such as "24 72 h"')
        times = tuple(times_min(value))
        if list(times) != sorted(set(times)):
            raise InputError(f"times '{value}' are not in ascending order")
        return times

    def _output(self) -> tuple[Format, int]:
        table = self._table("output", ("format", "wells_per_chunk"))
        formats = {format.value: format for format in Format}
        name = str(table.get("format", "csv"))
        if name not in formats:
            self.problems.append(str(unknown("format", name, formats, "in [output]")))
        count = self._try(lambda: self._count(table, "output", "wells_per_chunk", 10_000, 1))
        return formats.get(name, Format.CSV), count or 1

    def _solver(self) -> Rosenbrock:
        table = self._table("solver", ("rtol", "atol", "max_steps"))
        try:
            return Rosenbrock(**table)
        except TypeError as error:
            raise InputError(f"[solver]: {error}") from None

    def _protocols(self, axes: tuple[Axis, ...], library: Library, model: Model, latest: float) -> tuple[Protocol, ...]:
        if "treatment" in self.content and "treatments" in self.content:
            self.problems.append("both treatment and treatments are given; use treatments for several")
        doses = [axis.name for axis in axes if axis.kind is Kind.DOSE]
        rest = resting_medium(model)
        parts = [*map(str, rest.doses), *(f"{name} {{{name}}}" for name in doses)]
        plain = " + ".join(parts) or "vehicle"
        texts = self._texts("treatment" if "treatment" in self.content else "treatments", [plain])
        found: list[Protocol] = []
        for text in texts:
            protocol = self._try(partial(read_protocol, text, axes, library, rest, latest))
            found += [protocol] if protocol else []
        return tuple(found)
