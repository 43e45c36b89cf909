"""Explicit SIMD vectors for functions that Numba compiles.

LLVM vectorises a plain loop only if it can prove that the arrays do not alias. It keeps a sum in registers only if no store can alias
it. Numba's arrays prove neither. These functions make the vectors explicit.

A vector is one or more lines. A line is as long as a cache line: one register of AVX-512, two of AVX2, or four of NEON. Every length is
a tuple of zeros with one element a line: `constant(3)`. Numba compiles a function for each type of its arguments, and the length of a
tuple is part of its type.

`at` is an index into a flattened C-contiguous array; the vector is the elements from there on.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

from impls.aligned import LINE

Constant = tuple[int, ...]


# Decorators of functions that only other compiled functions call. Without wrappers, they compile in three quarters of the time. A call
# passes every field of every array, which takes longer than a short function; a long one has more registers if it is not inlined.
internal = functools.partial(njit, no_cpython_wrapper=True, no_cfunc_wrapper=True)
inlined = functools.partial(internal, forceinline=True)


def constant(length: int) -> Constant:
    """Return a length that a compiled function knows from its type."""
    return (0,) * length


class Vector(types.Type):
    """`lines` lines of numbers of one floating-point type."""

    def __init__(self, dtype: types.Float, lines: int) -> None:
        self.dtype, self.lines = dtype, lines
        super().__init__(name=f"Vector({dtype}, {lines})")


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        number = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.ArrayType(ir.VectorType(number, lanes_of(fe_type.dtype)), fe_type.lines))


@intrinsic
def lanes(typing: Any, array: Any) -> Any:
    """Return the numbers of a line: a constant in the machine code."""
    count = lanes_of(array.dtype)
    return types.intp(array), lambda context, builder, signature, arguments: context.get_constant(types.intp, count)


@intrinsic
def load(typing: Any, array: Any, at: Any, lines: Any) -> Any:
    """Load the vector at `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = pointers_to(context, builder, signature, arguments, lines.count)
        return vector_of(builder, [builder.load(pointer, align=align, typ=line) for pointer, line, align in pointers])

    return Vector(array.dtype, lines.count)(array, at, lines), generate


@intrinsic
def store(typing: Any, array: Any, at: Any, vector: Any) -> Any:
    """Store the vector at `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = pointers_to(context, builder, signature, arguments, vector.lines)
        for value, (pointer, _, align) in zip(lines_of(builder, arguments[2]), pointers, strict=True):
            builder.store(value, pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, at, vector), generate


@intrinsic
def number(typing: Any, array: Any, at: Any) -> Any:
    """Return element `at`. Unlike array[at], it does not check for a negative index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, kind = element_at(context, builder, signature, arguments)
        return builder.load(pointer, typ=kind)

    return array.dtype(array, types.intp), generate


@intrinsic
def two_numbers(typing: Any, array: Any, at: Any) -> Any:
    """Return elements `at` and `at + 1`. One instruction loads two bytes: Numba's processors are all little-endian."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, kind = element_at(context, builder, signature, arguments)
        if array.dtype == types.uint8:
            word = ir.IntType(16)
            loaded = builder.load(_pointer_to(builder, pointer, word), align=1, typ=word)
            both = [builder.trunc(loaded, kind), builder.trunc(builder.lshr(loaded, word(8)), kind)]
        else:
            both = [builder.load(builder.gep(pointer, [arguments[1].type(k)], source_etype=kind), typ=kind) for k in (0, 1)]
        return context.make_tuple(builder, signature.return_type, both)

    return types.UniTuple(array.dtype, 2)(array, types.intp), generate


@intrinsic
def put(typing: Any, array: Any, at: Any, value: Any) -> Any:
    """Set element `at` to `value`, without a check for a negative index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, _ = element_at(context, builder, signature, arguments)
        builder.store(arguments[2], pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


@intrinsic
def fetch(typing: Any, array: Any, at: Any) -> Any:
    """Prefetch the cache line at `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, _ = element_at(context, builder, signature, arguments)
        byte, number = cgutils.voidptr_t, ir.IntType(32)
        pointer = builder.bitcast(pointer, byte)
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number]))
        builder.call(prefetch, [pointer, number(0), number(3), number(1)])  # to read, into every cache, as data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def zeros(typing: Any, array: Any, lines: Any, rows: Any) -> Any:
    """Return a block of zeros of the array's dtype."""
    vector = Vector(array.dtype, lines.count * rows.count)
    return vector(array, lines, rows), lambda context, builder, signature, arguments: context.get_value_type(vector)(None)


@intrinsic
def fma(typing: Any, x: Any, v: Any, total: Any) -> Any:
    """Return total + x v, rounded once; x is a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, v, total = arguments
        return multiply_add(builder, x, lines_of(builder, v), lines_of(builder, total))

    return total(total.dtype, total, total), generate


@intrinsic
def add(typing: Any, v: Any, w: Any) -> Any:
    """Return v + w."""
    return v(v, v), line_by_line(lambda builder, v, w: builder.fadd(v, w))


def lines_of(builder: Any, vector: Any) -> list[Any]:
    """Return the LLVM vectors of a vector's lines."""
    return [builder.extract_value(vector, line) for line in range(vector.type.count)]


def vector_of(builder: Any, lines: Sequence[Any]) -> Any:
    """Return the vector of these lines."""
    vector = ir.ArrayType(lines[0].type, len(lines))(ir.Undefined)
    for number, line in enumerate(lines):
        vector = builder.insert_value(vector, line, number)
    return vector


def line_by_line(operation: Any) -> Any:
    """Return the code generator of a function that applies `operation` to the lines of its arguments."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return vector_of(builder, [operation(builder, *lines) for lines in zip(*(lines_of(builder, v) for v in arguments), strict=True)])

    return generate


def lanewise(builder: Any, name: str, *operands: Any) -> Any:
    """Call the LLVM intrinsic of this name on lines."""
    kind = operands[0].type
    bits = 32 if isinstance(kind.element, ir.FloatType) else 64
    function = ir.FunctionType(kind, [kind] * len(operands))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.v{kind.count}f{bits}"), operands)


def splat(builder: Any, x: Any, kind: Any) -> Any:
    """Return a line whose elements all equal x."""
    first = builder.insert_element(kind(ir.Undefined), x, ir.IntType(32)(0))
    return builder.shuffle_vector(first, kind(ir.Undefined), ir.VectorType(ir.IntType(32), kind.count)(None))


def multiply_add(builder: Any, x: Any, v: Sequence[Any], total: Sequence[Any]) -> Any:
    """Return the vector of total + x v, for lists of lines."""
    x = splat(builder, x, v[0].type)
    return vector_of(builder, [lanewise(builder, "fma", x, line, sum_) for line, sum_ in zip(v, total, strict=True)])


def lanes_of(dtype: Any) -> int:
    """Return how many numbers of this type a line has."""
    return LINE * 8 // int(dtype.bitwidth)


def row_at(builder: Any, at: Any, stride: Any, row: int) -> Any:
    """Return the index at + row stride."""
    return builder.add(at, builder.mul(stride, stride.type(row)))


def element_at(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[Any, Any]:
    """Return the pointer to element `at` of `array` (the first two of `arguments`), and the type of the element."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    kind = context.get_data_type(signature.args[0].dtype)
    return builder.gep(array.data, [arguments[1]], source_etype=kind), kind


def pointers_to(context: Any, builder: Any, signature: Any, arguments: Any, lines: int) -> list[tuple[Any, Any, int]]:
    """Return the pointer to each line from element `at` of `array` on, the type of a line, and its alignment in bytes."""
    array, at = arguments[:2]
    lanes, pointers = lanes_of(signature.args[0].dtype), []
    for number in range(lines):
        pointer, kind = element_at(context, builder, signature, [array, builder.add(at, at.type(number * lanes))])
        line = ir.VectorType(kind, lanes)
        pointers.append((_pointer_to(builder, pointer, line), line, context.get_abi_sizeof(kind)))
    return pointers


def _pointer_to(builder: Any, pointer: Any, kind: Any) -> Any:
    """Return the pointer, for a value of this type.

    LLVM's pointers are opaque: they have no pointee type. Numba's arrays can still have typed pointers, and llvmlite refuses to store a
    vector through a pointer to a number. So this function casts such a pointer.
    """
    opaque = type(pointer.type) is ir.PointerType  # llvmlite's typed pointers are a subclass, and equal to opaque ones
    return pointer if opaque else builder.bitcast(pointer, ir.PointerType(kind))
