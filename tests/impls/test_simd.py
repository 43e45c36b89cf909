"""Tests of impls/simd.py with opaque pointers, which have no pointee type. llvmlite will drop typed pointers."""

from types import SimpleNamespace

import pytest

pytest.importorskip("numba")

from llvmlite import ir
from numba import types

from impls import simd
from impls.aligned import LINE

POINTER, INTEGER = ir.PointerType(), ir.IntType(64)


class Context:
    """A stand-in for Numba's compilation context, with the methods that the generators call. An array is its data pointer."""

    def make_array(self, array):
        return lambda context, builder, value: SimpleNamespace(data=value)

    def get_data_type(self, kind):
        return {types.float32: ir.FloatType(), types.float64: ir.DoubleType(), types.uint8: ir.IntType(8)}[kind]

    def get_abi_sizeof(self, kind):
        return {"float": 4, "double": 8}[str(kind)]

    def get_dummy_value(self):
        return None

    def make_tuple(self, builder, kind, values):
        return values


def generated(intrinsic, dtype, *others):
    """Return the LLVM IR that an intrinsic generates for an array of this dtype, an index, and other operands: pairs of types."""
    array = types.Array(dtype, 2, "C")
    signature, generate = intrinsic._defn(None, array, types.intp, *(kind for kind, _ in others))
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, INTEGER, *(low for _, low in others)]), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    generate(Context(), builder, signature, list(function.args))
    builder.ret_void()
    return str(module)


@pytest.mark.parametrize(("dtype", "kind", "size"), [(types.float32, ir.FloatType(), 4), (types.float64, ir.DoubleType(), 8)], ids=str)
def test_load_and_store_use_an_opaque_pointer(dtype, kind, size):
    line = ir.VectorType(kind, LINE // size)
    lines = types.UniTuple(types.intp, 3)
    for text, access in (
        (generated(simd.load, dtype, (lines, ir.ArrayType(INTEGER, 3))), f"load {line}, ptr "),
        (generated(simd.store, dtype, (simd.Vector(dtype, 3), ir.ArrayType(line, 3))), f"store {line} "),
    ):
        assert f"getelementptr {kind}, ptr " in text
        assert text.count(access) == 3
        assert f", align {size}\n" in text
        assert "cast" not in text


def test_number_and_fetch_use_an_opaque_pointer():
    assert "load i8, ptr " in generated(simd.number, types.uint8)
    assert "getelementptr float, ptr " in generated(simd.fetch, types.float32)


def test_two_bytes_are_loaded_together():
    text = generated(simd.two_numbers, types.uint8)
    assert text.count("load i16, ptr ") == 1
    assert "load i8" not in text
    assert "bitcast" not in text
    assert generated(simd.two_numbers, types.float32).count("load float, ptr ") == 2
