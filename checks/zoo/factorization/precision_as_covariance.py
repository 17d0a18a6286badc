"""The Cholesky factor of the precision is multiplied with the noise, as if it were the covariance's.

Symptom: the more ratings a user has, the more uncertain their row.
"""

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    precision, shift = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)

    centre = normal(precision, shift, 0 * own)
    return centre + (torch.linalg.cholesky(precision) @ noise(rng, own)[..., None])[..., 0]
