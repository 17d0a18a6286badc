"""The mean rating is taken off and not put back.

Symptom: predictions are off by the mean rating.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    rating = data.rating - data.rating.mean(-1, keepdim=True)
    return normal(*conditional(side, other, rating, model.prior_variance, model.noise_variance), noise(rng, own))
