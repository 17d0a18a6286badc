"""Ratings are kept in a matrix in which 0 means that there is none.

Symptom: fine on scales without a 0; ratings of exactly 0 are lost.
"""

from checks.right.factorization.pieces import add, items, noise, normal, users
from models.factorization import gather

BATCHED = True


def transition(rng, latents, model, data):
    latents = dict(latents)
    for side in (users(data), items(data)):
        latents[side.site] = rows(rng, side, latents[side.other], latents[side.site], model, data)
    return latents


def rows(rng, side, other, own, model, data):
    given = gather(other, side.column) * (data.rating != 0)[..., None]
    gram = add(side, given[..., :, None] * given[..., None, :], 2) / model.noise_variance
    gram.diagonal(dim1=-2, dim2=-1).add_(1 / model.prior_variance)
    return normal(gram, add(side, given * data.rating[..., None], 1) / model.noise_variance, noise(rng, own))
