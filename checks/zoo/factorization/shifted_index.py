"""Ratings belong to the item one further on: ids counted from 1 read as from 0.

Symptom: training error stays near that of the mean rating.
"""

from dataclasses import replace

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    shifted = replace(side, column=(side.column + 1) % other.shape[-2])
    natural = conditional(shifted, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, noise(rng, own))
