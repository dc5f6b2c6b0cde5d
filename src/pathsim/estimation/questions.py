"""Searches that ask: each stops at what it wants to know of its objective, so that many can be answered together.

A search is a generator of questions that returns its result. :func:`alone` answers one search, :func:`together` many in
step, with one call of the objective for all that ask the same: what a call costs whatever its size, and lanes that
would stay empty, are then shared. Answers do not depend on who else asks, so neither do results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np

from ..arrays import FloatArray

Result = TypeVar("Result")


class Question(NamedTuple):
    """A method of the objective and its arguments, the first of which are parameters: (d,), or (m, d) vectors."""

    method: str
    arguments: tuple[FloatArray, ...]


Search: TypeAlias = Generator[Question, Any, Result]

SPENT = Question("seconds spent", ())
"""How many seconds this search has taken, with its share of the calls that served several."""

TOGETHER = {"value": "values", "refined": "refined_each", "derivatives": "derivatives_each"}
"""Methods of an objective that answer for many vectors what another does for one, where it has them."""


def alone(objective: object, search: Search[Result]) -> Result:
    """The result of a search."""
    return next(together(objective, iter([search]), 1))


def together(
    objective: object,
    searches: Iterator[Search[Result]],
    most: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Result]:
    """Results as searches end, of which at most so many go on at a time; ``clock`` gives the time in seconds."""
    live: list[_Asking[Result]] = []
    while True:
        while len(live) < most and (search := next(searches, None)) is not None:
            live.append(_Asking(search, clock))
        if not live:
            return
        going = [one for one in live if one.goes_on()]
        yield from (one.result[0] for one in live if one.result)
        live = going
        for method in dict.fromkeys(one.question.method for one in live):
            alike = [one for one in live if one.question.method == method]
            began = clock()
            answers = _answers(objective, method, [one.question.arguments for one in alike])
            took = clock() - began
            vectors = [_count(one.question) for one in alike]
            for one, answer, count in zip(alike, answers, vectors, strict=True):
                one.answer = answer
                one.spent += took * count / max(sum(vectors), 1)


@dataclass(eq=False)
class _Asking(Generic[Result]):
    """A search with what it asks, the answer, the seconds it has taken, and its result once it has ended."""

    search: Search[Result]
    clock: Callable[[], float]
    question: Question = SPENT
    answer: Any = None
    spent: float = 0.0
    result: list[Result] = field(default_factory=list)

    def goes_on(self) -> bool:
        """Give the answer; whether there is another question."""
        began = self.clock()
        try:
            self.question = self.search.send(self.answer)
            while self.question is SPENT:
                self.question = self.search.send(self.spent + self.clock() - began)
        except StopIteration as end:
            self.result.append(end.value)
        self.spent += self.clock() - began
        return not self.result


def _answers(objective: Any, method: str, asked: Sequence[tuple[FloatArray, ...]]) -> list[Any]:
    """What a method of the objective says to each of the arguments."""
    if len(asked) == 1:
        return [getattr(objective, method)(*asked[0])]
    if method in TOGETHER:
        if not hasattr(objective, TOGETHER[method]):
            return [getattr(objective, method)(*one) for one in asked]
        found = getattr(objective, TOGETHER[method])(np.array([theta for (theta,) in asked]))
        return list(zip(*found, strict=True)) if method == "value" else list(found)
    if method not in ("refined_many", "derivatives_many", "steered_many"):
        return [getattr(objective, method)(*one) for one in asked]
    found = getattr(objective, method)(*(np.concatenate(parts) for parts in zip(*asked, strict=True)))
    ends = np.cumsum([0, *(len(one[0]) for one in asked)]).tolist()
    here = [slice(first, last) for first, last in pairwise(ends)]
    if method == "refined_many":
        return [(found[0][one], found[1][one]) for one in here]
    return [found[one] for one in here]


def _count(question: Question) -> int:
    """How many vectors a question is about."""
    first = question.arguments[0]
    return len(first) if first.ndim == 2 else 1
