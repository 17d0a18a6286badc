"""A sweep of `trw_s`, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.njit_later import njit_later

FIELD = "float64[:,:,::1]"
TABLES = "float64[:,:,:,:]"  # any strides
LEFT, RIGHT, ABOVE, BELOW = 0, 1, 2, 3  # sides that a message comes from


@njit(inline="always")
def gathered(b: np.ndarray, messages: np.ndarray, field: np.ndarray, i: int, j: int, share: float) -> None:
    """share * (field + all messages) of a pixel, into b."""
    for k in range(len(b)):
        total = field[i, j, k]
        for side in range(4):
            total += messages[side, i, j, k]
        b[k] = share * total


@njit(inline="always")
def send(place: np.ndarray, b: np.ndarray, back: np.ndarray, table: np.ndarray, turned: bool) -> None:
    """place(l) = max_k(b(k) - back(k) + table(k, l)), its largest entry taken out; or table(l, k), if turned."""
    top = -np.inf
    for l in range(len(b)):
        best = -np.inf
        for k in range(len(b)):
            value = b[k] - back[k] + (table[l, k] if turned else table[k, l])
            best = max(best, value)
        place[l] = best
        top = max(top, best)
    for l in range(len(b)):
        place[l] -= top


@njit_later(f"void(float64[:,:,:,::1], int64[:,::1], {FIELD}, {TABLES}, {TABLES}, float64)", cache=True)
def sweep(messages: np.ndarray, labels: np.ndarray, field: np.ndarray, right: np.ndarray, down: np.ndarray,
          share: float) -> None:
    """Messages to the right and below in raster order, with labels chosen on the way; then backwards."""
    H, W, K = field.shape
    b = np.empty(K)
    for i in range(H):
        for j in range(W):
            best = -np.inf
            for k in range(K):
                value = field[i, j, k] + messages[RIGHT, i, j, k] + messages[BELOW, i, j, k]
                if j > 0:
                    value += right[i, j - 1, labels[i, j - 1], k]
                if i > 0:
                    value += down[i - 1, j, labels[i - 1, j], k]
                if value > best:
                    best, labels[i, j] = value, k
            gathered(b, messages, field, i, j, share)
            if j + 1 < W:
                send(messages[LEFT, i, j + 1], b, messages[RIGHT, i, j], right[i, j], False)
            if i + 1 < H:
                send(messages[ABOVE, i + 1, j], b, messages[BELOW, i, j], down[i, j], False)
    for i in range(H - 1, -1, -1):
        for j in range(W - 1, -1, -1):
            gathered(b, messages, field, i, j, share)
            if j > 0:
                send(messages[RIGHT, i, j - 1], b, messages[LEFT, i, j], right[i, j - 1], True)
            if i > 0:
                send(messages[BELOW, i - 1, j], b, messages[ABOVE, i, j], down[i - 1, j], True)
