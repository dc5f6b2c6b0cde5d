"""One hash-consed expression graph for a whole model.

Every distinct subexpression is one node, an integer. Leaves are constants, states ``x[i]``, parameters ``p[i]`` and
time ``t``. Constructors fold constants and share work, so that derivatives, sparsity and machine code all follow from
the same small graph. Truth values are numbers outside and booleans inside; the constructors convert.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

Node = tuple[object, ...]

TIME_BIT = 1  # in a dependency mask; state i is bit i + 1
ABSORBING = frozenset({"rcp", "div", "pow", "exp", "tanh", "atan"})
"""Operations that may turn an infinite argument into a finite number, and then have no derivative there."""
UNBOUNDED = frozenset({"rcp", "div", "pow", "exp", "log", "sinh", "cosh", "tan", "atanh", "tgamma"})
"""Operations that may give infinity from finite arguments."""
JUST_BELOW = 1e-4
"""Share of the terms of a sum by which it may miss zero in a stage and still stand for zero."""
BOOLEAN = frozenset({"lt", "le", "eq", "and", "or", "not"})
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt,
    "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
    "asinh": math.asinh, "acosh": math.acosh, "atanh": math.atanh,
    "floor": math.floor, "tgamma": math.gamma,
}  # fmt: skip


class Graph:
    """Nodes are tuples ``(op, *arguments)`` in :attr:`nodes`, in parts also in :attr:`ops` and :attr:`arguments` (the
    children; leaves have none); ``masks[i]`` says which states and time node i needs; ``unbounded[i]`` whether it may
    be, or be computed from, an infinity at finite states."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.ops: list[str] = []
        self.arguments: list[tuple[int, ...]] = []
        self.masks: list[int] = []
        self.unbounded: list[bool] = []
        self._index: dict[Node, int] = {}
        self._numbers: dict[int, float] = {}  # of constants
        self._gradients: dict[int, dict[int, int]] = {}
        self.clamped = False
        """Whether any negative base counts as zero, see :meth:`pow_inside_a_step`."""
        self.zero = self.const(0.0)
        self.one = self.const(1.0)

    # leaves

    def const(self, value: float) -> int:
        number = float(value)
        found = self._leaf(("const", number), "const", 0)
        self._numbers.setdefault(found, number)
        return found

    def state(self, i: int) -> int:
        return self._leaf(("x", i), "x", 2 << i)

    def param(self, i: int) -> int:
        return self._leaf(("p", i), "p", 0)

    def time(self) -> int:
        return self._leaf(("t",), "t", TIME_BIT)

    def value(self, node: int) -> float | None:
        """The number a constant node stands for, else None."""
        return self._numbers.get(node)

    def op(self, node: int) -> str:
        return self.ops[node]

    def args(self, node: int) -> tuple[int, ...]:
        """Children of an operation; none for a leaf."""
        return self.arguments[node]

    # arithmetic

    def add(self, a: int, b: int) -> int:
        numbers, ops = self._numbers, self.ops
        if a in numbers or b in numbers:
            x, y = numbers.get(a), numbers.get(b)
            if x is not None and y is not None:
                return self.const(x + y)
            if x == 0:
                return b
            if y == 0:
                return a
        if ops[b] == "neg":
            return self.sub(a, self.arguments[b][0])
        if ops[a] == "neg":
            return self.sub(b, self.arguments[a][0])
        return self._operation("add", a, b) if a <= b else self._operation("add", b, a)

    def sub(self, a: int, b: int) -> int:
        numbers = self._numbers
        if a in numbers or b in numbers:
            x, y = numbers.get(a), numbers.get(b)
            if x is not None and y is not None:
                return self.const(x - y)
            if y == 0:
                return a
            if x == 0:
                return self.neg(b)
        if a == b:
            return self.zero
        if self.ops[b] == "neg":
            return self.add(a, self.arguments[b][0])
        return self._operation("sub", a, b)

    def neg(self, a: int) -> int:
        match self.ops[a]:
            case "const":
                return self.const(-self._numbers[a])
            case "neg":
                return self.arguments[a][0]
            case "sub":
                first, second = self.arguments[a]
                return self.sub(second, first)
        return self._operation("neg", a)

    def mul(self, a: int, b: int) -> int:
        numbers, ops = self._numbers, self.ops
        if a in numbers or b in numbers:
            x, y = numbers.get(a), numbers.get(b)
            if x is not None and y is not None:
                return self.const(x * y)
            for factor, other in ((x, b), (y, a)):
                if factor == 0:
                    return self.zero
                if factor == 1:
                    return other
                if factor == -1:
                    return self.neg(other)
        if ops[a] == "neg":
            return self.neg(self.mul(self.arguments[a][0], b))
        if ops[b] == "neg":
            return self.neg(self.mul(a, self.arguments[b][0]))
        return self._operation("mul", a, b) if a <= b else self._operation("mul", b, a)

    def div(self, a: int, b: int) -> int:
        """``a * (1 / b)``: one division serves all quotients by ``b``, at the price of another rounding."""
        x, y = self.value(a), self.value(b)
        if x is not None and y is not None:
            return self.const(_divide(x, y))
        if y == 1:
            return a
        if x == 0:
            return self.zero
        if self.op(a) == "neg":
            return self.neg(self.div(self.args(a)[0], b))
        if self.op(b) == "neg":
            return self.neg(self.div(a, self.args(b)[0]))
        reciprocal = self._operation("rcp", b) if y is None else self.const(_divide(1.0, y))
        return self.mul(a, reciprocal)

    def quotient(self, a: int, b: int) -> int:
        """``a / b`` rounded once, as IEEE has it; :meth:`div` multiplies with a reciprocal that is shared."""
        x, y = self.value(a), self.value(b)
        if x is not None and y is not None:
            return self.const(_divide(x, y))
        if y == 1:
            return a
        if x == 0:
            return self.zero
        if x == 1:
            return self.div(a, b)
        if self.op(a) == "neg":
            return self.neg(self.quotient(self.args(a)[0], b))
        if self.op(b) == "neg":
            return self.neg(self.quotient(a, self.args(b)[0]))
        return self._operation("div", a, b)

    def pow(self, a: int, b: int) -> int:
        x, y = self.value(a), self.value(b)
        if x is not None and y is not None:
            return self.const(_power(x, y))
        if y is None:
            return self.one if x == 1 else self._operation("pow", a, b)
        if y == 0:
            return self.one
        if math.isfinite(y) and y == int(y) and abs(y) <= 16:
            result = self._integer_power(a, int(abs(y)))
            return result if y > 0 else self.div(self.one, result)
        if y == 0.5:
            return self.call("sqrt", a)
        return self._operation("pow", a, b)

    def pow_inside_a_step(self, a: int, b: int) -> int:
        """``a ** b`` where a stage may lie just below zero: a negative base under a broken exponent counts as zero.

        Of a base that is a sum only what its terms leave by rounding and the error of a step counts as just below.
        """
        x, y = self.value(a), self.value(b)
        whole = y is not None and (not math.isfinite(y) or y == math.floor(y))
        if x is not None or self.masks[a] == 0 or whole:
            return self.pow(a, b)
        below = self.both(self.less(a, self.zero), self.broken(b))
        terms = self.terms(a)
        if len(terms) > 1:
            size = self.mul(self.const(-JUST_BELOW), self.total(self.absolute(term) for term in terms))
            below = self.both(below, self.less(size, a))
        self.clamped = True
        return self.pow(self.select(below, self.zero, a), b)

    def broken(self, exponent: int) -> int:
        """Whether a power with this exponent is no number where its base is negative."""
        y = self.value(exponent)
        if y is not None:
            return self.const(float(math.isfinite(y) and y != math.floor(y)))
        return self.negate(self.equal(exponent, self.call("floor", exponent)))

    def terms(self, node: int) -> list[int]:
        """What a sum adds up, signs aside; a node that is no sum alone."""
        found, stack = [], [node]
        while stack:
            part = stack.pop()
            if self.op(part) in ("add", "sub", "neg"):
                stack.extend(self.args(part))
            else:
                found.append(part)
        return found

    def product(self, factor: int, other: int) -> int:
        """``factor * other`` in a chain of derivatives, where zero times infinity is the limit: zero."""
        if self.value(factor) is not None:
            return self.mul(factor, other)
        return self.select(self.equal(factor, self.zero), self.zero, self.mul(factor, other))

    def _integer_power(self, base: int, exponent: int) -> int:
        result = None
        while True:
            if exponent & 1:
                result = base if result is None else self.mul(result, base)
            exponent >>= 1
            if exponent == 0:
                assert result is not None
                return result
            base = self.mul(base, base)

    def call(self, function: str, a: int) -> int:
        """One of :data:`FUNCTIONS` applied to ``a``."""
        x = self.value(a)
        if x is not None:
            return self.const(_apply(function, x))
        return self._operation(function, a)

    def absolute(self, a: int) -> int:
        x = self.value(a)
        return self.const(abs(x)) if x is not None else self._operation("abs", a)

    def total(self, terms: Iterable[int]) -> int:
        result = self.zero
        for term in terms:
            result = self.add(result, term)
        return result

    # truth

    def less(self, a: int, b: int) -> int:
        return self._compare("lt", a, b, lambda x, y: x < y)

    def less_equal(self, a: int, b: int) -> int:
        return self._compare("le", a, b, lambda x, y: x <= y)

    def equal(self, a: int, b: int) -> int:
        return self._compare("eq", *((a, b) if a <= b else (b, a)), lambda x, y: x == y)

    def truth(self, a: int) -> int:
        """``a`` as a boolean node: a number is true when it is not zero. Constants stay constants."""
        x = self.value(a)
        if x is not None:
            return self.const(float(x != 0))
        return a if self.op(a) in BOOLEAN else self.negate(self.equal(a, self.zero))

    def number(self, a: int) -> int:
        """``a`` as a number: a boolean node becomes 1 or 0."""
        return self._operation("sel", a, self.one, self.zero) if self.op(a) in BOOLEAN else a

    def negate(self, a: int) -> int:
        a = self.truth(a)
        x = self.value(a)
        if x is not None:
            return self.const(float(x == 0))
        return self.args(a)[0] if self.op(a) == "not" else self._operation("not", a)

    def both(self, a: int, b: int) -> int:
        a, b = self.truth(a), self.truth(b)
        for one, other in ((a, b), (b, a)):
            x = self.value(one)
            if x is not None:
                return other if x else self.zero
        return a if a == b else self._operation("and", *((a, b) if a <= b else (b, a)))

    def either(self, a: int, b: int) -> int:
        a, b = self.truth(a), self.truth(b)
        for one, other in ((a, b), (b, a)):
            x = self.value(one)
            if x is not None:
                return self.one if x else other
        return a if a == b else self._operation("or", *((a, b) if a <= b else (b, a)))

    def select(self, condition: int, a: int, b: int) -> int:
        condition = self.truth(condition)
        x = self.value(condition)
        a, b = self.number(a), self.number(b)
        if x is not None:
            return a if x else b
        if a == b:
            return a
        return self._operation("sel", condition, a, b)

    # structure

    def depends_on_state_or_time(self, node: int) -> bool:
        return self.masks[node] != 0

    def states_of(self, node: int) -> list[int]:
        """Indices of the states a node depends on, ascending."""
        mask, found = self.masks[node] >> 1, []
        while mask:
            low = mask & -mask
            found.append(low.bit_length() - 1)
            mask ^= low
        return found

    def topological(self, outputs: Sequence[int], stop: Callable[[int], bool] | None = None) -> list[int]:
        """Nodes needed for ``outputs``, children first; children of nodes where ``stop`` holds are left out."""
        arguments = self.arguments
        seen: set[int] = set()
        order: list[int] = []
        for output in outputs:
            stack = [output]  # nodes to look at, and those whose children are done as -1 - node
            while stack:
                node = stack.pop()
                if node < 0:
                    order.append(-1 - node)
                elif node not in seen:
                    seen.add(node)
                    children = arguments[node]
                    if not children or (stop is not None and stop(node)):
                        order.append(node)
                    else:
                        stack.append(-1 - node)
                        for child in reversed(children):
                            if child not in seen:
                                stack.append(child)
        return order

    # calculus

    def derivative(self, node: int, leaf: int) -> int:
        """d node / d leaf, where ``leaf`` is a state or time leaf. Jumps (floor, comparisons) count as constant."""
        return self.gradient(node).get(leaf, self.zero) if self.masks[node] & self.masks[leaf] else self.zero

    def gradient(self, node: int) -> dict[int, int]:
        """State or time leaf -> node of d node / d leaf, where that is not zero."""
        masks, ops, known = self.masks, self.ops, self._gradients
        stack = [node] if masks[node] else []
        while stack:  # children first, without recursion: rules may nest deeply
            top = stack[-1]
            if top in known:
                stack.pop()
                continue
            if ops[top] in BOOLEAN:
                known[top] = {}
                continue
            chain = self._chain_of_sums(top) if ops[top] in ("add", "sub") else []
            inner = [child for _, child in chain] if chain else self.arguments[top]
            missing = [child for child in inner if masks[child] and child not in known]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            known[top] = self._gradient_of_sum(chain) if chain else self._gradient_by_chain_rule(top)
        return known.get(node, {})

    def _chain_of_sums(self, node: int) -> list[tuple[bool, int]]:
        """A sum as (is subtracted, term), in the order they are added one by one.

        A long sum is one chain: going through it term by term keeps its gradient from being copied at every term.
        """
        ops, known = self.ops, self._gradients
        chain: list[tuple[bool, int]] = []
        while node not in known and (op := ops[node]) in ("add", "sub"):
            node, term = self.arguments[node]
            if op == "add" and ops[term] in ("add", "sub") and ops[node] not in ("add", "sub"):
                node, term = term, node
            chain.append((op == "sub", term))
        chain.append((False, node))
        chain.reverse()
        return chain

    def _gradient_of_sum(self, chain: list[tuple[bool, int]]) -> dict[int, int]:
        found: dict[int, int] = {}
        for subtracted, term in chain:
            if self.masks[term]:
                for leaf, derivative in self._gradients[term].items():
                    own = self.neg(derivative) if subtracted else derivative
                    before = found.get(leaf)
                    found[leaf] = own if before is None else self.add(before, own)
        return found

    def _gradient_by_chain_rule(self, node: int) -> dict[int, int]:
        op, args = self.ops[node], self.arguments[node]
        if op in ("x", "t"):
            return {node: self.one}
        found: dict[int, int] = {}
        inner = [self._gradients[child] if self.masks[child] else {} for child in args]
        if op == "sel":  # not a sum of products: the branch not taken may be infinite
            for leaf in (*inner[1], *inner[2]):
                if leaf not in found:
                    first, second = inner[1].get(leaf, self.zero), inner[2].get(leaf, self.zero)
                    found[leaf] = self.select(args[0], first, second)
            return found
        for child, partial, own in zip(args, self.partials(node), inner, strict=True):
            if partial is not None:
                for leaf, derivative in own.items():
                    term = self.link(node, child, partial, derivative)
                    before = found.get(leaf)
                    found[leaf] = term if before is None else self.add(before, term)
        return found

    def link(self, node: int, child: int, partial: int, inner: int) -> int:
        """One term of the chain rule: ``partial`` = d node / d child times the derivative of the child."""
        if inner != self.zero and self.op(node) in ABSORBING and self.unbounded[child]:
            return self.product(partial, inner)
        return self.mul(partial, inner)

    def partials(self, node: int) -> list[int | None]:
        """d node / d child for each child; None where it is zero everywhere (conditions, jumps)."""
        op, args = self.op(node), self.args(node)
        match op:
            case "add":
                return [self.one, self.one]
            case "sub":
                return [self.one, self.const(-1)]
            case "neg":
                return [self.const(-1)]
            case "mul":
                return [args[1], args[0]]
            case "div":
                reciprocal = self.div(self.one, args[1])
                return [reciprocal, self.neg(self.mul(node, reciprocal))]
            case "rcp":
                return [self.neg(self.mul(node, node))]
            case "pow":
                return self._power_partials(node, *args)
            case "sel":
                return [None, self.select(args[0], self.one, self.zero), self.select(args[0], self.zero, self.one)]
            case "abs":
                return [self.select(self.less(args[0], self.zero), self.const(-1), self.one)]
            case "floor" | "lt" | "le" | "eq" | "and" | "or" | "not" | "tgamma":
                return [None] * len(args)
        return [self._function_partial(op, node, args[0])]

    def _power_partials(self, node: int, base: int, exponent: int) -> list[int | None]:
        """x^n with n < 1 has no derivative at 0, and 0^n none in n where n is 0: they are left out."""
        by_base = self.mul(exponent, self.pow(base, self.sub(exponent, self.one)))
        at_zero = self.equal(base, self.zero)
        return [
            self.select(self.both(at_zero, self.less(exponent, self.one)), self.zero, by_base),
            self.select(at_zero, self.zero, self.mul(node, self.call("log", base))),
        ]

    def _function_partial(self, op: str, node: int, a: int) -> int:
        one, square = self.one, self.mul(a, a)
        match op:
            case "exp":
                return node
            case "log":
                return self.div(one, a)
            case "sqrt":
                return self.select(self.equal(a, self.zero), self.zero, self.div(self.const(0.5), node))
            case "sin":
                return self.call("cos", a)
            case "cos":
                return self.neg(self.call("sin", a))
            case "tan":
                return self.add(one, self.mul(node, node))
            case "asin":
                return self.div(one, self.call("sqrt", self.sub(one, square)))
            case "acos":
                return self.neg(self.div(one, self.call("sqrt", self.sub(one, square))))
            case "atan":
                return self.div(one, self.add(one, square))
            case "sinh":
                return self.call("cosh", a)
            case "cosh":
                return self.call("sinh", a)
            case "tanh":
                return self.sub(one, self.mul(node, node))
            case "asinh":
                return self.div(one, self.call("sqrt", self.add(square, one)))
            case "acosh":
                return self.div(one, self.call("sqrt", self.sub(square, one)))
            case "atanh":
                return self.div(one, self.sub(one, square))
        raise AssertionError(f"no derivative for {op}")

    def _compare(self, op: str, a: int, b: int, compare: Callable[[float, float], bool]) -> int:
        a, b = self.number(a), self.number(b)
        x, y = self.value(a), self.value(b)
        if x is not None and y is not None:
            return self.const(float(compare(x, y)))
        return self._operation(op, a, b)

    def _operation(self, op: str, *args: int) -> int:
        """The node of an operation as it stands."""
        node = (op, *args)
        found = self._index.get(node)
        if found is None:
            masks, mask, unbounded = self.masks, 0, op in UNBOUNDED
            for child in args:
                mask |= masks[child]
                unbounded = unbounded or self.unbounded[child]
            found = self._new(node, op, args, mask, mask != 0 and unbounded)
        return found

    def _leaf(self, node: Node, op: str, mask: int) -> int:
        found = self._index.get(node)
        return self._new(node, op, (), mask, False) if found is None else found

    def _new(self, node: Node, op: str, args: tuple[int, ...], mask: int, unbounded: bool) -> int:
        found = self._index[node] = len(self.nodes)
        self.nodes.append(node)
        self.ops.append(op)
        self.arguments.append(args)
        self.masks.append(mask)
        self.unbounded.append(unbounded)
        return found


def _divide(x: float, y: float) -> float:
    if y != 0:
        return x / y
    return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1.0, y)


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if x == 0 else math.nan


def _apply(function: str, x: float) -> float:
    try:
        return float(FUNCTIONS[function](x)) if math.isfinite(x) or function not in ("floor",) else x
    except OverflowError:
        return math.inf
    except ValueError:
        return -math.inf if function == "log" and x == 0 else math.nan
