"""u_i . v_j at many (user, item) pairs: what scoring a draw costs most."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit
from torch import Tensor

from inference.engine import choose
from inference.threads import over_rows
from inference.vector import fma, load, splat, total


def predict(U: Float64[Tensor, "users K"], V: Float64[Tensor, "items K"], user: Int64[Tensor, "N"],
            item: Int64[Tensor, "N"], engine: str = "auto") -> Float64[Tensor, "N"]:
    """u_i . v_j for every pair, in rating units. Compiled it is fastest with the pairs sorted by user."""
    if choose("predict", engine, U.device) == "torch":
        return (U[user] * V[item]).sum(1)
    out = U.new_empty(len(user))
    over_rows(_predict, len(user), U.contiguous().flatten().numpy(), V.contiguous().flatten().numpy(), U.shape[1],
              user.numpy(), item.numpy(), out.numpy())
    return out


@njit(nogil=True, cache=True)
def _predict(first: int, last: int, U: np.ndarray, V: np.ndarray, K: int, user: np.ndarray, item: np.ndarray,
             out: np.ndarray) -> None:
    for n in range(np.uint64(first), np.uint64(last)):
        u, v = K * np.intp(user[n]), K * np.intp(item[n])
        sums = splat(0.0, 4)
        for k in range(0, K - 3, 4):
            sums = fma(load(U, u + k, 4), load(V, v + k, 4), sums)
        here = total(sums)
        for k in range(K - K % 4, K):
            here += U[np.uint64(u + k)] * V[np.uint64(v + k)]
        out[n] = here
