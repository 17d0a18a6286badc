"""The conditionals of the ladder (models/ladder.py), each given all the rest: rows, noise, hyperparameters.

    (u_i, b_i) | rest      as `row_conditional`, with regressors (v_j, 1) and the ratings less c_j
    sigma^2 | rest         InverseGamma(3 + N/2, 2 + 1/2 sum_n (r_n - prediction_n)^2)
    precision | rows       Wishart(D + n, (I + S + 2 n / (2 + n) m m')^-1),    m, S the rows' mean and scatter
    mean | precision, rows N(n m / (2 + n), ((2 + n) precision)^-1)            (n rows; Salakhutdinov and Mnih 2008)
"""

from __future__ import annotations

import torch
from torch import Tensor

from inference.factorization.parts.by_row import sides
from inference.factorization.parts.predict import predict
from inference.factorization.parts.row_conditional import Prior, regressors
from inference.factorization.parts.row_conditional import draw as draw_rows
from inference.method import Latents
from models.densities import gamma, gaussian_draw, wishart_draw
from models.factorization import Factorization
from models.ladder import SCALE, SHAPE, STRENGTH, Ladder
from models.ratings import Ratings


def factors(model: Factorization, latents: Latents, data: Ratings, z_U: Tensor, z_V: Tensor, engine: str) -> Latents:
    """All users given the items, then all items given the new users, from N(0, 1) noise (rows, D)."""
    latents = dict(latents)
    noise = float(latents.get("sigma2", model.noise_variance))
    for side, other, rows, z in zip("UV", "VU", sides(model, data), (z_U, z_V), strict=True):
        table, offset = regressors(model, model.rows(latents, other))
        drawn = draw_rows(rows, table, row_prior(model, latents, side), noise, z, column_offset=offset, engine=engine)
        latents |= model.from_rows(drawn, side)
    return latents


def row_prior(model: Factorization, latents: Latents, side: str) -> Prior:
    """N(mean, precision^-1) of a side's rows."""
    if isinstance(model, Ladder) and model.hierarchical:
        return Prior(latents[f"mean_{side}"], latents[f"precision_{side}"])
    return Prior.of(model)


def noise(rng: torch.Generator, model: Ladder, latents: Latents, data: Ratings, engine: str) -> Latents:
    """The noise variance, (), in squared rating units."""
    error = data.rating - predict(*model.product(latents), data.user, data.item, engine)
    shape = torch.tensor(SHAPE + len(data) / 2, dtype=torch.float64, device=error.device)
    return {"sigma2": (SCALE + 0.5 * (error @ error)) / gamma(rng, shape)}


def hyper(rng: torch.Generator, model: Ladder, latents: Latents) -> Latents:
    """Mean and precision of the rows of both sides."""
    found: Latents = {}
    for side in "UV":
        rows = model.rows(latents, side)
        n, D = rows.shape
        eye = torch.eye(D, dtype=rows.dtype, device=rows.device)
        m = rows.mean(0)
        scatter = (rows - m).mT @ (rows - m)
        inverse_scale = eye + scatter + STRENGTH * n / (STRENGTH + n) * torch.outer(m, m)
        # by Cholesky: an inverse by LU is not positive definite where the rows' scatter is near 1e12, as it can be
        scale = torch.cholesky_inverse(torch.linalg.cholesky(inverse_scale))
        precision = wishart_draw(rng, float(D + n), scale)
        z = torch.randn(D, generator=rng, dtype=rows.dtype, device=rows.device)
        found[f"precision_{side}"] = precision
        found[f"mean_{side}"] = gaussian_draw(z, n * m / (STRENGTH + n), (STRENGTH + n) * precision)
    return found
