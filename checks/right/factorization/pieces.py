"""The conditional of every row given the other side, and draws from it, for any number of replicates at once.

    precision_i = I / prior_variance + sum_j v_j v_j' / noise_variance
    shift_i     = sum_j v_j r_ij / noise_variance,         mean_i = precision_i^-1 shift_i
    u_i | V, r  ~  N(mean_i, precision_i^-1)

Latents are (..., rows, K), ratings (..., N); the leading axes are replicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.factorization import Factorization, gather
from models.model import Data, Latents


@dataclass(frozen=True)
class Side:
    """Which rows are drawn, and which give: `row[n]` and `column[n]` are the two ends of rating n."""

    site: str
    other: str
    row: Tensor
    column: Tensor
    rows: int


def users(data: Data) -> Side:
    return Side("U", "V", data.user, data.item, data.num_users)


def items(data: Data) -> Side:
    return Side("V", "U", data.item, data.user, data.num_items)


def conditional(side: Side, other: Tensor, rating: Tensor, prior_variance: float, noise_variance: float
                ) -> tuple[Tensor, Tensor]:
    """Precision (..., rows, K, K) and shift (..., rows, K) of every row."""
    given = gather(other, side.column)
    eye = torch.eye(other.shape[-1], dtype=other.dtype) / prior_variance
    precision = eye + add(side, given[..., :, None] * given[..., None, :], 2) / noise_variance
    return precision, add(side, given * rating[..., None], 1) / noise_variance


def add(side: Side, table: Tensor, event: int) -> Tensor:
    """The sum of table, (..., N, *event), over the ratings of each row: (..., rows, *event)."""
    axis = table.ndim - event - 1
    shape = *table.shape[:axis], side.rows, *table.shape[axis + 1:]
    return table.new_zeros(shape).index_add(axis, side.row, table)


def noise(rng: torch.Generator, like: Tensor) -> Tensor:
    """N(0, 1) numbers, one for each element of `like`."""
    return torch.randn(like.shape, generator=rng, dtype=torch.float64, device=like.device)


def normal(precision: Tensor, shift: Tensor, z: Tensor) -> Tensor:
    """N(precision^-1 shift, precision^-1) from N(0, 1) noise: L'^-1 (L^-1 shift + z), L L' = precision."""
    L = torch.linalg.cholesky(precision)
    y = torch.linalg.solve_triangular(L, shift[..., None], upper=False)
    return torch.linalg.solve_triangular(L.mT, y + z[..., None], upper=True)[..., 0]


def mean(precision: Tensor, shift: Tensor) -> Tensor:
    return torch.cholesky_solve(shift[..., None], torch.linalg.cholesky(precision))[..., 0]


def accept(rng: torch.Generator, log_ratio: Tensor, new: dict, old: dict) -> dict:
    """`new` in the replicates where log u < log_ratio, `old` in the others."""
    yes = torch.rand(log_ratio.shape, generator=rng, dtype=torch.float64).log() < log_ratio
    return {site: new[site].where(yes[..., None, None], old[site]) for site in old}


def gradient(model: Factorization, latents: Latents, data: Data) -> Latents:
    """Of the log joint with respect to U and V."""
    error = data.rating - model.quantities(latents, data.pairs)["prediction"]
    found = {}
    for side in (users(data), items(data)):
        pull = add(side, error[..., None] * gather(latents[side.other], side.column), 1)
        found[side.site] = pull / model.noise_variance - latents[side.site] / model.prior_variance
    return found


def square(latents: dict) -> Tensor:
    """The sum of all squares, one number a replicate."""
    return sum(((x**2).sum((-2, -1)) for x in latents.values()), torch.zeros(()))
