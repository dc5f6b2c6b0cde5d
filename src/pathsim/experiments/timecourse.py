"""Time courses of any model: one, many, a stream of them, or the same one again and again with other parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments, shown
from ..arrays import FloatArray, IntArray
from ..checked import checked
from ..errors import InputError, SimulationError, raise_together
from ..model import Model, load_model, without_value
from ..parts import in_parts
from ..progress import announced
from ..shown import Shown, shortened
from ..solve import Extrapolation, Rosenbrock, Rows, Single, Solver, System, build_system, for_one_run, run_rows
from ..threads import Workers, elsewhere, threads_of
from ..units import numbers

if TYPE_CHECKING:
    import pandas as pd


ROWS_AT_ONCE = 20_000
"""Rows of one block of a stream: enough to keep all cores busy, little enough to stay in memory."""
WORTH_SENDING = 64
"""Rows that are sent to a worker elsewhere together, at least."""


@lru_cache(maxsize=32)
def _valueless(model: Model) -> tuple[str, ...]:
    return tuple(without_value(model))


@lru_cache(maxsize=32)
def system_of(model: Model) -> System:
    """The equations of ``model``, derived once."""
    return build_system(model)


class Simulator:
    """One model ready to be run again and again: equations, machine code and memory are prepared once.

    Made by :func:`simulator`. Calling it costs microseconds beyond the integration itself.
    """

    def __init__(
        self,
        system: System,
        times: FloatArray,
        vary: tuple[str, ...],
        outputs: tuple[str, ...],
        solver: Solver,
        base: FloatArray,
    ) -> None:
        self.system = system
        self.times = times
        self.vary = vary
        self.outputs = outputs
        self.solver = solver
        self._base = base
        self._columns = np.array(_slots(system, vary), dtype=np.int64)
        self._nodes = _output_nodes(system, tuple(outputs))
        self._missing = self._missing_values()
        if any(name in outputs for name in self._missing):
            self._refuse_missing_values()

    def __call__(self, values: Sequence[float] | FloatArray = ()) -> FloatArray:
        """Outputs, shape (times, outputs), with ``values`` for the parameters in ``vary``, in their order.

        Raises :class:`InputError` for a wrong number of values or NaN, :class:`SimulationError` when the equations
        could not be solved.
        """
        if type(values) not in (list, tuple) or not _FLOAT.issuperset(map(type, values)):
            values = arguments.column(values, "a value")
        if len(values) != len(self.vary) or _holds_nan(values):
            raise InputError(_wrong_values(self.vary, values))
        found, sentence = self._run(values)
        if sentence:
            self._refuse_missing_values()
            raise SimulationError(f"{self.system.model.id}: {sentence}")
        if self._missing and np.isnan(found).any():
            self._refuse_missing_values()
        return found

    def _refuse_missing_values(self) -> None:
        """Say which constant nobody gave a value, when that is why the equations could not be solved."""
        if self._missing:
            model = self.system.model
            names = ", ".join(repr(name) for name in self._missing)
            where = model.source or model.id
            raise InputError(f"{where}: {names} has no value; give one in the file or as a parameter")

    def _missing_values(self) -> list[str]:
        """Constants and species that have no value from anywhere."""
        missing = _valueless(self.system.model)
        given = {name for name in missing if not np.isnan(self._base[self.system.slot(name)])}
        return [name for name in missing if name not in given and name not in self.vary]

    def prepare(self) -> None:
        """Make machine code now rather than in the first call."""
        _ = self._single

    def _run(self, values: Sequence[float] | FloatArray) -> tuple[FloatArray, str]:
        if self._single is not None:
            return self._single.run(values)
        raw = self._base.copy()
        raw[self._columns] = values
        rows = run_rows(self.system, raw[None, :], self.times, self._nodes, self.solver)
        return rows.values[0], rows.sentence(0) if rows.status[0] else ""

    @cached_property
    def _single(self) -> Single | None:
        if not isinstance(self.solver, Rosenbrock | Extrapolation):
            return None
        return Single(self.system, self._base, self._columns, self.times, self._nodes, self.solver)

    @cached_property
    def _labels(self) -> tuple[Any, Any]:
        import pandas as pd

        return pd.Index(self.times, name="time"), pd.Index(self.outputs)

    def frame(self, values: Sequence[float] | FloatArray = ()) -> pd.DataFrame:
        """As calling, but a frame indexed by ``time`` with one column per output."""
        import pandas as pd

        found = self(values)
        index, columns = self._labels
        return pd.DataFrame(found, index=index, columns=columns, copy=False)


_FLOAT = frozenset({float})


def _holds_nan(values: Sequence[float] | FloatArray) -> bool:
    if isinstance(values, np.ndarray):
        return bool(np.count_nonzero(values != values))
    return any(map(math.isnan, values))


@checked
def simulator(
    model: Model | str | Path,
    times: Iterable[float] | float | str,
    vary: Sequence[str] = (),
    outputs: Sequence[str] | str | None = None,
    solver: Solver | None = None,
    parameters: Mapping[str, float] | None = None,
) -> Simulator:
    """A model made ready for many single runs, as an optimiser or sampler of one's own makes them.

    Args:
        vary: parameters or initial values given anew in each call, in this order.
        parameters: values that replace the model's own in every call.
        model, times, outputs, solver: as for :func:`simulate`.

    >>> run = ps.simulator("pi3k_mapk", range(61), vary=["PTEN_total"], outputs=["pAKT_S473"])
    >>> run([0.0]).shape
    (61, 1)
    """
    system = system_of(_open(model))
    grid, names = check_times(times), _names(system, outputs, (*vary, *(parameters or ())))
    return Simulator(system, grid, tuple(vary), names, solver or for_one_run(len(grid)), system.raw(parameters))


@lru_cache(maxsize=32)
def _prepared(
    system: System, grid: bytes, vary: tuple[str, ...], outputs: tuple[str, ...], solver: Solver
) -> Simulator:
    return Simulator(system, np.frombuffer(grid), vary, outputs, solver, system.raw())


@checked
def simulate(
    model: Model | str | Path,
    times: Iterable[float] | float | str,
    parameters: Mapping[str, float] | None = None,
    outputs: Sequence[str] | str | None = None,
    solver: Solver | None = None,
) -> pd.DataFrame:
    """One time course.

    Args:
        model: a model, a bundled name, or a path to an ``.ant``, ``.xml`` or ``.sbml`` file.
        times: sample times in the model's own time unit, ascending from 0 on; simulation starts at 0.
        parameters: values that replace the model's own, initial values of species included.
        outputs: any symbols of the model, with the meaning SBML gives them; ``amount(S)`` and ``concentration(S)`` ask
            explicitly. Default: every species and every other quantity that a rate rule changes.
        solver: default ``Extrapolation()`` for up to 200 times, ``Rosenbrock()`` for more.

    Returns:
        A frame indexed by ``time`` with one column per output.

    Raises:
        InputError: a name, time or value that makes no sense; SimulationError: the equations could not be solved.

    >>> frame = ps.simulate("pi3k_mapk", "0 .. 60 x 61", {"PTEN_total": 0.0}, ["pAKT_S473"])
    >>> frame.shape
    (61, 1)
    """
    system = system_of(_open(model))
    changes = parameters or {}
    grid, names = check_times(times), _names(system, outputs, changes)
    values = list(changes.values())
    if not changes.keys() <= system.slots.keys() or any(value != value for value in values):
        system.raw(changes)  # which says what is wrong
    prepared = _prepared(system, grid.tobytes(), tuple(changes), names, solver or for_one_run(len(grid)))
    found = prepared.frame(values)
    _tell_of_coarse(solver, found.to_numpy())
    _tell_of_nan(system, found.to_numpy(), names, grid)
    return found


@dataclass(frozen=True, eq=False)
class Batch:
    """Many time courses: ``values`` (n, times, outputs), ``status`` (n,) with 0 for success; NaN after a failure."""

    rows: Rows
    times: FloatArray
    outputs: tuple[str, ...]

    @property
    def values(self) -> FloatArray:
        """Results, shape (n, times, outputs)."""
        return self.rows.values

    @property
    def status(self) -> IntArray:
        """How each row ended (:class:`pathsim.Status`), shape (n,)."""
        return self.rows.status

    def _shown(self) -> Shown:
        n, times, outputs = self.values.shape
        failed = int((self.status != 0).sum())
        first = [int(row) for row in np.flatnonzero(self.status)[:3]]
        names = shortened(", ".join(self.outputs), 200)
        said = f"{n} time courses of {times} times and {outputs} outputs ({names}); {failed} failed"
        return Shown(said, notes=[f"row {row}: {self.explain(row)}" for row in first])

    __repr__ = shown.as_text
    _repr_html_ = shown.as_html

    def explain(self, row: int) -> str:
        """One sentence on how ``row`` ended, with advice when it failed."""
        return self.rows.sentence(row)

    def to_frame(self) -> pd.DataFrame:
        """Long form: columns ``row, time``, then one per output."""
        import pandas as pd

        n, n_times, _ = self.values.shape
        frame = pd.DataFrame(self.values.reshape(n * n_times, -1), columns=list(self.outputs))
        frame.insert(0, "time", np.tile(self.times, n))
        frame.insert(0, "row", np.repeat(np.arange(n), n_times))
        return frame


@checked
@announced("simulating")
def simulate_many(
    model: Model | str | Path,
    parameters: pd.DataFrame,
    times: Iterable[float] | float | str,
    outputs: Sequence[str] | str | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
    into: FloatArray | None = None,
) -> Batch:
    """One time course per row of ``parameters`` (one column per overridden parameter or initial value).

    Results are bitwise the same for any ``workers`` (a number of threads of this machine, or who else takes rows, as of
    :func:`pathsim.fit`) and any order of rows; a row that fails carries a status and does not disturb the others.
    ``into`` (n, times, outputs), such as a :class:`numpy.memmap`, takes the values where there are more than memory
    holds; :func:`iter_simulate_many` gives them block by block. Arguments and errors otherwise as :func:`simulate`.

    >>> rows = pd.DataFrame({"PTEN_total": [0.0, 10.0, 20.0]})
    >>> ps.simulate_many("pi3k_mapk", rows, [0, 60], ["pAKT_S473"]).status.tolist()
    [0, 0, 0]
    """
    opened = _open(model)
    system = system_of(opened)
    grid, names = check_times(times), _names(system, outputs, map(str, getattr(parameters, "columns", ())))
    _output_nodes(system, tuple(names))
    if not hasattr(parameters, "columns"):
        raise InputError("parameters must be a DataFrame: one row per simulation, one column per parameter")
    job = _Courses(
        opened, tuple(_slots(system, [str(name) for name in parameters.columns])), grid, tuple(names), solver
    )
    settings = _Table(parameters)
    if into is not None:
        _check_target(into, (len(settings), len(grid), len(names)))
    try:
        if elsewhere(workers) is None:
            rows = job.rows(settings, threads_of(workers), into)
        else:
            rows = _from_elsewhere(job, settings, workers, into)
    except _MissingError:
        _refuse_missing(parameters)
        raise
    _tell_of_coarse(solver, rows.values)
    return Batch(rows, grid, names)


@dataclass(frozen=True, eq=False)
class _Courses:
    """Time courses of a model, whose ``columns`` (slots of raw values) are set row by row."""

    model: Model
    columns: tuple[int, ...]
    times: FloatArray
    outputs: tuple[str, ...]
    solver: Solver | None

    def rows(self, settings: _Table | FloatArray, threads: int | None, into: FloatArray | None = None) -> Rows:
        """For settings (n, columns)."""
        system, columns = system_of(self.model), np.array(self.columns, dtype=np.int64)
        nodes = _output_nodes(system, self.outputs)
        return run_rows(system, settings, self.times, nodes, self.solver, columns=columns, workers=threads, into=into)

    def __call__(self, settings: FloatArray, threads: int | None) -> tuple[FloatArray | IntArray, ...]:
        """The values (n, times, outputs), and how each row ended."""
        found = self.rows(settings, threads)
        return found.values, found.status, found.time, found.state, found.steps


def _from_elsewhere(job: _Courses, settings: _Table | FloatArray, workers: Workers, into: FloatArray | None) -> Rows:
    """The same rows, put together."""
    system = system_of(job.model)
    values = np.empty((len(settings), len(job.times), len(job.outputs))) if into is None else into
    ends: dict[int, Sequence[Any]] = {}
    for first, (part, *end) in in_parts(job, settings, workers, least=WORTH_SENDING, most=ROWS_AT_ONCE):
        values[first : first + len(part)] = part
        ends[first] = end
    status, time, state, steps = (np.concatenate(one) for one in zip(*(ends[i] for i in sorted(ends)), strict=True))
    return Rows(system, values, status, time, state, steps, np.empty((0, len(system.states))))


@checked
def iter_simulate_many(
    model: Model | str | Path,
    parameters: pd.DataFrame | Iterator[pd.DataFrame] | Sequence[pd.DataFrame],
    times: Iterable[float] | float | str,
    outputs: Sequence[str] | str | None = None,
    solver: Solver | None = None,
    workers: Workers = None,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Iterator[Batch]:
    """As :func:`simulate_many`, one :class:`Batch` after another in row order, keeping none of them.

    ``parameters`` is one frame, cut into blocks of ``rows_at_once``, or an iterable of frames, one block each, so that
    neither settings nor results of a sweep of any length need to be in memory.

    >>> rows = pd.DataFrame({"PTEN_total": [0.0, 10.0, 20.0]})
    >>> for batch in ps.iter_simulate_many("pi3k_mapk", rows, [0, 60], ["pAKT_S473"], rows_at_once=2):
    ...     print(batch.values.shape)
    (2, 2, 1)
    (1, 2, 1)
    """
    import pandas as pd

    opened, grid = _open(model), check_times(times)
    if isinstance(parameters, pd.DataFrame):
        whole = parameters
        parameters = (whole.iloc[i : i + rows_at_once] for i in range(0, len(whole), rows_at_once))
    for block in parameters:
        yield simulate_many(opened, block, grid, outputs, solver, workers)


def _tell_of_coarse(solver: Solver | None, values: FloatArray) -> None:
    """Warn of an absolute tolerance that is larger than everything that came out."""
    atol = getattr(solver, "atol", None)
    if atol is None or not values.size or (np.abs(values[0]) >= atol).any():
        return
    largest = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    if 0.0 < largest < atol:
        import logging

        logging.getLogger("pathsim").warning(
            "pathsim: atol is %g, which is larger than every value (the largest is %g), so none of them is accurate; "
            "leave atol out, and it follows the values",
            atol,
            largest,
        )


def _tell_of_nan(system: System, values: FloatArray, names: Sequence[str], times: FloatArray) -> None:
    """Warn of outputs that are no numbers: rules outside the domain of what they use, or no case of them holds."""
    missing = np.isnan(values)
    if not missing.any():
        return
    import logging

    where = system.model.source or system.model.id
    for column in np.flatnonzero(missing.any(axis=0)).tolist():
        logging.getLogger("pathsim").warning(
            "pathsim: %s: '%s' is not a number at time %g", where, names[column], times[missing[:, column].argmax()]
        )


def _check_target(into: FloatArray, shape: tuple[int, ...]) -> None:
    if into.shape != shape or into.dtype != np.float64 or not into.flags.c_contiguous:
        raise InputError(
            f"'into' must be a contiguous array of 64-bit floats of shape {shape} (rows, times, outputs); it is "
            f"{into.dtype} of shape {into.shape}"
        )


FEW_ROWS = 1000


class _MissingError(Exception):
    """A number is missing in a table."""


class _Table:
    """The rows of a frame as floats (n, columns), put together by the threads that simulate them, slice by slice.

    Raises :class:`InputError` naming columns that are not numeric, :class:`_MissingError` at slices with NaN.
    """

    def __init__(self, parameters: pd.DataFrame) -> None:
        self.rows, self.columns = len(parameters), _columns(parameters)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: slice, /) -> FloatArray:
        found = np.empty((len(range(*rows.indices(self.rows))), len(self.columns)))
        for i, column in enumerate(self.columns):
            found[:, i] = column[rows]
        if np.isnan(found.sum()):  # looked at entry by entry only where there is something to be seen
            raise _MissingError
        return found


def _columns(parameters: pd.DataFrame) -> list[FloatArray]:
    """The columns of a frame as numbers, as they lie there. Raises :class:`InputError` naming those that are none."""
    if len(parameters) <= FEW_ROWS:  # to copy them is quicker than to look at each column
        plain = parameters.to_numpy()
        if plain.dtype.kind in "iuf":
            return [*np.asarray(plain, dtype=float).T]
    found: list[FloatArray] = []
    for name, column in parameters.items():
        own = column.to_numpy()
        found.append(own if own.dtype.kind in "iuf" else arguments.column(column, f"'{name}'"))
    return found


def _refuse_missing(parameters: pd.DataFrame) -> None:
    """Raise :class:`InputError` naming rows with NaN."""
    rows, columns = np.nonzero(np.isnan(np.stack(_columns(parameters), axis=1)))
    problems = [
        f"row {row}: parameter '{parameters.columns[column]}' is NaN"
        for row, column in zip(rows[:20], columns[:20], strict=True)
    ]
    raise_together(problems, "parameters")


def default_outputs(system: System) -> list[str]:
    """Every species, then whatever else a rate rule changes; in a model without species, the variables of all rules."""
    model = system.model
    species = [item.id for item in model.species]
    rules = [rule.variable for rule in (*model.rate_rules, *(() if species else model.assignment_rules))]
    return species + [name for name in rules if name not in model.species_by_id]


def check_times(times: Iterable[float] | float | str) -> FloatArray:
    """Sample times as an array; one number and text such as ``"0 .. 60 x 61"`` are times too.

    Raises :class:`InputError` unless they are finite, ascending and not negative.
    """
    if isinstance(times, str):
        times = numbers(times)
    elif not isinstance(times, (np.ndarray, int, float)):
        times = list(times)
    try:
        grid = np.atleast_1d(np.asarray(times, dtype=float))
    except (TypeError, ValueError):
        raise InputError("times must be numbers, in the model's own time unit") from None
    if grid.ndim != 1 or grid.size == 0:
        raise InputError("no times are given; name at least one")
    if not np.isfinite(grid).all():
        raise InputError("times must be finite numbers")
    if grid[0] < 0:
        raise InputError(f"time {grid[0]:g} is negative; simulation starts at 0")
    if (grid[1:] < grid[:-1]).any():
        raise InputError("times must be in ascending order")
    return grid


def _open(model: Model | str | Path) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def _names(system: System, outputs: Sequence[str] | str | None, given: Iterable[str] = ()) -> tuple[str, ...]:
    """The outputs asked for; by default those that have a value, from the model or ``given``."""
    if isinstance(outputs, str):
        return (outputs,)
    if outputs is not None:
        return tuple(outputs)
    chosen = default_outputs(system)
    missing = set(_valueless(system.model)).intersection(chosen).difference(given)
    if missing:
        import logging

        names = ", ".join(f"'{name}'" for name in chosen if name in missing)
        where = system.model.source or system.model.id
        if missing.issuperset(chosen):
            raise InputError(f"{where}: {names} has no value; give one in the file or as a parameter")
        logging.getLogger("pathsim").warning("pathsim: %s: %s has no value and is left out", where, names)
    return tuple(name for name in chosen if name not in missing)


def _slots(system: System, names: Sequence[str]) -> list[int]:
    problems: list[str] = []
    slots: list[int] = []
    for name in names:
        try:
            slots.append(system.slot(name))
        except InputError as error:
            problems.append(str(error))
    problems += [f"'{name}' is given twice" for i, name in enumerate(names) if name in names[:i]]
    raise_together(problems)
    return slots


def _wrong_values(vary: Sequence[str], values: Sequence[float] | FloatArray) -> str:
    if len(values) != len(vary):
        return f"{len(values)} values are given for {len(vary)} parameters ({', '.join(vary) or 'none'})"
    bad = [name for name, value in zip(vary, values, strict=True) if value != value]
    return f"{', '.join(map(repr, bad))} is set to NaN, which is not a number"


@lru_cache(maxsize=64)
def _output_nodes(system: System, names: tuple[str, ...]) -> tuple[int, ...]:
    if not names:
        raise InputError("no outputs are asked for; name at least one")
    problems: list[str] = []
    nodes: list[int] = []
    for name in names:
        try:
            nodes.append(system.output(name))
        except InputError as error:
            problems.append(str(error))
    raise_together(problems)
    return tuple(nodes)
