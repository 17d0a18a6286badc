"""Only the diagonal of the precision is inverted for the noise.

Symptom: entries of a row are drawn independently: predictions are too spread out.
"""

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    precision, shift = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)

    return normal(precision, shift, 0 * own) + noise(rng, own) / precision.diagonal(dim1=-2, dim2=-1).sqrt()
