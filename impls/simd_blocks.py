"""Blocks of SIMD registers for functions that Numba compiles: vectors of simd.py that consist of rows of equal length."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from impls.simd import Vector, element_at, lanes_of, lines_of, multiply_add, pointers_to, row_at, vector_of


@intrinsic
def load_block(typing: Any, array: Any, at: Any, stride: Any, lines: Any, rows: Any) -> Any:
    """Load a block, row r at `at + r stride`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = []
        for row in range(rows.count):
            first = row_at(builder, arguments[1], arguments[2], row)
            pointers = pointers_to(context, builder, signature, [arguments[0], first], lines.count)
            loaded += [builder.load(pointer, align=align, typ=line) for pointer, line, align in pointers]
        return vector_of(builder, loaded)

    return Vector(array.dtype, lines.count * rows.count)(array, at, stride, lines, rows), generate


@intrinsic
def store_block(typing: Any, array: Any, at: Any, stride: Any, block: Any, lines: Any, begin: Any, end: Any) -> Any:
    """Store the rows `begin` to `end - 1` of a block, row r at `at + r stride`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, stride, block, _, begin, end = arguments
        values, length = lines_of(builder, block), lines.count
        for row in range(len(values) // length):
            number = at.type(row)
            with builder.if_then(builder.and_(builder.icmp_signed("<=", begin, number), builder.icmp_signed("<", number, end))):
                pointers = pointers_to(context, builder, signature, [array, row_at(builder, at, stride, row)], length)
                for value, (pointer, _, align) in zip(values[row * length : (row + 1) * length], pointers, strict=True):
                    builder.store(value, pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, at, stride, block, lines, begin, end), generate


@intrinsic
def repeat(typing: Any, v: Any, rows: Any) -> Any:
    """Return a block whose rows all equal v."""
    return Vector(v.dtype, v.lines * rows.count)(v, rows), lambda context, builder, signature, arguments: vector_of(
        builder, lines_of(builder, arguments[0]) * rows.count
    )


@intrinsic
def outer(typing: Any, x: Any, at: Any, stride: Any, v: Any, block: Any) -> Any:
    """Return the block plus the outer product of a column and v: row r is block_r + x[at + r stride] v, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, at, stride, v, block = arguments
        row, totals, result = lines_of(builder, v), lines_of(builder, block), []
        for r in range(len(totals) // len(row)):
            pointer, kind = element_at(context, builder, signature, [x, row_at(builder, at, stride, r)])
            total = totals[r * len(row) : (r + 1) * len(row)]
            result += lines_of(builder, multiply_add(builder, builder.load(pointer, typ=kind), row, total))
        return vector_of(builder, result)

    return block(x, at, stride, v, block), generate


@intrinsic
def transpose(typing: Any, source: Any, at: Any, stride: Any, target: Any, to: Any, target_stride: Any) -> Any:
    """Copy a square, transposed, whose rows are single lines: row r is at `at + r stride`, and in the target at `to + r target_stride`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, at, stride, target, to, target_stride = arguments
        lanes = lanes_of(signature.args[0].dtype)
        rows = []
        for row in range(lanes):
            [(pointer, line, align)] = pointers_to(context, builder, signature, [source, row_at(builder, at, stride, row)], 1)
            rows.append(builder.load(pointer, align=align, typ=line))
        # Interleaving the first half of the rows with the second moves one bit of the row's number to the column's.
        half, mask = lanes // 2, ir.VectorType(ir.IntType(32), lanes)
        low, high = ([start + k // 2 + k % 2 * lanes for k in range(lanes)] for start in (0, half))
        for _ in range(lanes.bit_length() - 1):
            pairs = list(zip(rows[:half], rows[half:], strict=True))
            rows = [builder.shuffle_vector(v, w, mask(order)) for v, w in pairs for order in (low, high)]
        for row, values in enumerate(rows):
            [(pointer, _, align)] = pointers_to(context, builder, signature, [target, row_at(builder, to, target_stride, row)], 1)
            builder.store(values, pointer, align=align)
        return context.get_dummy_value()

    return types.void(source, at, stride, source, to, target_stride), generate
