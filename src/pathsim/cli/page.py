"""``pathsim app``: a page in the browser to choose, look, and copy the command from."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from ..errors import InputError
from . import app as cli


@cli.app.command(name="app")
def page(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes one that is free.")] = 5006,
    address: Annotated[
        str,
        typer.Option(
            "--address", help="Where it listens. Default: for this machine alone; 0.0.0.0 lets the network in."
        ),
    ] = "127.0.0.1",
    show: Annotated[bool, typer.Option("--show/--no-browser", help="Open the page in the browser.")] = True,
    drugs: cli.Drugs = None,
    cell_lines: cli.CellLines = None,
    quiet: cli.Quiet = False,
) -> None:
    """Choose lines, drugs, doses and schedules in the browser; every picture with the command that gives it.

    Needs the extra [app]. The page runs in this process until Ctrl-C, and nothing leaves the machine.
    """
    if find_spec("panel") is None:
        raise InputError("the page needs panel; install it with: pip install 'pathsim-lab[app]'")
    if drugs is not None or cell_lines is not None:
        cli.library("pi3k_mapk", cell_lines, drugs)  # says what is wrong with them before a page opens
    from ..app.page import Server

    server = Server(cli.keep, address, port, drugs=drugs, cell_lines=cell_lines)
    cli.note(f"{server.url} shows the page; Ctrl-C ends it", quiet)
    server.run(show)
