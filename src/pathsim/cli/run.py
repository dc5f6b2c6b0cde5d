"""``pathsim run``: an experiment file done again."""

from __future__ import annotations

from shlex import join
from typing import Annotated

import typer

from . import app as cli


@cli.app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="TOML that --save-experiment has written.")],
) -> None:
    """Do an experiment again that a command saved with --save-experiment FILE.

    Options behind the file replace those in it: pathsim run blot.toml --times "0 15 60 min" -o again/
    """
    from .experiment import read_experiment, replaced

    names = [verb.replace("_", "-") for verb in cli.VERBS if verb != "run"]
    found = read_experiment(file, names)
    extra = list(context.args)
    words = [*found.words(without=replaced(cli.command_of(found.verb), extra)), *extra]
    now = cli.made_with(found.options.get("model"))
    if found.made_with and found.made_with != now:
        cli.note(f"{file} was written with {found.made_with}; this is {now}: numbers may differ")
    cli.note(f"pathsim {join(words)}")
    raise typer.Exit(cli.run_words(words))
