"""All entries of a row in turn, each given the others, compiled: see `entry_gibbs`."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def columns(first: int, last: int, indptr: np.ndarray, index: np.ndarray, rating: np.ndarray, other: np.ndarray,
            prior: float, beta: float, z: np.ndarray, own: np.ndarray) -> None:
    """Rows first .. last of `own`, (rows, K), in place.

    prior      1 / prior_variance;  beta  1 / noise_variance
    """
    K = other.shape[1]
    longest = 0
    for i in range(first, last):
        longest = max(longest, indptr[i + 1] - indptr[i])
    given, residual = np.empty((K, longest)), np.empty(longest)  # one row's v_jk, by column, and its e_ij
    for i in range(first, last):
        start, count = indptr[i], indptr[i + 1] - indptr[i]
        e = residual[:count]
        for n in range(count):
            j = np.uint64(index[start + n])
            predicted = 0.0
            for k in range(K):
                x = other[j, k]
                given[k, n] = x
                predicted += own[i, k] * x
            e[n] = rating[start + n] - predicted
        for k in range(K):
            v, u = given[k, :count], own[i, k]
            squares, pull = 0.0, 0.0
            for n in range(count):
                squares += v[n] * v[n]
                pull += v[n] * e[n]
            precision = prior + beta * squares
            move = (beta * pull - prior * u) / precision + z[i, k] / math.sqrt(precision)
            own[i, k] = u + move
            for n in range(count):
                e[n] -= move * v[n]
