"""Where rates are no numbers: negative bases under broken exponents, as one condition over the graph."""

from __future__ import annotations

from collections.abc import Sequence

from .graph import BOOLEAN, JUST_BELOW, Graph


def negative_under_broken_powers(graph: Graph, rates: Sequence[int]) -> int:
    """Whether any of ``rates`` takes a root or a broken power of a number that is clearly negative.

    A power in a branch that is not taken does not count. A base that is a sum may miss zero by a share of its terms;
    one that does by more is no number inside a step either, and is left out here.
    """
    undefined: dict[int, frozenset[int]] = {}
    nothing: frozenset[int] = frozenset()
    for node in graph.topological(rates):
        op, args = graph.op(node), graph.args(node)
        if op in BOOLEAN:
            undefined[node] = nothing
        elif op == "sel":
            undefined[node] = _of_branches(graph, args[0], undefined[args[1]], undefined[args[2]])
        else:
            undefined[node] = nothing.union(*(undefined[child] for child in args))
            if op in ("pow", "sqrt") and graph.masks[args[0]] and len(graph.terms(args[0])) == 1:
                broken = graph.broken(args[1]) if op == "pow" else graph.one
                here = graph.both(broken, _clearly_negative(graph, args[0]))
                undefined[node] |= nothing if here == graph.zero else {here}
    return _any(graph, nothing.union(*(undefined[rate] for rate in rates)))


def _of_branches(graph: Graph, condition: int, first: frozenset[int], second: frozenset[int]) -> frozenset[int]:
    if first == second:
        return first
    taken, other = graph.both(condition, _any(graph, first)), graph.both(graph.negate(condition), _any(graph, second))
    return frozenset({taken, other} - {graph.zero})


def _any(graph: Graph, conditions: frozenset[int]) -> int:
    result = graph.zero
    for condition in sorted(conditions):
        result = graph.either(result, condition)
    return result


def _clearly_negative(graph: Graph, base: int) -> int:
    sizes: dict[int, int] = {}
    for node in graph.topological([base], stop=lambda node: graph.op(node) in BOOLEAN):
        sizes[node] = _size(graph, node, sizes)
    if sizes[base] == graph.absolute(base):
        return graph.less(base, graph.zero)
    return graph.less(base, graph.mul(graph.const(-JUST_BELOW), sizes[base]))


def _size(graph: Graph, node: int, sizes: dict[int, int]) -> int:
    """How large a node could be if the terms of its sums did not cancel."""
    args = graph.args(node)
    match graph.op(node):
        case "add" | "sub":
            return graph.add(sizes[args[0]], sizes[args[1]])
        case "neg":
            return sizes[args[0]]
        case "sel":
            return graph.select(args[0], sizes[args[1]], sizes[args[2]])
        case "mul":
            if all(sizes[child] == graph.absolute(child) for child in args):
                return graph.absolute(node)
            return graph.mul(sizes[args[0]], sizes[args[1]])
        case "div" if sizes[args[0]] != graph.absolute(args[0]):
            return graph.quotient(sizes[args[0]], graph.absolute(args[1]))
    return graph.absolute(node)
