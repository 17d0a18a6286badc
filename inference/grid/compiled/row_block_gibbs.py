"""The sweep of `row_block_gibbs`, compiled: the same numbers, row by row; tables of any strides."""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.grid.compiled.single_site import normalise, pick
from inference.njit_later import njit_later

LABELS = "uint8[:,::1]"
TABLES = "float64[:,:,:,:]"  # any strides


@njit(inline="always")
def _chain(phi: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """phi -> log f, in place, but for a constant at each column, and exp of it at the last; and B."""
    W, K = phi.shape
    for j in range(W - 1):
        top = phi[j, 0]  # the largest, taken out so that the logs do not grow along the row
        for k in range(1, K):
            top = max(top, phi[j, k])
        for k in range(K):
            for l in range(K):
                left[j, k, l] = phi[j, l] - top + right[j, l, k]
            phi[j + 1, k] += normalise(left[j, k])
    normalise(phi[W - 1])


@njit_later(f"void({LABELS}, float64[:,:,::1], float64[:,:,:], {TABLES}, {TABLES}, float64[:,:])", cache=True)
def sweep(y: np.ndarray, marginals: np.ndarray, field: np.ndarray, right: np.ndarray, down: np.ndarray,
          uniform: np.ndarray) -> None:
    """Even rows, then odd ones; writes `y` and `marginals`."""
    H, W, K = field.shape
    phi, left = np.empty((W, K)), np.empty((W, K, K))  # left[j, k, l] = B_j(l | k)
    for parity in range(2):
        for i in range(parity, H, 2):
            for j in range(W):
                for k in range(K):
                    phi[j, k] = field[i, j, k]
                    if i > 0:
                        phi[j, k] += down[i - 1, j, y[i - 1, j], k]
                    if i + 1 < H:
                        phi[j, k] += down[i, j, k, y[i + 1, j]]
            _chain(phi, left, right[i])
            for k in range(K):
                marginals[i, W - 1, k] = phi[W - 1, k]
            y[i, W - 1] = pick(phi[W - 1], uniform[i, W - 1])
            for j in range(W - 2, -1, -1):
                y[i, j] = pick(left[j, y[i, j + 1]], uniform[i, j])
                for l in range(K):
                    marginals[i, j, l] = 0.0
                    for k in range(K):
                        marginals[i, j, l] += left[j, k, l] * marginals[i, j + 1, k]
