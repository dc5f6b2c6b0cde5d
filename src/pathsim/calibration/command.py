"""What the commands of the calibration share: their arguments, what they tell on the way, how errors end them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PathsimError
from ..threads import Workers, chosen


def command(name: str, doc: str | None, results: str) -> argparse.ArgumentParser:
    """The parser of ``python -m pathsim.calibration.NAME``, described by the first line of the module's ``doc``, which
    takes a folder of data, one of ``results`` (what is in it), and who does the work."""
    parser = argparse.ArgumentParser(
        prog=f"python -m pathsim.calibration.{name}", description=(doc or "").split("\n")[0]
    )
    parser.add_argument("data", type=Path, help="folder with the measured tables, one folder each")
    parser.add_argument("results", type=Path, help=f"folder of {results}; what is there is not done again")
    parser.add_argument("--workers", type=int, default=None, help="processes; results do not depend on it")
    parser.add_argument("--dask", default=None, metavar="ADDRESS", help="of the scheduler of a Dask cluster instead")
    parser.add_argument("--any-processor", action="store_true", help="let results agree within tolerances only")
    return parser


def hands(options: argparse.Namespace) -> Workers:
    """Who does the work. Raises :class:`InputError` for two answers."""
    return chosen(options.workers, options.dask)


@contextmanager
def errors_in_a_line() -> Iterator[None]:
    """An error of pathsim in the block ends the program with what it says."""
    try:
        yield
    except PathsimError as error:
        sys.exit(f"pathsim: {error}")


def say(text: str) -> None:
    """Tell how far the command is."""
    print(text, file=sys.stderr, flush=True)
