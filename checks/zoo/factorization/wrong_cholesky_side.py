"""The noise is multiplied with L^-1 instead of L'^-1.

Symptom: variances of the entries of a row are permuted: the first has the last one's; K = 1 is fine.
"""

import torch

from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    U = rows(rng, users(data), V, U, model, data)
    V = rows(rng, items(data), U, V, model, data)
    return {"U": U, "V": V}


def rows(rng, side, other, own, model, data):
    precision, shift = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)

    centre = normal(precision, shift, 0 * own)
    L = torch.linalg.cholesky(precision)
    return centre + torch.linalg.solve_triangular(L, noise(rng, own)[..., None], upper=False)[..., 0]
