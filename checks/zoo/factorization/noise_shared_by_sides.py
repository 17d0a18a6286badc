"""U and V are drawn from the same noise.

Symptom: user i and item i are tied together by more than the ratings.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    z = noise(rng, U if U.shape[-2] > V.shape[-2] else V)
    U = rows(users(data), V, z, model, data)
    return {"U": U, "V": rows(items(data), U, z, model, data)}


def rows(side, other, z, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, z[..., : side.rows, :])
