"""Two labels: the kernels of `compiled.loopy_bp_odds` with one number a message, the odds o = m(1) / m(0).

    h = phi * product of the three other incoming o,      o' = (T[0, 1] + T[1, 1] h) / (T[0, 0] + T[1, 0] h)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# numpy's division model, because Python's tests every divisor, and a loop that tests is not vectorised
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "ninf", "nsz", "contract"})


@compiled
def flood(first: int, last: int, new: np.ndarray, old: np.ndarray, local: np.ndarray, tables: np.ndarray,
          change: np.ndarray) -> None:
    """What rows first to last send."""
    _, H, W = local.shape
    largest = np.zeros(W)
    for i in range(first, last):
        for side in range(4):  # of the receiving pixel, where the message arrives
            to, count, start, shift = target(side, i, W)
            if 0 <= to < H:
                table = tables[side & 1]
                a, b, c, d = table[0, 0], table[1, 0], table[0, 1], table[1, 1]
                other, another = side ^ 2, side ^ 3
                for n in range(count):
                    j, k = n + start, n + shift
                    h = local[0, i, j] * old[side, 0, i, j] * (old[other, 0, i, j] * old[another, 0, i, j])
                    o, p = old[side, 0, to, k], (c + d * h) / (a + b * h)
                    new[side, 0, to, k] = p
                    moved = (p - o) * (p - o) / (p * o)  # 4 sinh^2 of half the change of the log odds
                    largest[n] = moved if moved > largest[n] else largest[n]
    for n in range(W):
        change[first] = max(change[first], largest[n])


@compiled
def bethe(first: int, last: int, logs: np.ndarray, messages: np.ndarray, local: np.ndarray, table: np.ndarray) -> None:
    """logs[i] = log of the product over row i of Z_i, and of Z_ij / (Z_i Z_j) to the right and down.

    Z_i cancels down the columns, but for the last row's. With beliefs b = phi q, q the product of the four
    incoming o, there is no need for h: Z_ij = (a r l + b b_i l + c b_j r + d b_i b_j) / (r l), where r and l
    are the two messages of the edge; 1 / (r l) over all edges is 1 / q over all pixels.
    """
    _, H, W = local.shape
    t00, t10, t01, t11 = table[0, 0], table[1, 0], table[0, 1], table[1, 1]
    b, q, f = np.empty((2, W)), np.empty((2, W)), np.empty(W)  # of an even and an odd row
    _belief(b, q, messages, local, first)
    for i in range(first, last):
        x, y = i & 1, ~i & 1
        for j in range(W - 1):
            r, l = messages[1, 0, i, j], messages[0, 0, i, j + 1]
            pair = r * (t00 * l + t01 * b[x, j + 1]) + b[x, j] * (t10 * l + t11 * b[x, j + 1])
            f[j] = pair / (q[x, j] * (1.0 + b[x, j]) * (1.0 + b[x, j + 1]))
        f[W - 1] = 1.0 / q[x, W - 1]
        if i + 1 < H:
            _belief(b, q, messages, local, i + 1)
            for j in range(W):
                r, l = messages[3, 0, i, j], messages[2, 0, i + 1, j]
                pair = r * (t00 * l + t01 * b[y, j]) + b[x, j] * (t10 * l + t11 * b[y, j])
                f[j] *= pair / (1.0 + b[y, j])
        else:
            for j in range(W):
                f[j] *= 1.0 + b[x, j]
        logs[i] = log_product(f)


@compiled
def _belief(b: np.ndarray, q: np.ndarray, messages: np.ndarray, local: np.ndarray, i: int) -> None:
    """Row i of the beliefs' odds b = phi q, and of q."""
    x = i & 1
    for j in range(local.shape[2]):
        p = messages[0, 0, i, j] * messages[1, 0, i, j] * (messages[2, 0, i, j] * messages[3, 0, i, j])
        q[x, j] = p
        b[x, j] = local[0, i, j] * p


@compiled
def target(side: int, i: int, W: int) -> tuple[int, np.uint64, np.uint64, np.uint64]:
    """The row that messages of row i reach at its pixels' `side`; how many; their first column there and here.

    Unsigned, because indices that may be negative (from the end, in Python) keep a loop from being vectorised.
    """
    to = i + (side == 2) - (side == 3)
    return to, np.uint64(W - (side < 2)), np.uint64(side == 1), np.uint64(side == 0)


@compiled
def log_product(f: np.ndarray) -> float:
    """log of the product of positive numbers: exponents are added, mantissas in [1, 2) multiplied; f is lost."""
    n, bits, exponent = len(f), f.view(np.int64), 0
    for j in range(n):
        exponent += (bits[j] >> 52) - 1023
        bits[j] = (bits[j] & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000
    few = max(16, n // 256)  # not so few that 2^1023 could be exceeded
    while n > few:
        half = (n + 1) // 2
        for j in range(n - half):
            f[j] *= f[j + half]
        n = half
    total = exponent * math.log(2.0)
    for j in range(n):
        total += math.log(f[j])
    return total
