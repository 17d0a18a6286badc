"""The best labelling with two labels, by a minimum cut, where every edge is submodular.

    theta(0, 0) + theta(1, 1) >= theta(0, 1) + theta(1, 0)          equal labels are favoured, all in all

Any such table is, up to a constant and terms of one pixel each, -w [y_s != y_t] with

    w   = (theta(0, 0) + theta(1, 1) - theta(0, 1) - theta(1, 0)) / 2
    u_s = field_s(1) - field_s(0) + half of what theta(1, .) is above theta(0, .), edge by edge

so that log p~ is largest where the cut between source (label 1) and sink (label 0) is least, of edges of capacity w
between neighbours, max(u, 0) from the source and max(-u, 0) to the sink (Greig, Porteous and Seheult 1989; Kolmogorov
and Zabih 2004). scipy's maximum flow takes 32-bit integers: capacities are multiplied by a power of 2, so that the
largest is at most 2^30, and rounded. The labelling is then best but for `slack`, the sum of what rounding changed.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from torch import Tensor

LARGEST = 2**30  # of the capacities; flows are differences of them and must fit 32 bits
ROUNDING = 1e-12  # of an edge's potentials, by which it may fail to be submodular


def best_of_two(field: Float64[Tensor, "H W 2"], right: Float64[Tensor, "H W-1 2 2"], down: Float64[Tensor, "H-1 W 2 2"]
                ) -> tuple[Int64[Tensor, "H W"], float]:
    """The labelling, and the slack: by how many nats another may be more probable at most."""
    u, across, along = ising(field, right, down)
    side, slack = cut(u, across.clip(min=0), along.clip(min=0))
    return torch.from_numpy(side).to(field.device), slack


def ising(field: Float64[Tensor, "H W 2"], right: Float64[Tensor, "H W-1 2 2"], down: Float64[Tensor, "H-1 W 2 2"]
          ) -> tuple[Float64[np.ndarray, "H W"], Float64[np.ndarray, "H W-1"], Float64[np.ndarray, "H-1 W"]]:
    """u, and w of the edges to the right and below; nats. w is below 0 where unequal labels are favoured."""
    w = [(t[..., 0, 0] + t[..., 1, 1] - t[..., 0, 1] - t[..., 1, 0]) / 2 for t in (right, down)]
    u = field[..., 1] - field[..., 0]
    for t, near, far in ((right, u[:, :-1], u[:, 1:]), (down, u[:-1], u[1:])):
        near += (t[..., 1, 0] - t[..., 0, 0] + t[..., 1, 1] - t[..., 0, 1]) / 2
        far += (t[..., 0, 1] - t[..., 0, 0] + t[..., 1, 1] - t[..., 1, 0]) / 2
    return u.cpu().numpy(), w[0].cpu().numpy(), w[1].cpu().numpy()


def cut(u: Float64[np.ndarray, "H W"], right: Float64[np.ndarray, "H W-1"], down: Float64[np.ndarray, "H-1 W"]
        ) -> tuple[Int64[np.ndarray, "H W"], float]:
    """1 where a pixel is on the source's side of a minimum cut, and the slack."""
    n, at = u.size, np.arange(u.size).reshape(u.shape)
    first, second, between = edges(at, right, down)
    rows = np.concatenate([first, second, np.full(n, n), at.ravel()])
    columns = np.concatenate([second, first, at.ravel(), np.full(n, n + 1)])
    exact = np.concatenate([between, between, np.maximum(u, 0).ravel(), np.maximum(-u, 0).ravel()])
    side, slack = source_side(n, rows, columns, exact)
    return side.astype(np.int64).reshape(u.shape), slack


def edges(at: Int64[np.ndarray, "H W"], right: Float64[np.ndarray, "H W-1"], down: Float64[np.ndarray, "H-1 W"]
          ) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"], Float64[np.ndarray, "m"]]:
    """Both pixels of every edge, and what it weighs."""
    return (np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()]), np.concatenate([at[:, 1:].ravel(), at[1:].ravel()]),
            np.concatenate([right.ravel(), down.ravel()]))


def source_side(n: int, rows: Int64[np.ndarray, "m"], columns: Int64[np.ndarray, "m"], exact: Float64[np.ndarray, "m"]
                ) -> tuple[Bool[np.ndarray, "n"], float]:
    """Which of n nodes are with the source, n, and not the sink, n + 1, in every minimum cut; and the slack."""
    largest = float(exact.max())
    scale = 2.0 ** math.floor(math.log2(LARGEST / largest)) if largest > 0 else 1.0
    capacity = np.rint(exact * scale)
    slack = float(np.abs(capacity / scale - exact).sum())
    graph = coo_array((capacity.astype(np.int32), (rows, columns)), shape=(n + 2, n + 2)).tocsr()
    graph.eliminate_zeros()
    residual = graph - maximum_flow(graph, n, n + 1).flow
    residual.eliminate_zeros()
    side = np.zeros(n + 2, bool)
    side[breadth_first_order(residual, n, return_predecessors=False)] = True
    return side[:n], slack


def first_frustrated(right: Tensor, down: Tensor) -> tuple[str, int, int, float] | None:
    """An edge that is not submodular, (right or down, row, column), and by how many nats; or None."""
    for name, t in (("right", right), ("down", down)):
        short = t[..., 0, 1] + t[..., 1, 0] - t[..., 0, 0] - t[..., 1, 1]
        wrong = short > ROUNDING * t.abs().sum((-2, -1))
        if bool(wrong.any()):
            i, j = divmod(int(wrong.flatten().to(torch.uint8).argmax()), wrong.shape[1])
            return name, i, j, float(short[i, j])
    return None
