"""A pixel's conditional, compiled, for the kernels that visit pixels one by one; see `single_site`.

Pair tables may be broadcast views (stride 0), which stay views.
"""

from __future__ import annotations

import math

from numba import njit

LABELS = "int64[:,::1]"
FIELD = "float64[:,:,::1]"
TABLES = "float64[:,:,:,:]"  # any strides


@njit(inline="always")
def softmax_at(p, y, i, j, field, right, down, beta):
    """p(k) = softmax_k(beta lambda_ij(k)), into `p`."""
    H, W, K = field.shape
    for k in range(K):
        p[k] = field[i, j, k]
    if j + 1 < W:
        for k in range(K):
            p[k] += right[i, j, k, y[i, j + 1]]
    if j > 0:
        for k in range(K):
            p[k] += right[i, j - 1, y[i, j - 1], k]
    if i + 1 < H:
        for k in range(K):
            p[k] += down[i, j, k, y[i + 1, j]]
    if i > 0:
        for k in range(K):
            p[k] += down[i - 1, j, y[i - 1, j], k]
    for k in range(K):
        p[k] *= beta
    normalise(p)


@njit(inline="always")
def normalise(p):
    """Log weights -> probabilities, in place; no weight is too large."""
    top = p[0]
    for k in range(1, len(p)):
        top = max(top, p[k])
    total = 0.0
    for k in range(len(p)):
        p[k] = math.exp(p[k] - top)
        total += p[k]
    for k in range(len(p)):
        p[k] /= total


@njit(inline="always")
def pick(p, uniform):
    """The label where the cumulative probability passes a uniform number."""
    below = 0.0
    for k in range(len(p) - 1):
        below += p[k]
        if uniform < below:
            return k
    return len(p) - 1


@njit(f"float64({LABELS}, {FIELD}, {TABLES}, {TABLES})", cache=True)
def log_joint(y, field, right, down):
    """log p~(y), in nats."""
    H, W, _ = field.shape
    total = 0.0
    for i in range(H):
        row = 0.0
        for j in range(W):
            row += field[i, j, y[i, j]]
            if j + 1 < W:
                row += right[i, j, y[i, j], y[i, j + 1]]
            if i + 1 < H:
                row += down[i, j, y[i, j], y[i + 1, j]]
        total += row
    return total
