"""Half the noise of each row is kept from the row before: a shifted window over one stream.

Symptom: neighbouring rows are correlated.
"""

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U = rows(rng, users(data), latents["V"], latents["U"], model, data)
    return {"U": U, "V": rows(rng, items(data), U, latents["V"], model, data)}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    z = noise(rng, own)
    return normal(*natural, torch.cat([z[..., :1, :], (z[..., 1:, :] + z[..., :-1, :]) / 2**0.5], -2))
