"""The sweeps of `parallel_tempering`, compiled: checkerboard Gibbs of every copy, and its log p~."""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.grid.single_site_numba import FIELD, TABLES, log_joint, pick, softmax_at


@njit(f"void(int64[:,:,::1], {FIELD}, float64[::1], {FIELD}, {TABLES}, {TABLES}, float64[::1], float64[:,:,::1])",
      cache=True)
def sweep(y, marginals, log_joints, field, right, down, betas, uniform):
    """Moves `y`; writes copy 0's p(y_ij = k | the rest) and the log p~ of every copy."""
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
