"""Directional derivatives and their transposes as graphs: forward and adjoint, of any nodes, by the chain rule.

Both work node by node over the expression graph, so the cost of what they build is a small multiple of the original
(A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, SIAM 2008, chapter 3). Jumps (floor, comparisons)
count as constant, as everywhere in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .graph import ABSORBING, BOOLEAN, Graph


def forward_derivatives(graph: Graph, outputs: Sequence[int], seeds: Mapping[int, int]) -> list[int]:
    """Node of the derivative of each output in the direction ``seeds`` (node -> node of its derivative).

    What a seeded node depends on is not looked at; leaves without a seed are constant.
    """
    derivatives: dict[int, int] = {}
    for node in graph.topological(outputs, stop=lambda node: node in seeds):
        derivatives[node] = seeds[node] if node in seeds else _forward_derivative(graph, node, derivatives)
    return [derivatives[node] for node in outputs]


def _forward_derivative(graph: Graph, node: int, derivatives: Mapping[int, int]) -> int:
    args, zero = graph.args(node), graph.zero
    if all(derivatives[child] == zero for child in args) or graph.op(node) in BOOLEAN:
        return zero
    if graph.op(node) == "sel":  # not a sum of products: the branch not taken may be infinite
        return graph.select(args[0], derivatives[args[1]], derivatives[args[2]])
    result = zero
    for child, partial in zip(args, graph.partials(node), strict=True):
        if partial is not None and derivatives[child] != zero:
            result = graph.add(result, graph.link(node, child, partial, derivatives[child]))
    return result


def adjoint_derivatives(
    graph: Graph, outputs: Sequence[int], weights: Sequence[int], wanted: Mapping[int, object]
) -> dict[int, int]:
    """For each wanted node, the node of sum over outputs of weight * d output / d wanted; absent where that is zero.

    Wanted nodes count as independent of each other: what they depend on is not looked at.
    """
    order = graph.topological(outputs, stop=lambda node: node in wanted)
    absorbed = _absorbed(graph, order)
    bars: dict[int, int] = {}

    def send(node: int, bar: int) -> None:
        if bar != graph.zero:
            bars[node] = graph.add(bars[node], bar) if node in bars else bar

    for node, weight in zip(outputs, weights, strict=True):
        send(node, weight)
    for node in reversed(order):
        bar = bars.get(node)
        if bar is None or node in wanted or graph.op(node) in BOOLEAN:
            continue
        args = graph.args(node)
        if graph.op(node) == "sel":
            send(args[1], graph.select(args[0], bar, graph.zero))
            send(args[2], graph.select(args[0], graph.zero, bar))
            continue
        if args:
            for child, partial in zip(args, graph.partials(node), strict=True):
                if partial is not None:
                    send(child, graph.product(bar, partial) if node in absorbed else graph.mul(bar, partial))
    return {node: bar for node, bar in bars.items() if node in wanted}


def _absorbed(graph: Graph, order: Sequence[int]) -> set[int]:
    """Nodes that may be infinite below an operation that makes a finite number of it: nothing depends on them then."""
    absorbed: set[int] = set()
    for node in reversed(order):
        if node in absorbed or graph.op(node) in ABSORBING:
            absorbed.update(child for child in graph.args(node) if graph.unbounded[child])
    return absorbed
