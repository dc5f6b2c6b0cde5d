"""The driver of :mod:`pathsim.solve.lanes`, compiled by numba once per machine and kept in its cache.

Importing this module imports numba, which takes a few tenths of a second; so it happens when a sweep is worth it.
Functions that numba looks at carry no annotations: numba compares signatures and would not match.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,call-arg,call-overload"

from __future__ import annotations

import inspect

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload, register_jitable

from . import calls, lane_events, lane_layout, lane_modes, lane_samples, lane_start, lanes


def _code_of(integers, doubles=0):
    """Code generation for a call to the function at the address given first."""

    def generate(context, builder, signature, args):
        kinds = [ir.IntType(64)] * integers + [ir.DoubleType()] * doubles
        function = builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        builder.call(function, args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * (integers + 1), *[types.float64] * doubles), generate


@intrinsic
def _call2(typing_context, address, a, b):
    return _code_of(2)


@intrinsic
def _call3(typing_context, address, a, b, c):
    return _code_of(3)


@intrinsic
def _call4(typing_context, address, a, b, c, d):
    return _code_of(4)


@intrinsic
def _call6(typing_context, address, a, b, c, d, e, f):
    return _code_of(6)


@intrinsic
def _call7(typing_context, address, a, b, c, d, e, f, g):
    return _code_of(7)


@intrinsic
def _call_step(typing_context, address, table, n8, most, rtol, atol, share):
    return _code_of(3, doubles=3)


@overload(calls.call2)
def _(address, a, b):
    return lambda address, a, b: _call2(address, a, b)


@overload(calls.call3)
def _(address, a, b, c):
    return lambda address, a, b, c: _call3(address, a, b, c)


@overload(calls.call4)
def _(address, a, b, c, d):
    return lambda address, a, b, c, d: _call4(address, a, b, c, d)


@overload(calls.call6)
def _(address, a, b, c, d, e, f):
    return lambda address, a, b, c, d, e, f: _call6(address, a, b, c, d, e, f)


@overload(calls.call7)
def _(address, a, b, c, d, e, f, g):
    return lambda address, a, b, c, d, e, f, g: _call7(address, a, b, c, d, e, f, g)


@overload(calls.call_step)
def _(address, table, n8, most, rtol, atol, share):
    return lambda address, table, n8, most, rtol, atol, share: _call_step(address, table, n8, most, rtol, atol, share)


for _module in (lane_layout, lane_samples, lane_modes, lane_events, lane_start, lanes):
    for _helper in vars(_module).values():
        if inspect.isfunction(_helper) and _helper.__module__ == _module.__name__ and _helper is not lanes.run_lanes:
            register_jitable(_nrt=False)(_helper)  # nothing is allocated, so nothing needs counting

run_lanes = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(lanes.run_lanes)
"""The compiled kernel: same arguments and same bits as :func:`pathsim.solve.lanes.run_lanes`."""
