"""Normal noise is made as the sum of twelve uniforms less 6.

Symptom: tails beyond three standard deviations are too thin; nothing else.
"""

import torch

from checks.right.factorization.pieces import conditional, items, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U = rows(rng, users(data), latents["V"], latents["U"], model, data)
    return {"U": U, "V": rows(rng, items(data), U, latents["V"], model, data)}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, torch.rand(*own.shape, 12, generator=rng, dtype=own.dtype).sum(-1) - 6)
