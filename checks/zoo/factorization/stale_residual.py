"""Entry-wise Gibbs whose residuals are computed once a sweep and not after each column.

Symptom: columns explain the same part of the ratings twice.
"""

import torch

from checks.right.factorization.pieces import add, items, noise, users
from models.factorization import gather

BATCHED = True


def transition(rng, latents, model, data):
    latents = dict(latents)
    guess = model.quantities(latents, data.pairs)["prediction"]
    for k in range(model.rank):
        for side in (users(data), items(data)):
            latents[side.site] = column(rng, side, latents, k, model, data, guess)
    return latents


def column(rng, side, latents, k, model, data, guess):
    own = latents[side.site]
    v = gather(latents[side.other], side.column)[..., k]
    without = guess - gather(own, side.row)[..., k] * v
    precision = 1 / model.prior_variance + add(side, v**2, 0) / model.noise_variance
    mean = add(side, v * (data.rating - without), 0) / model.noise_variance / precision
    drawn = mean + noise(rng, mean) / precision.sqrt()
    return torch.cat([own[..., :k], drawn[..., None], own[..., k + 1:]], -1)
