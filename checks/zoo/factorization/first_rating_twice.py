"""The first rating is counted twice.

Symptom: user 0 and item 0 are a little too sure.
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
    twice = [*range(len(side.row)), 0]
    more = replace(side, row=side.row[twice], column=side.column[twice])
    natural = conditional(more, other, data.rating[..., twice], model.prior_variance, model.noise_variance)
    return normal(*natural, noise(rng, own))
