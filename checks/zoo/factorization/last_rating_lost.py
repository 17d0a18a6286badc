"""The loop over ratings ends one early.

Symptom: the last rating has no influence.
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
    without = replace(side, row=side.row[:-1], column=side.column[:-1])
    natural = conditional(without, other, data.rating[..., :-1], model.prior_variance, model.noise_variance)
    return normal(*natural, noise(rng, own))
