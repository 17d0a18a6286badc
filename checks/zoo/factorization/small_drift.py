"""Every row is moved by 0.02 after it is drawn.

Symptom: rows are not centred where they should be, by a hair.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U = rows(rng, users(data), latents["V"], latents["U"], model, data)
    return {"U": U, "V": rows(rng, items(data), U, latents["V"], model, data)}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, noise(rng, own)) + 0.02
