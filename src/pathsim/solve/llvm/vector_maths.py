"""exp, log and pow on all lanes, as LLVM IR: LLVM itself would call the C library lane by lane.

exp: argument reduced by multiples of ln 2 (Cody and Waite), Taylor polynomial of degree 13. log: W. J. Cody's
log(1+f) = f - s(f - R) form with s = f/(2+f) and the minimax coefficients of FreeBSD's e_log.c (Sun Microsystems 1993).
pow keeps the logarithm in two parts so that the error does not grow with the exponent. Relative errors stay below
4e-16 (exp, log) and about 1e-15 (pow). Results below 2.3e-308 become 0.
"""

from __future__ import annotations

import math

from .vector_ir import LANES, MASK, VECTOR, Function, join_module, splat

_INT = f"<{LANES} x i64>"
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_MAGIC = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer held in the low bits
_MAGIC_BITS = 0x4338000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_SMALLEST_NORMAL_BITS = 0x0010000000000000
_INFINITY_BITS = 0x7FF0000000000000
_ORDINARY = 700.0  # exponents up to which exp needs no care
_LOG_COEFFICIENTS = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip


def maths_module(fused: bool) -> str:
    """IR of the public functions."""
    functions = [make(fused).replace("define internal", "define") for make in (_exp, _log, _pow)]
    return join_module(functions, set())


def rough_definitions(fused: bool) -> str:
    """IR of the rough functions, for inlining into the step-size controller."""
    return "\n".join((_log2_rough(fused), _exp2_rough(fused)))


class _Body(Function):
    """A vector function that returns a value."""

    def __init__(self, name: str, args: str, fused: bool) -> None:
        super().__init__(name, [], fused)
        self.lines[0] = f"define internal {VECTOR} @pathsim_{name}({args}) nounwind {{"

    def finish(self, result: str) -> str:
        declared = sorted(self.declarations)
        return "\n".join([*self.lines, f"ret {VECTOR} {result}", "}", *declared])

    def quick_return(self, mask: str, value: str) -> None:
        """Return ``value`` when all lanes are in ``mask``; go on with the careful version otherwise."""
        bits = self.emit(f"bitcast {MASK} {mask} to i{LANES}")
        everywhere = self.emit(f"icmp eq i{LANES} {bits}, -1")
        self.lines.append(f"br i1 {everywhere}, label %quick, label %careful")
        self.lines += ["quick:", f"ret {VECTOR} {value}", "careful:"]

    def constant(self, value: float) -> str:
        return splat(value)

    def add(self, a: str, b: str) -> str:
        return self.binary("fadd", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.binary("fsub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.binary("fmul", a, b)

    def fma(self, a: str, b: str, c: str) -> str:
        return self.multiply_add(a, b, c)

    def bits(self, a: str) -> str:
        return self.emit(f"bitcast {VECTOR} {a} to {_INT}")

    def number(self, a: str) -> str:
        return self.emit(f"bitcast {_INT} {a} to {VECTOR}")

    def integer(self, op: str, a: str, b: int) -> str:
        literal = "<" + ", ".join([f"i64 {b}"] * LANES) + ">"
        return self.emit(f"{op} {_INT} {a}, {literal}")

    def choose(self, comparison: str, a: str, b: str, yes: str, no: str) -> str:
        mask = self.emit(f"fcmp {comparison} {VECTOR} {a}, {b}")
        return self.emit(f"select {MASK} {mask}, {VECTOR} {yes}, {VECTOR} {no}")


def _exp(fused: bool) -> str:
    f = _Body("exp", f"{VECTOR} %x", fused)
    inside = f.emit(f"fcmp olt {VECTOR} {f.intrinsic('fabs', '%x')}, {f.constant(_ORDINARY)}")
    f.quick_return(inside, _exp_inside(f, "%x", None))
    low, high = f.constant(-708.3964185322641), f.constant(709.782712893384)
    value = _exp_inside(f, f.intrinsic("maxnum", f.intrinsic("minnum", "%x", high), low), None)
    return f.finish(_exp_edges(f, "%x", value))


def _exp_inside(f: _Body, x: str, correction: str | None) -> str:
    """exp(x + correction) for x between the edges and a correction far below x."""
    shifted = f.fma(x, f.constant(1.4426950408889634), f.constant(_MAGIC))
    n = f.sub(shifted, f.constant(_MAGIC))
    r = f.fma(n, f.constant(-_LN2_HI), x)
    r = f.fma(n, f.constant(-_LN2_LO), r)
    if correction is not None:
        r = f.add(r, correction)
    polynomial = _estrin(f, r, [1 / math.factorial(k) for k in range(14)])
    # 2^n in two halves, because n = 1024 is a finite result times 2
    count = f.integer("sub", f.bits(shifted), _MAGIC_BITS)
    half = f.integer("ashr", count, 1)
    rest = f.emit(f"sub {_INT} {count}, {half}")
    powers = [f.number(f.integer("shl", f.integer("add", part, 1023), 52)) for part in (half, rest)]
    return f.mul(f.mul(polynomial, powers[0]), powers[1])


def _exp_edges(f: _Body, x: str, value: str) -> str:
    value = f.choose("ogt", x, f.constant(709.782712893384), f.constant(math.inf), value)
    value = f.choose("olt", x, f.constant(-708.3964185322641), f.constant(0.0), value)
    return f.choose("uno", x, x, x, value)


def _estrin(f: _Body, r: str, coefficients: list[float]) -> str:
    """A polynomial, lowest coefficient first, by pairs: short chains of dependent operations."""
    terms = [f.constant(c) for c in coefficients]
    power = r
    while len(terms) > 1:
        paired = [f.fma(terms[i + 1], power, terms[i]) for i in range(0, len(terms) - 1, 2)]
        if len(terms) % 2:
            paired.append(terms[-1])
        terms = paired
        if len(terms) > 1:
            power = f.mul(power, power)
    return terms[0]


def _log(fused: bool) -> str:
    f = _Body("log", f"{VECTOR} %x", fused)
    high, low = _log_parts(f, "%x", f.constant(0.0))
    f.quick_return(_is_normal(f, "%x"), f.add(high, low))
    scaled, k_shift = _lift_subnormal(f, "%x")
    high, low = _log_parts(f, scaled, k_shift)
    value = f.choose("oeq", "%x", f.constant(math.inf), f.constant(math.inf), f.add(high, low))
    value = f.choose("oeq", "%x", f.constant(0.0), f.constant(-math.inf), value)
    return f.finish(f.choose("ult", "%x", f.constant(0.0), f.constant(math.nan), value))


def _is_normal(f: _Body, x: str) -> str:
    """Mask of the lanes that are positive, finite and not subnormal: one comparison of bit patterns."""
    distance = f.integer("sub", f.bits(x), _SMALLEST_NORMAL_BITS)
    limit = "<" + ", ".join([f"i64 {_INFINITY_BITS - _SMALLEST_NORMAL_BITS}"] * LANES) + ">"
    return f.emit(f"icmp ult {_INT} {distance}, {limit}")


def _lift_subnormal(f: _Body, x: str) -> tuple[str, str]:
    """x times 2^54 where it is subnormal, and the power of two to take off its logarithm."""
    tiny = f.constant(2.2250738585072014e-308)
    scaled = f.choose("olt", x, tiny, f.mul(x, f.constant(18014398509481984.0)), x)
    return scaled, f.choose("olt", x, tiny, f.constant(54.0), f.constant(0.0))


def _log_parts(f: _Body, x: str, k_shift: str) -> tuple[str, str]:
    """log(x) as high + low for positive normal x, less ``k_shift`` times log 2."""
    bits = f.bits(x)
    exponent = f.integer("ashr", f.integer("sub", bits, _SQRT_HALF_BITS), 52)
    mantissa = f.number(f.emit(f"sub {_INT} {bits}, {f.integer('shl', exponent, 52)}"))
    k = f.sub(f.number(f.integer("add", exponent, _MAGIC_BITS)), f.constant(_MAGIC))
    k = f.sub(k, k_shift)
    m = f.sub(mantissa, f.constant(1.0))
    s = f.binary("fdiv", m, f.add(m, f.constant(2.0)))
    z = f.mul(s, s)
    R = f.mul(z, _estrin(f, z, list(_LOG_COEFFICIENTS)))
    half_square = f.mul(f.mul(m, m), f.constant(0.5))
    # log(1+m) = m - (half_square - s (half_square + R))
    tail = f.sub(f.mul(s, f.add(half_square, R)), half_square)
    base = f.mul(k, f.constant(_LN2_HI))
    high = f.add(base, m)
    # base is zero or the larger of the two, so what the sum loses of m is exactly m - (high - base)
    error = f.sub(m, f.sub(high, base))
    low = f.add(error, f.fma(k, f.constant(_LN2_LO), tail))
    return high, low


def _pow(fused: bool) -> str:
    f = _Body("pow", f"{VECTOR} %x, {VECTOR} %y", fused)
    product, correction = _log_times(f, "%x", f.constant(0.0), "%y", fused)
    small = f.emit(f"fcmp olt {VECTOR} {f.intrinsic('fabs', product)}, {f.constant(_ORDINARY)}")
    f.quick_return(f.emit(f"and {MASK} {small}, {_is_normal(f, '%x')}"), _exp_inside(f, product, correction))
    return f.finish(_pow_anywhere(f, fused))


def _log_times(f: _Body, x: str, k_shift: str, y: str, fused: bool) -> tuple[str, str]:
    """y*log(x) as a product and a correction."""
    high, low = _log_parts(f, x, k_shift)
    total = f.add(high, low)  # renormalised: the tail of the logarithm is not small against eps * high
    low = f.add(low, f.sub(high, total))
    product = f.mul(y, total)
    error = f.fma(y, total, f.negative(product)) if fused else _product_error(f, y, total, product)
    return product, f.fma(y, low, error)


def _pow_anywhere(f: _Body, fused: bool) -> str:
    """x^y with every special case."""
    one, zero, low, high = (f.constant(c) for c in (1.0, 0.0, -708.3964185322641, 709.782712893384))
    magnitude = f.intrinsic("fabs", "%x")
    scaled, k_shift = _lift_subnormal(f, magnitude)
    product, correction = _log_times(f, scaled, k_shift, "%y", fused)
    bounded = f.choose("olt", f.intrinsic("fabs", product), f.constant(1000.0), correction, zero)
    value = _exp_inside(f, f.intrinsic("maxnum", f.intrinsic("minnum", product, high), low), bounded)
    value = _exp_edges(f, product, value)
    value = _power_edges(f, magnitude, value, zero)
    # negative base: sign for odd integers, NaN for fractions
    half = f.mul("%y", f.constant(0.5))
    is_integer = f.intrinsic("floor", "%y")
    even = f.intrinsic("floor", half)
    signed = f.choose("oeq", half, even, value, f.negative(value))
    signed = f.choose("oeq", "%y", is_integer, signed, f.constant(math.nan))
    value = f.choose("olt", "%x", zero, signed, value)
    value = f.choose("uno", "%x", "%y", f.add("%x", "%y"), value)
    value = f.choose("oeq", "%y", zero, one, value)
    return f.choose("oeq", "%x", one, one, value)


def _power_edges(f: _Body, magnitude: str, value: str, zero: str) -> str:
    """0^y and inf^y by the sign of y."""
    infinity = f.constant(math.inf)
    of_zero = f.choose("olt", "%y", zero, infinity, zero)
    of_infinity = f.choose("olt", "%y", zero, zero, infinity)
    value = f.choose("oeq", magnitude, zero, of_zero, value)
    return f.choose("oeq", magnitude, infinity, of_infinity, value)


def _log2_rough(fused: bool) -> str:
    """log2 of a positive normal number to 1e-2, for step-size control."""
    f = _Body("log2_rough", f"{VECTOR} %x", fused)
    bits = f.bits("%x")
    exponent = f.integer("ashr", f.integer("sub", bits, _SQRT_HALF_BITS), 52)
    mantissa = f.number(f.emit(f"sub {_INT} {bits}, {f.integer('shl', exponent, 52)}"))
    k = f.sub(f.number(f.integer("add", exponent, _MAGIC_BITS)), f.constant(_MAGIC))
    m = f.sub(mantissa, f.constant(1.0))
    curve = f.fma(m, f.constant(-0.60), f.constant(1.45))
    return f.finish(f.fma(m, curve, k))


def _exp2_rough(fused: bool) -> str:
    """2^x for |x| < 1000 to 1e-2, for step-size control."""
    f = _Body("exp2_rough", f"{VECTOR} %x", fused)
    shifted = f.add("%x", f.constant(_MAGIC))
    r = f.sub("%x", f.sub(shifted, f.constant(_MAGIC)))
    curve = f.fma(r, f.fma(r, f.constant(0.24022650695910072), f.constant(0.6931471805599453)), f.constant(1.0))
    power = f.integer("shl", f.integer("add", f.integer("sub", f.bits(shifted), _MAGIC_BITS), 1023), 52)
    return f.finish(f.mul(curve, f.number(power)))


def _product_error(f: _Body, a: str, b: str, product: str) -> str:
    """a*b - product without fused multiply-add (Dekker)."""
    split = f.constant(134217729.0)

    def halves(v: str) -> tuple[str, str]:
        scaled = f.mul(v, split)
        top = f.sub(scaled, f.sub(scaled, v))
        return top, f.sub(v, top)

    (a1, a2), (b1, b2) = halves(a), halves(b)
    error = f.sub(f.mul(a1, b1), product)
    error = f.add(error, f.mul(a1, b2))
    error = f.add(error, f.mul(a2, b1))
    return f.add(error, f.mul(a2, b2))
