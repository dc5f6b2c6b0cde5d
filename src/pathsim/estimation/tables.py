"""Any mix of measured tables as one problem: blots, time courses, dose responses, matrices, tumour volumes.

All tables have the one schema (:mod:`pathsim.table`). What a row is compared with follows from the row:

- with a ``gel``: a band, whose gel and readout have an unknown scale (:mod:`.blots`);
- ``viability`` and ``colony``: cells in percent of the vehicle wells at the same time; ``GR``: growth rate inhibition,
  from the count at the start and that of the vehicle. The vehicle is the treatment without its drugs (ligands and media
  stay); doses of a response curve or a combination matrix are rows like all others;
- ``tumour_volume``: relative to the volume at day 0 of the same animal (line, treatment and replicate);
- anything else: a readout of the model, in its own unit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import words
from ..checked import checked
from ..errors import raise_together, unknown
from ..lab import CellLine, Library, Step, Treatment, default_library
from ..lab.protocols import protocols
from ..model import Model, load_model
from ..model.maths import Expr, symbol
from ..solve import Rosenbrock
from ..stats.noise import Family, LogNormal, Normal
from ..tables import Tell
from .blot_table import in_order, loading_controls, read_frame, with_known_names, with_problems
from .blots import (
    band_observables,
    band_rows,
    cell_lines,
    check_drugs,
    check_loading,
    check_readouts,
    check_values,
    divide_by_loading,
)
from .free import FreeParameter, as_free_parameters
from .lab_problem import Detector, Place, Row, assemble, with_bounds
from .observables import fold_change, gr_value, percent
from .problem import Problem
from .records import Observable

if TYPE_CHECKING:
    import pandas as pd

DRUG = "drug"
"""The kind of what a vehicle treatment leaves out."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A readout that only means something beside others: the symbol it is made from (of those that
    ``models/protocols.toml`` gives to these ``roles`` the first that the model has), and its usual noise."""

    roles: tuple[str, ...]
    family: Family

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of what it may be made from."""
        return tuple(str(getattr(protocols().names, role)) for role in self.roles)


RELATIVE = {
    "viability": Relative(("viability", "cell_count"), Normal()),
    "colony": Relative(("cell_count", "viability"), Normal()),
    "GR": Relative(("cell_count", "viability"), Normal()),
    "tumour_volume": Relative(("cell_count", "viability"), LogNormal()),
}


@checked
def problem(
    model: Model | str | Path,
    tables: pd.DataFrame | str | Path | Iterable[pd.DataFrame | str | Path] | Mapping[str, pd.DataFrame | str | Path],
    free: Iterable[str | FreeParameter],
    noise: Family | Mapping[str, Family] | None = None,
    background: Collection[str] = (),
    saturation: Collection[str] = (),
    *,
    library: Library | None = None,
    solver: Rosenbrock | None = None,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
) -> Problem:
    """Measured tables of any kind and a model with free parameters, ready for :func:`pathsim.fit`.

    The size of the noise is the column ``sd`` (with normal noise), that of the family, or estimated in closed form for
    each table and readout; scales of gels are solved for.

    Args:
        tables: one table or several, as frames or files in the one schema (of plates: :func:`pathsim.read_screen`); a
            mapping names them.
        free: as of :func:`blot_problem`.
        noise: a family for everything, or for some readouts (``{"GR": Normal(0.1)}``). Default: normal for percentages
            and GR values and where there is a column ``sd``, log-normal for everything else.
        background: blotted readouts with an unknown background, as of :func:`blot_problem`.
        saturation: blotted readouts whose detector saturates, as of :func:`blot_problem`.
        library: drugs and cell lines; default the bundled ones.
        solver: default ``Rosenbrock()``.
        columns, sheet, tell: of files, as of :func:`read_blots`.

    Raises:
        InputError: listing every unknown name, every bad row with its table and line, and every bound that makes no
            sense.

    >>> problem = ps.problem("pi3k_mapk", ["blots.csv", "viability.csv"], free=["k_S473"])  # doctest: +SKIP
    """
    import pandas as pd

    opened = model if isinstance(model, Model) else load_model(model)
    shelf = library or default_library(opened.version)
    named = _named(tables)
    chosen, problems = as_free_parameters(free), ([] if named else ["no table is given"])
    shelf = shelf.freeing([item.name for item in chosen])
    background, saturation = words(background, "background"), words(saturation, "saturation")
    lines: dict[str, CellLine] = {}
    made: list[_Table] = []
    for name, one in named:
        frame = read_frame(one, columns, sheet, tell) if isinstance(one, (str, Path)) else one
        made.append(_Table(opened, shelf, frame, name, noise, len(named) > 1))
        lines |= made[-1].lines
        problems += [f"{name}: {text}" if len(named) > 1 else text for text in made[-1].problems]
    bands = [readout for checked in made for readout in checked.bands]
    problems += [
        str(unknown("blotted readout", name, bands)) for name in (*background, *saturation) if name not in bands
    ]
    settled = [with_bounds(opened, item, lines, problems) for item in chosen]
    raise_together(problems, "estimation problem")
    observables: dict[str, Observable] = {}
    rows: list[Row] = []
    frames, detector = [], Detector()
    for part in made:
        found = part.read(background, saturation)
        observables |= found.observables
        rows += found.rows
        frames.append(found.table)
        detector = detector.joined(found.detector)
    table = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return assemble(
        opened,
        table,
        rows,
        observables,
        [item for item in settled if item is not None],
        lines,
        shelf,
        detector,
        solver or Rosenbrock(),
        "estimation problem",
    )


def _named(
    tables: pd.DataFrame | str | Path | Iterable[pd.DataFrame | str | Path] | Mapping[str, pd.DataFrame | str | Path],
) -> list[tuple[str, pd.DataFrame | str | Path]]:
    """Tables and what they are called."""
    import pandas as pd

    if isinstance(tables, Mapping):
        return [(str(name), one) for name, one in tables.items()]
    given: Any = tables
    if isinstance(given, (str, Path, pd.DataFrame)) or not isinstance(given, Iterable):
        given = [given]
    return [(str(one) if isinstance(one, (str, Path)) else f"table {n}", one) for n, one in enumerate(given, start=1)]


def only_bands(table: pd.DataFrame) -> bool:
    """Whether a table without other scales is one of blots: :func:`pathsim.blot_problem` is for it."""
    return not table["readout"].isin(RELATIVE).any() and ("gel" in table or "unit" not in table)


@dataclass(frozen=True, eq=False)
class _Read:
    """Rows of one table, in the order of ``table``."""

    table: pd.DataFrame
    rows: list[Row]
    observables: dict[str, Observable]
    detector: Detector


class _Table:
    """One table, checked; ``several``: whether its observables must be told from those of others."""

    def __init__(
        self,
        model: Model,
        library: Library,
        frame: pd.DataFrame,
        name: str,
        noise: Family | Mapping[str, Family] | None,
        several: bool,
    ) -> None:
        self.model, self.library, self.noise = model, library, noise
        self.suffix = f" ({Path(name).stem})" if several else ""
        self.frame, self.problems = with_problems(frame, name, RELATIVE)
        self.has_gel = "gel" in frame
        self.lines = cell_lines(self.frame, library, self.problems)
        check_drugs(self.frame, library, self.problems)
        known = {*model.symbols, *model.readouts, *RELATIVE, *(loading_controls() if self.has_gel else ())}
        self.frame = with_known_names(self.frame, [*model.readouts, *RELATIVE, *loading_controls(), *model.symbols])
        check_readouts(self.frame, known, [*(model.readouts or model.symbols), *RELATIVE], self.problems)
        for readout in self._relative:
            candidates = RELATIVE[readout].symbols
            if not any(name in model.symbols for name in candidates):
                self.problems.append(f"readout '{readout}' needs {' or '.join(candidates)} in the model")
        blotted = [*self.bands, *loading_controls()] if self.has_gel else []
        for named, rows in self.frame.groupby("readout", sort=False):
            if named in blotted:
                check_values(rows, self.family(str(named)), self.problems)
            elif self.family(str(named)).scale != "lin":
                self.problems += [
                    f"row {row}: value {value:g} of '{named}' must be positive with log-normal noise"
                    for row, value in rows["value"].items()
                    if value <= 0
                ]
        if self.has_gel:
            check_loading(self.frame[self.frame["readout"].isin(blotted)], self.problems)
        if len(self.frame) and not self.bands and not self._relative and self.has_gel:
            self.problems.append("the table holds loading controls only")
        self.problems = in_order(self.problems)

    @property
    def _relative(self) -> list[str]:
        return [name for name in dict.fromkeys(self.frame["readout"].astype(str)) if name in RELATIVE]

    @property
    def bands(self) -> list[str]:
        """Readouts that are blotted."""
        if not self.has_gel:
            return []
        names = dict.fromkeys(self.frame["readout"].astype(str))
        return [name for name in names if name not in RELATIVE and name not in loading_controls()]

    def family(self, readout: str) -> Family:
        """The noise of a readout."""
        if isinstance(self.noise, Mapping):
            if readout in self.noise:
                return self.noise[readout]
        elif self.noise is not None:
            return self.noise
        if "sd" in self.frame:
            return Normal()
        return RELATIVE[readout].family if readout in RELATIVE else LogNormal()

    def read(self, background: Collection[str], saturation: Collection[str]) -> _Read:
        """Everything in the table as records. Raises :class:`InputError` for a volume without a day 0."""
        import pandas as pd

        detector, observables, rows = Detector(), dict[str, Observable](), list[Row]()
        frames = []
        relative = self.frame["readout"].isin(RELATIVE)
        plain = self.frame[~relative]
        if self.has_gel:
            loaded = divide_by_loading(plain) if len(plain) else plain
            plain = loaded[~loaded["readout"].isin(loading_controls())]
            for readout, bands in plain.groupby("readout", sort=False):
                name = str(readout)
                made, seen = band_observables(bands, self.family(name), {name} & {*background}, {name} & {*saturation})
                rows += [replace(row, observable=name + self.suffix) for row in band_rows(bands, self.family(name))]
                observables[name + self.suffix] = replace(made[name], id=name + self.suffix)
                detector = detector.joined(seen, self.suffix)
                frames.append(bands)
        else:
            for readout, own in plain.groupby("readout", sort=False):
                name = str(readout)
                self._add(name, symbol(name), own, [()] * len(own), observables, rows)
                frames.append(own)
        for readout in self._relative:
            own = self.frame[self.frame["readout"] == readout]
            own, formula, others = self._compared(readout, own)
            self._add(readout, formula, own, others, observables, rows)
            frames.append(own)
        return _Read(pd.concat(frames), rows, observables, detector)

    def _add(
        self,
        readout: str,
        formula: Expr,
        table: pd.DataFrame,
        others: Sequence[tuple[Place, ...]],
        observables: dict[str, Observable],
        rows: list[Row],
    ) -> None:
        name = readout + self.suffix
        observables[name] = Observable(name, formula, family=self.family(readout))
        for row, place, compared in zip(band_rows(table, self.family(readout)), _places(table), others, strict=True):
            rows.append(replace(row, observable=name, place=place, others=compared, gel=""))

    def _compared(self, readout: str, table: pd.DataFrame) -> tuple[pd.DataFrame, Expr, list[tuple[Place, ...]]]:
        """The rows of a relative readout, its formula, and what each row is compared with."""
        made_from = symbol(next(name for name in RELATIVE[readout].symbols if name in self.model.symbols))
        if readout == "tumour_volume":
            table = _over_day_0(table)
            return table, fold_change(made_from), [(place._replace(time_min=0.0),) for place in _places(table)]
        controls = [place._replace(treatment=self._vehicle(place.treatment)) for place in _places(table)]
        if readout == "GR":
            return table, gr_value(made_from), [(c._replace(time_min=0.0), c) for c in controls]
        return table, percent(made_from), [(control,) for control in controls]

    def _vehicle(self, treatment: str) -> str:
        """The treatment without its drugs."""

        def without(step: Step) -> Step:
            kept = tuple(dose for dose in step.doses if self.library.drug(dose.name).kind != DRUG)
            return Step(kept, step.duration)

        return str(Treatment(tuple(without(step) for step in Treatment.parse(treatment).steps)))


def _places(table: pd.DataFrame) -> list[Place]:
    columns = table[["cell_line", "treatment", "time_min"]].itertuples(index=False, name=None)
    return [Place(str(line), str(treatment), float(time)) for line, treatment, time in columns]


def _over_day_0(table: pd.DataFrame) -> pd.DataFrame:
    """Volumes over that of the same animal at day 0, which tells nothing more; the relative errors of both, where there
    is a column ``sd``, add in squares.

    Raises :class:`InputError` naming rows of animals without a day 0.
    """
    key = ["cell_line", "treatment", "replicate"]
    animals = list(table[key].itertuples(index=False, name=None))
    days = table[table["time_min"] == 0]
    first = days.groupby(key)["value"].mean()
    start = np.array([first.get(animal, math.nan) for animal in animals])
    missing = table.index[~(start > 0)]
    raise_together([f"row {row}: this animal has no volume at day 0 (time_min 0)" for row in missing[:20]], "tumours")
    values = table["value"] / start
    scaled = table.assign(value=values)
    if "sd" in scaled:
        squares = days.assign(sd=days["sd"] ** 2).groupby(key)["sd"].agg(["sum", "count"])
        errors = np.sqrt(squares["sum"]) / squares["count"]  # of the mean, where day 0 was measured more than once
        of_start = np.array([errors[animal] for animal in animals])
        scaled["sd"] = np.hypot(table["sd"] / start, values * of_start / start)
    return scaled[scaled["time_min"] > 0]
