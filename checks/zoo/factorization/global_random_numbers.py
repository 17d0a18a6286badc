"""Noise comes from torch's global generator instead of `rng`.

Symptom: the same seed gives another answer.
"""

import torch

from checks.right.factorization.pieces import conditional, items, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U = rows(users(data), latents["V"], latents["U"], model, data)
    return {"U": U, "V": rows(items(data), U, latents["V"], model, data)}


def rows(side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, torch.randn(own.shape, dtype=own.dtype))
