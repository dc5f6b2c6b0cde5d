"""Factorisation and solution driven by index tables, for models whose straight-line code would take long to compile.

Row by row (up-looking): the row is spread into a dense work vector that stays in the first-level cache, every earlier
pivot row it meets is subtracted, and the result is stored packed. Neighbouring pivots whose rows have the same columns
(supernodes) are subtracted two or four at a time. Scaling as in :mod:`pathsim.solve.llvm.codegen`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...arrays import IntArray
from ..equations.elimination import Elimination
from ..llvm.loop_ir import Loops
from ..llvm.vector_ir import LANES, Function, splat

TABLES = ("work", "start", "column", "diagonal", "j_start", "j_column", "j_entry", "panel_start", "panel")
"""Order of the pointers in the table handed to the functions, behind the number of rows."""

WIDTHS = (4, 2, 1)
PANEL_FIELDS = 3


def lu_tables(elimination: Elimination, jacobian: Mapping[tuple[int, int], int]) -> dict[str, IntArray]:
    """Index tables; columns and entries are counted in doubles. ``jacobian``: (row, column) -> entry of J.

    ``panel`` holds (column, entry, width) of every group of pivots a row meets, row after row.
    """
    rows = elimination.rows
    start = np.cumsum([0, *(len(row) for row in rows)])
    by_row: list[list[tuple[int, int]]] = [[] for _ in rows]
    for (i, j), q in jacobian.items():
        by_row[i].append((j, q))
    right = elimination.right
    alike = [right[k] == (k + 1, *right[k + 1]) for k in range(len(rows) - 1)]
    panels = [_panels(row, i, first, alike) for i, (row, first) in enumerate(zip(rows, start.tolist(), strict=False))]
    tables = {
        "start": start * LANES,
        "column": np.array([j for row in rows for j in row]) * LANES,
        "diagonal": np.array([start[i] + row.index(i) for i, row in enumerate(rows)]) * LANES,
        "j_start": np.cumsum([0, *(len(row) for row in by_row)]),
        "j_column": np.array([j for row in by_row for j, _ in row]) * LANES,
        "j_entry": np.array([q for row in by_row for _, q in row]) * LANES,
        "panel_start": np.cumsum([0, *(len(row) for row in panels)]) * PANEL_FIELDS,
        "panel": np.array([field for row in panels for panel in row for field in panel] or [0]),
    }
    return {name: np.ascontiguousarray(array, dtype=np.int64) for name, array in tables.items()}


def _panels(row: tuple[int, ...], i: int, first_entry: int, alike: list[bool]) -> list[tuple[int, int, int]]:
    """The pivots that row i meets, grouped: (pivot, entry of row i in doubles, number of pivots).

    A group are neighbouring pivots whose rows have the same columns to their right; ``alike`` says whether those of a
    pivot and of the next one do.
    """
    panels, position, middle = [], 0, row.index(i)
    while position < middle:
        k, most = row[position], min(WIDTHS[0], middle - position)
        count = 1
        while count < most and row[position + count] == k + count and alike[k + count - 1]:
            count += 1
        width = next(w for w in WIDTHS if w <= count)
        panels.append((k, (first_entry + position) * LANES, width))
        position += width
    return panels


class _Tables:
    """The pointers behind ``%lu``, and reading through them."""

    def __init__(self, f: Loops) -> None:
        self.f = f
        self.rows = f.integer("%lu", "0")
        self.at = {name: f.pointer("%lu", 1 + i) for i, name in enumerate(TABLES)}

    def __call__(self, name: str, index: str) -> str:
        return self.f.integer(self.at[name], index)

    def after(self, i: str) -> str:
        return self.f.emit(f"add i64 {i}, 1")


def table_factor(fused: bool) -> Function:
    """``table_factor(J, ig, A, lu)``."""
    f = Loops("table_factor", ("J", "ig", "A", "lu"), "", fused)
    table = _Tables(f)
    work, ig = table.at["work"], f.read("%ig")

    def row(i: str) -> None:
        first, last = table("start", i), table("start", table.after(i))
        middle = table("diagonal", i)
        f.stride_loop(first, last, lambda e: f.write(f.at(work, column_of(e)), splat(0.0)))
        f.count_loop(table("j_start", i), table("j_start", table.after(i)), spread)
        own = f.at(work, f.emit(f"shl i64 {i}, {LANES.bit_length() - 1}"))
        f.write(own, f.binary("fsub", f.read(own), ig))
        f.stride_loop(table("panel_start", i), table("panel_start", table.after(i)), subtract, PANEL_FIELDS)
        inverse = f.binary("fdiv", splat(-1.0), f.read(own))
        f.write(f.at("%A", middle), inverse)
        f.stride_loop(f.emit(f"add i64 {middle}, {LANES}"), last, lambda e: pack(e, inverse))

    def column_of(entry: str) -> str:
        return table("column", f.emit(f"lshr i64 {entry}, {LANES.bit_length() - 1}"))

    def spread(q: str) -> None:
        f.write(f.at(work, table("j_column", q)), f.read(f.at("%J", table("j_entry", q))))

    def pack(e: str, inverse: str) -> None:
        f.write(f.at("%A", e), f.binary("fmul", f.read(f.at(work, column_of(e))), inverse))

    def subtract(panel: str) -> None:
        k = table("panel", panel)
        entry = table("panel", f.emit(f"add i64 {panel}, 1"))
        width = table("panel", f.emit(f"add i64 {panel}, 2"))
        for known in WIDTHS:
            matches = f.emit(f"icmp eq i64 {width}, {known}")
            f.when(matches, lambda known=known: _subtract_panel(f, table, k, entry, known))  # type: ignore[misc]

    f.count_loop("0", table.rows, row)
    return f


def table_solve(fused: bool) -> Function:
    """``table_solve(A, b, lu)``."""
    f = Loops("table_solve", ("A", "b", "lu"), "", fused)
    table = _Tables(f)
    shift = LANES.bit_length() - 1

    def term(e: str, total: str) -> str:
        column = table("column", f.emit(f"lshr i64 {e}, {shift}"))
        return f.multiply_add(f.read(f.at("%A", e)), f.read(f.at("%b", column)), total)

    def forward(i: str) -> None:
        place = f.vector_at("%b", i)
        f.write(place, f.folded(table("start", i), table("diagonal", i), LANES, f.read(place), term))

    def backward(i: str) -> None:
        place, middle = f.vector_at("%b", i), table("diagonal", i)
        last = f.emit(f"sub i64 {table('start', table.after(i))}, {LANES}")
        scaled = f.binary("fmul", f.read(place), f.read(f.at("%A", middle)))
        f.write(place, f.folded(last, middle, -LANES, scaled, term))

    f.count_loop("0", table.rows, forward)
    f.count_loop(f.emit(f"sub i64 {table.rows}, 1"), "-1", backward, down=True)
    return f


def _subtract_panel(f: Loops, table: _Tables, k: str, entry: str, width: int) -> None:
    """Subtract pivots k ... k + width - 1 from the work vector, and store their multipliers."""
    work = table.at["work"]
    diagonal: list[str] = []
    factors: list[str] = []
    for j in range(width):
        pivot = f.emit(f"add i64 {k}, {j}")
        diagonal.append(table("diagonal", pivot))
        factor = f.vector(work, pivot)
        for earlier in range(j):  # entries of the earlier pivot rows in this column
            place = f.emit(f"add i64 {diagonal[earlier]}, {(j - earlier) * LANES}")
            factor = f.multiply_add(factors[earlier], f.read(f.at("%A", place)), factor)
        factors.append(factor)
        scaled = f.binary("fmul", factor, f.read(f.at("%A", diagonal[j])))
        f.write(f.at("%A", f.emit(f"add i64 {entry}, {j * LANES}")), scaled)
    last_pivot = f.emit(f"add i64 {k}, {width - 1}")
    end = table("start", table.after(last_pivot))
    first = f.emit(f"add i64 {diagonal[-1]}, {LANES}")
    # rows of one supernode have the same columns behind the last pivot, each at a fixed distance from its diagonal
    shifts = [
        f.emit(f"sub i64 {f.emit(f'add i64 {d}, {(width - 1 - j) * LANES}')}, {diagonal[-1]}")
        for j, d in enumerate(diagonal)
    ]

    def term(u: str) -> None:
        column = table("column", f.emit(f"lshr i64 {u}, {LANES.bit_length() - 1}"))
        place = f.at(work, column)
        total = f.read(place)
        for factor, shift in zip(factors, shifts, strict=True):
            total = f.multiply_add(factor, f.read(f.at("%A", f.emit(f"add i64 {u}, {shift}"))), total)
        f.write(place, total)

    f.stride_loop(first, end, term)
