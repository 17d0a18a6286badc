"""New users of a fit of levels: a number between two thresholds in the place of each of their ratings.

    y_n | u, r_n ~ N(eta_n, 1) between t_{k-1} and t_k, k the level of r_n        u | y as `fold_in`

in turn, `SWEEPS` times for every kept draw of V and t, from u at its prior mean; with time N(eta_n + e_n, 1 / w_n), e_n
and w_n as in `fold_in`. Given the last y a row is normal, as in every other fit, and u is integrated out of
predictions. Source: Albert and Chib (1993), as `parts/ordinal.py`.
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
           prior: Prior, offset: Tensor | None, effects: Tensor | float = 0.0, weight: Tensor | None = None
           ) -> Float64[Tensor, "N"]:
    """y - e of the ratings of `new`, which `users` are row after row, given one draw: `table` and `offset` are its
    items', e_n their effects of time and w_n their weights, where these are not 0 and 1.

    Errors: InputError for a rating that is none of the levels.
    """
    code, u = model.codes(new), prior.mean.expand(new.num_users, -1)
    y, sd = torch.zeros(len(new), dtype=torch.float64), None if weight is None else weight.rsqrt()
    for _ in range(SWEEPS if len(new) else 0):
        eta = (u[new.user] * table[new.item]).sum(-1) + (0.0 if offset is None else offset[new.item])
        y = latent_ratings(rng, latents["cutpoints"], eta + effects, code, "auto", sd) - effects
        z = torch.randn(new.num_users, table.shape[1], dtype=torch.float64, generator=rng)
        u = draw(users.working(y, weight), table, prior, 1.0, z, column_offset=offset)
    return y
