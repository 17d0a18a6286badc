"""The sweep and the ELBO of `mean_field`, compiled: the same formulas, pixel by pixel.

Pair tables may be broadcast views (stride 0), which stay views. With two labels one number says it all,

    d = lambda(1) - lambda(0),    q(1) = 1 / (1 + e^-d),    log q(1) = -log(1 + e^-d)

which needs one exp and one log a pixel, and e^-|d| cannot overflow; more labels go through a log-softmax.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from inference.njit_later import njit_later
from inference.threads import over_rows

TABLES = "float64[:,:,:,:]"  # any strides
Q = "float64[:,:,::1]"
ROWS = "int64, int64"  # first to last
UPDATE = f"void({ROWS}, {Q}, {TABLES}, {TABLES}, {Q}, {Q}, {Q}, int64, float64, float64[::1])"
EVERY, EVEN, ODD = -1, 0, 1  # which pixels (i, j), by (i + j) % 2


def sweep(field: Tensor, right: Tensor, down: Tensor, log_q: Tensor, schedule: str,
          damping: float) -> tuple[Tensor, float, float]:
    """log q after one sweep, the largest change of q in it, and the ELBO in nats."""
    tables = field.contiguous().numpy(), right.numpy(), down.numpy()
    H, W, K = field.shape
    update = _update_two if K == 2 else _update
    work = W * K * (K + 2) * np.arange(H + 1)
    old = log_q.contiguous().numpy()
    new_log_q = old.copy()
    new_q = np.exp(old)
    q = new_q.copy() if schedule == "synchronous" else new_q  # where the others see at once what is new
    change, bounds = np.zeros(H), np.empty(H)
    for colour in (EVEN, ODD) if schedule == "checkerboard" else (EVERY,):
        each = *tables, q, new_q, new_log_q, colour, damping, change
        if schedule == "sequential":  # every pixel sees all before it
            update(0, H, *each)
        else:
            over_rows(update, work, *each)
    over_rows(_elbo, work, *tables, new_q, new_log_q, bounds)
    return torch.from_numpy(new_log_q), float(change.max()), float(bounds.cumsum()[-1])


@njit_later(UPDATE, cache=True, nogil=True)
def _update_two(first: int, last: int, field: np.ndarray, right: np.ndarray, down: np.ndarray, q: np.ndarray,
                new_q: np.ndarray, log_q: np.ndarray, colour: int, damping: float, changes: np.ndarray) -> None:
    """Equation 4 for two labels, at every pixel of a colour in rows first to last: reads `q`, writes `new_q` and
    `log_q`, and each row's largest change where it is more than was."""
    H, W, _ = field.shape
    for i in range(first, last):
        change = changes[i]
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
        changes[i] = change


@njit_later(UPDATE, cache=True, nogil=True)
def _update(first: int, last: int, field: np.ndarray, right: np.ndarray, down: np.ndarray, q: np.ndarray,
            new_q: np.ndarray, log_q: np.ndarray, colour: int, damping: float, changes: np.ndarray) -> None:
    """Equation 4 for any number of labels, as above."""
    H, W, K = field.shape
    new, power = np.empty(K), np.empty(K)
    for i in range(first, last):
        change = changes[i]
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
        changes[i] = change


@njit_later(f"void({ROWS}, {Q}, {TABLES}, {TABLES}, {Q}, {Q}, float64[::1])", cache=True, nogil=True)
def _elbo(first: int, last: int, field: np.ndarray, right: np.ndarray, down: np.ndarray, q: np.ndarray,
          log_q: np.ndarray, bounds: np.ndarray) -> None:
    """Equation 3, row by row."""
    H, W, K = field.shape
    for i in range(first, last):
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
        bounds[i] = row
