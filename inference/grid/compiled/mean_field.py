"""The sweep and the ELBO of `mean_field`, compiled: the same formulas, pixel by pixel.

Pair tables may be broadcast views (stride 0), which stay views. With two labels one number says it all,

    d = lambda(1) - lambda(0),    q(1) = 1 / (1 + e^-d),    log q(1) = -log(1 + e^-d)

which needs one exp and one log a pixel, and e^-|d| cannot overflow; more labels go through a log-softmax.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from inference.njit_later import njit_later

TABLES = "float64[:,:,:,:]"  # any strides
Q = "float64[:,:,::1]"
UPDATE = f"float64({Q}, {TABLES}, {TABLES}, {Q}, {Q}, {Q}, int64, float64)"
EVERY, EVEN, ODD = -1, 0, 1  # which pixels (i, j), by (i + j) % 2


def sweep(field: Tensor, right: Tensor, down: Tensor, log_q: Tensor, schedule: str,
          damping: float) -> tuple[Tensor, float, float]:
    """log q after one sweep, the largest change of q in it, and the ELBO in nats."""
    tables = field.contiguous().numpy(), right.numpy(), down.numpy()
    update = _update_two if field.shape[2] == 2 else _update
    old = log_q.contiguous().numpy()
    new_log_q = old.copy()
    new_q = np.exp(old)
    q = new_q.copy() if schedule == "synchronous" else new_q  # where the others see at once what is new
    change = 0.0
    for colour in (EVEN, ODD) if schedule == "checkerboard" else (EVERY,):
        change = max(change, update(*tables, q, new_q, new_log_q, colour, damping))
    return torch.from_numpy(new_log_q), change, _elbo(*tables, new_q, new_log_q)


@njit(UPDATE, cache=True)
def _update_two(field: np.ndarray, right: np.ndarray, down: np.ndarray, q: np.ndarray, new_q: np.ndarray,
                log_q: np.ndarray, colour: int, damping: float) -> float:
    """Equation 4 for two labels, at every pixel of a colour: reads `q`, writes `new_q` and `log_q`."""
    H, W, _ = field.shape
    change = 0.0
    for i in range(H):
        for j in range(0 if colour < 0 else (i + colour) % 2, W, 1 if colour < 0 else 2):
            d = field[i, j, 1] - field[i, j, 0]
            if j + 1 < W:
                d += (right[i, j, 1, 0] - right[i, j, 0, 0]) * q[i, j + 1, 0]
                d += (right[i, j, 1, 1] - right[i, j, 0, 1]) * q[i, j + 1, 1]
            if j > 0:
                d += (right[i, j - 1, 0, 1] - right[i, j - 1, 0, 0]) * q[i, j - 1, 0]
                d += (right[i, j - 1, 1, 1] - right[i, j - 1, 1, 0]) * q[i, j - 1, 1]
            if i + 1 < H:
                d += (down[i, j, 1, 0] - down[i, j, 0, 0]) * q[i + 1, j, 0]
                d += (down[i, j, 1, 1] - down[i, j, 0, 1]) * q[i + 1, j, 1]
            if i > 0:
                d += (down[i - 1, j, 0, 1] - down[i - 1, j, 0, 0]) * q[i - 1, j, 0]
                d += (down[i - 1, j, 1, 1] - down[i - 1, j, 1, 0]) * q[i - 1, j, 1]
            d = (1.0 - damping) * d + damping * (log_q[i, j, 1] - log_q[i, j, 0])
            small = math.exp(-abs(d))
            log_norm = math.log1p(small)
            k = 1 if d > 0 else 0  # the likely label
            log_q[i, j, k], log_q[i, j, 1 - k] = -log_norm, -abs(d) - log_norm
            change = max(change, abs(small / (1.0 + small) - new_q[i, j, 1 - k]))
            new_q[i, j, k], new_q[i, j, 1 - k] = 1.0 / (1.0 + small), small / (1.0 + small)
    return change


@njit(UPDATE, cache=True)
def _update(field: np.ndarray, right: np.ndarray, down: np.ndarray, q: np.ndarray, new_q: np.ndarray, log_q: np.ndarray,
            colour: int, damping: float) -> float:
    """Equation 4 for any number of labels, as above."""
    H, W, K = field.shape
    new, power = np.empty(K), np.empty(K)
    change = 0.0
    for i in range(H):
        for j in range(0 if colour < 0 else (i + colour) % 2, W, 1 if colour < 0 else 2):
            for k in range(K):
                new[k] = field[i, j, k]
            if j + 1 < W:
                for k in range(K):
                    for l in range(K):
                        new[k] += right[i, j, k, l] * q[i, j + 1, l]
            if j > 0:
                for l in range(K):
                    for k in range(K):
                        new[k] += right[i, j - 1, l, k] * q[i, j - 1, l]
            if i + 1 < H:
                for k in range(K):
                    for l in range(K):
                        new[k] += down[i, j, k, l] * q[i + 1, j, l]
            if i > 0:
                for l in range(K):
                    for k in range(K):
                        new[k] += down[i - 1, j, l, k] * q[i - 1, j, l]
            if damping > 0.0:  # the norm of either term cancels in the softmax
                for k in range(K):
                    new[k] = (1.0 - damping) * new[k] + damping * log_q[i, j, k]
            top = new.max()
            total = 0.0
            for k in range(K):
                power[k] = math.exp(new[k] - top)
                total += power[k]
            norm = top + math.log(total)
            for k in range(K):
                value = power[k] / total
                change = max(change, abs(value - new_q[i, j, k]))
                new_q[i, j, k] = value
                log_q[i, j, k] = new[k] - norm
    return change


@njit_later(f"float64({Q}, {TABLES}, {TABLES}, {Q}, {Q})", cache=True)
def _elbo(field: np.ndarray, right: np.ndarray, down: np.ndarray, q: np.ndarray, log_q: np.ndarray) -> float:
    """Equation 3, summed row by row."""
    H, W, K = field.shape
    bound = 0.0
    for i in range(H):
        row = 0.0
        for j in range(W):
            for k in range(K):
                total = field[i, j, k] - log_q[i, j, k]
                for l in range(K):
                    if j + 1 < W:
                        total += right[i, j, k, l] * q[i, j + 1, l]
                    if i + 1 < H:
                        total += down[i, j, k, l] * q[i + 1, j, l]
                row += q[i, j, k] * total
        bound += row
    return bound
