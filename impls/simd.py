"""Explicit SIMD vectors of LANES numbers for functions that Numba compiles.

LLVM vectorises a plain loop only if it can prove that the arrays do not alias. It keeps a sum in registers only if no store can alias
it. Numba's arrays prove neither. These functions make the vectors explicit. LLVM maps each float32 vector to the registers of the
processor: two of AVX-512, four of AVX2, or eight of NEON.

`at` is an index into a flattened C-contiguous array; the vector is the LANES elements from there on.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

LANES = 32


class Vector(types.Type):
    """LANES numbers of one floating-point type."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(dmm.lookup(fe_type.dtype).get_value_type(), LANES))


@intrinsic
def load(typing: Any, array: Any, at: Any) -> Any:
    """Load the vector at `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, vector = _pointer(context, builder, signature, arguments)
        return builder.load(pointer, align=context.get_abi_sizeof(vector.element), typ=vector)

    return Vector(array.dtype)(array, at), generate


@intrinsic
def store(typing: Any, array: Any, at: Any, vector: Any) -> Any:
    """Store the vector at `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, vector = _pointer(context, builder, signature, arguments)
        builder.store(arguments[2], pointer, align=context.get_abi_sizeof(vector.element))
        return context.get_dummy_value()

    return types.void(array, at, vector), generate


@intrinsic
def number(typing: Any, array: Any, at: Any) -> Any:
    """Return element `at`. Unlike array[at], it does not check for a negative index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, kind = _element(context, builder, signature, arguments)
        return builder.load(pointer, typ=kind)

    return array.dtype(array, at), generate


@intrinsic
def fetch(typing: Any, array: Any, at: Any) -> Any:
    """Prefetch the cache line at `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, _ = _element(context, builder, signature, arguments)
        byte, number = cgutils.voidptr_t, ir.IntType(32)
        pointer = builder.bitcast(pointer, byte)
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number]))
        builder.call(prefetch, [pointer, number(0), number(3), number(1)])  # to read, into every cache, as data
        return context.get_dummy_value()

    return types.void(array, at), generate


@intrinsic
def zero(typing: Any, array: Any) -> Any:
    """Return a vector of zeros of the array's dtype."""
    vector = Vector(array.dtype)
    return vector(array), lambda context, builder, signature, arguments: context.get_value_type(vector)(None)


@intrinsic
def fma(typing: Any, x: Any, v: Any, total: Any) -> Any:
    """Return total + x v, rounded once; x is a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, v, total = arguments
        return _lanewise(builder, "fma", _splat(builder, x, v.type), v, total)

    return total(total.dtype, total, total), generate


@intrinsic
def add(typing: Any, v: Any, w: Any) -> Any:
    """Return v + w."""
    return v(v, v), lambda context, builder, signature, arguments: builder.fadd(*arguments)


@intrinsic
def times_sigmoid_prime(typing: Any, delta: Any, a: Any) -> Any:
    """Return delta sigmoid'(z), with sigmoid'(z) = a (1 - a)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        delta, a = arguments
        return builder.fmul(delta, builder.fmul(a, builder.fsub(_constant(a.type, 1.0), a)))

    return delta(delta, delta), generate


@intrinsic
def difference_times(typing: Any, x: Any, a: Any, y: Any) -> Any:
    """Return x (a - y); x is a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, a, y = arguments
        return builder.fmul(_splat(builder, x, a.type), builder.fsub(a, y))

    return a(a.dtype, a, a), generate


@intrinsic
def sigmoid(typing: Any, z: Any) -> Any:
    """Return 1 / (1 + exp(-z)), with an absolute error of one or two units in the last place of 1.

    |z| is clamped to a quarter of the range of exp. A trained network has many units beyond it. The products of their a and delta would
    be subnormal, and an operation on a subnormal number takes about a hundred cycles.

    exp(x) = 2^k exp(r) with k = round(x / ln 2), so |r| <= ln(2)/2, and a short Taylor series is accurate enough. 2^k is a float
    with k in its exponent bits.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (z,) = arguments
        kind = z.type
        single = isinstance(kind.element, ir.FloatType)
        mantissa, bias, largest, terms = (23, 127, 87 / 4, 8) if single else (52, 1023, 708 / 4, 14)
        whole = ir.VectorType(ir.IntType(32 if single else 64), LANES)

        def constant(value: float) -> Any:
            return _constant(kind, value)

        x = builder.fneg(z)
        # Not minnum and maxnum, which lose NaN: these comparisons are one instruction each, and NaN passes through.
        for comparison, limit in ((">", constant(-largest)), ("<", constant(largest))):
            x = builder.select(builder.fcmp_ordered(comparison, limit, x), limit, x)
        k = _lanewise(builder, "rint", builder.fmul(x, constant(1 / math.log(2))))
        high, low = 0.693359375, 2.12194440054690582768e-4  # ln 2 = high - low; high has few bits, so k times high is exact
        r = _lanewise(builder, "fma", k, constant(-high), x)
        r = _lanewise(builder, "fma", k, constant(low), r)
        series = constant(1 / math.factorial(terms - 1))
        for n in range(terms - 2, -1, -1):
            series = _lanewise(builder, "fma", series, r, constant(1 / math.factorial(n)))
        exponent = builder.add(builder.fptosi(k, whole), _constant(whole, bias))
        power = builder.bitcast(builder.shl(exponent, _constant(whole, mantissa)), kind)
        return builder.fdiv(constant(1.0), _lanewise(builder, "fma", series, power, constant(1.0)))

    return z(z), generate


def _lanewise(builder: Any, name: str, *operands: Any) -> Any:
    """Call the LLVM intrinsic of this name on vectors."""
    kind = operands[0].type
    bits = 32 if isinstance(kind.element, ir.FloatType) else 64
    function = ir.FunctionType(kind, [kind] * len(operands))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.v{LANES}f{bits}"), operands)


def _constant(kind: Any, value: float) -> Any:
    return kind([value] * LANES)


def _splat(builder: Any, x: Any, kind: Any) -> Any:
    first = builder.insert_element(kind(ir.Undefined), x, ir.IntType(32)(0))
    return builder.shuffle_vector(first, kind(ir.Undefined), ir.VectorType(ir.IntType(32), LANES)(None))


def _element(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[Any, Any]:
    """Return the pointer to element `at` of `array` (the first two of `arguments`), and the type of the element."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    kind = context.get_data_type(signature.args[0].dtype)
    return builder.gep(array.data, [arguments[1]], source_etype=kind), kind


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[Any, Any]:
    """Return the pointer to the vector at `at`, and the vector's type.

    LLVM's pointers are opaque: they have no pointee type. Numba's arrays can still have typed pointers, and llvmlite refuses to store a
    vector through a pointer to a number. So this function casts such a pointer.
    """
    pointer, kind = _element(context, builder, signature, arguments)
    vector = ir.VectorType(kind, LANES)
    opaque = type(pointer.type) is ir.PointerType  # llvmlite's typed pointers are a subclass, and equal to opaque ones
    return pointer if opaque else builder.bitcast(pointer, ir.PointerType(vector)), vector
