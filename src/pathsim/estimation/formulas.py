"""What of an observable has to be simulated, and what is computed from it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Container

from ..errors import InputError
from ..model.maths import Expr, substitute, symbols


def written_out(expr: Expr, formulas: dict[str, Expr], name: str) -> Expr:
    """``expr`` (of observable ``name``) with references to other observables replaced by their formulas.

    Raises :class:`InputError` when observables are defined by each other in a circle.
    """
    passed: set[str] = {name}
    while used := symbols(expr) & formulas.keys():
        if circle := sorted(used & passed):
            raise InputError(f"observable '{name}' is defined by itself (through '{circle[0]}')")
        expr = substitute(expr, {other: formulas[other] for other in used})
        passed |= used
    return expr


def separate(expr: Expr, outer: Container[str], keep: Callable[[Expr], Expr]) -> Expr:
    """``expr`` with every largest part free of ``outer`` symbols replaced by what ``keep`` makes of that part.

    Such parts need nothing but the model, so they are what a simulation has to give; scales, offsets and noise
    parameters stay outside. Plain numbers are left alone.
    """
    if not _simulated(expr):
        return expr
    if not any(name in outer for name in symbols(expr)):
        return keep(expr)
    if expr.op not in ("plus", "times"):
        return expr._replace(args=tuple(separate(arg, outer, keep) for arg in expr.args))
    inner = tuple(a for a in expr.args if _simulated(a) and not any(name in outer for name in symbols(a)))
    rest = tuple(separate(a, outer, keep) for a in expr.args if a not in inner)
    if not inner:
        return expr._replace(args=rest)
    together = inner[0] if len(inner) == 1 else Expr(expr.op, inner)
    return Expr(expr.op, (*rest, keep(together)))


def _simulated(expr: Expr) -> bool:
    """Whether anything but numbers is in the expression."""
    return expr.op in ("symbol", "time", "rate_of") or any(_simulated(arg) for arg in expr.args)
