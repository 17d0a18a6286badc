"""Mean-field variational inference in plain torch: the reparameterised ELBO and its gradient, derived by hand.

    ELBO = - KL(q(U) || p(U)) - KL(q(V) || p(V)) + sum_n log N(r_n | u_i . v_j, noise)      (2.2, 2.3)
    u_i = U_mean_i + sd_i * z_i,   v_j = V_mean_j + sd_j * z_j,   z ~ N(0, 1)               (2.4)

The KL is closed form, the sum one sample's; a minibatch of n counts N / n times. With the error e_n = r_n - u.v

    g_i = sum_(n of i) e_n v_j / noise
    d/dU_mean = g - U_mean / prior,   d/dU_log_variance = g sd z / 2 - (sd^2 / prior - 1) / 2

and for V with the roles changed; with biases u_i is (u_i, b_i, 1) and v_j is (v_j, 1, c_j).
It is the twin of `guide_mean_field_pyro`, where Pyro does all of this.
Cost of an epoch: N K, and users x K a minibatch. Source: CS281 (2017), assignment 5, problem 2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inference.factorization.parts.kl import kl_normal
from inference.factorization.parts.stochastic import State, Tensors, draw, epoch, expect, init, moments, scale
from inference.method import Family, Info
from models.densities import log_normal
from models.factorization import Factorization, gather
from models.ratings import Ratings

FAMILY = Family.VARIATIONAL
USERS = tuple(f"{site}_{what}" for site in ("U", "user_bias") for what in ("mean", "log_variance"))

__all__ = ["FAMILY", "State", "draw", "elbo", "expect", "gradient", "init", "step"]


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    return epoch(rng, state, model, data, gradient)


def elbo(model: Factorization, data: Ratings, params: Tensors, noise: Tensors,
             batch: Tensor | None = None) -> Tensor:
    """The ELBO with closed-form KL and one sample of U and V, from `noise`, in nats; differentiable by torch."""
    batch = torch.arange(len(data), device=data.device) if batch is None else batch
    here = data.take(batch)
    q = moments(params)
    sample = {site: mean + variance.sqrt() * noise[site] for site, (mean, variance) in q.items()}
    kl = torch.stack([kl_normal(*q[site], 0.0, model.prior_variance).sum() for site in q]).sum()
    mean = model.quantities(sample, here.pairs)["prediction"]
    return -kl + len(data) / len(batch) * log_normal(here.rating, mean, model.noise_variance).sum()


def gradient(model: Factorization, data: Ratings, params: Tensors, noise: Tensors,
             batch: Tensor) -> tuple[Tensor, Tensors]:
    """The value of `elbo` and its gradient by the formulas above: no graph is kept."""
    user, item, rating = (column.index_select(0, batch) for column in (*data.pairs, data.rating))
    sd = {site: torch.exp(0.5 * params[f"{site}_log_variance"]) for site in noise}
    sample = {site: torch.addcmul(params[f"{site}_mean"], sd[site], noise[site]) for site in noise}
    U, V = model.product(sample)
    u, v = gather(U, user), gather(V, item)
    error = rating - (u * v).sum(-1)
    weight = scale(data, batch) / model.noise_variance
    square = data.part.sum(error.dot(error))
    value = -0.5 * (weight * square + data.total * math.log(2 * math.pi * model.noise_variance))
    error = (weight * error)[:, None]
    pull = model.product_sites(torch.zeros_like(U).index_add_(0, user, error * v),
                               torch.zeros_like(V).index_add_(0, item, error * u))
    ascent = {}
    for site, g in pull.items():
        part = model.part_of(site)
        if not part.divided:
            g = data.part.sum(g)  # of an item's ratings every rank has some
        mean, log_variance, s = params[f"{site}_mean"], params[f"{site}_log_variance"], model.prior_variance
        ratio = sd[site].square() / s
        value = value - part.sum(0.5 * (ratio.sum() + mean.square().sum() / s - log_variance.sum()
                                        + mean.numel() * (math.log(s) - 1)))
        ascent[f"{site}_mean"] = torch.add(g, mean, alpha=-1 / s)
        ascent[f"{site}_log_variance"] = g.mul_(sd[site]).mul_(noise[site]).sub_(ratio.sub_(1)).mul_(0.5)
    return value, ascent
