"""Measured bands on the scale of simulated ones, lane by lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, PathsimError, raise_together
from ..lab import Treatment
from ..tables.headings import fold
from .blot_table import check_blots, loading_controls
from .blots import check_loading, divide_by_loading, treatment_meaning

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("cell_line", "treatment", "time_min", "readout")


def beside(simulated: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Measured bands beside the simulated ones of the same lane and readout.

    Bands are divided by the loading control of their lane where there are any, and each gel and readout is scaled to
    the simulated values by least squares, because a gel has no unit.

    Args:
        simulated: a table of :func:`pathsim.western_blot` without noise.
        measured: a table of :func:`pathsim.read_blots`.

    Returns:
        A row per measured band: :data:`KEYS` as simulated, ``gel``, ``replicate``, ``simulated`` and ``measured``.

    Raises:
        InputError: for lanes whose loading control cannot divide, and when no measured band has a simulated one.
    """
    import pandas as pd

    checked = check_blots(measured)
    problems: list[str] = []
    check_loading(checked, problems)
    raise_together(problems, "measured blots")
    bands = divide_by_loading(checked)
    bands = bands[~bands["readout"].isin(loading_controls())]
    values = {_lane(row): (row, value) for row, value in _rows(simulated, "value")}
    found = []
    for row, value in _rows(bands, "value"):
        hit = values.get(_lane(row))
        if hit is not None:
            found.append((*hit[0], hit[1], value))
    if not found:
        raise InputError(
            f"no measured band is of a simulated lane (measured: {_some(bands)}; simulated: {_some(simulated)})"
        )
    keep = [_lane(row) in values for row, _ in _rows(bands, "value")]
    table = pd.DataFrame(found, columns=[*KEYS, "simulated", "measured"])
    table["gel"], table["replicate"] = list(bands["gel"][keep]), list(bands["replicate"][keep])
    for _, part in table.groupby(["gel", "readout"], sort=False):
        given = part["measured"].to_numpy(dtype=float)
        wanted = part["simulated"].to_numpy(dtype=float)
        factor = float(given @ wanted / (given @ given)) if given @ given > 0 else 1.0
        table.loc[part.index, "measured"] = given * factor
    return table


def _rows(table: pd.DataFrame, column: str) -> list[tuple[tuple[str, str, float, str], float]]:
    rows = table[[*KEYS, column]].itertuples(index=False, name=None)
    return [
        ((str(line), str(treatment), float(time), str(readout)), float(value))
        for line, treatment, time, readout, value in rows
    ]


def _lane(row: tuple[str, str, float, str]) -> tuple[str, str, str, str]:
    """A lane and readout, whatever the spelling of its names and units."""
    line, treatment, time, readout = row
    try:
        meant = treatment_meaning(Treatment.parse(treatment))
    except PathsimError:
        meant = treatment
    return fold(line), meant, f"{time:.9g}", fold(readout)


def _some(table: pd.DataFrame) -> str:
    line, treatment, time, readout = (table[name].iloc[0] for name in KEYS)
    return f"{line}, {treatment}, {float(np.asarray(time, dtype=float)):g} min, {readout}, ..."
