"""LLVM IR with loops: a function writer that knows about blocks, index arithmetic and sums over arrays of vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .vector_ir import ALIGN, LANES, MASK, VECTOR, Function, splat


class Loops(Function):
    """A function with loops over the states; ``%n8`` is the number of doubles in an array of states."""

    def __init__(self, name: str, pointers: Sequence[str], scalars: str, fused: bool, linkage: str = "") -> None:
        super().__init__(name, pointers, fused)
        arguments = ", ".join([f"ptr noalias %{p}" for p in pointers] + ([scalars] if scalars else []))
        self.lines = [f"define {linkage} void @{name}({arguments}) nounwind {{", "entry:"]
        self._block = "entry"
        self._blocks = 0

    # memory

    def at(self, pointer: str, offset: str) -> str:
        """Address of double number ``offset``."""
        return self.emit(f"getelementptr inbounds double, ptr {pointer}, i64 {offset}")

    def parts(self, pointer: str, count: int) -> list[str]:
        """Addresses of ``count`` arrays of states, one behind the other."""
        return [pointer] + [self.at(pointer, self.emit(f"mul i64 %n8, {j}")) for j in range(1, count)]

    def read(self, pointer: str) -> str:
        return self.emit(f"load {VECTOR}, ptr {pointer}, align {ALIGN}")

    def read_to_blend(self, pointer: str) -> str:
        """:meth:`read` where what is written back is a choice, lane by lane, between this value and a new one.

        Volatile, since LLVM would make a masked store of the two, which processors of AMD take ten times longer over.
        """
        return self.emit(f"load volatile {VECTOR}, ptr {pointer}, align {ALIGN}")

    def write(self, pointer: str, value: str) -> None:
        self.lines.append(f"store {VECTOR} {value}, ptr {pointer}, align {ALIGN}")

    def vector(self, pointer: str, index: str) -> str:
        """Vector number ``index`` of an array."""
        return self.read(self.vector_at(pointer, index))

    def vector_at(self, pointer: str, index: str) -> str:
        return self.at(pointer, self.emit(f"shl i64 {index}, {LANES.bit_length() - 1}"))

    def integer(self, pointer: str, index: str) -> str:
        """Integer number ``index`` of a table."""
        return self.emit(f"load i64, ptr {self.emit(f'getelementptr inbounds i64, ptr {pointer}, i64 {index}')}")

    def pointer(self, table: str, index: int) -> str:
        """Pointer number ``index`` of a table of pointers."""
        return self.emit(f"load ptr, ptr {self.emit(f'getelementptr inbounds ptr, ptr {table}, i64 {index}')}")

    # control

    def loop(self, body: Callable[[str], None], count: str = "%n8", step: int = LANES) -> None:
        """``for i = 0; i < count; i += step`` around what ``body(i)`` writes; runs at least once."""
        self.sum_loop(lambda i: body(i), None, count, step)

    def sum_loop(
        self, body: Callable[[str], str | None], start: str | None, count: str = "%n8", step: int = LANES
    ) -> str:
        """A loop that adds up the vector its body returns; runs at least once."""
        number = self._new_block()
        i, total, before = f"%i{number}", f"%sum{number}", self._block
        self.lines += [f"br label %loop{number}", f"loop{number}:"]
        self._block = f"loop{number}"
        heads = len(self.lines)
        self.lines.append("")  # phi nodes, known once the body is written
        term = body(i)
        if start is not None:
            self.lines.append(f"{total}n = fadd {VECTOR} {total}, {term}")
        self.lines.append(f"{i}n = add nuw nsw i64 {i}, {step}")
        done = self.emit(f"icmp uge i64 {i}n, {count}")
        phis = [f"{i} = phi i64 [ 0, %{before} ], [ {i}n, %{self._block} ]"]
        if start is not None:
            phis.append(f"{total} = phi {VECTOR} [ {start}, %{before} ], [ {total}n, %{self._block} ]")
        self.lines[heads] = "\n".join(phis)
        self.lines += [f"br i1 {done}, label %after{number}, label %loop{number}", f"after{number}:"]
        self._block = f"after{number}"
        return f"{total}n"

    def count_loop(self, first: str, last: str, body: Callable[[str], None], down: bool = False) -> None:
        """``for i = first; i < last; i += 1`` (or ``i > last; i -= 1``); may run not at all."""
        self._counted(first, last, body, -1 if down else 1)

    def stride_loop(self, first: str, last: str, body: Callable[[str], None], step: int = LANES) -> None:
        """``for i = first; i < last; i += step``; may run not at all."""
        self._counted(first, last, body, step)

    def _counted(self, first: str, last: str, body: Callable[[str], None], step: int) -> None:
        number = self._new_block()
        i, before = f"%i{number}", self._block
        self.lines += [f"br label %test{number}", f"test{number}:"]
        head = len(self.lines)
        self.lines.append("")  # the phi node, known once the body is written
        more = self.emit(f"icmp {'sgt' if step < 0 else 'slt'} i64 {i}, {last}")
        self.lines += [f"br i1 {more}, label %loop{number}, label %after{number}", f"loop{number}:"]
        self._block = f"loop{number}"
        body(i)
        self.lines.append(f"{i}n = add nsw i64 {i}, {step}")
        self.lines[head] = f"{i} = phi i64 [ {first}, %{before} ], [ {i}n, %{self._block} ]"
        self.lines += [f"br label %test{number}", f"after{number}:"]
        self._block = f"after{number}"

    def folded(self, first: str, last: str, step: int, start: str, body: Callable[[str, str], str]) -> str:
        """A vector that ``body(i, vector)`` makes of itself for every i from ``first`` on until it reaches ``last``."""
        number = self._new_block()
        i, total, before = f"%i{number}", f"%total{number}", self._block
        self.lines += [f"br label %test{number}", f"test{number}:"]
        head = len(self.lines)
        self.lines.append("")  # phi nodes, known once the body is written
        more = self.emit(f"icmp ne i64 {i}, {last}")
        self.lines += [f"br i1 {more}, label %loop{number}, label %after{number}", f"loop{number}:"]
        self._block = f"loop{number}"
        result = body(i, total)
        self.lines.append(f"{i}n = add nsw i64 {i}, {step}")
        phis = [f"{i} = phi i64 [ {first}, %{before} ], [ {i}n, %{self._block} ]"]
        phis.append(f"{total} = phi {VECTOR} [ {start}, %{before} ], [ {result}, %{self._block} ]")
        self.lines[head] = "\n".join(phis)
        self.lines += [f"br label %test{number}", f"after{number}:"]
        self._block = f"after{number}"
        return total

    def when(self, condition: str, body: Callable[[], None]) -> None:
        """Carry out ``body`` where ``condition`` holds."""
        number = self._new_block()
        self.lines += [f"br i1 {condition}, label %do{number}, label %after{number}", f"do{number}:"]
        self._block = f"do{number}"
        body()
        self.lines += [f"br label %after{number}", f"after{number}:"]
        self._block = f"after{number}"

    @property
    def block(self) -> str:
        """The block that lines to come are in."""
        return self._block

    def in_block(self, name: str) -> None:
        """Say which block the lines to come are in, where its label was written by hand."""
        self._block = name

    def _new_block(self) -> int:
        self._blocks += 1
        return self._blocks

    # arithmetic

    def combine(self, terms: Sequence[tuple[float, str]], start: str | None = None) -> str:
        """start + sum of coefficient*value."""
        total = start
        for coefficient, value in terms:
            if total is None:
                total = value if coefficient == 1.0 else self.binary("fmul", splat(coefficient), value)
            elif coefficient == 1.0:
                total = self.binary("fadd", total, value)
            else:
                total = self.multiply_add(splat(coefficient), value, total)
        assert total is not None
        return total

    def choose(self, comparison: str, a: str, b: str, yes: str, no: str) -> str:
        mask = self.emit(f"fcmp {comparison} {VECTOR} {a}, {b}")
        return self.emit(f"select {MASK} {mask}, {VECTOR} {yes}, {VECTOR} {no}")

    def larger(self, a: str, b: str) -> str:
        """The larger of two numbers; ``b`` where ``a`` is not a number. One instruction where ``maxnum`` takes 3."""
        return self.choose("ogt", a, b, a, b)

    def smaller(self, a: str, b: str) -> str:
        """The smaller of two numbers; ``b`` where ``a`` is not a number."""
        return self.choose("olt", a, b, a, b)

    def approximate_reciprocal(self, a: str) -> str:
        """1/a to 1e-4: enough for an error norm, and far quicker than a division."""
        integers = f"<{LANES} x i64>"
        bits = self.emit(f"bitcast {VECTOR} {a} to {integers}")
        magic = "<" + ", ".join([f"i64 {0x7FDE623822FC16E6}"] * LANES) + ">"
        guess = self.emit(f"bitcast {integers} {self.emit(f'sub {integers} {magic}, {bits}')} to {VECTOR}")
        for _ in range(2):
            rest = self.multiply_add(self.negative(a), guess, splat(2.0))
            guess = self.binary("fmul", guess, rest)
        return guess
