"""The noise is uniform with the right variance instead of normal.

Symptom: means and variances are right; tails are cut.
"""

import torch

from checks.right.factorization.pieces import conditional, items, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, (torch.rand(own.shape, generator=rng, dtype=own.dtype) - 0.5) * 12**0.5)
