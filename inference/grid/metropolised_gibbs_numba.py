"""The sweep of `metropolised_gibbs`, compiled: the same numbers, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.grid.single_site_numba import FIELD, LABELS, TABLES, softmax_at


@njit(f"int64({LABELS}, {FIELD}, {FIELD}, {TABLES}, {TABLES}, float64[:,::1], float64)", cache=True)
def sweep(y, sums, field, right, down, uniform, gibbs):
    """Moves `y`, adds pi(k) to `sums`; returns how many pixels changed."""
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
