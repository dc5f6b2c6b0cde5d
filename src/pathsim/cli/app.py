"""What all verbs share: the application, its exit codes, and how errors, tables and figures leave it.

A verb is a module of this folder with a typed function under ``@app.command()``, listed in ``VERBS`` and nowhere else;
a name there that is no module fails every command (``app``, which would be this module, is in ``page.py``). Modules of
verbs import what they need inside their function, so that ``pathsim --help`` stays quick.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from dataclasses import replace
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup, TyperOption

from .. import __version__, progress, signals
from ..errors import InputError, PathsimError
from ..files import refuse_device, whole_file, write_whole
from ..rows import rows_as_csv, rows_as_json

if TYPE_CHECKING:
    from ..app.outcome import Outcome
    from ..lab import Library
    from ..model import Model as OpenModel
    from ..stamp import Stamp
    from ..stats.noise import Family

DONE, FAILED, WRONG_USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

VERBS = (
    "list",
    "check",
    "version",
    "simulate",
    "blot",
    "timecourse",
    "dose_response",
    "combine",
    "plate",
    "score",
    "curve",
    "sweep",
    "sensitivity",
    "fit",
    "profile",
    "petab",
    "escalate",
    "xenograft",
    "glucose",
    "trial",
    "investigate",
    "validate",
    "export",
    "run",
    "app",
)

MODULES = {"app": "page"}
"""The modules of verbs that are not named like them."""

HELP = ["-h", "--help"]

COMMAND: ContextVar[tuple[str, ...]] = ContextVar("command", default=("pathsim",))
"""The words of the command that is being run, for the stamps of what it writes."""

_KEPT: ContextVar[Outcome | None] = ContextVar("kept", default=None)
"""Where tables, figures and notes go instead of to streams and files, while a page runs a command."""

app = typer.Typer(
    name="pathsim",
    help="A virtual wet lab for PI3K-pathway drug resistance. Tables go to stdout as CSV, progress to stderr, "
    "figures where --plot says.",
    epilog="Every command takes --debug, which shows the traceback of an error, and --save-experiment FILE, which "
    "keeps what it was asked for pathsim run. Exit codes: 0 done, 1 failed, 2 wrong usage, "
    "130 interrupted, 143 terminated.",
    no_args_is_help=True,
    add_completion=True,
    context_settings={"help_option_names": HELP},
    pretty_exceptions_enable=False,
)


def new_folder(path: str | None) -> str | None:
    """Refuse a folder that cannot be written to before the work is done rather than after it."""
    if path is not None and _KEPT.get() is None:
        _refuse_place(path, path)
    return path


def new_file(path: str | None) -> str | None:
    """Refuse a file that cannot be written before the work is done rather than after it."""
    if path is not None and _KEPT.get() is None:
        if os.path.isdir(path):
            raise InputError(f"{path}: a folder; name a file in it")
        refuse_device(path)
        _refuse_place(path, os.path.dirname(os.path.realpath(path)))
    return path


def new_figure(path: str | None) -> str | None:
    """As :func:`new_file`, and the ending must be one of a figure."""
    if path is not None and not path.lower().endswith((".png", ".pdf", ".svg")):
        raise InputError(f"--plot {path}: the file must end in .png, .pdf or .svg")
    return new_file(path)


def _refuse_place(path: str, folder: str) -> None:
    """Raise :class:`InputError` unless ``folder`` is one, or can be made, that files can be written into."""
    place = os.path.abspath(folder)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise InputError(f"{path}: cannot be written, because {place} is a file and not a folder")
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".pathsim"):
            pass
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written, because {place} may not be written to ({error.strerror or error})"
        ) from None


# Options that mean the same in every verb.
Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="A bundled model, of an earlier version as pi3k_mapk@0.1 (with the library of that version), or a path.",
    ),
]
Medium = Annotated[
    str | None, typer.Option("--medium", help="What all wells contain. Default: full medium, serum 10 %.")
]
Before = Annotated[
    str | None, typer.Option("--before", metavar="STEPS", help="Steps before any drug: 'vehicle for 24 h'.")
]
PlateSize = Annotated[int | None, typer.Option("--plate", help="96 or 384: place the wells on plates.")]
PlateReplicates = Annotated[int, typer.Option("--replicates", min=1, help="Plates of the same layout.")]
PlateNoise = Annotated[bool, typer.Option("--noise", help="Read plates as at the bench, with errors of wells.")]
Json = Annotated[bool, typer.Option("--json", help="Print the table as JSON records instead of CSV.")]
OutputFolder = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="DIR", callback=new_folder, help="Write the table into this folder, not to stdout."
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot", metavar="FILE", callback=new_figure, help="Draw the figure: .png, .pdf or .svg by its ending."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Where random numbers start; equal seeds, equal results.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads or processes; results do not depend on it.")
]
Dask = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Let the workers of this Dask scheduler do it (tcp://host:8786)."),
]
AnyProcessor = Annotated[
    bool,
    typer.Option(
        "--any-processor",
        help="Go on where another processor began, with workers of any: results then agree within tolerances, not to "
        "the bit, and are marked so.",
    ),
]
Ensemble = Annotated[
    str | None,
    typer.Option(
        "--ensemble",
        metavar="N|FILE",
        help="Median and interval over so many of the parameter sets shipped with the model, or over those of a file "
        "(pathsim fit --ensemble writes one).",
    ),
]
CellLines = Annotated[
    str | None,
    typer.Option("--cell-lines", metavar="FILE", help="TOML of cell lines and alterations beside the bundled ones."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="THEIRS=OURS...",
        help="Columns of a measured table under other names: 'Band intensity=value' 'Time=time_h'.",
    ),
]
SheetName = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="Of an Excel file. Default: the first that is not empty.")
]
Lanes = Annotated[
    str | None,
    typer.Option(
        "--lanes",
        metavar="FILE",
        help="What each row of a file of measurements alone (ImageJ) is: cell_line, treatment, time_min, readout.",
    ),
]
Drugs = Annotated[str | None, typer.Option("--drugs", metavar="FILE", help="TOML of drugs beside the bundled ones.")]


class Noise(StrEnum):
    """Noise families of fits."""

    lognormal = "lognormal"
    normal = "normal"
    robust = "robust"


def noise_family(name: str | None) -> Family | None:
    """The noise family of that name; None leaves it to the table."""
    from ..stats.noise import LogNormal, Normal, Robust

    families: dict[str | None, Family | None] = {
        None: None,
        Noise.lognormal: LogNormal(),
        Noise.normal: Normal(),
        Noise.robust: Robust(),
    }
    return families[name]


Background = Annotated[
    list[str] | None, typer.Option("--background", metavar="READOUT...", help="Bands with an unknown background.")
]
Saturation = Annotated[
    list[str] | None, typer.Option("--saturation", metavar="READOUT...", help="Readouts whose bands saturate.")
]


class Metric(StrEnum):
    """Null models of no interaction."""

    bliss = "bliss"
    hsa = "hsa"
    loewe = "loewe"
    zip = "zip"
    ci = "ci"
    musyc = "musyc"


NoiseFamily = Annotated[
    Noise | None,
    typer.Option(
        "--noise",
        help="How measurements scatter. Default: normal, of the size that a column sd says, or lognormal (in "
        "proportion to the value) where there is none.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr; results are still said.")]


@app.callback()
def _everywhere(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"pathsim {__version__}")
        raise typer.Exit(DONE)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; the only place where exceptions become text and exit codes."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    with signals.ending_soon():
        code = run_words(words, debug)
    if arguments is None and code in (INTERRUPTED, TERMINATED):
        os._exit(code)  # nothing is left to write, and taking everything down can last as long as the rest
    if arguments is None:
        gc.freeze()  # the interpreter need not look for garbage among all of this as it ends
    sys.exit(code)


def keep(words: Sequence[str], outcome: Outcome) -> None:
    """Run a command in this process, and keep what it makes in ``outcome`` instead of writing it.

    What goes wrong is a note in one line, as on the command line.
    """
    before = _KEPT.set(outcome)
    try:
        outcome.failed = run_words(list(words)) != DONE
    finally:
        _KEPT.reset(before)


def run_words(words: list[str], debug: bool = False) -> int:
    """Run a command line and say what goes wrong in a line; the exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # rows run side by side; threads of small matrices only wait
    try:
        words, kept = _without_file(words)
        COMMAND.set(("pathsim", *words))
        for verb in _verbs_for(words):
            import_module(f".{MODULES.get(verb, verb)}", __package__)
        command = typer.main.get_command(app)
        _take_as_they_are(command)
        with progress.quiet() if {"-q", "--quiet"} & set(words) else nullcontext():
            code = int(command.main(spread(command, words), prog_name="pathsim", standalone_mode=False) or DONE)
        if code == INTERRUPTED:  # typer has made a code of Ctrl-C
            raise KeyboardInterrupt
        if sys.stdout is not None:
            sys.stdout.flush()
        if kept is not None and code == DONE:
            _keep(command, words, kept)
        return code
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _let_go(sys.stdout)
        return DONE
    except (typer.Abort, KeyboardInterrupt):
        if debug:
            raise
        _say(signals.WORDS[signal.SIGINT])
        return INTERRUPTED
    except signals.TerminatedError:
        _say(signals.WORDS[signal.SIGTERM])
        return TERMINATED
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own errors of usage, whose base class is not public
            return _wrong_usage(error)
        if debug:
            raise
        return _failed(error)


SAVE = "--save-experiment"


def _without_file(words: list[str]) -> tuple[list[str], str | None]:
    """``words`` without ``--save-experiment FILE``, and that file. Raises :class:`InputError` where none is named."""
    said = next((word for word in words if word.partition("=")[0] == SAVE), None)
    if said is None:
        return words, None
    place = words.index(said)
    file = said.partition("=")[2] or next(iter(words[place + 1 : place + 2]), "")
    rest = [*words[:place], *words[place + (1 if "=" in said else 2) :]]
    if not file or file.startswith("-"):
        raise InputError(f"{SAVE} names no file; write {SAVE} experiment.toml")
    if not rest or rest[0] == "run":
        raise InputError(f"{SAVE} goes with the command that is done, for example pathsim blot T47D {SAVE} blot.toml")
    return rest, new_file(file)


def _keep(command: Any, words: list[str], path: str) -> None:
    """Write what ``words`` asked for as an experiment file."""
    from .experiment import experiment_of

    verb, *rest = spread(command, words)
    found = experiment_of(command.commands[verb], verb, rest, "")
    write_whole(path, replace(found, made_with=made_with(found.options.get("model"))).text())
    note(f"wrote {path}")


def made_with(model: str | None) -> str:
    """This version of pathsim, and what the model is that is named."""
    from ..model import load_model
    from ..stamp import stamp_of

    found = stamp_of(load_model(model) if model is not None else None)
    return f"pathsim {found.pathsim}" + (f"; {found.model} ({found.model_hash})" if found.model else "")


def command_of(verb: str) -> Any:
    """The command of a verb."""
    import_module(f".{verb.replace('-', '_')}", __package__)
    return typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]


def _verbs_for(words: Sequence[str]) -> Sequence[str]:
    """The modules that a command line needs: that of its verb, or all where it names none of them."""
    verb = next((word for word in words if not word.startswith("-")), "").replace("-", "_")
    return (verb,) if verb in VERBS else VERBS


def _failed(error: Exception) -> int:
    """Say in a line what went wrong; the exit code."""
    if isinstance(error, InputError):
        _say(str(error))
        return WRONG_USAGE
    if isinstance(error, OSError):
        _say(f"{error.filename or 'a file'}: {error.strerror or error}")
    else:
        _say(str(error) if isinstance(error, PathsimError) else f"{type(error).__name__}: {error} ({_DEFECT})")
    return FAILED


_DEFECT = "a defect of pathsim; --debug shows where"


def _wrong_usage(error: Any) -> int:
    """Say what typer found wrong with the command line, in one line."""
    context = getattr(error, "ctx", None)
    message = " ".join(error.format_message().split())
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return WRONG_USAGE
    command = context.command_path if context is not None else "pathsim"
    _say(f"{message} ({command} --help shows what is possible)")
    return WRONG_USAGE


def _say(message: str) -> None:
    note(f"pathsim: {message}")


def _take_as_they_are(command: Any) -> None:
    """Let typer convert only what needs it: it loads pydantic, which takes longer than many a verb, to make texts of
    texts."""
    for found in (command, *getattr(command, "commands", {}).values()):
        for parameter in found.get_params(typer.Context(found, help_option_names=HELP)):
            if hasattr(parameter, "_runtime_param") and hasattr(parameter, "type_descriptor"):
                parameter._runtime_param = _AsItIs()


class _AsItIs:
    """Stands in for typer's conversion of a parameter until a value comes that is not yet of the kind it is to be."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        kind, several = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if type(value) is kind and not several:
            return value
        if kind == list[str] and several and isinstance(value, list | tuple) and all(type(one) is str for one in value):
            return list(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def spread(command: Any, words: Sequence[str]) -> list[str]:
    """``--outputs A B`` as ``--outputs A --outputs B``, for the options of the verb that may be given several times."""
    verb = next((word for word in words if not word.startswith("-")), "")
    found = command.commands.get(verb) if isinstance(command, TyperGroup) else None
    if found is None:
        return list(words)
    several = {name for item in found.params if isinstance(item, TyperOption) and item.multiple for name in item.opts}
    result: list[str] = []
    open_option, count = "", 0
    for word in words:
        if word in several:
            open_option, count = word, 0
        elif word.startswith("-") and not _is_number(word):
            open_option = ""
        elif open_option:
            count += 1
            if count > 1:
                result.append(open_option)
        result.append(word)
    return result


def _is_number(word: str) -> bool:
    """Whether ``-5`` or ``"-1 nM"`` is a negative amount rather than an option."""
    return len(word) > 1 and (word[1].isdigit() or word[1] == ".")


def deliver(
    table: Any,
    name: str,
    as_json: bool = False,
    folder: str | None = None,
    quiet: bool = False,
    *,
    model: OpenModel | str | None = None,
) -> None:
    """Send a table, a DataFrame or a list of rows, where the user wants it: stdout, or ``folder/name.csv`` (or
    ``.json``), a stamp beside it."""
    kept = _KEPT.get()
    if kept is not None:
        kept.tables[name] = table
        return
    if isinstance(table, list):
        text = rows_as_json(table) if as_json else rows_as_csv(table)
    else:
        text = json_text(table) if as_json else table.to_csv(index=False)
    if folder is None:
        send(text)
        return
    from ..made_on import mark_in

    path = os.path.join(folder, f"{name}.{'json' if as_json else 'csv'}")
    write_whole(path, text)
    stamp(model, mark_in(folder)).write_beside(path)
    note(f"wrote {path}", quiet)


def deliver_all(
    tables: Mapping[str, Any],
    as_json: bool = False,
    folder: str | None = None,
    quiet: bool = False,
    *,
    model: OpenModel | str | None = None,
) -> None:
    """Send what belongs together, DataFrames by name, the main one first.

    Every table goes into the folder, or all of them as one JSON object or the main one as CSV to stdout.
    """
    if folder is not None:
        for name, table in tables.items():
            deliver(table, name, as_json, folder, quiet, model=model)
    elif as_json:
        parts = (f'"{name}": {json_text(table).rstrip()}' for name, table in tables.items())
        send("{\n" + ",\n".join(parts) + "\n}\n")
    else:
        send(next(iter(tables.values())).to_csv(index=False))


def json_text(table: Any) -> str:
    """A DataFrame as JSON records with every digit of its numbers."""
    names = [str(name) for name in table.columns]
    rows = table.astype(object).itertuples(index=False, name=None)
    return rows_as_json([dict(zip(names, row, strict=True)) for row in rows])


def stamp(model: OpenModel | str | None = None, results: str = "") -> Stamp:
    """The stamp of what the command that is being run makes of a model, and how far its ``results`` agree."""
    from ..stamp import stamp_of

    return stamp_of(opened(model), COMMAND.get(), results)


def opened(model: OpenModel | str | None) -> OpenModel | None:
    """The model itself, where one is named."""
    from ..model import load_model

    return load_model(model) if isinstance(model, str) else model


def send(text: str) -> None:
    """Text to stdout. Raises :class:`OSError` that names it when it is closed or full."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "is closed; -o writes into a folder", "standard output")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _let_go(sys.stdout)
        raise OSError(error.errno, error.strerror, "standard output") from None


def note(message: str, quiet: bool = False, end: str = "\n") -> None:
    """Progress for people, on stderr; where that is closed or full the work goes on without."""
    kept = _KEPT.get()
    if kept is not None and not quiet:
        kept.note(message)
        return
    if quiet or sys.stderr is None:
        return
    try:
        sys.stderr.write(message + end)
        sys.stderr.flush()
    except OSError:
        _let_go(sys.stderr)


def _let_go(stream: TextIO | None) -> None:
    """Send what is still written to a stream that takes nothing more nowhere, so that the end of Python is quiet."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


def save_figure(figure: Any, path: str, quiet: bool = False, *, model: OpenModel | str | None = None) -> None:
    """Write a matplotlib figure in the format that the ending of ``path`` names, with its stamp in the metadata."""
    kept = _KEPT.get()
    if kept is not None:
        kept.figures.append(figure)
        kept.model = opened(model)
        return
    ending = os.path.splitext(path)[1][1:].lower()
    with whole_file(path) as partial:
        figure.savefig(partial, format=ending, metadata=stamp(model).figure_metadata(ending))
    note(f"wrote {path}", quiet)


def parameter_sets(model: str, ensemble: str | None) -> Sequence[dict[str, float]]:
    """What ``--ensemble`` names, the best set first: nothing, the model as it is and the first of the shipped parameter
    sets, or those of a file.

    Raises :class:`InputError` for more than there are, and for constants that the model does not have.
    """
    if ensemble is None:
        return []
    from ..experiments.ensemble import choose_sets
    from ..model import load_model

    if ensemble.strip().lstrip("+-").isdigit():
        return [{}, *choose_sets(load_model(model), int(ensemble))] if int(ensemble) else []
    if not os.path.isfile(ensemble):
        raise InputError(f"--ensemble {ensemble}: neither a number of shipped parameter sets nor a file")
    return choose_sets(load_model(model), ensemble)


def library(model: str, cell_lines: str | None = None, drugs: str | None = None) -> Library:
    """The bundled drugs and cell lines that go with ``--model``, with those of ``--cell-lines`` and ``--drugs``."""
    from ..lab import default_library
    from ..model import version_of

    found = default_library(version_of(model))
    if cell_lines is not None:
        found = found.with_cell_lines(cell_lines)
    return found if drugs is None else found.with_drugs(drugs)


def settings(pairs: Sequence[str]) -> dict[str, float]:
    """``--set k1=0.5 k2=3`` as a mapping. Raises :class:`InputError` listing every pair that is not ``name=number``."""
    from ..errors import raise_together

    values: dict[str, float] = {}
    problems = []
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            if not name.strip():
                raise ValueError
            values[name.strip()] = float(text)
        except ValueError:
            problems.append(f"--set {pair}: write name=number, for example --set k1=0.5")
    raise_together(problems)
    return values
