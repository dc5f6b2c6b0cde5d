"""Measured tables and a model with free parameters, straight to a PEtab problem: :func:`export`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..checked import checked
from ..estimation.blot_table import loading_controls, read_frame
from ..estimation.blots import blot_problem
from ..estimation.free import FreeParameter
from ..estimation.tables import problem
from ..experiments.dynamics import refuse_clock
from ..lab import Library
from ..model import Model, load_model
from ..stats.noise import Family
from ..tables import Tell
from .write import write

if TYPE_CHECKING:
    import pandas as pd


@checked
def export(
    model: Model | str | Path,
    table: pd.DataFrame | str | Path,
    folder: str | Path,
    free: Iterable[str | FreeParameter] = (),
    library: Library | None = None,
    noise: Family | None = None,
    background: Collection[str] = (),
    saturation: Collection[str] = (),
    *,
    columns: Mapping[str, str] | None = None,
    sheet: str | None = None,
    tell: Tell | None = None,
    lanes: str | Path | None = None,
    version: Literal[1, 2] = 2,
) -> Path:
    """Write measurements in the one schema and a model with free parameters as a PEtab problem.

    Cells start at steady state in full medium; time zero is the start of the last step of a treatment. With a column
    ``gel`` (or loading controls), each gel and readout has an unknown scale, and loading controls divide the bands of
    their lane; without one, values are in the units of the model. The read-back problem has the log likelihood of
    :func:`pathsim.blot_problem` (of :func:`pathsim.problem` without gels) at the model's own values.

    Args:
        model: a bundled name, a path to an ``.ant``, ``.xml`` or ``.sbml`` file, or a model read from one.
        table: measurements, or a file of them.
        folder: where the files go; made when it is missing.
        free: parameters to estimate, by name (bounds: a hundredth to a hundred times the model's own value) or as
            :class:`~pathsim.estimation.free.FreeParameter`; ``parameter@cell line`` is estimated for one line only.
        library: drugs and cell lines; default the bundled ones.
        noise: as of :func:`pathsim.blot_problem`, and so ``background`` and ``saturation``.
        columns, sheet, tell, lanes: of a file, as of :func:`pathsim.read_blots`.
        version: of PEtab; as of :func:`write`.

    Returns:
        The path of ``problem.yaml``.

    Raises:
        InputError: naming every row, parameter or line that cannot be written, bands below detection among them, which
            PEtab has no form for; UnsupportedModelError: a model with explicit time, whose clock would not restart with
            each step.

    >>> path = ps.petab.export("pi3k_mapk", "blots.csv", "problem", free=["k_S473"])  # doctest: +SKIP
    """
    opened = model if isinstance(model, Model) else load_model(model)
    refuse_clock(opened, "PEtab")
    if isinstance(table, (str, Path)):
        table = read_frame(table, columns, sheet, tell, lanes)
    loaded = "readout" in table.columns and table["readout"].isin([*loading_controls()]).any()
    if "gel" in table.columns or loaded or background or saturation:
        made = blot_problem(opened, table, free, noise, background, saturation, library=library)
    else:
        made = problem(opened, table, free, noise, library=library)
    return write(made, folder, version=version)
