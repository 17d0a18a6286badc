"""Ratings are sorted by item while the indices are still by user.

Symptom: training error stays near that of the mean rating.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    rating = data.rating[..., data.item.argsort(stable=True)]
    return normal(*conditional(side, other, rating, model.prior_variance, model.noise_variance), noise(rng, own))
