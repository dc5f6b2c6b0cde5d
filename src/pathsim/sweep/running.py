"""Running a sweep: chunks over threads of this machine or over workers elsewhere, written as they finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..checked import checked
from ..experiments.wells import WellReadings
from ..progress import bar
from ..threads import Workers, elsewhere, processors, threads, threads_of
from ..workers import Crew, crew
from .chunk import Chunk, chunk_of, make_chunk
from .folder import Manifest, Shard, keep_chunk, open_folder, plan_manifest, sweep_out
from .spec import Spec

WARM_UP = 16
"""Wells simulated before any thread starts, so that code is compiled once."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: chunks and wells done of those it had to do, wells that failed, seconds so far."""

    chunks: int
    of_chunks: int
    wells: int
    of_wells: int
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Wells per second."""
        return self.wells / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Time left at this rate; infinite before the first chunk."""
        return (self.of_wells - self.wells) / self.rate if self.rate > 0 else float("inf")


Report = Callable[[Progress], None]


@checked
def run(
    spec: Spec,
    folder: str | Path,
    *,
    workers: Workers = None,
    resume: bool = False,
    shard: Shard | None = None,
    any_processor: bool = False,
    report: Report | None = None,
) -> Progress:
    """Run a sweep, writing chunks into ``folder`` as they finish.

    It may be stopped at any time, however rudely: ``resume`` goes on with the chunks that are not there, or not as
    they were written, and the folder ends up the same to the byte, for any number of workers, shards and stops.

    Args:
        workers: a number of threads of this machine (None: one per processor), or who else works, as of
            :func:`pathsim.fit`; no files are shared with them: chunks are sent back and written here.
        any_processor: as of :func:`pathsim.fit`.

    Raises:
        InputError: ``folder`` holds another sweep, or this one without ``resume``, or was made on another processor;
            no scheduler answers.
        SimulationError: the cluster was lost.

    >>> progress = ps.sweep.run(ps.sweep.read_spec("sweep.toml"), "out", workers=4, resume=True)  # doctest: +SKIP
    """
    who = elsewhere(workers)
    with crew(1 if who is None else who, spec.design.wells, any_processor) as hands:
        target = Path(folder)
        manifest = plan_manifest(spec)
        left = open_folder(target, manifest, resume, shard or Shard(), any_processor)
        sweep_out(target, manifest, left)
        if who is None:
            if left:
                spec.design.read(0, min(WARM_UP, spec.design.wells))
            chunks = _on_threads(spec, left, processors(threads_of(workers)))
        else:
            chunks = _elsewhere(hands, spec, left)
        with closing(chunks) as finished:
            return _collect(spec, target, manifest, left, finished, report)


def _elsewhere(hands: Crew, spec: Spec, left: list[int]) -> Generator[tuple[int, Chunk]]:
    """Chunks as workers elsewhere finish them."""
    for place, chunk in hands.finished(_Chunks(spec), left):
        yield left[place], chunk


@dataclass(frozen=True, eq=False)
class _Chunks:
    """The chunks of a sweep by their numbers."""

    spec: Spec

    def __call__(self, number: int) -> Chunk:
        return make_chunk(self.spec.design, *self.spec.wells_of(number), self.spec.format)


def _collect(
    spec: Spec,
    folder: Path,
    manifest: Manifest,
    left: list[int],
    finished: Iterator[tuple[int, Chunk]],
    report: Report | None,
) -> Progress:
    """Write chunks as they finish, and say how far it is after each."""
    to_do = sum(last - first for first, last in (spec.wells_of(chunk) for chunk in left))
    started = time.monotonic()
    done = wells = failed = 0
    progress = Progress(0, len(left), 0, to_do, 0, 0.0)
    with bar("sweep: wells", to_do) as further:
        for number, chunk in finished:
            keep_chunk(folder, manifest, number, chunk.content)
            done, wells, failed = done + 1, wells + chunk.wells, failed + chunk.failed
            progress = Progress(done, len(left), wells, to_do, failed, time.monotonic() - started)
            further(chunk.wells)
            if report is not None:
                report(progress)
    return progress


def _on_threads(spec: Spec, left: list[int], workers: int) -> Generator[tuple[int, Chunk]]:
    """Chunks as they finish; twice as many as threads are under way or waiting, never more.

    Threads read wells; their tables are made here, one at a time, so that memory for those does not grow with threads.
    """
    waiting = iter(left)
    with threads(workers) as submit:
        running: dict[Future[WellReadings], int] = {}
        while True:
            for number in waiting:
                running[submit(spec.design.read, *spec.wells_of(number))] = number
                if len(running) >= 2 * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number = running.pop(future)
                yield number, chunk_of(spec.design, *spec.wells_of(number), future.result(), spec.format)
