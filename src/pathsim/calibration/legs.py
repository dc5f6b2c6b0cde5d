"""Searches that can be stopped: a long local search made of legs, each of which is kept in a file as it ends.

A leg is a quasi-Newton search of a hundred steps at most, with the Fisher information of the place where it begins. It
depends on nothing but that place, so a search that was stopped goes on with the leg it was at, and ends where it would
have ended without the stop. The search is over when a leg gains hardly anything.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import FloatArray
from ..errors import InputError, SimulationError
from ..estimation.objective import Objective, rough_derivatives
from ..estimation.optimise import Ledger, QuasiNewton, quasi_newton
from ..estimation.questions import alone
from ..estimation.result import fingerprint
from ..files import append_line, read_json, write_whole
from ..linear_algebra import one_thread
from ..made_on import go_on_in
from ..stored_records import json_lines, plain, record_of
from ..threads import Workers
from ..workers import finished

LEGS_FILE, HEAD_FILE = "legs.jsonl", "problem_of.json"
LEG = QuasiNewton(tolerance=0.02, most=100, renew=100)
"""Fisher information of the 264 free parameters costs as much as about 50 gradients."""
MOST_LEGS = 30
SMALL = 0.5
"""A search is over when a leg gains less than this, in units of log likelihood."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Where a leg of the search called ``search`` ended: ``theta``, and the negative log posterior there (``value``).

    ``over``: the leg gained hardly anything, so there is none after it. ``steps`` and ``seconds`` of processor time are
    those of this leg alone.
    """

    search: str
    theta: tuple[float, ...]
    value: float
    over: bool
    message: str
    steps: int
    seconds: float

    @property
    def vector(self) -> FloatArray:
        """``theta`` as an array."""
        return np.array(self.theta)


@dataclass(frozen=True, eq=False)
class Walk:
    """The job of one leg."""

    objective: Objective
    settings: QuasiNewton
    small: float

    @one_thread()
    def __call__(self, task: tuple[str, FloatArray]) -> Leg:
        """A leg of a search from where it has come to. Raises :class:`SimulationError` where that fails."""
        (search, theta), began = task, time.process_time()
        derivatives = rough_derivatives(self.objective, theta)
        if derivatives.failure:
            raise SimulationError(f"search '{search}' cannot go on: {derivatives.failure}")
        ended = alone(self.objective, quasi_newton(Ledger(self.objective), theta, self.settings, derivatives.fisher))
        if not math.isfinite(ended.value):
            raise SimulationError(f"search '{search}' cannot go on: {ended.message}")
        over = self.objective.value(theta)[0] - ended.value < self.small
        spent = time.process_time() - began
        return Leg(search, tuple(ended.theta.tolist()), ended.value, over, ended.message, ended.iterations, spent)


def searched(
    objective: Objective,
    begins: Mapping[str, FloatArray],
    folder: Path,
    *,
    settings: QuasiNewton = LEG,
    small: float = SMALL,
    most: int = MOST_LEGS,
    workers: Workers = 1,
    any_processor: bool = False,
    tell: Callable[[str], None] | None = None,
) -> dict[str, list[Leg]]:
    """Search from each of ``begins`` until a leg gains less than ``small``, or it has ``most``; its legs, by its name.

    ``folder`` keeps every leg as it ends; what it holds is not done again. A leg is the same whatever ``workers``.

    Raises:
        InputError: a folder that holds searches of another problem, or was made on another processor unless it may be
            ``any_processor``. SimulationError: a beginning that cannot be evaluated.
    """
    say = tell or _silent
    take_up(folder, objective, any_processor)
    done: dict[str, list[Leg]] = {name: [] for name in begins}
    for leg in kept_legs(folder, len(objective.names)):
        if leg.search in done:
            done[leg.search].append(leg)
    job = Walk(objective, settings, small)
    while tasks := [
        (name, legs[-1].vector if legs else begins[name])
        for name, legs in done.items()
        if not legs or (not legs[-1].over and len(legs) < most)
    ]:
        for _, leg in finished(job, tasks, workers, any_processor):
            append_line(folder / LEGS_FILE, json.dumps(plain(leg)) + "\n")
            done[leg.search].append(leg)
            say(told(done[leg.search]))
    return done


def told(legs: list[Leg]) -> str:
    """How far a search has come, in a sentence."""
    last, minutes = legs[-1], sum(leg.seconds for leg in legs) / 60
    gained = f", {legs[-2].value - last.value:+.1f} in this leg" if len(legs) > 1 else ""
    how = last.message if last.over else "goes on"
    steps = sum(leg.steps for leg in legs)
    return (
        f"{last.search}: log posterior {-last.value:.1f} after {steps} steps{gained}; {minutes:.1f} min of processor "
        f"time; {how}"
    )


def kept_legs(folder: Path, length: int) -> list[Leg]:
    """The legs that a folder holds, in order; a line torn by a kill is left out. Raises :class:`InputError` for legs
    that have not ``length`` parameters."""
    path = folder / LEGS_FILE
    legs = [record_of(Leg, content, where) for where, content in (json_lines(path) if path.exists() else ())]
    if any(len(leg.theta) != length for leg in legs):
        raise InputError(f"{path}: not legs of this problem, which has {length} parameters")
    return legs


def take_up(folder: Path, objective: Objective, any_processor: bool = False) -> None:
    """A folder that holds results of this objective, or is to: it says whose they are.

    Raises :class:`InputError` where they are another problem's, or were made on another processor unless it may be
    ``any_processor``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, digest = folder / HEAD_FILE, fingerprint(objective)
    begun = path.is_file()
    if begun and read_json(path, dict).get("problem") != digest:
        raise InputError(
            f"{folder} holds results of another problem (data, model, priors or bounds differ); use a new folder"
        )
    go_on_in(folder, begun, any_processor)
    if not begun:
        write_whole(path, json.dumps({"problem": digest}) + "\n")


def _silent(line: str) -> None:
    """Nobody watches."""
