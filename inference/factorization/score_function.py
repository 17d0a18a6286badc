"""Mean-field variational inference by the score function: checkpoint 2.3 without reparameterisation.

    d/dl E_q f = E_q [f d log q / dl]:    the gradient of the likelihood term needs only its value at a sample.

    l_i = sum_(n of i) [log N(r_n | u_i . v_j, noise) - b_n],   u_i, v_j ~ q
    d/dU_mean = l_i z / sd - U_mean / prior,   d/dU_log_variance = l_i (z^2 - 1) / 2 - (sd^2 / prior - 1) / 2

with z = (u_i - U_mean) / sd, and for V with the roles changed; a minibatch of n counts N / n times. A row takes
only its own ratings: the others' terms have mean 0. So does b_n, whatever it is without looking at the sample;
the baseline E_q log N(r_n | u.v) takes most of the noise away. Unbiased, and much noisier than `elbo_by_hand`,
which also uses the likelihood's slope. Source: Ranganath, Gerrish and Blei, Black box variational inference (2014).
"""

from __future__ import annotations

import torch
from torch import Tensor

from inference.factorization.parts.gaussian import prediction_moments
from inference.factorization.parts.kl import kl_normal
from inference.factorization.parts.stochastic import ITEMS, State, Tensors, draw, epoch, expect, init, moments
from inference.method import Family, Info
from models.densities import log_normal
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.VARIATIONAL

__all__ = ["FAMILY", "State", "draw", "expect", "gradient", "init", "step"]


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    return epoch(rng, state, model, data, gradient)


def gradient(model: Factorization, data: Ratings, params: Tensors, noise: Tensors, batch: Tensor, *,
             baseline: bool = True) -> tuple[Tensor, Tensors]:
    """One sample's estimate of the ELBO and of its gradient. Cost: 2 n K."""
    here = data.take(batch)
    q = moments(params)
    sample = {site: mean + variance.sqrt() * noise[site] for site, (mean, variance) in q.items()}
    scale = len(data) / len(batch)
    prediction = model.quantities(sample, here.pairs)["prediction"]
    likelihood = scale * log_normal(here.rating, prediction, model.noise_variance)
    value, ascent = likelihood.sum(), {}
    if baseline:
        mean, variance = prediction_moments(q, here.pairs)
        usual = log_normal(here.rating, mean, model.noise_variance) - 0.5 * variance / model.noise_variance
        likelihood = likelihood - scale * usual
    for site, (mean, variance) in q.items():
        z, row = noise[site], here.item if site in ITEMS else here.user
        own = likelihood.new_zeros(len(mean)).index_add_(0, row, likelihood)
        own = own.reshape(-1, *[1] * (z.ndim - 1))
        ascent[f"{site}_mean"] = own * z / variance.sqrt() - mean / model.prior_variance
        ascent[f"{site}_log_variance"] = 0.5 * (own * (z**2 - 1) - (variance / model.prior_variance - 1))
        value = value - kl_normal(mean, variance, 0.0, model.prior_variance).sum()
    return value, ascent
