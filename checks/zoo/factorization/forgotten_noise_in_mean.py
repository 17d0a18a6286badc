"""1 / sigma^2 is missing in front of V'r in the mean.

Symptom: predictions are too short, or too long, by the factor sigma^2.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    precision, _ = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    _, shift = conditional(side, other, data.rating, model.prior_variance, 1.0)
    return normal(precision, shift, noise(rng, own))
