"""A covariance for every row: a user's factors, and an item's, may be correlated.

    q(U, V) = prod_i N(u_i | m_i, S_i L_i L_i' S_i)  prod_j N(v_j | m_j, S_j L_j L_j' S_j)

with S diagonal and positive, L lower triangular with ones on its diagonal. `coordinate_ascent` with covariance=row
finds the best q of this form in closed form. Biases stay independent. Cost of an epoch: N K, and users x K^2 a
minibatch.
"""

from __future__ import annotations

from functools import partial

import pyro
import pyro.distributions as dist
import torch

from inference.factorization.guides.parts import RATES, mean_and_scale, normal, plates
from inference.factorization.guides.parts import started as start
from inference.footprint import PYRO, latents, tensors
from models.factorization import Factorization
from models.ratings import Ratings

__all__ = ["RATES", "guide", "start"]


def footprint(model: Factorization, data: Ratings, **_: object) -> int:
    """A chain at work, bytes: a K x K root for every user and item, its gradient and Adam's two averages."""
    return PYRO * (latents(model) * model.rank + tensors(data))


def guide(model: Factorization, data: Ratings) -> None:
    K = model.rank
    within = plates(model)
    for site, shape in model.sites.items():
        if len(shape) == 1:
            normal(model, site, within[site])
            continue
        mean, scale = mean_and_scale(model, site)
        L = pyro.param(f"{site}_root", partial(torch.eye(K).repeat, shape[0], 1, 1),
                       constraint=dist.constraints.unit_lower_cholesky)
        with within[site]:
            pyro.sample(site, dist.MultivariateNormal(mean, scale_tril=scale[..., None] * L))
