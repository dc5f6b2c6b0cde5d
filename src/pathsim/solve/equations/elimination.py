"""Symbolic sparse LU: an elimination order and what it fills in, found once per model.

Pivots stay on the diagonal: I/(h gamma) - J is diagonally dominant for small steps, and a step that suffers from a
poor pivot is rejected and made smaller.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Elimination:
    """``order[s]`` is the state eliminated at step s; ``rows[i]`` the columns of row i of L + U, ascending.

    Rows and columns of ``rows`` count in elimination order, so L lies left of the diagonal and U right of it.
    """

    order: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]

    @cached_property
    def place(self) -> dict[int, int]:
        """State -> position in the elimination order."""
        return {state: position for position, state in enumerate(self.order)}

    @cached_property
    def entries(self) -> dict[tuple[int, int], int]:
        """(row, column) -> position in the array of L + U, row by row."""
        positions: dict[tuple[int, int], int] = {}
        for i, columns in enumerate(self.rows):
            for j in columns:
                positions[i, j] = len(positions)
        return positions

    @cached_property
    def below(self) -> tuple[tuple[int, ...], ...]:
        """For each column, the rows below the diagonal."""
        columns: list[list[int]] = [[] for _ in self.rows]
        for i, row in enumerate(self.rows):
            for j in row:
                if j < i:
                    columns[j].append(i)
        return tuple(tuple(column) for column in columns)

    @cached_property
    def right(self) -> tuple[tuple[int, ...], ...]:
        """For each row, the columns right of the diagonal."""
        return tuple(row[row.index(i) + 1 :] for i, row in enumerate(self.rows))

    @property
    def multiply_adds(self) -> int:
        """Work of one factorisation."""
        return sum(len(self.below[k]) * len(self.right[k]) for k in range(len(self.rows)))


def eliminate(n: int, entries: Iterable[tuple[int, int]]) -> Elimination:
    """Markowitz order (H. M. Markowitz, Management Science 1957): always the pivot that can fill in least."""
    right: list[set[int]] = [set() for _ in range(n)]
    below: list[set[int]] = [set() for _ in range(n)]
    for i, j in entries:
        if i != j:
            right[i].add(j)
            below[j].add(i)
    queue = [(len(right[k]) * len(below[k]), k) for k in range(n)]
    heapq.heapify(queue)
    order: list[int] = []
    lower: list[list[int]] = [[] for _ in range(n)]
    upper: list[set[int]] = [set() for _ in range(n)]
    done = [False] * n
    while queue:
        cost, k = heapq.heappop(queue)
        if done[k] or cost != len(right[k]) * len(below[k]):
            continue
        done[k] = True
        order.append(k)
        upper[k] = set(right[k])
        for i in below[k]:
            lower[i].append(k)
            right[i].discard(k)
            for j in right[k]:
                if j != i:
                    right[i].add(j)
                    below[j].add(i)
        for j in right[k]:
            below[j].discard(k)
        for touched in right[k] | below[k]:
            heapq.heappush(queue, (len(right[touched]) * len(below[touched]), touched))
    place = {state: position for position, state in enumerate(order)}
    rows = tuple(tuple(sorted(place[j] for j in (*lower[k], k, *upper[k]))) for k in order)
    return Elimination(tuple(order), rows)
