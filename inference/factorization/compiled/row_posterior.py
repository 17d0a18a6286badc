"""Mean and spread of every row's conditional, compiled; `compiled.row_conditional` has the matrices.

With a spread S_j of its own in each v_j, the row's precision is Lambda + sum_j (v_j v_j' + S_j) / sigma^2.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from inference.factorization.compiled.row_conditional import cholesky, place, shifted, solve
from inference.factorization.compiled.row_moments import BLOCK, Index, moments_narrow, moments_wide, packed, unpacked
from inference.vector import fma, fnma, load, mul, splat, store


@njit(nogil=True, cache=True)
def _spreads(start: Index, stop: Index, index: np.ndarray, spread: np.ndarray, root: np.ndarray,
             total: np.ndarray) -> None:
    """total = sum over ratings of the spread of what was rated, flat, times the rating's weight."""
    total[:] = 0.0
    for n in range(start, stop):
        here = spread[np.uint64(index[np.uint64(n)])]
        weight = root[np.uint64(n)] ** 2 if len(root) > 0 else 1.0
        for t in range(len(total)):
            total[t] += weight * here[t]


@njit(nogil=True, cache=True)
def _add_spreads(total: np.ndarray, row: int, K: int, W: int, beta: float, X: np.ndarray) -> None:
    """X += beta times the spreads of one row, K of them (diagonal) or K^2."""
    for a in range(K):
        if len(total) == K:
            X[8 * (a * W + a) + row] += beta * total[a]
        else:
            for b in range(a + 1):
                X[8 * (a * W + b) + row] += beta * total[a * K + b]


@njit(nogil=True, cache=True)
def _invert(X: np.ndarray, K: int, W: int, Y: np.ndarray) -> None:
    """Y = the inverses of L L', K x K in eights: M = L^-1, then M'M in its place, diagonal and below."""
    R = 8 * W
    zero = splat(0.0, 8)
    for c in range(K):
        store(Y, 8 * (c * K + c), load(X, c * R + 8 * c, 8))
        for i in range(c + 1, K):
            s = zero
            for k in range(c, i):
                s = fnma(load(X, i * R + 8 * k, 8), load(Y, 8 * (k * K + c), 8), s)
            store(Y, 8 * (i * K + c), mul(s, load(X, i * R + 8 * i, 8)))
    for a in range(K):  # row a of M'M needs rows a.. of M only, so it may replace row a
        for b in range(a + 1):
            s = zero
            for k in range(a, K):
                s = fma(load(Y, 8 * (k * K + a), 8), load(Y, 8 * (k * K + b), 8), s)
            store(Y, 8 * (a * K + b), s)


@njit(nogil=True, cache=True)
def posterior(first: int, last: int, indptr: np.ndarray, index: np.ndarray, rating: np.ndarray, table: np.ndarray,
              unit: np.ndarray, K: int, W: int, beta: float, natural: np.ndarray, spread: np.ndarray, root: np.ndarray,
              shift: np.ndarray, sums: np.ndarray, mean: np.ndarray, out: np.ndarray, fit: np.ndarray,
              log_det: np.ndarray) -> None:
    """mean, out (variances, K a row, or covariances, K^2 a row) and the rest of `Posterior` for rows first .. last;
    `sums` as in `row_conditional.draw`, the spreads in them."""
    G, A = np.empty((BLOCK + 1) * W), np.zeros(8 * W * W)
    X, Y, Z, e = np.zeros(8 * W * W), np.zeros(8 * K * K), np.zeros(8 * K), load(unit, 0, 4)
    total = np.zeros((8, spread.shape[1]))
    full = out.shape[1] > K or K == 1
    for top in range(first, last, 8):
        rows = min(8, last - top)
        for row in range(rows):
            start, stop = np.intp(indptr[top + row]), np.intp(indptr[top + row + 1])
            if len(sums) > 0:
                unpacked(sums[top + row], K, W, A, row * W * W)
                continue
            if W == 4 and len(root) == 0:
                moments_narrow(start, stop, index, rating, 0.0, table, e, A, 16 * row)
            else:
                moments_wide(start, stop, index, rating, 0.0, table, e, K, W, G, A, row * W * W, root)
            if spread.shape[1] > 0:
                _spreads(start, stop, index, spread, root, total[row])
        place(A, rows, K, W, beta, natural, X)
        if len(shift) > 0:
            shifted(X, rows, K, W, shift[top : top + rows])
        for row in range(rows):
            if spread.shape[1] > 0 and len(sums) == 0:
                _add_spreads(total[row], row, K, W, beta, X)
            for k in range(K):
                out[top + row, k] = 1.0 / X[8 * (k * W + k) + row]
        cholesky(X, K, W)
        Z[:] = 0.0
        solve(X, K, W, Z)
        if full:
            _invert(X, K, W, Y)
        for row in range(rows):
            square, log_det[top + row] = 0.0, 0.0
            for k in range(K):
                mean[top + row, k] = Z[8 * k + row]
                square += X[8 * (K * W + k) + row] ** 2
                log_det[top + row] += 2 * math.log(X[8 * (k * W + k) + row]) if full else math.log(out[top + row, k])
            fit[top + row] = 0.5 * square
            if full:
                for a in range(K):
                    for b in range(a + 1):
                        out[top + row, a * K + b] = Y[8 * (a * K + b) + row]
                        out[top + row, b * K + a] = Y[8 * (a * K + b) + row]


@njit(nogil=True, cache=True)
def summed(first: int, last: int, indptr: np.ndarray, index: np.ndarray, rating: np.ndarray, offset: np.ndarray,
           table: np.ndarray, unit: np.ndarray, K: int, W: int, spread: np.ndarray, root: np.ndarray,
           out: np.ndarray) -> None:
    """out[i] = the sums of row i, `packed`, with the spreads of what was rated in them: what ranks add up."""
    G, A, e = np.empty((BLOCK + 1) * W), np.zeros(W * W), load(unit, 0, 4)
    total = np.zeros(spread.shape[1])
    for i in range(first, last):
        start, stop = np.intp(indptr[i]), np.intp(indptr[i + 1])
        moments_wide(start, stop, index, rating, offset[i], table, e, K, W, G, A, 0, root)
        if len(total) > 0:
            _spreads(start, stop, index, spread, root, total)
            for a in range(K):
                if len(total) == K:
                    A[a * W + a] += total[a]
                else:
                    for b in range(a + 1):
                        A[a * W + b] += total[a * K + b]
        packed(A, 0, K, W, out[i])


@njit(nogil=True, cache=True)
def sample(first: int, last: int, mean: np.ndarray, covariance: np.ndarray, z: np.ndarray, out: np.ndarray) -> None:
    """out[i] = mean[i] + L z[i], L L' = covariance[i], for rows first .. last."""
    K = mean.shape[1]
    L = np.zeros((K, K))
    for i in range(first, last):
        for a in range(K):
            x = mean[i, a]
            for b in range(a + 1):
                c = covariance[i, a, b]
                for k in range(b):
                    c -= L[a, k] * L[b, k]
                L[a, b] = math.sqrt(c) if a == b else c / L[b, b]
                x += L[a, b] * z[i, b]
            out[i, a] = x
