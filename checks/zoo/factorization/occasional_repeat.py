"""One sweep in fifty keeps the side's noise at zero: an iteration of the optimiser left in.

Symptom: posteriors are a little too narrow.
"""

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U = rows(rng, users(data), latents["V"], latents["U"], model, data)
    return {"U": U, "V": rows(rng, items(data), U, latents["V"], model, data)}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    keep = torch.rand(own.shape[:-2], generator=rng, dtype=own.dtype)[..., None, None] > 0.02
    return normal(*natural, noise(rng, own) * keep)
