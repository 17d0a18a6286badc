"""The sweeps of `metropolised_gibbs` and `parallel_tempering`, compiled: the same numbers, pixel by pixel.

Pair tables may be broadcast views (stride 0), which stay views. Nothing compiled is imported from another
file: numba's cache would not notice a change there.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from inference.njit_later import njit_later

LABELS = "uint8[:,::1]"
FIELD = "float64[:,:,::1]"
TABLES = "float64[:,:,:,:]"  # any strides


@njit(inline="always")
def softmax_at(p: np.ndarray, y: np.ndarray, i: int, j: int, field: np.ndarray, right: np.ndarray, down: np.ndarray,
               beta: float) -> None:
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
def normalise(p: np.ndarray) -> float:
    """Log weights -> probabilities, in place, no weight is too large; returns the log of the weights' sum."""
    top = p[0]
    for k in range(1, len(p)):
        top = max(top, p[k])
    total = 0.0
    for k in range(len(p)):
        p[k] = math.exp(p[k] - top)
        total += p[k]
    for k in range(len(p)):
        p[k] /= total
    return top + math.log(total)


@njit(inline="always")
def pick(p: np.ndarray, uniform: float) -> int:
    """The label where the cumulative probability passes a uniform number."""
    below = 0.0
    for k in range(len(p) - 1):
        below += p[k]
        if uniform < below:
            return k
    return len(p) - 1


@njit
def log_joint(y: np.ndarray, field: np.ndarray, right: np.ndarray, down: np.ndarray) -> float:
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


@njit_later(f"int64({LABELS}, {FIELD}, {FIELD}, {TABLES}, {TABLES}, float64[:,::1], float64)", cache=True)
def metropolised_sweep(y: np.ndarray, sums: np.ndarray, field: np.ndarray, right: np.ndarray, down: np.ndarray,
                       uniform: np.ndarray, gibbs: float) -> int:
    """`metropolised_gibbs.sweep`: moves `y`, adds pi(k) to `sums`; returns how many pixels changed."""
    H, W, K = field.shape
    p = np.empty(K)
    moved = 0
    for colour in range(2):
        for i in range(H):
            for j in range((i + colour) % 2, W, 2):
                softmax_at(p, y, i, j, field, right, down, 1.0)
                own = y[i, j]
                below = 0.0
                for l in range(K):
                    sums[i, j, l] += p[l]
                    if l != own:
                        below += p[l] * (gibbs + (1.0 - gibbs) / (1.0 - min(p[own], p[l])))
                        if uniform[i, j] < below and y[i, j] == own:
                            y[i, j] = l
                            moved += 1
    return moved


@njit_later(f"void(uint8[:,:,::1], {FIELD}, float64[::1], {FIELD}, {TABLES}, {TABLES}, float64[::1], float64[:,:,::1])",
      cache=True)
def tempered_sweep(y: np.ndarray, marginals: np.ndarray, log_joints: np.ndarray, field: np.ndarray, right: np.ndarray,
                   down: np.ndarray, betas: np.ndarray, uniform: np.ndarray) -> None:
    """`parallel_tempering.sweep`: moves `y`; writes copy 0's p(y_ij = k | the rest) and the log p~ of every copy."""
    H, W, K = field.shape
    p = np.empty(K)
    for copy in range(len(betas)):
        for colour in range(2):
            for i in range(H):
                for j in range((i + colour) % 2, W, 2):
                    softmax_at(p, y[copy], i, j, field, right, down, betas[copy])
                    y[copy, i, j] = pick(p, uniform[copy, i, j])
                    if copy == 0:
                        marginals[i, j] = p
        log_joints[copy] = log_joint(y[copy], field, right, down)
