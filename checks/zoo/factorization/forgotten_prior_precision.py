"""The prior is left out of the precision (a ridge of 1e-3 keeps it regular).

Symptom: rows with few ratings explode.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    return normal(*conditional(side, other, data.rating, 1e3, model.noise_variance), noise(rng, own))
