"""The conditional mean is taken instead of a draw.

Symptom: chains stand still after a few sweeps; no uncertainty.
"""

from checks.right.factorization.pieces import conditional, items, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, 0 * own)
