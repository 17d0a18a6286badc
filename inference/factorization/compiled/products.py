"""A matrix times a narrow one, W columns, a multiple of four: each row's bytes are its own, whatever the threads."""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.vector import broadcast, fma, load, splat, store


@njit(nogil=True, cache=True)
def sparse(first: int, last: int, indptr: np.ndarray, index: np.ndarray, value: np.ndarray, table: np.ndarray, W: int,
          out: np.ndarray) -> None:
    """out[i] = sum_p value[p] table[index[p]] for rows first .. last; table and out are flat, rows of W."""
    for i in range(first, last):
        start, stop = np.intp(indptr[np.uint64(i)]), np.intp(indptr[np.uint64(i + 1)])
        for b in range(0, W, 4):
            c, d = splat(0.0, 4), splat(0.0, 4)
            p = start
            while p + 1 < stop:
                c = fma(broadcast(value, p, 4), load(table, W * np.intp(index[np.uint64(p)]) + b, 4), c)
                d = fma(broadcast(value, p + 1, 4), load(table, W * np.intp(index[np.uint64(p + 1)]) + b, 4), d)
                p += 2
            if p < stop:
                c = fma(broadcast(value, p, 4), load(table, W * np.intp(index[np.uint64(p)]) + b, 4), c)
            store(out, W * i + b, fma(splat(1.0, 4), d, c))


@njit(nogil=True, cache=True)
def dense(first: int, last: int, Q: np.ndarray, n: int, table: np.ndarray, W: int, out: np.ndarray) -> None:
    """out[i] = sum_k Q[i, k] table[k] for rows first .. last; all flat, Q in rows of n. Four rows at a time, by twelve
    columns and then by four, so that eight sums are under way."""
    for top in range(first, last - 3, 4):
        p, q, r, s = top * n, (top + 1) * n, (top + 2) * n, (top + 3) * n
        o = W * top
        for b in range(0, W - 11, 12):
            c0 = c1 = c2 = c3 = splat(0.0, 8)
            d0 = d1 = d2 = d3 = splat(0.0, 4)
            for k in range(n):
                x, y = load(table, W * k + b, 8), load(table, W * k + b + 8, 4)
                c0, d0 = fma(broadcast(Q, p + k, 8), x, c0), fma(broadcast(Q, p + k, 4), y, d0)
                c1, d1 = fma(broadcast(Q, q + k, 8), x, c1), fma(broadcast(Q, q + k, 4), y, d1)
                c2, d2 = fma(broadcast(Q, r + k, 8), x, c2), fma(broadcast(Q, r + k, 4), y, d2)
                c3, d3 = fma(broadcast(Q, s + k, 8), x, c3), fma(broadcast(Q, s + k, 4), y, d3)
            store(out, o + b, c0)
            store(out, o + b + 8, d0)
            store(out, o + W + b, c1)
            store(out, o + W + b + 8, d1)
            store(out, o + 2 * W + b, c2)
            store(out, o + 2 * W + b + 8, d2)
            store(out, o + 3 * W + b, c3)
            store(out, o + 3 * W + b + 8, d3)
        for b in range(W - W % 12, W, 4):
            d0 = d1 = d2 = d3 = splat(0.0, 4)
            for k in range(n):
                y = load(table, W * k + b, 4)
                d0, d1 = fma(broadcast(Q, p + k, 4), y, d0), fma(broadcast(Q, q + k, 4), y, d1)
                d2, d3 = fma(broadcast(Q, r + k, 4), y, d2), fma(broadcast(Q, s + k, 4), y, d3)
            store(out, o + b, d0)
            store(out, o + W + b, d1)
            store(out, o + 2 * W + b, d2)
            store(out, o + 3 * W + b, d3)
    for i in range(last - (last - first) % 4, last):
        for b in range(0, W, 4):
            c = splat(0.0, 4)
            for k in range(n):
                c = fma(broadcast(Q, i * n + k, 4), load(table, W * k + b, 4), c)
            store(out, W * i + b, c)
