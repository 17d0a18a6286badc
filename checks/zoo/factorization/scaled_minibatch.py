"""Each sweep looks at half of the ratings and counts them twice: unbiased, but not invariant.

Symptom: posteriors have about the right mean and too much spread.
"""

from dataclasses import replace

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    half = torch.randperm(len(side.row), generator=rng)[: len(side.row) // 2]
    part = replace(side, row=side.row[half], column=side.column[half])
    natural = conditional(part, other, data.rating[..., half], model.prior_variance, model.noise_variance / 2)
    return normal(*natural, noise(rng, own))
