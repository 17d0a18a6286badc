"""The mean is solved with L where L' belongs.

Symptom: means are off wherever a row's entries are correlated; K = 1 is fine.
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

    L = torch.linalg.cholesky(precision)
    y = torch.linalg.solve_triangular(L, shift[..., None], upper=False)
    centre = torch.linalg.solve_triangular(L, y, upper=False)[..., 0]
    return centre + normal(precision, 0 * shift, noise(rng, own))
