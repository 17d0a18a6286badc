"""Tables of Gibbs conditionals, for homogeneous grids.

With pair tables the same everywhere and U distinct fields, a pixel's conditional depends on its field's number u
and the labels of its neighbours (K where there is none): one of U (K+1)^4 cases. They are tabled where they are
fewer than the pixels and fit in two bytes (Potts with K labels up to K = 8).
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from torch import Tensor

from models.grid import GridMRF

MAX_CASES = 2**16  # what two bytes count
MAX_FIELDS = 64


@dataclass(frozen=True)
class Table:
    """`base`: (H, W), u (K+1)^4 per pixel. The case adds y_up + (K+1) y_left + (K+1)^2 y_right + (K+1)^3 y_below."""

    base: np.ndarray
    threshold: np.ndarray  # (K-1, cases): 2^53 p(y <= k), rounded up
    probability: np.ndarray  # (K-1, cases): p(y = k), k = 1 .. K-1


# Beside the model and no property of it: the table is of a model and an image, which may be changed in place.
_tables: weakref.WeakKeyDictionary[GridMRF, tuple[Tensor | None, int, Table | None]] = weakref.WeakKeyDictionary()


def table_of(model: GridMRF, data: Tensor | None) -> Table | None:
    """The table of a model with an image, made anew only when the image is another or was changed."""
    version = data._version if data is not None else 0
    known = _tables.get(model)
    if known is None or known[0] is not data or known[1] != version:
        known = _tables[model] = (data, version, make_table(model, data))
    return known[2]


def make_table(model: GridMRF, data: Tensor | None) -> Table | None:
    """None where the grid is not homogeneous, or has no fewer cases than pixels."""
    H, W, K = model.shape
    right, down = (torch.from_numpy(compact(t)) for t in (model.right, model.down))
    most = min(H * W, MAX_CASES) // (K + 1) ** 4
    if max(*right.shape[:2], *down.shape[:2]) > 1 or most == 0:
        return None
    number, fields = np.empty((H, W), np.uint16), np.empty((min(most, MAX_FIELDS), K))
    count = distinct_fields(model.field(data).numpy(), number, fields)
    if count < 0:
        return None
    none = right.new_zeros(1, K)  # where there is no neighbour
    from_left, from_right = torch.cat([right[0, 0], none]), torch.cat([right[0, 0].T, none])
    from_above, from_below = torch.cat([down[0, 0], none]), torch.cat([down[0, 0].T, none])
    logit = (torch.from_numpy(fields[:count])[:, None, None, None, None] + from_below[:, None, None, None]
             + from_right[:, None, None] + from_left[:, None] + from_above)
    probability = torch.softmax(logit.reshape(-1, K), 1)
    threshold = torch.ceil(probability.cumsum(1)[:, :-1] * 2.0**53).to(torch.int64)
    return Table(number * (K + 1) ** 4, threshold.T.contiguous().numpy(), probability[:, 1:].T.contiguous().numpy())


def compact(tables: Tensor) -> np.ndarray:
    """Pair tables (n, m, K, K); (1, 1, K, K) where all are views of one, or there is none."""
    if tables.numel() == 0:
        return np.zeros((1, 1, *tables.shape[2:]))
    views = all(step == 0 or size == 1 for step, size in zip(tables.stride()[:2], tables.shape[:2], strict=True))
    return (tables[:1, :1] if views else tables).contiguous().numpy()


@njit(cache=True)
def distinct_fields(field: np.ndarray, number: np.ndarray, fields: np.ndarray) -> int:
    """Number the distinct rows of field (H, W, K) into `number` and list them; returns how many, -1 if too many."""
    H, W, K = field.shape
    count = 0
    for i in range(H):
        for j in range(W):
            u = 0
            while u < count:
                same = True
                for k in range(K):
                    same &= fields[u, k] == field[i, j, k]
                if same:
                    break
                u += 1
            if u == count:
                if count == fields.shape[0]:
                    return -1
                for k in range(K):
                    fields[count, k] = field[i, j, k]
                count += 1
            number[i, j] = u
    return count
