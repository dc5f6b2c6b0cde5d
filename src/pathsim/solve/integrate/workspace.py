"""The memory compiled code works in: rows of lanes under names, and tables of pointers into them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from ...arrays import FloatArray, IntArray
from ..llvm.layout import LANES
from ..llvm.loops import Words
from ..rosenbrock.factorisation import TABLES

L = TypeVar("L")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Arranged(NamedTuple, Generic[L]):
    """What the integration loop is called with, time and again, for the same outputs in the same workspace.

    ``sources`` are the rows of F where outputs are found, ``fixed`` the loop's first arguments: code, layout, F, N and
    branches; ``compiled`` says whether code is the model's machine code.
    """

    at: L
    sources: IntArray
    fixed: tuple[Words, ...]
    compiled: bool


class Workspace(Generic[L]):
    """Arrays of lanes: doubles in ``F``, integers in ``N``, each from a row on that ``rows`` names.

    ``layout`` tells compiled loops where they are, ``table`` compiled steps.

    Args:
        kind: the record to make the layout of: from ``counts``, rows of the arrays that it names, and ``table`` and
            ``base``, the addresses of the table and of F.
        arrays: rows of each array of doubles; ``work`` is room for the factorisation.
        pointers: what the table points to: arrays, other names of (array, row), functions at ``addresses``, and ``lu``,
            what the factorisation reads.
        tables: index tables of the factorisation.
        scalars, integer_scalars: rows of F and N before the first array; those of ``scalars`` have names.
        integers: rows of each array of integers.
    """

    def __init__(
        self,
        kind: Callable[..., L],
        counts: Mapping[str, int],
        arrays: Mapping[str, int],
        pointers: Sequence[str],
        aliases: Mapping[str, tuple[str, int]],
        addresses: Mapping[str, int],
        tables: Mapping[str, IntArray],
        *,
        scalars: Mapping[str, int] | None = None,
        n_scalars: int = 0,
        integers: Mapping[str, int] | None = None,
        n_integer_scalars: int = 0,
    ) -> None:
        rows, total = _stack(arrays, n_scalars)
        integer_rows, integer_total = _stack(integers or {}, n_integer_scalars)
        self.F, self.N = aligned(total), np.zeros((max(integer_total, 1), LANES), dtype=np.int64)
        self.rows = {**rows, **(scalars or {})}
        self.lu = np.zeros(1 + len(TABLES), dtype=np.int64)
        found = {name: array.ctypes.data for name, array in tables.items()} | {"work": self.address("work")}
        self.lu[:] = [arrays["work"], *(found[name] for name in TABLES)]
        known = {name: self.address(array, row) for name, (array, row) in aliases.items()}
        known |= {"lu": int(self.lu.ctypes.data), **addresses}
        self.table = np.array([known[name] if name in known else self.address(name) for name in pointers])
        places = {
            name: rows[name] if name in rows else self.rows[aliases[name][0]] + aliases[name][1]
            for name in (*rows, *aliases)
        }
        named = {name: row for name, row in {**places, **integer_rows}.items() if name in kind._fields}  # type: ignore[attr-defined]
        self.arranged: dict[tuple[tuple[int, ...], bool, bool], Arranged[L]] = {}
        """What users of before have made ready, by outputs, whether rows are run until steady, and whether by machine
        code."""
        self.layout = kind(table=int(self.table.ctypes.data), base=int(self.F.ctypes.data), **named, **counts)

    def address(self, name: str, row: int = 0) -> int:
        """Where row ``row`` of an array of doubles is."""
        return int(self.F.ctypes.data) + (self.rows[name] + row) * LANES * 8


class Idle(Generic[K, V]):
    """Things that one user works with at a time, kept for the next by what they are for."""

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._idle: dict[K, list[V]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, key: K) -> Iterator[V]:
        """One that nobody else has, made if need be; it is not kept when what is done with it fails."""
        with self._lock:
            idle = self._idle.setdefault(key, [])
            found = idle.pop() if idle else None
        if found is None:
            found = self._make(key)
        yield found
        with self._lock:
            idle.append(found)


class Once(Generic[K, V]):
    """Things made when first asked for, by one thread while the others wait."""

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._made: dict[K, V] = {}
        self._lock = threading.Lock()

    def __call__(self, key: K) -> V:
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(key)
            return self._made[key]


def _stack(sizes: Mapping[str, int], first: int) -> tuple[dict[str, int], int]:
    """First rows of arrays laid one after another, and the number of rows in all."""
    rows: dict[str, int] = {}
    for name, size in sizes.items():
        rows[name] = first
        first += max(size, 1)  # never empty, so that it has an address
    return rows, first


def aligned(rows: int) -> FloatArray:
    """Zeros of shape (rows, LANES), aligned to 64 bytes."""
    rows = max(rows, 1)
    raw = np.zeros(rows * LANES + 8)
    offset = (-raw.ctypes.data % 64) // 8
    return raw[offset : offset + rows * LANES].reshape(rows, LANES)
