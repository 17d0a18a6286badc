"""New users of a fit of levels: a number between two thresholds in the place of each of their ratings.

    y_n | u, r_n ~ N(eta_n, 1) between t_{k-1} and t_k, k the level of r_n        u | y as `fold_in`

in turn, `SWEEPS` times for every kept draw of V and t, from u at its prior mean. Given the last y a row is normal, as
in every other fit, and u is integrated out of predictions. Source: Albert and Chib (1993), as `parts/ordinal.py`.
Cost of a user: D SWEEPS (n K^2 + K^3).
"""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.parts.by_row import Rows
from inference.factorization.parts.ordinal import latent_ratings
from inference.factorization.parts.row_conditional import Prior, draw
from inference.method import Latents
from models.ordinal import Ordinal
from models.ratings import Ratings

SWEEPS = 50


def latent(rng: torch.Generator, model: Ordinal, latents: Latents, new: Ratings, users: Rows, table: Tensor,
           prior: Prior, offset: Tensor | None) -> Float64[Tensor, "N"]:
    """y of the ratings of `new`, which `users` are row after row, given one draw: `table` and `offset` are its items'.

    Errors: InputError for a rating that is none of the levels.
    """
    code, u = model.codes(new), prior.mean.expand(new.num_users, -1)
    y = torch.zeros(len(new), dtype=torch.float64)
    for _ in range(SWEEPS if len(new) else 0):
        eta = (u[new.user] * table[new.item]).sum(-1) + (0.0 if offset is None else offset[new.item])
        y = latent_ratings(rng, latents["cutpoints"], eta, code, "auto")
        z = torch.randn(new.num_users, table.shape[1], dtype=torch.float64, generator=rng)
        u = draw(users.working(y), table, prior, 1.0, z, column_offset=offset)
    return y
