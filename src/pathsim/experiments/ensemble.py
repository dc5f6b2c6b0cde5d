"""Studies under many parameter sets: the files that sets are read from, and the intervals of what studies find."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from .. import shown
from ..arguments import shortened
from ..arrays import FloatArray
from ..checked import checked
from ..errors import InputError, PathsimError, SimulationError, brief, raise_together
from ..lab import CellLine, Library, default_library
from ..lab.constants import Constants, with_constants
from ..model import Model, models_folder
from ..progress import bar
from ..shown import Shown
from ..table import numeric_cells, read_csv
from ..threads import Workers
from ..workers import finished
from .timecourse import system_of

if TYPE_CHECKING:
    import pandas as pd

Study = TypeVar("Study")

SHIPPED = "ensemble.csv"
LEVEL = 0.9
"""Intervals are from the 5 to the 95 % quantile over parameter sets, unless asked otherwise."""


@checked
def load_parameter_sets(path: str | Path | None = None, version: str = "") -> list[dict[str, float]]:
    """Parameter sets from a CSV with one column per constant; by default the sets shipped with the bundled model, of
    its current version or an earlier one.

    Raises :class:`InputError` naming the file, and every row and column that is not a number.

    >>> len(ps.load_parameter_sets()) > 10
    True
    """
    where = models_folder(version) / SHIPPED if path is None else path
    frame = read_csv(where, comment="#")
    problems = [] if len(frame) else ["there is no parameter set in it"]
    sets: list[dict[str, float]] = [{} for _ in range(len(frame))]
    for name in frame.columns:
        values = numeric_cells(frame[name])
        problems += [
            f"row {row + 2}, column '{name}': '{brief(str(frame[name].iloc[row]))}' is not a number"
            for row in np.flatnonzero(~np.isfinite(values))
        ]
        for one, value in zip(sets, values.tolist(), strict=True):
            one[str(name)] = value
    raise_together(shortened(problems), str(where))
    return sets


def choose_sets(model: Model, wanted: int | str | Path) -> list[dict[str, float]]:
    """The first ``wanted`` shipped parameter sets, or all those of a file, for ``model``.

    Raises :class:`InputError` for more sets than there are, and for constants that the model does not have.
    """
    system, problems = system_of(model), []
    sets = load_parameter_sets(version=model.version) if isinstance(wanted, int) else load_parameter_sets(wanted)
    for name in sets[0]:
        try:
            system.slot(name.split("@")[0])
        except PathsimError as error:
            problems.append(str(error))
    if not isinstance(wanted, int):
        raise_together(problems, str(wanted))
        return sets
    if problems:
        raise InputError(f"the shipped parameter sets belong to pi3k_mapk, not to {model.id}; give a file of its own")
    if not 1 <= wanted <= len(sets):
        raise InputError(f"{wanted} parameter sets are asked for; 1 to {len(sets)} are shipped")
    return sets[:wanted]


class Interval(NamedTuple):
    """The median (``value``) and an interval over all parameter sets, by entry.

    Both are of the same sets, so that the value never lies outside: the best set alone may, where it fits the data
    better than any set near it.
    """

    low: FloatArray
    value: FloatArray
    high: FloatArray


def interval(values: npt.ArrayLike, level: float = LEVEL, *, occurring: bool = False) -> Interval:
    """The median over parameter sets (axis 0), and the interval that holds a share ``level`` of the values.

    ``occurring``: ends are values that occur, so that infinite ones can stand among them. NaN, where a set gives no
    value, is left aside.
    """
    found = np.asarray(values, dtype=float)
    quantile = np.nanquantile if np.isnan(found).any() else np.quantile
    shares, method = (0.5 - level / 2, 0.5, 0.5 + level / 2), "inverted_cdf" if occurring else "linear"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # where no set gives a value there is none
        return Interval(*(np.asarray(quantile(found, share, axis=0, method=method)) for share in shares))  # type: ignore[call-overload]


@dataclass(frozen=True, eq=False)
class Intervals(Generic[Study]):
    """A study under many parameter sets.

    ``studies``: the one under the best set first, then all others that could be carried out; ``failures`` say in words
    what went wrong under the rest.
    """

    studies: tuple[Study, ...]
    failures: tuple[str, ...] = ()
    level: float = LEVEL

    def _shown(self) -> Shown:
        said = f"{len(self.studies)} parameter sets, {self.level:.0%} intervals; under the best of them:"
        return Shown(f"{said}\n{shown.shortened(repr(self.best), 2000)}", notes=self.failures)

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    @property
    def best(self) -> Study:
        """The study under the best set."""
        return self.studies[0]

    @property
    def sample(self) -> tuple[Study, ...]:
        """The studies that intervals are taken over, the best among them; none where there is only one."""
        return self.studies if len(self.studies) > 1 else ()

    def of(self, number: Callable[[Study], npt.ArrayLike]) -> Interval:
        """Median and interval of whatever ``number`` makes of a study: numbers of the same shape every time."""
        return interval([np.asarray(number(study), dtype=float) for study in self.studies], self.level)

    def table(self: Intervals[pd.DataFrame], columns: Mapping[str, tuple[str, str]] | None = None) -> pd.DataFrame:
        """The best table, with medians in some ``columns`` and the ends of intervals behind them, where studies are
        tables of equal rows.

        ``columns``: a column and the names of the ends of its interval; default ``value`` with ``low`` and ``high``.
        """
        result = self.best.copy()
        for name, ends in (columns or {"value": ("low", "high")}).items():
            add_ends(result, name, ends, self.of(lambda study, name=name: study[name].to_numpy(dtype=float)))  # type: ignore[misc]
        return result


@checked
def prediction_intervals(
    run: Callable[[Constants], Study],
    sets: Iterable[Constants],
    level: float = LEVEL,
    tell: Callable[[str], None] | None = None,
    *,
    workers: Workers = 1,
) -> Intervals[Study]:
    """Carry out a study under every parameter set: how far what it finds hangs on constants that are not known.

    >>> from pathsim.experiments.ensemble import on_lines
    >>> run = on_lines(lambda lines: ps.western_blot("pi3k_mapk", lines, "vehicle", "pAKT_S473", 0.0), ["T47D"])
    >>> table = ps.prediction_intervals(run, [{}, *ps.load_parameter_sets()[:3]]).table()

    Args:
        run: the study: any assay, whatever stands on assays, or numbers; it gets the constants of a set
            (:func:`on_lines` makes one of a study of cell lines).
        sets: parameter sets of any origin, the best first: of a posterior (``posterior_ensemble(fit).constants``), of a
            file, or ``{}`` (the model as it is) and the shipped ones.
        level: the share of sets that an interval holds.
        tell: called with a sentence as sets are done.
        workers: as of :func:`pathsim.fit`; by default one study after the other here, each with all processors.

    Raises:
        InputError: there are no sets, or ``level`` is no share. Whatever the study raises under the best set; sets
        under which it fails otherwise are left out.
    """
    chosen = list(sets)
    if not chosen:
        raise InputError("an ensemble needs at least one parameter set")
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level!r}")
    found: dict[int, Study | _Failure] = {}
    with bar("parameter sets", len(chosen)) as further:
        found[0] = run(chosen[0])  # which says everything that is wrong with the names at once
        for place, study in finished(_Tried(run), chosen[1:], workers):
            found[place + 1] = study
            further()
            if tell is not None:
                said = f"left out: {study.why}" if isinstance(study, _Failure) else "done"
                tell(f"parameter set {place + 1} of {len(chosen) - 1}: {said}")
    in_order = [found[number] for number in range(len(chosen))]
    failures = [f"parameter set {i}: {one.why}" for i, one in enumerate(in_order) if isinstance(one, _Failure)]
    if len(chosen) > 1 and len(failures) == len(chosen) - 1:
        raise SimulationError(f"the study failed under all {len(chosen) - 1} parameter sets; {failures[0]}")
    studies = [one for one in in_order if not isinstance(one, _Failure)]
    return Intervals(tuple(studies), tuple(failures), level)


@dataclass(frozen=True)
class _Failure:
    """Why a study could not be carried out."""

    why: str


@dataclass(frozen=True, eq=False)
class _Tried(Generic[Study]):
    """A study whose failure is a result."""

    run: Callable[[Constants], Study]

    def __call__(self, constants: Constants) -> Study | _Failure:
        try:
            return self.run(constants)
        except PathsimError as error:
            return _Failure(str(error))


@checked
def on_lines(
    run: Callable[[Sequence[CellLine | str]], Study], lines: Sequence[str], library: Library | None = None
) -> Callable[[Constants], Study]:
    """A study of cell ``lines`` as a function of constants, for :func:`prediction_intervals`.

    ``run`` gets the lines, as names where no constants are given, else with the constants in them.
    """

    def under(constants: Constants) -> Study:
        if not constants:
            return run(lines)
        return run([with_constants((library or default_library()).cell_line(name), constants) for name in lines])

    return under


def add_ends(table: pd.DataFrame, column: str, ends: tuple[str, str], found: Interval | tuple[Any, Any, Any]) -> None:
    """Put the median of an interval into ``column`` of ``table``, and its lower and upper end behind it."""
    place = list(table.columns).index(column) + 1
    table[column] = found[1]
    table.insert(place, ends[0], found[0])
    table.insert(place + 1, ends[1], found[2])
