"""A model as JSON text and back, for the cache: plain data, every piece of it checked when it is read.

A record is the list of its fields; formulas are numbers of nodes in one table, in which equal parts stand once and
every node comes after its arguments. So nothing nests, however deep a formula is, and nothing in the text can be more
than a model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from .annotations import Annotation
from .maths import ARITY, Expr
from .records import Compartment, Event, Model, Parameter, Participant, Reaction, Rule, Species

FORMAT = "pathsim model 1"
LEAVES = ("number", "symbol", "time", "rate_of")

# The fields of each record: s text, f number, b truth value, i whole number, e formula, o formula or none, S texts; a
# record's own letter for several of them.
_LETTERS: dict[str, type] = {
    "C": Compartment,
    "P": Species,
    "V": Parameter,
    "R": Reaction,
    "A": Rule,
    "E": Event,
    "N": Annotation,
    "M": Participant,
}
LAYOUT: dict[type, str] = {
    Compartment: "sffbs",
    Species: "ssfbbbbsss",
    Parameter: "sfbs",
    Participant: "se",
    Reaction: "sMMSebs",
    Rule: "se",
    Event: "seAoobbb",
    Annotation: "sisssbsi",
    Model: "ssCPVRAAAEssssNs",
}
_FIELDS = {
    kind: [(field.name, letter) for field, letter in zip(fields(kind), letters, strict=True)]
    for kind, letters in LAYOUT.items()
}
Arity = int | tuple[int, None]


def to_json(model: Model) -> bytes:
    """``model`` as text in the format of this module."""
    table = FormulaTable()
    body = _written(model, table)
    return json.dumps([FORMAT, *table.content, body]).encode()


def from_json(content: bytes) -> Model:
    """The model that :func:`to_json` wrote. Raises :class:`ValueError` for anything else."""
    try:
        kind, *table, body = json.loads(content)
        if kind != FORMAT:
            raise ValueError(f"not in the format '{FORMAT}'")
        return _Reader(formulas(table)).record(Model, body)  # type: ignore[no-any-return]
    except (TypeError, IndexError, KeyError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"not a stored model: {error}") from None


class FormulaTable:
    """Nodes of formulas, equal ones once; ``arity`` has the operations, whose order is part of the format."""

    def __init__(self, arity: Mapping[str, Arity] = ARITY) -> None:
        self.ops: list[int] = []
        self.args: list[list[int]] = []
        self.values: list[float] = []
        self.names: list[str] = []
        self.number_of = {op: number for number, op in enumerate((*LEAVES, *arity))}
        self.seen: dict[tuple[str, tuple[int, ...], str, str], int] = {}

    @property
    def content(self) -> list[list[Any]]:
        """Everything in the table, for :func:`formulas`."""
        return [self.ops, self.args, self.values, self.names]

    def add(self, root: Expr) -> int:
        """The number of ``root``, its arguments before it."""
        if not root.args:
            return self._place(root, ())
        done: list[int] = []
        waiting: list[tuple[Expr, bool]] = [(root, False)]
        while waiting:
            node, visited = waiting.pop()
            if not node.args:
                done.append(self._place(node, ()))
            elif visited:
                first = len(done) - len(node.args)
                done[first:] = [self._place(node, tuple(done[first:]))]
            else:
                waiting.append((node, True))
                waiting += [(arg, False) for arg in reversed(node.args)]
        return done[0]

    def _place(self, node: Expr, args: tuple[int, ...]) -> int:
        """The number of a node whose arguments have these."""
        key = (node.op, args, repr(node.value) if node.op == "number" else "", node.name)
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = len(self.ops)
            self.ops.append(self.number_of[node.op])
            self.args.append(list(args))
            self.values.append(node.value)
            self.names.append(node.name)
        return found


def _written(record: Any, table: FormulaTable) -> list[Any]:
    items: list[Any] = []
    for name, letter in _FIELDS[type(record)]:
        value = getattr(record, name)
        if letter in "eo":
            items.append(None if value is None else table.add(value))
        elif letter in _LETTERS:
            items.append([_written(item, table) for item in value])
        else:
            items.append(list(value) if letter == "S" else value)
    return items


def formulas(content: Any, arity: Mapping[str, Arity] = ARITY) -> list[Expr]:
    """The formulas of a :class:`FormulaTable`: each node has as many arguments as its operation takes, all from before
    it. Raises :class:`ValueError`, :class:`TypeError` or :class:`IndexError` for anything else."""
    ops, args, values, names = content
    spellings = (*LEAVES, *arity)
    nodes: list[Expr] = []
    for op, numbers, value, name in zip(ops, args, values, names, strict=True):
        spelt = spellings[op]
        if type(name) is not str or type(value) is not float:
            raise ValueError("a formula holds something else than names and numbers")
        if not numbers:
            least: Arity = 0 if spelt in LEAVES else arity[spelt]
            count = 0
        else:
            least, count = arity[spelt], len(numbers)
            if min(numbers) < 0 or max(numbers) >= len(nodes):
                raise ValueError("a formula refers to itself")
        if count != least if isinstance(least, int) else count < least[0]:
            raise ValueError(f"'{spelt}' with {count} arguments")
        nodes.append(Expr(spelt, tuple([nodes[i] for i in numbers]), value, name))
    return nodes


_PLAIN: dict[str, type] = {"s": str, "f": float, "b": bool, "i": int}


class _Reader:
    def __init__(self, nodes: list[Expr]) -> None:
        self.nodes = nodes
        self.participants: dict[tuple[Any, ...], Participant] = {}
        readers: dict[str, Callable[[Any], Any]] = {
            "S": self._texts,
            "e": self.node,
            "o": lambda number: None if number is None else self.node(number),
            **{letter: partial(self._records, kind) for letter, kind in _LETTERS.items()},
            "M": self._participants,
        }
        self.types = {kind: [_PLAIN.get(letter) for letter in letters] for kind, letters in LAYOUT.items()}
        self.readers = {kind: [readers.get(letter) for letter in letters] for kind, letters in LAYOUT.items()}

    def record(self, kind: type, items: Sequence[Any]) -> Any:
        """The record of ``kind`` with these fields."""
        values = []
        for item, wanted, read in zip(items, self.types[kind], self.readers[kind], strict=True):
            if read is not None:
                values.append(read(item))
            elif type(item) is wanted:
                values.append(item)
            else:
                raise ValueError(f"{item!r} stands where another type should")
        return kind(*values)

    def node(self, number: Any) -> Expr:
        """The formula of this number."""
        if type(number) is not int or number < 0:
            raise ValueError("a formula is not named by its number")
        return self.nodes[number]

    def _records(self, kind: type, items: Sequence[Any]) -> tuple[Any, ...]:
        return tuple([self.record(kind, item) for item in items])

    def _participants(self, items: Sequence[Any]) -> tuple[Participant, ...]:
        """Large models name few species with few stoichiometries, each many times."""
        found = []
        for item in items:
            one = self.participants.get(key := tuple(item))
            if one is None:
                one = self.participants[key] = self.record(Participant, item)
            found.append(one)
        return tuple(found)

    def _texts(self, items: Sequence[Any]) -> tuple[str, ...]:
        if not {str}.issuperset(map(type, items)):
            raise ValueError(f"{items!r} are no texts")
        return tuple(items)
