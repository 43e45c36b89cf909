"""The sigmoid and its derivative on the vectors of simd.py."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from impls.simd import lanewise, line_by_line, lines_of, splat, vector_of


@intrinsic
def sigmoid(typing: Any, z: Any) -> Any:
    """Return 1 / (1 + exp(-z)), with an absolute error of one or two units in the last place of 1.

    |z| is clamped to a quarter of the range of exp. A trained network has many units beyond it. The products of their a and delta would
    be subnormal, and an operation on a subnormal number takes about a hundred cycles.

    exp(-z) = 2^(k+r) with k + r = -z / ln 2, k an integer and |r| <= 1/2, so a short Taylor series is accurate enough. 2^k is a float
    with k in its exponent bits.
    """

    def of_line(builder: Any, z: Any) -> Any:
        kind = z.type
        single = isinstance(kind.element, ir.FloatType)
        mantissa, bias, largest, terms = (23, 127, 87 / 4, 7) if single else (52, 1023, 708 / 4, 14)
        whole = ir.VectorType(ir.IntType(32 if single else 64), kind.count)

        def constant(value: float) -> Any:
            return _constant(kind, value)

        # Not minnum and maxnum, which lose NaN: these comparisons are one instruction each, and NaN passes through.
        for comparison, limit in ((">", constant(-largest)), ("<", constant(largest))):
            z = builder.select(builder.fcmp_ordered(comparison, limit, z), limit, z)
        exponent = builder.fmul(z, constant(-1 / math.log(2)))
        k = lanewise(builder, "rint", exponent)
        r = builder.fsub(exponent, k)
        series, *others = [constant(math.log(2) ** n / math.factorial(n)) for n in reversed(range(terms))]
        for term in others:
            series = lanewise(builder, "fma", series, r, term)
        bits = builder.add(builder.fptosi(k, whole), _constant(whole, bias))
        power = builder.bitcast(builder.shl(bits, _constant(whole, mantissa)), kind)
        return builder.fdiv(constant(1.0), lanewise(builder, "fma", series, power, constant(1.0)))

    return z(z), line_by_line(of_line)


@intrinsic
def times_sigmoid_prime(typing: Any, delta: Any, a: Any) -> Any:
    """Return delta sigmoid'(z), with sigmoid'(z) = a (1 - a)."""

    def of_line(builder: Any, delta: Any, a: Any) -> Any:
        return builder.fmul(delta, builder.fmul(a, builder.fsub(_constant(a.type, 1.0), a)))

    return delta(delta, delta), line_by_line(of_line)


@intrinsic
def difference_times(typing: Any, x: Any, a: Any, y: Any) -> Any:
    """Return x (a - y); x is a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, a, y = arguments
        pairs = zip(lines_of(builder, a), lines_of(builder, y), strict=True)
        return vector_of(builder, [builder.fmul(splat(builder, x, a.type), builder.fsub(a, y)) for a, y in pairs])

    return a(a.dtype, a, a), generate


def _constant(kind: Any, value: float) -> Any:
    return kind([value] * kind.count)
