"""Spanning trees of a grid: their log Z, the edges they hold, and the heaviest of all.

A tree is every pixel's parent, by number in row-major order, -1 at the root. Potentials, in nats: b (H, W, K) of
pixels, right (H, W-1, K, K) and down (H-1, W, K, K) of edges.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from torch import Tensor

from inference.grid.parts import chains

Tree = Int64[Tensor, "pixels"]


def log_z_of_combs(b: Tensor, right: Tensor, down: Tensor) -> Float64[Tensor, "W"]:
    """log Z of all trees of every row and one column, by that column: rows first, then down the column."""
    along = chains.forward(b, right) + chains.backward(b, right)
    return chains.total(along.transpose(0, 1), down.transpose(0, 1))


def log_z(parent: Tree, b: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """log Z of a tree: what hangs on a pixel is summed out into its parent, the deepest pixels first."""
    total, depth = b.flatten(0, 1).clone(memory_format=torch.contiguous_format), depths(parent)
    order = depth.argsort(descending=True)
    psi = edges(parent, right, down)
    if chains.compiled(total, psi):
        from inference.grid.compiled import chains as chains_numba

        return total.new_tensor(chains_numba.tree(*(t.numpy() for t in (order, parent, total, psi))))
    for level in order.split(torch.bincount(depth).flip(0).tolist())[:-1]:
        total.index_add_(0, parent[level], torch.logsumexp(total[level, :, None] + psi[level], 1))
    return torch.logsumexp(total[order[-1]], 0)


def edges(parent: Tree, right: Tensor, down: Tensor) -> Float64[Tensor, "pixels K K"]:
    """The potential of every pixel with its parent, (own label, parent's label); 0 at the root."""
    W, K = down.shape[1:3]
    psi = right.new_zeros(len(parent), K, K)
    pixel, apart = torch.arange(len(parent), device=parent.device), parent - torch.arange(len(parent)).to(parent)
    if W > 1:
        for step, turn in ((1, False), (-1, True)):
            own = pixel[(apart == step) & (parent >= 0)]
            table = right[own // W, torch.minimum(own % W, parent[own] % W)]
            psi[own] = table.mT if turn else table
    for step, turn in ((W, False), (-W, True)):
        own = pixel[(apart == step) & (parent >= 0)]
        table = down[torch.minimum(own // W, parent[own] // W), own % W]
        psi[own] = table.mT if turn else table
    return psi


def depths(parent: Tree) -> Tree:
    """How many edges lie between a pixel and the root, by doubling what is looked over.

    >>> depths(torch.tensor([-1, 0, 1, 2])).tolist()
    [0, 1, 2, 3]
    """
    n = len(parent)
    above = torch.where(parent < 0, n, parent)
    above = torch.cat([above, above.new_tensor([n])])  # a place above the root
    steps = (above < n).to(torch.int64)
    while bool((above < n).any()):
        steps, above = steps + steps[above], above[above]
    return steps[:n]


def counts(parents: Int64[Tensor, "n pixels"], H: int, W: int
           ) -> tuple[Float64[Tensor, "H W-1"], Float64[Tensor, "H-1 W"]]:
    """How many of the trees hold every edge to the right, and down."""
    pixel = torch.arange(H * W, device=parents.device).expand(parents.shape)
    low, apart = torch.minimum(pixel, parents), (pixel - parents).abs()
    held = parents >= 0
    along = low[held & (apart == 1) & (W > 1)]
    across = low[held & (apart == W) & ((apart > 1) | (W == 1))]
    right, down = (torch.bincount(where, minlength=H * W).reshape(H, W).double() for where in (along, across))
    return right[:, :-1], down[:-1]


def heaviest(right: Float64[Tensor, "H W-1"], down: Float64[Tensor, "H-1 W"]) -> Tree:
    """The spanning tree whose edges weigh most together, from pixel 0."""
    H, W = len(right), down.shape[1]
    at = np.arange(H * W).reshape(H, W)
    weights = torch.cat([right.flatten(), down.flatten()]).cpu().numpy()
    first, second = (np.concatenate([a.ravel(), b.ravel()]) for a, b in ((at[:, :-1], at[:-1]), (at[:, 1:], at[1:])))
    lightest_last = weights.max(initial=0.0) + 1.0 - weights  # a weight of 0 would be no edge
    graph = coo_array((lightest_last, (first, second)), shape=(H * W, H * W)).tocsr()
    _, parent = breadth_first_order(minimum_spanning_tree(graph), 0, directed=False)
    return torch.from_numpy(np.where(parent < 0, -1, parent).astype(np.int64)).to(right.device)
