"""Vectors of doubles inside numba kernels: what C calls SIMD intrinsics.

LLVM leaves short loops (over K = 2 or 10) scalar; with these a kernel says itself what goes into one
register. `width` must be written as a literal. Arrays are flat float64, indexed in elements, unchecked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.base import BaseContext
from numba.core.typing import Signature
from numba.extending import intrinsic, models, register_model

DOUBLE = ir.DoubleType()
INT = ir.IntType(32)
Code = Callable[[BaseContext, ir.IRBuilder, Signature, Sequence[ir.Value]], ir.Value]
Intrinsic = tuple[Signature, Code]  # what numba asks of one: its types, and how to write it
operation: Callable[[Callable[..., Intrinsic]], Callable[..., Any]] = intrinsic
with_literal: Callable[[Callable[..., Intrinsic]], Callable[..., Any]] = intrinsic(prefer_literal=True)  # so that a \
# width or lane reaches the code as a number


class Vector(types.Type):
    """`width` doubles in one register."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Vector({width})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, manager: object, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(DOUBLE, kind.width))


def _pointer(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
    """The address of args[0][args[1]]."""
    return builder.gep(context.make_array(sig.args[0])(context, builder, args[0]).data, [args[1]])


def _repeat(builder: ir.IRBuilder, x: ir.Value, width: int) -> ir.Value:
    kind = ir.VectorType(DOUBLE, width)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), x, INT(0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(INT, width),
                                                                                     [0] * width))


def _call(builder: ir.IRBuilder, name: str, args: Sequence[ir.Value]) -> ir.Value:
    """An LLVM intrinsic, elementwise."""
    kind = args[0].type
    return builder.call(cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(args)), f"llvm.{name}.v{kind.count}f64"), args)


@with_literal
def load(typing: object, array: types.Type, index: types.Type, width: types.IntegerLiteral) -> Intrinsic:
    """array[index : index + width]"""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        kind = ir.VectorType(DOUBLE, width.literal_value)
        value = builder.load(builder.bitcast(_pointer(context, builder, sig, args), kind.as_pointer()), typ=kind)
        value.align = 8
        return value
    return Vector(width.literal_value)(array, types.intp, width), code


@operation
def store(typing: object, array: types.Type, index: types.Type, value: types.Type) -> Intrinsic:
    """array[index : index + width] = value"""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        pointer = builder.bitcast(_pointer(context, builder, sig, args), args[2].type.as_pointer())
        builder.store(args[2], pointer, align=8)
        return context.get_dummy_value()
    return types.void(array, types.intp, value), code


@operation
def scatter(typing: object, array: types.Type, index: types.Type, stride: types.Type, value: types.Type) -> Intrinsic:
    """array[index], array[index + stride], ... = value"""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        array, index, stride, value = args
        for k in range(value.type.count):
            builder.store(builder.extract_element(value, INT(k)), _pointer(context, builder, sig, (array, index)))
            index = builder.add(index, stride)
        return context.get_dummy_value()
    return types.void(array, types.intp, types.intp, value), code


@with_literal
def splat(typing: object, x: types.Type, width: types.IntegerLiteral) -> Intrinsic:
    """x, width times"""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        return _repeat(builder, args[0], width.literal_value)
    return Vector(width.literal_value)(types.float64, width), code


@with_literal
def broadcast(typing: object, array: types.Type, index: types.Type, width: types.IntegerLiteral) -> Intrinsic:
    """array[index], width times"""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        return _repeat(builder, builder.load(_pointer(context, builder, sig, args), typ=DOUBLE), width.literal_value)
    return Vector(width.literal_value)(array, types.intp, width), code


@with_literal
def lane(typing: object, vector: types.Type, k: types.IntegerLiteral) -> Intrinsic:
    """Element k of a vector, as often as it is wide."""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        width = args[0].type.count
        return builder.shuffle_vector(args[0], ir.Constant(args[0].type, ir.Undefined),
                                      ir.Constant(ir.VectorType(INT, width), [k.literal_value] * width))
    return vector(vector, k), code


@operation
def total(typing: object, vector: types.Type) -> Intrinsic:
    """The sum of the elements, pair by pair."""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        parts = [builder.extract_element(args[0], INT(k)) for k in range(args[0].type.count)]
        while len(parts) > 1:
            parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]
    return types.float64(vector), code


@operation
def larger(typing: object, a: types.Type, b: types.Type) -> Intrinsic:
    """The larger of each pair of elements."""
    return a(a, b), lambda context, builder, sig, args: _call(builder, "maxnum", args)


@operation
def largest(typing: object, vector: types.Type) -> Intrinsic:
    """The largest of the elements."""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        first, *others = [builder.extract_element(args[0], INT(k)) for k in range(args[0].type.count)]
        for other in others:
            first = builder.select(builder.fcmp_ordered(">", other, first), other, first)
        return first
    return types.float64(vector), code


@operation
def fma(typing: object, a: types.Type, b: types.Type, c: types.Type) -> Intrinsic:
    """a b + c"""
    return c(a, b, c), lambda context, builder, sig, args: _call(builder, "fmuladd", args)


@operation
def fnma(typing: object, a: types.Type, b: types.Type, c: types.Type) -> Intrinsic:
    """c - a b"""
    def code(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> ir.Value:
        return _call(builder, "fmuladd", [builder.fneg(args[0]), args[1], args[2]])
    return c(a, b, c), code


@operation
def root(typing: object, a: types.Type) -> Intrinsic:
    return a(a), lambda context, builder, sig, args: _call(builder, "sqrt", args)


@operation
def add(typing: object, a: types.Type, b: types.Type) -> Intrinsic:
    return a(a, b), lambda context, builder, sig, args: builder.fadd(*args)


@operation
def mul(typing: object, a: types.Type, b: types.Type) -> Intrinsic:
    return a(a, b), lambda context, builder, sig, args: builder.fmul(*args)


@operation
def div(typing: object, a: types.Type, b: types.Type) -> Intrinsic:
    return a(a, b), lambda context, builder, sig, args: builder.fdiv(*args)
