"""Recorded steps between memory and lanes, as LLVM IR: records side by side are squares of numbers to transpose.

A record holds time, size, time of the end, whether the step counts (see :mod:`pathsim.solve.integrate.recorder`) and
the state, filled up to a multiple of the number of lanes; then, where they are kept, the stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..llvm.loop_ir import Loops
from ..llvm.vector_ir import LANES, VECTOR

HEAD = 4
"""Numbers of a record before the state."""

RECORD_ARGUMENTS = ", ptr %block, i64 %width, i64 %advance, i64 %stages, ptr %attempts"
"""Where the first attempt goes; doubles in a record; bytes from one attempt's records to the next's; rows of
stages to keep; where to leave the number of attempts."""


def note_attempt(f: Loops, count: str, pointer: Mapping[str, str], head: Sequence[str]) -> None:
    """Write the records of all lanes down."""
    f.lines.append(f"store i64 {count}, ptr %attempts")
    passed = f.emit(f"mul i64 {f.emit(f'sub i64 {count}, 1')}, %advance")
    block = f.emit(f"getelementptr inbounds i8, ptr %block, i64 {passed}")
    records = [block]
    for _ in range(1, LANES):
        records.append(f.at(records[-1], "%width"))
    y = pointer["y"]
    _scatter(f, [*head, *(f.vector(y, str(i)) for i in range(LANES - HEAD))], records, "0")
    n = f.emit(f"lshr i64 %n8, {LANES.bit_length() - 1}")

    def state(i: str) -> None:
        _scatter(f, _rows(f, y, i), records, f.emit(f"add i64 {i}, {HEAD}"))

    f.stride_loop(str(LANES - HEAD), n, state)
    behind = f.emit(f"and i64 {f.emit(f'add i64 {n}, {HEAD + LANES - 1}')}, {-LANES}")
    U = pointer["U"]
    f.stride_loop("0", "%stages", lambda i: _scatter(f, _rows(f, U, i), records, f.emit(f"add i64 {behind}, {i}")))


def gather(fused: bool) -> Loops:
    """``gather(records, target, n)``: the first n numbers (a multiple of the lanes) of a record per lane, whose
    addresses are in ``records``, to rows of lanes. As many behind them are of records that will be wanted soon."""
    f = Loops("gather", ("records", "target"), "i64 %n", fused)
    records = [f.pointer("%records", lane) for lane in range(LANES)]
    soon = [f.pointer("%records", LANES + lane) for lane in range(LANES)]
    f.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")

    def square(i: str) -> None:
        for record in soon:
            f.lines.append(f"call void @llvm.prefetch.p0(ptr {f.at(record, i)}, i32 0, i32 3, i32 1)")
        columns = transposed(f, [f.emit(f"load {VECTOR}, ptr {f.at(record, i)}, align 8") for record in records])
        for row, column in enumerate(columns):
            f.write(f.vector_at("%target", f.emit(f"add i64 {i}, {row}")), column)

    f.loop(square, "%n")
    return f


def _rows(f: Loops, array: str, first: str) -> list[str]:
    return [f.vector(array, f.emit(f"add i64 {first}, {i}")) for i in range(LANES)]


def _scatter(f: Loops, rows: Sequence[str], records: Sequence[str], column: str) -> None:
    for record, values in zip(records, transposed(f, rows), strict=True):
        f.lines.append(f"store {VECTOR} {values}, ptr {f.at(record, column)}, align 8")


def transposed(f: Loops, rows: Sequence[str]) -> list[str]:
    """Vectors as the columns of as many others: blocks off the diagonal change places, at every size."""
    found = list(rows)
    for size in [size for size in (1, 2, 4) if size < LANES]:
        upper = [j if j & size == 0 else LANES + j - size for j in range(LANES)]
        lower = [j + size if j & size == 0 else LANES + j for j in range(LANES)]
        for i in range(LANES):
            if i & size == 0:
                a, b = found[i], found[i + size]
                found[i], found[i + size] = (_shuffled(f, a, b, chosen) for chosen in (upper, lower))
    return found


def _shuffled(f: Loops, a: str, b: str, chosen: Sequence[int]) -> str:
    mask = ", ".join(f"i32 {j}" for j in chosen)
    return f.emit(f"shufflevector {VECTOR} {a}, {VECTOR} {b}, <{LANES} x i32> <{mask}>")
