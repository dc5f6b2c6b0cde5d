"""``pathsim version``: what is installed here, and which versions of the bundled models there are."""

from __future__ import annotations

from typing import Annotated

import typer

from . import app as cli


@cli.app.command()
def version(
    model: Annotated[
        str | None, typer.Argument(help="Only this model: bundled, of any version, or a file.", show_default=False)
    ] = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
) -> None:
    """Versions of pathsim, Python and the packages it computes with; hash of every bundled model of every version.

    Tables, figures and pages carry the same: the hash changes with whatever a model computes, and not with comments.
    """
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    import pandas as pd

    from .. import __version__
    from ..model import bundled_models, load_model
    from ..stamp import content_hash, label, today

    rows = [("pathsim", __version__), ("Python", platform.python_version()), ("processor", platform.machine())]
    for name in ("numpy", "scipy", "pandas", "llvmlite", "numba", "python-libsbml", "antimony"):
        try:
            rows.append((name, installed(name)))
        except PackageNotFoundError:
            rows.append((name, "not installed as a package"))
    for opened in map(load_model, [model] if model is not None else bundled_models()):
        rows.append((f"model {label(opened)}", content_hash(opened)))
    rows.append(("date", today()))
    cli.deliver(pd.DataFrame(rows, columns=["what", "version"]), "version", json, output)
