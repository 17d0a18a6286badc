"""A pass of stochastic gradient ascent, compiled; `maximum_likelihood` has the formula."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath={"contract"})
def climb(order: np.ndarray, user: np.ndarray, item: np.ndarray, rating: np.ndarray, U: np.ndarray, V: np.ndarray,
          pull_U: np.ndarray, pull_V: np.ndarray, rate: float, beta: float, batch_size: int) -> None:
    """U and V in place, minibatch after minibatch of `order`; all gradients of a batch before the first move."""
    K = U.shape[1]
    up_U, up_V = np.empty((batch_size, K)), np.empty((batch_size, K))
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        for b in range(len(batch)):
            i, j = user[batch[b]], item[batch[b]]
            error = rating[batch[b]]
            for k in range(K):
                error -= U[i, k] * V[j, k]
            for k in range(K):
                up_U[b, k] = beta * error * V[j, k] - pull_U[i] * U[i, k]
                up_V[b, k] = beta * error * U[i, k] - pull_V[j] * V[j, k]
        for b in range(len(batch)):
            i, j = user[batch[b]], item[batch[b]]
            for k in range(K):
                U[i, k] += rate * up_U[b, k]
                V[j, k] += rate * up_V[b, k]
