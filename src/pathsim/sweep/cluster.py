"""The same sweep on a Dask cluster: workers simulate chunks, this process writes them.

Scheduler and workers need pathsim installed and nothing else: the sweep travels with the tasks as plain text
(:mod:`~pathsim.sweep.parcel`), and no file system is shared.
A worker that dies loses the chunks it was at, which Dask gives to another.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import Any

from .. import __version__
from ..errors import InputError, PathsimError, SimulationError
from .chunk import Chunk, Format, make_chunk
from .design import Design
from .parcel import pack, unpack
from .spec import Spec

TASKS_PER_THREAD = 2
PATIENCE = 30.0
"""Seconds to wait for the scheduler."""


def connect(address: str) -> Any:
    """A client of the Dask scheduler at ``address``, which closes when it is left as a context.

    Raises :class:`InputError` when Dask is not installed or no scheduler answers.
    """
    try:
        import distributed
    except ImportError:
        raise InputError("a Dask cluster needs Dask: pip install dask distributed") from None
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at '{address}' ({error}); write for example tcp://localhost:8786"
        ) from None


def on_cluster(client: Any, spec: Spec, left: list[int]) -> Generator[tuple[int, Chunk]]:
    """Chunks as they finish; a few per thread of the cluster are under way, never all.

    Raises :class:`SimulationError` when the cluster is lost, after which the sweep can be resumed.
    """
    import distributed

    parcel = pack(spec.design)
    waiting = iter(left)
    running = distributed.as_completed(loop=client.loop, raise_errors=False)
    numbers: dict[str, int] = {}
    try:
        _refill(client, spec, parcel, waiting, running, numbers)
        for future in running:
            number = numbers.pop(future.key)
            if future.status in ("error", "cancelled"):
                raise _lost(number, future.exception())
            if future.status != "finished":  # its worker died after finishing it: the scheduler makes it again
                numbers[future.key] = number
                running.add(future)
                continue
            made_by, *made = future.result()
            if made_by != __version__:
                raise InputError(f"workers run pathsim {made_by}, this is {__version__}; install one on all")
            _refill(client, spec, parcel, waiting, running, numbers)
            yield number, Chunk(*made)
    except (distributed.client.FutureCancelledError, OSError) as error:
        raise SimulationError(f"the Dask cluster was lost ({error}); --resume continues the sweep") from None


def _refill(
    client: Any, spec: Spec, parcel: str, waiting: Iterator[int], running: Any, numbers: dict[str, int]
) -> None:
    threads = sum(client.nthreads().values())
    while len(numbers) < TASKS_PER_THREAD * max(1, threads):
        number = next(waiting, None)
        if number is None:
            return
        future = client.submit(_task, parcel, *spec.wells_of(number), spec.format.value, pure=False)
        numbers[future.key] = number
        running.add(future)


def _task(parcel: str, first: int, last: int, format: str) -> tuple[str, bytes, int, int]:
    """One chunk, on a worker: the version that made it, and what is in it."""
    made = make_chunk(_unpacked(parcel), first, last, Format(format))
    return __version__, made.content, made.wells, made.failed


@lru_cache(maxsize=4)
def _unpacked(parcel: str) -> Design:
    return unpack(parcel)


def _lost(number: int, error: BaseException | None) -> PathsimError:
    if isinstance(error, PathsimError):
        return error
    return SimulationError(
        f"chunk {number} was lost on the Dask cluster ({type(error).__name__}: {error}); --resume continues the sweep"
    )
