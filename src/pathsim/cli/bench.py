"""What verbs of the lab work with: a model, and the shelf of drugs, lines and constants with one's own among them.

A verb takes all of it as one argument, ``bench: Bench``, and is registered with :func:`verb`, which spreads the fields
of such a record into options, in the place where it stands. Another option for all verbs is another field.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from ..errors import PathsimError, raise_together
from . import app as cli

if TYPE_CHECKING:
    import pandas as pd

    from ..experiments.ensemble import Intervals
    from ..lab import CellLine, Library
    from ..model import Model
    from ..resistance import Rules
    from ..threads import Workers

Study = TypeVar("Study")

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=NUMBER...",
        help="Constants of the model set by hand, in place of the lines' own too; NAME@LINE for one line only "
        "(pathsim list parameters).",
    ),
]
Fitted = Annotated[
    str | None,
    typer.Option(
        "--parameters",
        metavar="FIT|FILE",
        help="Constants of a fit: the folder of pathsim fit -o, its best.csv, or a CSV with parameter and value.",
    ),
]


@dataclass(frozen=True)
class Bench:
    """The model that a verb runs, and what stands beside it."""

    model: cli.Model = "pi3k_mapk"
    cell_lines: cli.CellLines = None
    drugs: cli.Drugs = None
    changes: Changes = None
    fitted: Fitted = None

    @cached_property
    def opened(self) -> Model:
        """The model."""
        from ..model import load_model

        return load_model(self.model)

    @cached_property
    def library(self) -> Library:
        """The bundled drugs and lines of the model's version, with those and the constants of one's own.

        Raises :class:`InputError` for constants that the model does not have.
        """
        found = cli.library(self.model, self.cell_lines, self.drugs)
        if self.fitted is not None:
            found = found.with_parameters(self.fitted)
            self._check(found.parameters, self.fitted)
        if self.changes:
            found = found.with_settings(cli.settings(self.changes))
            self._check(found.settings, "--set")
        return found

    def _check(self, constants: Mapping[str, float], where: str) -> None:
        from ..experiments.timecourse import system_of

        system, problems = system_of(self.opened), []
        for name in dict.fromkeys(name.partition("@")[0].strip() for name in constants):
            try:
                system.slot(name)
            except PathsimError as error:
                problems.append(str(error))
        raise_together(problems, where)

    def sets(self, ensemble: str | None) -> Sequence[dict[str, float]]:
        """What ``--ensemble`` names, the best set first: nothing, the model as it is and the first of the shipped sets,
        or those of a file. What ``--set`` sets is the same in all.

        Raises :class:`InputError` for more than there are, and for constants that the model does not have.
        """
        from ..lab.constants import without_names

        return [without_names(one, list(self.library.settings)) for one in cli.parameter_sets(self.model, ensemble)]

    def under(self, sets: Sequence[dict[str, float]]) -> Library:
        """The library for studies under ``sets``: those of a fit replace the constants of ``--parameters``; where the
        model as it is comes first (an empty set), these stay the same in all sets."""
        if not sets or not sets[0]:
            return self.library
        from dataclasses import replace

        from ..lab.constants import without_names

        return replace(self.library, parameters=without_names(self.library.parameters, list(sets[0])))

    def with_intervals(
        self,
        run: Callable[[Sequence[CellLine | str]], pd.DataFrame],
        lines: Sequence[str],
        ensemble: str | None,
        workers: Workers = None,
    ) -> pd.DataFrame:
        """What ``--ensemble`` asks for: the assay alone, or with intervals over parameter sets."""
        return table_of(self.under_sets(run, lines, ensemble, workers))

    def under_sets(
        self,
        run: Callable[[Sequence[CellLine | str]], Study],
        lines: Sequence[str],
        ensemble: str | None,
        workers: Workers = None,
    ) -> Intervals[Study]:
        """A study under the sets that ``--ensemble`` names; those under which it fails are said."""
        found = self.repeats(run, lines, self.sets(ensemble), True, workers)
        for sentence in found.failures:
            cli.note(f"left out of the interval: {sentence}")
        return found

    def repeats(
        self,
        run: Callable[[Sequence[CellLine | str]], Study],
        lines: Sequence[str],
        sets: Sequence[dict[str, float]],
        quiet: bool,
        workers: Workers = None,
    ) -> Intervals[Study]:
        """A study of cell lines, under parameter sets where there are any, which ``workers`` share; of one alone it
        gives its work to them itself."""
        from ..experiments.ensemble import LEVEL, Intervals, on_lines, prediction_intervals

        study = on_lines(run, lines, self.under(sets))
        if len(sets) < 2:
            return Intervals((study(dict(*sets)),), (), LEVEL)
        hands = 1 if workers is None else workers
        return prediction_intervals(study, sets, tell=lambda said: cli.note(said, quiet), workers=hands)


def table_of(found: Intervals[pd.DataFrame]) -> pd.DataFrame:
    """The table of an assay, with intervals where it was done under several sets."""
    return found.table() if found.sample else found.best


@dataclass(frozen=True)
class Measured:
    """A measured table that is drawn beside what a verb simulates, and how it is read."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="FILE", help="A measured table (CSV, Excel, Parquet), drawn beside the simulated."
        ),
    ] = None
    columns: cli.Columns = None
    sheet: cli.SheetName = None

    @property
    def mapped(self) -> dict[str, str]:
        """Names of columns in the file and what they hold."""
        from ..tables import read_map

        return read_map(self.columns or ())


MEASURED = Measured()
"""Nothing measured."""

BENCH = Bench()
"""The bundled model and library, where nothing else is said."""


@dataclass(frozen=True)
class Steps:
    """How the dose of an escalation rises."""

    start: Annotated[str, typer.Option("--start", metavar="DOSE", help="First dose.")] = "100 nM"
    factor: Annotated[float, typer.Option("--factor", help="From one dose to the next.")] = 1.5
    recovery: Annotated[
        float,
        typer.Option("--recovery", help="Raise the dose when growth is back at this share of the drug-free rate ..."),
    ] = 0.8
    stay_days: Annotated[float, typer.Option("--stay-days", help="... after so many days at a dose.")] = 7.0
    patience_days: Annotated[
        float, typer.Option("--patience-days", help="Not resistant when growth is not back after so many days.")
    ] = 90.0
    fold: Annotated[float, typer.Option("--fold", help="Stop at this multiple of the parental IC50 (5 to 10).")] = 5.0
    max_days: Annotated[float, typer.Option("--max-days", help="Give up after so many days in all.")] = 540.0

    @property
    def rules(self) -> Rules:
        """The same for :func:`pathsim.escalate`."""
        from ..resistance import Rules

        return Rules(self.factor, self.recovery, self.stay_days, self.patience_days, self.fold, self.max_days)


STEPS = Steps()
"""The rules of ``Rules()``."""


def lines_and_drugs(words: Sequence[str], library: Library) -> tuple[list[str], list[str]]:
    """Cell lines and drugs named in any order, told apart by what is on the shelf.

    Raises :class:`InputError` for every word that is neither, and where none of either is named.
    """
    drugs = [word for word in words if _is_drug(word, library)]
    lines = [word for word in words if word not in drugs]
    problems = []
    for word in lines:
        try:
            library.cell_line(word)
        except PathsimError as error:  # which says what looks like a drug
            problems.append(str(error))
    if not problems:
        missing = [what for what, found in (("cell line", lines), ("drug", drugs)) if not found]
        problems = [f"no {what} is named among {', '.join(words)}" for what in missing]
    raise_together(problems)
    return lines, drugs


def _is_drug(word: str, library: Library) -> bool:
    try:
        library.drug(word)
    except PathsimError:
        return False
    return True


Verb = TypeVar("Verb", bound=Callable[..., None])


def verb(name: str | None = None) -> Callable[[Verb], Verb]:
    """Register a verb, as ``@app.command()`` does, whose arguments may be records of options such as :class:`Bench`."""

    def register(function: Verb) -> Verb:
        cli.app.command(name=name)(spread_records(function))
        return function

    return register


def spread_records(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` with an option for each field of every argument that is a record (a dataclass)."""
    hints = get_type_hints(function, include_extras=True)
    shown: list[inspect.Parameter] = []
    records: dict[str, tuple[type[Any], dict[str, str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if not hasattr(kind, "__dataclass_fields__"):
            shown.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        inner = get_type_hints(kind, include_extras=True)
        names = {f"{parameter.name}_{field.name}": field.name for field in fields(kind)}
        records[parameter.name] = kind, names
        for option, field in zip(names, fields(kind), strict=True):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            shown.append(
                inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=inner[field.name])
            )

    @wraps(function)
    def run(**given: Any) -> None:
        for record, (kind, names) in records.items():
            given[record] = kind(**{field: given.pop(option) for option, field in names.items()})
        function(**given)

    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return run


def read_free(words: Sequence[str]) -> list[Any]:
    """``--free NAME... FILE.toml``: names as they are, and the free parameters of files."""
    from ..estimation.free import FreeParameter, read_free_parameters

    found: list[str | FreeParameter] = []
    for word in words:
        found += read_free_parameters(word) if is_file_of_free(word) else [word]
    return found


def is_file_of_free(word: str) -> bool:
    """Whether a word after ``--free`` names a file."""
    return word.endswith(".toml") or os.path.isfile(word)
