"""The full conditional of a pixel, and draws from it, for any number of replicates at once.

    p(y_ij = k | rest) = softmax_k( field[i, j, k] + sum over the neighbours n of pair[k, y_n] )

`y` is (..., H, W) int64 and `field` (..., H, W, K), in nats; the leading axes are replicates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.grid import GridMRF

AROUND = {"left": (0, -1), "right": (0, 1), "above": (-1, 0), "below": (1, 0)}
ALL = tuple(AROUND)


def sites(model: GridMRF) -> list[tuple[int, int]]:
    """Every pixel, row by row."""
    H, W, _ = model.shape
    return [(i, j) for i in range(H) for j in range(W)]


def message(model: GridMRF, y: Tensor, i: int, j: int, where: str) -> Tensor | float:
    """What the neighbour on that side says about pixel (i, j): (..., K), or 0 beyond the border."""
    H, W, _ = model.shape
    a, b = i + AROUND[where][0], j + AROUND[where][1]
    if not (0 <= a < H and 0 <= b < W):
        return 0.0
    table = {"left": lambda: model.right[i, b], "right": lambda: model.right[i, j].T,
             "above": lambda: model.down[a, j], "below": lambda: model.down[i, j].T}[where]()
    return table[y[..., a, b]]


def logits(model: GridMRF, field: Tensor, y: Tensor, i: int, j: int, around: tuple[str, ...] = ALL) -> Tensor:
    """Unnormalised log p(y_ij = k | rest), (..., K)."""
    total = field[..., i, j, :]
    for where in around:
        total = total + message(model, y, i, j, where)
    return total


def uniforms(rng: torch.Generator, like: Tensor) -> Tensor:
    """Uniform(0, 1) numbers, one for each element of `like`."""
    return torch.rand(like.shape, generator=rng, dtype=torch.float64, device=like.device)


def choose(logits: Tensor, u: Tensor) -> Tensor:
    """A label from softmax(logits) for each uniform number: how many of the first K - 1 cumulative sums it passes."""
    return (u[..., None] > torch.softmax(logits, -1).cumsum(-1)[..., :-1]).sum(-1)


def put(y: Tensor, i: int, j: int, label: Tensor) -> None:
    y[..., i, j] = label


def integers(rng: torch.Generator, high: int, shape: tuple[int, ...] | torch.Size) -> Tensor:
    return torch.randint(high, tuple(shape), generator=rng, device=rng.device)
