"""``pathsim simulate``: one time course of any model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import app as cli

if TYPE_CHECKING:
    import pandas as pd

    from ..arrays import FloatArray
    from ..experiments.timecourse import Simulator
    from ..model import Model


@cli.app.command()
def simulate(
    model: Annotated[str, typer.Argument(help="A bundled model, or a path to an .ant, .xml, .sbml or .omex file.")],
    times: Annotated[
        str | None,
        typer.Option(
            "--times",
            metavar="TIMES",
            help="'0 .. 60 x 61' or '0 1 5', in the model's own time unit; '0 .. 24 h x 25' where that is seconds to "
            "days. Of an archive: by default what its one uniform time course samples.",
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--outputs", metavar="NAME...", help="Any symbols; default: all species.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER...", help="Parameters or initial values."),
    ] = None,
    rtol: Annotated[float, typer.Option("--rtol", help="Relative tolerance.")] = 1e-6,
    atol: Annotated[
        float | None, typer.Option("--atol", help="Absolute tolerance; by default it follows the values.")
    ] = None,
    ensemble: cli.Ensemble = None,
    plot: cli.Plot = None,
    output: cli.OutputFolder = None,
    json: cli.Json = False,
    timing: Annotated[bool, typer.Option("--timing", help="Say on stderr where the time went.")] = False,
) -> None:
    """Run one time course and print it as a table."""
    laps = _Laps()
    from ..experiments.timecourse import simulator, system_of
    from ..model import load_model
    from ..solve import engine_of, for_one_run

    grid = _times_of(model) if times is None else _grid(times, model)
    solver = for_one_run(len(grid), rtol, atol)
    laps.lap("imports")
    opened = load_model(model)
    laps.lap("reading the model")
    engine_of(system_of(opened), solver.method).derive()
    laps.lap("deriving its equations")
    own = cli.settings(changes or [])
    sets = cli.parameter_sets(model, ensemble)
    run = simulator(opened, grid, outputs=outputs or None, solver=solver, parameters=own)
    run.prepare()
    laps.lap("machine code")
    values = run()
    laps.lap("running it")
    if sets:
        _deliver(_with_intervals(run, opened, sets, own), plot, output, json, opened)
    elif plot is None and output is None and not json:
        cli.send(_csv(run, values))  # without pandas, which takes longer to load than all the rest
    else:
        _deliver(run.frame(), plot, output, json, opened)
    laps.lap("writing")
    if timing:
        laps.report()


def _grid(times: str, model: str) -> list[float]:
    """Sample times as typed, which are converted to the time of the model where they have a unit.

    Raises :class:`InputError` for what is no list of times, and for a unit where the model has none of seconds to days.
    """
    from ..errors import InputError
    from ..model import load_model
    from ..units import UNITS, Dimension, numbers, times_min

    try:
        return numbers(times)
    except InputError:
        if not any(letter.isalpha() for letter in times.lower().replace("x", "").replace("e", "")):
            raise
    minutes = times_min(times)
    own = UNITS.get(load_model(model).time_unit)
    if own is None or own.dimension is not Dimension.TIME:
        raise InputError(
            f"--times '{times}' has a unit, but the time of '{model}' has none of seconds to days; write '0 .. 60 x 61'"
        )
    cli.note(f"times of {model} are in {own.symbol}: the last is {minutes[-1] / float(own.factor):g} {own.symbol}")
    return [time / float(own.factor) for time in minutes]


def _times_of(model: str) -> list[float]:
    """The sample times that the SED-ML of an archive asks for.

    Raises :class:`InputError` for a model that is no archive, or one without exactly one uniform time course from 0 on.
    """
    from ..errors import InputError
    from ..model.loading import ARCHIVE

    if not model.lower().endswith(ARCHIVE):
        raise InputError("--times is missing; write for example --times '0 .. 60 x 61'")
    from numpy import linspace

    from ..model.archive import read_archive

    found = read_archive(model)
    if found.times is None:
        raise InputError(
            f"{model}: its SED-ML has no single uniform time course from 0 on; write --times '0 .. 60 x 61'"
        )
    if found.changed:
        cli.note(f"{model}: its SED-ML changes the model before it is run; the model is simulated as it stands")
    return [float(time) for time in linspace(*found.times)]


def _with_intervals(
    run: Simulator, model: Model, sets: Sequence[Mapping[str, float]], own: Mapping[str, float]
) -> pd.DataFrame:
    """The median over the sets, ``X_low`` and ``X_high`` behind every output ``X``; what the user sets stays."""
    import numpy as np
    import pandas as pd

    from ..errors import SimulationError
    from ..experiments.ensemble import add_ends, interval
    from ..experiments.timecourse import simulate_many
    from ..solve import Rosenbrock

    general = [{name: value for name, value in one.items() if "@" not in name} | dict(own) for one in sets]
    table = pd.DataFrame(general)
    as_in_model = {name: run.system.defaults[run.system.slot(name)] for name in table.columns}
    solver = Rosenbrock(run.solver.rtol, run.solver.atol)  # many rows: full lanes
    found = simulate_many(model, table.fillna(as_in_model), run.times, run.outputs, solver)
    if found.status[0]:
        raise SimulationError(f"the model failed under the best parameter set; {found.explain(0)}")
    for row in np.flatnonzero(found.status):
        cli.note(f"left out of the interval: parameter set {row}: {found.explain(int(row))}")
    low, value, high = interval(found.values[found.status == 0])
    frame = pd.DataFrame(value, pd.Index(run.times, name="time"), list(run.outputs))
    for column, name in enumerate(run.outputs):
        ends = (low[:, column], value[:, column], high[:, column])
        add_ends(frame, name, (f"{name}_low", f"{name}_high"), ends)
    return frame


def _csv(run: Simulator, values: FloatArray) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *run.outputs])
    writer.writerows([time, *row] for time, row in zip(run.times.tolist(), values.tolist(), strict=True))
    return text.getvalue()


def _deliver(frame: pd.DataFrame, plot: str | None, output: str | None, json: bool, model: Model) -> None:
    if plot is not None:
        from ..plot import draw_time_course

        cli.save_figure(draw_time_course(frame, time_unit=model.time_unit, title=model.id), plot, model=model)
    cli.deliver(frame.reset_index(), "time_course", json, output, model=model)


class _Laps:
    """What took how long, from the start of the process on."""

    def __init__(self) -> None:
        self._laps: list[tuple[str, float]] = []
        self._last = time.perf_counter()
        started = _seconds_since_start()
        if started is not None:
            self._laps.append(("starting Python and the command line", started))

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps.append((name, now - self._last))
        self._last = now

    def report(self) -> None:
        for name, seconds in self._laps:
            cli.note(f"{1000 * seconds:8.1f} ms  {name}")
        cli.note(f"{1000 * sum(seconds for _, seconds in self._laps):8.1f} ms  in all")


def _seconds_since_start() -> float | None:
    """How long this process has been running, where the system says so (Linux)."""
    import os

    try:
        with open("/proc/self/stat") as file:
            ticks = int(file.read().rsplit(")", 1)[1].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return None
