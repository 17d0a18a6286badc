"""A low-rank covariance plus a diagonal for every row: correlated factors for less than a whole covariance.

    q(U, V) = prod_i N(u_i | m_i, S_i (I + F_i F_i') S_i)  prod_j N(v_j | m_j, S_j (I + F_j F_j') S_j)

with S diagonal and positive, F of `columns` columns. K - 1 of them give any covariance, which is
`guide_full_covariance_pyro`. Biases stay independent. Cost of an epoch: N K, and users x K x columns a minibatch.

Options:

    columns   of F: how many directions a row's factors may be correlated in
"""

from __future__ import annotations

from functools import partial

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from errors import InputError
from inference.factorization.guides.parts import RATES, mean_and_scale, normal, plates, started
from inference.footprint import PYRO, latents, tensors
from models.factorization import Factorization
from models.ratings import Ratings

__all__ = ["RATES", "guide", "start"]


def footprint(model: Factorization, data: Ratings, *, columns: int = 1, **_: object) -> int:
    """A chain at work, bytes: `columns` numbers for every entry, their gradients and Adam's two averages."""
    return PYRO * (latents(model) * (1 + columns) + tensors(data))


def guide(model: Factorization, data: Ratings, *, columns: int = 1) -> None:
    within = plates(model)
    for site, shape in model.sites.items():
        if len(shape) == 1:
            normal(model, site, within[site])
            continue
        mean, scale = mean_and_scale(model, site)
        F = pyro.param(f"{site}_factor", partial(torch.zeros, *shape, columns))
        with within[site]:
            pyro.sample(site, dist.LowRankMultivariateNormal(mean, scale[..., None] * F, scale**2))


def start(rng: torch.Generator, model: Factorization, data: Ratings, *, columns: int = 1) -> dict[str, Tensor]:
    """F starts small and random, for at 0 it has no gradient."""
    if not 1 <= columns <= model.rank:
        raise InputError(f"low_rank has 1 to K = {model.rank} columns for every row, not {columns}")
    params = started(rng, model, data)
    for site in ("U", "V"):
        F = torch.randn(*model.sites[site], columns, generator=rng, dtype=torch.float64, device=rng.device)
        params[f"{site}_factor"] = 0.1 * F
    return params
