"""Entry-wise Gibbs whose residual still holds the entry's own contribution.

Symptom: entries shrink towards half of what they should be.
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
    own = latents[side.site]
    v = gather(latents[side.other], side.column)[..., k]
    guess = model.quantities(latents, data.pairs)["prediction"]
    precision = 1 / model.prior_variance + add(side, v**2, 0) / model.noise_variance
    mean = add(side, v * (data.rating - guess), 0) / model.noise_variance / precision
    drawn = mean + noise(rng, mean) / precision.sqrt()
    return torch.cat([own[..., :k], drawn[..., None], own[..., k + 1:]], -1)
