"""Rows without ratings are passed over.

Symptom: new users keep their start for ever.
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
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    rated = torch.bincount(side.row, minlength=side.rows) > 0
    return normal(*natural, noise(rng, own)).where(rated[:, None], own)
