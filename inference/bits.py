"""Doubles and their bits inside numba kernels; an exponential and a logarithm that LLVM can turn into vector code."""

from __future__ import annotations

import math
from collections.abc import Sequence

from llvmlite import ir
from numba import njit, types
from numba.core.base import BaseContext
from numba.core.typing import Signature

from inference.vector import Intrinsic, operation

LOG2_E = 1 / math.log(2)
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # high: its products are exact
ROUNDER = 1.5 * 2.0**52  # adding it leaves the nearest integer in the low bits
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12 = (1 / math.factorial(k) for k in range(2, 13))
BITS, DOUBLE = ir.IntType(64), ir.DoubleType()
MANTISSA, ONE = (1 << 52) - 1, 1023 << 52
WHOLE = 1075 << 52  # the bits of 2^52, into whose low ones a whole number can be written
ROOT_2 = math.sqrt(2)
D3, D5, D7, D9, D11, D13, D15, D17, D19, D21 = (2 / k for k in range(3, 22, 2))


@operation
def as_int(typing: object, x: types.Type) -> Intrinsic:
    """The bits of a double."""
    return types.int64(types.float64), lambda context, b, signature, args: b.bitcast(args[0], BITS)


@operation
def as_float(typing: object, x: types.Type) -> Intrinsic:
    """The double with these bits."""
    return types.float64(types.int64), lambda context, b, signature, args: b.bitcast(args[0], DOUBLE)


@operation
def exponent(typing: object, x: types.Type) -> Intrinsic:
    """e of a positive normal x = m 2^(e - 1023), 1 <= m < 2."""
    def code(context: BaseContext, b: ir.IRBuilder, signature: Signature, args: Sequence[ir.Value]) -> ir.Value:
        return b.lshr(b.bitcast(args[0], BITS), ir.Constant(BITS, 52))
    return types.int64(types.float64), code


@operation
def mantissa(typing: object, x: types.Type) -> Intrinsic:
    """m of a positive normal x = m 2^(e - 1023)."""
    def code(context: BaseContext, b: ir.IRBuilder, signature: Signature, args: Sequence[ir.Value]) -> ir.Value:
        low = b.and_(b.bitcast(args[0], BITS), ir.Constant(BITS, MANTISSA))
        return b.bitcast(b.or_(low, ir.Constant(BITS, ONE)), DOUBLE)
    return types.float64(types.float64), code


@njit(cache=True, fastmath={"contract"})
def exp(x: float) -> float:
    """exp(x) for -700 < x < 700, to 5e-16 relative: x = n log 2 + r, Taylor in r, n added to the exponent."""
    shifted = x * LOG2_E + ROUNDER
    n = shifted - ROUNDER
    r = (x - n * LOG_2_HIGH) - n * LOG_2_LOW
    p = (((((C12 * r + C11) * r + C10) * r + C9) * r + C8) * r + C7) * r + C6
    p = (((((p * r + C5) * r + C4) * r + C3) * r + C2) * r + 1.0) * r + 1.0
    return as_float(as_int(p) + (as_int(shifted) << 52))


@njit(cache=True, fastmath={"contract"})
def log(x: float) -> float:
    """log(x) of a positive normal x, to 5e-16 relative or 5e-16 nats: x = m 2^n, m about 1, and log m = 2 artanh(s)."""
    m, e = mantissa(x), exponent(x)
    far = m > ROOT_2
    n = as_float(e | WHOLE) - (2.0**52 + (1022.0 if far else 1023.0))
    m = 0.5 * m if far else m
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = (((((D21 * z + D19) * z + D17) * z + D15) * z + D13) * z + D11) * z + D9
    p = ((p * z + D7) * z + D5) * z + D3
    return n * LOG_2_HIGH + (2.0 * s + (s * z * p + n * LOG_2_LOW))
