"""Work that is best done together: all of it at once here, on threads, or in parts by workers elsewhere.

What simulates many rows, conditions or parameter sets in one call takes ``workers=`` and hands them to
:func:`in_parts`; studies of several steps, which cannot be cut, to :func:`side_by_side` or :func:`one_study`. Here a
number of workers is a number of threads. Tasks that have nothing in common, for which it is a number of processes, go
to :mod:`pathsim.workers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .threads import Workers, elsewhere, threads_of

PARTS = 2
"""For each worker elsewhere: the one that is done first takes another."""

Result = TypeVar("Result")
Study = Callable[[int | None], Result]


class Items(Protocol):
    """A list, a range, an array: what can be cut."""

    def __len__(self) -> int: ...

    def __getitem__(self, some: slice, /) -> Any: ...


def in_parts(
    job: Callable[[Any, int | None], Result],
    items: Items,
    workers: Workers,
    *,
    least: int = 1,
    most: int | None = None,
    any_processor: bool = False,
) -> Iterator[tuple[int, Result]]:
    """What ``job(items, number of threads)`` gives for parts of the items, with the number of the first of each.

    Here a part is ``most`` items (None: all), one after another; elsewhere they are shared out, ``least`` to ``most`` a
    part, and come as they are done. Raises as :func:`pathsim.workers.spread`.
    """
    count, who = len(items), elsewhere(workers)
    if who is None:
        size = count if most is None else most
        for first in range(0, max(count, 1), max(size, 1)):
            yield first, job(items if count <= size else items[first : first + size], threads_of(workers))
        return
    from .workers import crew  # not loaded by what is done here

    with crew(who, count, any_processor) as hands:
        size = max(least, -(-count // (PARTS * max(hands.count, 1))))
        firsts = range(0, max(count, 1), size if most is None else min(size, most))
        parts = [items[first : first + firsts.step] for first in firsts]
        for place, found in hands.finished(_OneThread(job), parts):
            yield firsts[place], found


def side_by_side(
    studies: Sequence[Study[Result]], workers: Workers, any_processor: bool = False
) -> Iterator[tuple[int, Result]]:
    """The place of each study and what it finds, as they finish: done here, one after another, or by workers elsewhere,
    who take one each. A study is a function of the number of its threads."""
    return in_parts(_carried_out, studies, workers, most=1, any_processor=any_processor)


def one_study(study: Study[Result], workers: Workers) -> Result:
    """What a study finds, done here or by one worker elsewhere."""
    ((_, found),) = side_by_side([study], workers)
    return found


def _carried_out(studies: Sequence[Study[Result]], threads: int | None) -> Result:
    (study,) = studies
    return study(threads)


@dataclass(frozen=True)
class _OneThread:
    """A job for a worker elsewhere."""

    job: Callable[[Any, int | None], Any]

    def __call__(self, items: Any) -> Any:
        return self.job(items, 1)
