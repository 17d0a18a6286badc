"""Gibbs sampling, one column k of U, then of V, at a time: every entry given all others.

    precision_ik = 1 / prior_variance + sum_j v_jk^2 / noise_variance
    mean_ik = sum_j v_jk (r_ij - sum over l other than k of u_il v_jl) / noise_variance / precision_ik
"""

import torch

from checks.right.factorization.pieces import add, items, noise, users
from models.factorization import gather

BATCHED = True


def transition(rng, latents, model, data):
    latents = dict(latents)
    for k in range(model.rank):
        for side in (users(data), items(data)):
            latents[side.site] = column(rng, side, latents, k, model, data)
    return latents


def column(rng, side, latents, k, model, data):
    """The side's rows with column k drawn anew."""
    own = latents[side.site]
    v = gather(latents[side.other], side.column)[..., k]
    without = model.quantities(latents, data.pairs)["prediction"] - gather(own, side.row)[..., k] * v
    precision = 1 / model.prior_variance + add(side, v**2, 0) / model.noise_variance
    mean = add(side, v * (data.rating - without), 0) / model.noise_variance / precision
    drawn = mean + noise(rng, mean) / precision.sqrt()
    return torch.cat([own[..., :k], drawn[..., None], own[..., k + 1:]], -1)
