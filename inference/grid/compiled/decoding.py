"""Labels chosen in raster order, each given those to its left and above, compiled."""

from __future__ import annotations

import numpy as np

from inference.njit_later import njit_later

TABLES = "float64[:,:,:,:]"  # any strides


@njit_later(f"void(int64[:,::1], float64[:,:,:], {TABLES}, {TABLES})", cache=True)
def decode(labels: np.ndarray, ahead: np.ndarray, right: np.ndarray, down: np.ndarray) -> None:
    """y_s = argmax_k(ahead_s(k) + right(y_left, k) + down(y_above, k)); the lowest of equals."""
    H, W, K = ahead.shape
    for i in range(H):
        for j in range(W):
            best = -np.inf
            for k in range(K):
                value = ahead[i, j, k]
                if j > 0:
                    value += right[i, j - 1, labels[i, j - 1], k]
                if i > 0:
                    value += down[i - 1, j, labels[i - 1, j], k]
                if value > best:
                    best, labels[i, j] = value, k
