"""``pathsim export``: a treated line for other simulators; measurements, or a fit, as a PEtab problem."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

from ..errors import InputError
from ..files import write_whole
from . import app as cli
from .bench import BENCH, Bench, read_free, verb


@verb()
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="LINE|TABLE|FIT",
            help="A cell line, for --sbml, --antimony and --omex. For a PEtab problem: CSV, Excel or Parquet with "
            "cell_line, treatment, time_min, readout, value; or a folder of pathsim fit, whose best parameters are "
            "then where the problem starts.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            callback=cli.new_folder,
            help="Where problem.yaml of a PEtab problem and its tables go.",
        ),
    ] = None,
    sbml: Annotated[
        str | None,
        typer.Option("--sbml", metavar="FILE", callback=cli.new_file, help="The treated line as SBML with events."),
    ] = None,
    antimony: Annotated[
        str | None,
        typer.Option("--antimony", metavar="FILE", callback=cli.new_file, help="The same as Antimony text."),
    ] = None,
    omex: Annotated[
        str | None,
        typer.Option(
            "--omex",
            metavar="FILE",
            callback=cli.new_file,
            help="The same as a COMBINE archive, with SED-ML that COPASI and tellurium run.",
        ),
    ] = None,
    treatment: Annotated[
        str | None,
        typer.Option(
            "--treatment", metavar="TEXT", help="Of the line: 'serum 10 % + alpelisib 1 uM for 24 h then ...'."
        ),
    ] = None,
    times: Annotated[
        str, typer.Option("--times", metavar="TIMES", help="Of an archive, from the start of the last step.")
    ] = "0 .. 24 h x 49",
    readouts: Annotated[
        list[str] | None, typer.Option("--readouts", metavar="NAME...", help="Of an archive. Default: all.")
    ] = None,
    bench: Bench = BENCH,
    free: Annotated[
        list[str] | None,
        typer.Option("--free", metavar="NAME...|FILE.toml", help="What to estimate: parameters, or a file of priors."),
    ] = None,
    background: cli.Background = None,
    saturation: cli.Saturation = None,
    noise: cli.NoiseFamily = None,
    petab: Annotated[int, typer.Option("--petab", min=1, max=2, help="The version of PEtab to write.")] = 2,
    columns: cli.Columns = None,
    sheet: cli.SheetName = None,
    lanes: cli.Lanes = None,
) -> None:
    """Write a treated cell line for other simulators (SBML, Antimony, COMBINE archive), or a PEtab problem.

    Example: pathsim export T47D+PTEN_loss --treatment "serum 10 % + alpelisib 1 uM for 24 h then serum 10 %" --omex
    washout.omex
    """
    if sbml or antimony or omex:
        if output is not None:
            raise InputError("-o is for a PEtab problem; --sbml, --antimony and --omex name their own files")
        _line(what, treatment, bench, sbml, antimony, omex, readouts, times)
        return
    if output is None:
        raise InputError("say what to write: -o DIR (a PEtab problem), or --sbml, --antimony or --omex FILE (a line)")
    if treatment is not None:
        raise InputError("--treatment goes with a cell line and --sbml, --antimony or --omex")
    version: Literal[1, 2] = 1 if petab == 1 else 2
    if os.path.isdir(what):
        path = _fit(what, output, version)
    else:
        from ..petab import export as export_table
        from ..tables import read_map

        path = str(
            export_table(
                bench.opened,
                what,
                output,
                read_free(free or ()),
                bench.library,
                cli.noise_family(noise),
                background or (),
                saturation or (),
                columns=read_map(columns or ()),
                sheet=sheet,
                tell=cli.note,
                lanes=lanes,
                version=version,
            )
        )
    cli.note(f"wrote {path}")
    cli.send(f"{path}\n")


def _line(
    name: str,
    treatment: str | None,
    bench: Bench,
    sbml: str | None,
    antimony: str | None,
    omex: str | None,
    readouts: list[str] | None,
    times: str,
) -> None:
    """Write a treated line in each of the forms that are asked for."""
    from ..exchange.antimony import antimony_of
    from ..exchange.archive import archive_of
    from ..exchange.sbml import treated
    from ..units import times_min

    if treatment is None:
        raise InputError("--treatment is missing; write for example --treatment 'serum 10 % + alpelisib 1 uM'")
    moments = times_min(times)
    cells = treated(bench.opened, name, treatment, bench.library, None)
    if sbml is not None:
        write_whole(sbml, cells.text)
    if antimony is not None:
        write_whole(antimony, antimony_of(cells))
    if omex is not None:
        archive_of(cells, omex, readouts or list(bench.opened.readouts), moments, bench.library)
    for path in filter(None, (sbml, antimony, omex)):
        cli.note(f"wrote {path}")
        cli.send(f"{path}\n")


def _fit(folder: str, output: str, version: Literal[1, 2]) -> str:
    from ..estimation import load_fit
    from ..petab import write

    found = load_fit(folder)
    problem = found.problem
    if "measurement" in problem.description.parts[0].table:
        raise InputError(f"{folder}: a fit of a PEtab problem, not of blots; the problem is PEtab already")
    return str(write(problem, output, found.theta, version))
