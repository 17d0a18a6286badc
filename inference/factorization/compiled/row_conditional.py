"""The row conditionals of `row_conditional`, compiled: eight rows at a time.

`compiled.row_moments` gives V_i'V_i with V_i'R_i below it as row K. So the Cholesky factor of

    Sigma_i^-1 = Lambda + V_i'V_i / sigma^2,    carried on through row K,

is L, row K is y = L^-1 (Sigma_i^-1 mu_i), and L' u = y + z gives the draw. The factors of eight rows lie side
by side, one in each lane of a register; lanes never meet, so a row's bytes do not depend on its neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.factorization.compiled.row_moments import BLOCK, moments_narrow, moments_wide, unpacked
from inference.vector import (
    add,
    broadcast,
    div,
    fma,
    fnma,
    load,
    mul,
    root,
    scatter,
    splat,
    store,
)


@njit(nogil=True, cache=True)
def place(A: np.ndarray, rows: int, K: int, W: int, beta: float, natural: np.ndarray, X: np.ndarray) -> None:
    """X = natural + beta A for up to eight rows, their matrices side by side; `natural` holds Lambda and, in row K,
    Lambda mu.
    """
    scale = splat(beta, 8)
    for a in range(W):
        for b in range(0, min(a + 1, K), 4):
            p = a * W + b
            for row in range(rows):
                scatter(X, 8 * p + row, 8, load(A, row * W * W + p, 4))
    for a in range(K + 1):
        for p in range(a * W, a * W + min(a + 1, K)):
            store(X, 8 * p, fma(scale, load(X, 8 * p, 8), broadcast(natural, p, 8)))


@njit(nogil=True, cache=True)
def cholesky(X: np.ndarray, K: int, W: int) -> None:
    """Eight Cholesky factors in place, row K included; a diagonal entry becomes its reciprocal."""
    one, R = splat(1.0, 8), 8 * W
    for top in range(0, K + 1, 4):
        p, q, r, s = top * R, (top + 1) * R, (top + 2) * R, (top + 3) * R
        for j in range(min(top, K)):
            c0, c1, c2, c3 = load(X, p + 8 * j, 8), load(X, q + 8 * j, 8), load(X, r + 8 * j, 8), load(X, s + 8 * j, 8)
            for k in range(0, 8 * j, 8):
                v = load(X, j * R + k, 8)
                c0, c1 = fnma(load(X, p + k, 8), v, c0), fnma(load(X, q + k, 8), v, c1)
                c2, c3 = fnma(load(X, r + k, 8), v, c2), fnma(load(X, s + k, 8), v, c3)
            d = load(X, j * R + 8 * j, 8)
            store(X, p + 8 * j, mul(c0, d))
            store(X, q + 8 * j, mul(c1, d))
            store(X, r + 8 * j, mul(c2, d))
            store(X, s + 8 * j, mul(c3, d))
        for i in range(top, min(top + 4, K + 1)):
            for j in range(top, min(i + 1, K)):
                c = load(X, i * R + 8 * j, 8)
                for k in range(0, 8 * j, 8):
                    c = fnma(load(X, i * R + k, 8), load(X, j * R + k, 8), c)
                store(X, i * R + 8 * j, div(one, root(c)) if i == j else mul(c, load(X, j * R + 8 * j, 8)))


@njit(nogil=True, cache=True)
def solve(X: np.ndarray, K: int, W: int, Z: np.ndarray) -> None:
    """Z = L'^-1 (y + Z), eight at once."""
    R = 8 * W
    for i in range(K - 1, -1, -1):
        c = add(load(X, K * R + 8 * i, 8), load(Z, 8 * i, 8))
        for k in range(i + 1, K):
            c = fnma(load(X, k * R + 8 * i, 8), load(Z, 8 * k, 8), c)
        store(Z, 8 * i, mul(c, load(X, i * R + 8 * i, 8)))


@njit(nogil=True, cache=True)
def ridge(X: np.ndarray, rows: int, K: int, W: int, jitter: float) -> None:
    """Add `jitter` times its trace to each matrix; the unit matrix to one that is zero."""
    for row in range(rows):
        trace = 0.0
        for k in range(K):
            trace += X[8 * (k * W + k) + row]
        for k in range(K):
            X[8 * (k * W + k) + row] += jitter * trace if trace > 0 else 1.0


@njit(nogil=True, cache=True)
def shifted(X: np.ndarray, rows: int, K: int, W: int, shift: np.ndarray) -> None:
    """Lambda mu of each row's own is added to its row K."""
    for row in range(rows):
        for k in range(K):
            X[8 * (K * W + k) + row] += shift[row, k]


@njit(nogil=True, cache=True)
def draw(first: int, last: int, indptr: np.ndarray, index: np.ndarray, rating: np.ndarray, offset: np.ndarray,
         table: np.ndarray, unit: np.ndarray, K: int, W: int, beta: float, natural: np.ndarray, jitter: float,
         z: np.ndarray, root: np.ndarray, shift: np.ndarray, sums: np.ndarray, out: np.ndarray) -> None:
    """out[i] = mu_i + L_i'^-1 z[i] for rows first .. last; `root` as in `row_moments`, `shift` a row of Lambda mu for
    each, or none; `sums` the rows' sums where they are there already, packed, or none.
    """
    G, A = np.empty((BLOCK + 1) * W), np.zeros(8 * W * W)
    X, Z, e = np.zeros(8 * W * W), np.zeros(8 * K), load(unit, 0, 4)
    for top in range(first, last, 8):
        rows = min(8, last - top)
        for row in range(rows):
            i = np.uint64(top + row)
            start, stop = np.intp(indptr[i]), np.intp(indptr[i + np.uint64(1)])
            if len(sums) > 0:
                unpacked(sums[top + row], K, W, A, row * W * W)
            elif W == 4 and len(root) == 0:
                moments_narrow(start, stop, index, rating, offset[i], table, e, A, 16 * row)
            else:
                moments_wide(start, stop, index, rating, offset[i], table, e, K, W, G, A, row * W * W, root)
            for k in range(K):
                Z[np.uint64(8 * k + row)] = z[i, np.uint64(k)]
        place(A, rows, K, W, beta, natural, X)
        if len(shift) > 0:
            shifted(X, rows, K, W, shift[top : top + rows])
        if jitter > 0:
            ridge(X, rows, K, W, jitter)
        cholesky(X, K, W)
        solve(X, K, W, Z)
        for row in range(rows):
            for k in range(K):
                out[np.uint64(top + row), np.uint64(k)] = Z[np.uint64(8 * k + row)]
