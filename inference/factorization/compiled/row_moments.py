"""The sums over a row's ratings that its conditional needs, compiled.

A rating's vector is w = (v_j, r - offsets), padded with zeros to a multiple of four, W. The sum of w w' over
a row holds V_i'V_i and, in row K, V_i'R_i, in one pass. `table` has the v_j padded to W, with minus the
item's offset at K; `unit` is 1 where K falls within the last four, where r is added. Where ratings have weights,
`root` has their square roots, and w is times these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from inference.vector import Vector, add, broadcast, fma, lane, load, mul, splat, store

Index = Any  # an int or numpy's, which mypy does not let mix and numba does
BLOCK = 64  # ratings gathered at once; they and a tile stay in the first cache


@njit(inline="always")
def moments_narrow(start: Index, stop: Index, index: np.ndarray, rating: np.ndarray, offset: float, table: np.ndarray,
           unit: Vector, A: np.ndarray, at: int) -> None:
    """The sum of w w' for W = 4 (K up to 3), all of it in registers; odd and even ratings apart."""
    shift = splat(-offset, 4)
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = splat(0.0, 4)
    n = start
    while n + 1 < stop:
        w = fma(add(broadcast(rating, n, 4), shift), unit, load(table, 4 * np.intp(index[np.uint64(n)]), 4))
        c0, c1 = fma(lane(w, 0), w, c0), fma(lane(w, 1), w, c1)
        c2, c3 = fma(lane(w, 2), w, c2), fma(lane(w, 3), w, c3)
        w = fma(add(broadcast(rating, n + 1, 4), shift), unit, load(table, 4 * np.intp(index[np.uint64(n + 1)]), 4))
        d0, d1 = fma(lane(w, 0), w, d0), fma(lane(w, 1), w, d1)
        d2, d3 = fma(lane(w, 2), w, d2), fma(lane(w, 3), w, d3)
        n += 2
    if n < stop:
        w = fma(add(broadcast(rating, n, 4), shift), unit, load(table, 4 * np.intp(index[np.uint64(n)]), 4))
        c0, c1 = fma(lane(w, 0), w, c0), fma(lane(w, 1), w, c1)
        c2, c3 = fma(lane(w, 2), w, c2), fma(lane(w, 3), w, c3)
    store(A, at, add(c0, d0))
    store(A, at + 4, add(c1, d1))
    store(A, at + 8, add(c2, d2))
    store(A, at + 12, add(c3, d3))


@njit(nogil=True, cache=True)
def _tile(G: np.ndarray, n: int, W: int, a: int, b: int, A: np.ndarray, at: int) -> None:
    """A[a : a+4, b : b+4] += G[:n, a : a+4]' G[:n, b : b+4], n even."""
    p, q, r, s = at + a * W + b, at + (a + 1) * W + b, at + (a + 2) * W + b, at + (a + 3) * W + b
    c0, c1, c2, c3 = load(A, p, 4), load(A, q, 4), load(A, r, 4), load(A, s, 4)
    d0 = d1 = d2 = d3 = splat(0.0, 4)
    g = 0
    for _ in range(n // 2):
        w = load(G, g + b, 4)
        c0, c1 = fma(broadcast(G, g + a, 4), w, c0), fma(broadcast(G, g + a + 1, 4), w, c1)
        c2, c3 = fma(broadcast(G, g + a + 2, 4), w, c2), fma(broadcast(G, g + a + 3, 4), w, c3)
        g += W
        w = load(G, g + b, 4)
        d0, d1 = fma(broadcast(G, g + a, 4), w, d0), fma(broadcast(G, g + a + 1, 4), w, d1)
        d2, d3 = fma(broadcast(G, g + a + 2, 4), w, d2), fma(broadcast(G, g + a + 3, 4), w, d3)
        g += W
    store(A, p, add(c0, d0))
    store(A, q, add(c1, d1))
    store(A, r, add(c2, d2))
    store(A, s, add(c3, d3))


@njit(nogil=True, cache=True)
def _line(G: np.ndarray, n: int, W: int, a: int, b: int, A: np.ndarray, at: int) -> None:
    """A[a, b : b+4] += G[:n, a]' G[:n, b : b+4], n even: row K where it stands alone in its tile."""
    c, d = load(A, at + a * W + b, 4), splat(0.0, 4)
    g = 0
    for _ in range(n // 2):
        c = fma(broadcast(G, g + a, 4), load(G, g + b, 4), c)
        d = fma(broadcast(G, g + W + a, 4), load(G, g + W + b, 4), d)
        g += 2 * W
    store(A, at + a * W + b, add(c, d))


@njit(nogil=True, cache=True)
def moments_wide(start: Index, stop: Index, index: np.ndarray, rating: np.ndarray, offset: float, table: np.ndarray,
         unit: Vector, K: int, W: int, G: np.ndarray, A: np.ndarray, at: int, root: np.ndarray) -> None:
    """A[at :] = the W x W sum of w w' over ratings start .. stop: its blocks on and below the diagonal; any W."""
    zero = splat(0.0, 4)
    for p in range(at, at + W * W, 4):
        store(A, p, zero)
    for first in range(start, stop, BLOCK):
        add_block(first, min(BLOCK, stop - first), index, rating, offset, table, unit, K, W, G, A, at, root)


@njit(nogil=True, cache=True)
def add_block(first: Index, n: Index, index: np.ndarray, rating: np.ndarray, offset: float, table: np.ndarray,
              unit: Vector, K: int, W: int, G: np.ndarray, A: np.ndarray, at: int, root: np.ndarray) -> None:
    """The n ratings from the first, BLOCK at most, added to the sum."""
    zero, shift, last = splat(0.0, 4), splat(-offset, 4), W - 4
    g = 0
    for m in range(first, first + n):
        row = W * np.intp(index[np.uint64(m)])
        for b in range(0, last, 4):
            store(G, g + b, load(table, row + b, 4))
        store(G, g + last, fma(add(broadcast(rating, m, 4), shift), unit, load(table, row + last, 4)))
        if len(root) > 0:
            scale = broadcast(root, m, 4)
            for b in range(0, W, 4):
                store(G, g + b, mul(scale, load(G, g + b, 4)))
        g += W
    if n & 1:
        for b in range(0, W, 4):
            store(G, g + b, zero)
        n += 1
    for a in range(0, last if last == K else W, 4):
        for b in range(0, a + 1, 4):
            _tile(G, n, W, a, b, A, at)
    if last == K:
        for b in range(0, K, 4):
            _line(G, n, W, K, b, A, at)


@njit(nogil=True, cache=True)
def by_columns(first: Index, last: Index, indptr: np.ndarray, index: np.ndarray, rating: np.ndarray, offset: np.ndarray,
               table: np.ndarray, unit: np.ndarray, K: int, W: int, root: np.ndarray, columns: int, A: np.ndarray,
               out: np.ndarray) -> None:
    """out[i] = the sums of row i, `packed`, for rows first .. last, so many columns of the table after the others.

    Where the table is larger than the caches, a row after the other would fetch each of its columns from memory.
    A row's ratings are in the order of columns, and are added as `moments_wide` does: the same bytes. A, (rows W^2,),
    is zero.
    """
    G, e = np.empty((BLOCK + 1) * W), load(unit, 0, 4)
    following = indptr[first:last].copy()
    for end in range(columns, len(table) // W + columns, columns):
        for i in range(first, last):
            n, stop = np.intp(following[i - first]), np.intp(indptr[i + 1])
            while n < stop and index[min(n + BLOCK, stop) - 1] < end:
                add_block(n, min(BLOCK, stop - n), index, rating, offset[i], table, e, K, W, G, A, i * W * W, root)
                n += BLOCK
            following[i - first] = min(n, stop)
    for i in range(first, last):
        packed(A, i * W * W, K, W, out[i])


@njit(nogil=True, cache=True)
def packed(A: np.ndarray, at: int, K: int, W: int, out: np.ndarray) -> None:
    """out, (K (K + 1) / 2 + K,) = the sums of a row: V_i'V_i on and below its diagonal, then V_i'R_i."""
    p = 0
    for a in range(K + 1):
        for b in range(min(a + 1, K)):
            out[p] = A[at + a * W + b]
            p += 1


@njit(nogil=True, cache=True)
def unpacked(sums: np.ndarray, K: int, W: int, A: np.ndarray, at: int) -> None:
    """The other way round."""
    p = 0
    for a in range(K + 1):
        for b in range(min(a + 1, K)):
            A[at + a * W + b] = sums[p]
            p += 1
