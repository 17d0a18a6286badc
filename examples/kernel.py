"""A kernel to start from: every user proposes a move and is accepted by itself, then every item. Change it, ask, run:

    python run.py --check examples/kernel.py --problem 3
    python run.py --problem 3 --kernel examples/kernel.py --kernel row_gibbs --ranks none

Given the items the users do not touch each other, so a Metropolis step of each is a step of all.
"""

import torch
from torch import Tensor

from models.factorization import Factorization, gather
from models.ratings import Ratings

BATCHED = True  # optional: leading axes of latents and ratings are replicates, and --check takes seconds, not minutes


def transition(rng: torch.Generator, latents: dict[str, Tensor], model: Factorization, data: Ratings, *,
               size: float = 1.5) -> dict[str, Tensor]:  # what stands after * can be set: --set size=0.1
    latents = dict(latents)  # what was given stays as it is
    for site, other, row, column in (("U", "V", data.user, data.item), ("V", "U", data.item, data.user)):
        old = latents[site]
        scale = size / (3 + torch.bincount(row, minlength=old.shape[-2])).sqrt()[:, None]  # more ratings, shorter moves
        new = old + scale * torch.randn(old.shape, generator=rng, dtype=old.dtype)  # rng: the only source of chance
        ratio = log_density(new, latents[other], row, column, model, data) \
            - log_density(old, latents[other], row, column, model, data)
        yes = torch.rand(ratio.shape, generator=rng, dtype=old.dtype).log() < ratio
        latents[site] = torch.where(yes[..., None], new, old)
    return latents


def log_density(rows: Tensor, given: Tensor, row: Tensor, column: Tensor, model: Factorization, data: Ratings
                ) -> Tensor:
    """log p(row | the other side, ratings) of every row, up to a constant; rating n is of row[n] and column[n]."""
    error = data.rating - (gather(rows, row) * gather(given, column)).sum(-1)
    squares = rows.new_zeros(rows.shape[:-1]).index_add_(-1, row, error**2)  # summed over each row's ratings
    return -0.5 * (squares / model.noise_variance + (rows**2).sum(-1) / model.prior_variance)
