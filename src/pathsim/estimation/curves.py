"""What a fit expects between the measurements: curves over time, on the scale of a measured gel."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError
from .problem import Problem
from .records import Measurement, Part

if TYPE_CHECKING:
    import pandas as pd


def curves(problem: Problem, theta: FloatArray | None = None, points: int = 61) -> pd.DataFrame:
    """What a problem made from tables of the lab expects over time.

    One curve per condition and readout, from 0 to its last measurement, on the scale of the first gel that holds it.
    What is compared with other rows (fold changes, GR values) has no curve.

    Returns:
        Columns ``cell_line, treatment, readout, gel, time_min, predicted``.

    Raises:
        InputError: nothing has a curve. SimulationError: naming the condition that could not be simulated.
    """
    import pandas as pd

    (part,) = problem.description.parts
    measured = [row.time for row in part.measurements if not row.others]
    if not measured:
        raise InputError("nothing here has a curve over time: all is compared with a control or a start")
    grid = np.unique(np.concatenate([np.linspace(0.0, max(measured), points), measured]))
    columns = problem.solved(theta)[["observable", "group", "scale", "offset"]].itertuples(index=False, name=None)
    solved = {(observable, group): (float(scale), float(offset)) for observable, group, scale, offset in columns}
    first: dict[tuple[str, str], int] = {}
    latest: dict[tuple[str, str], float] = {}
    for i, row in enumerate(part.measurements):
        key = (row.observable, row.experiment)
        if not row.others:
            first.setdefault(key, i)
            latest[key] = max(latest.get(key, 0.0), row.time)
    dense: list[Measurement] = []
    frames = []
    table = part.table.reset_index(drop=True)
    for key, i in first.items():
        row = part.measurements[i]
        moments = grid[grid <= latest[key]]
        dense += [replace(row, time=float(time), value=math.nan, side=0) for time in moments]
        scale, offset = solved.get((row.observable, row.group), (1.0, 0.0))
        frames.append(
            pd.DataFrame(
                {
                    "cell_line": table["cell_line"][i],
                    "treatment": table["treatment"][i],
                    "readout": table["readout"][i],
                    "gel": table["gel"][i],
                    "time_min": moments,
                    "scale": scale,
                    "offset": offset,
                }
            )
        )
    found = pd.concat(frames, ignore_index=True)
    unmeasured = Part(part.model, part.observables, part.experiments, tuple(dense), found)
    other = Problem(replace(problem.description, parts=(unmeasured,)), problem.solver, problem.threads)
    found["predicted"] = found.pop("scale") * other.signals(problem.vector(theta)) + found.pop("offset")
    return found
