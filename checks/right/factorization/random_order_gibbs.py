"""Row Gibbs with the two sides in an order thrown by a coin at every sweep."""

import torch

from checks.right.factorization.pieces import items, users
from checks.right.factorization.row_gibbs import rows

BATCHED = True


def transition(rng, latents, model, data):
    latents = dict(latents)
    order = (users, items) if torch.rand((), generator=rng) < 0.5 else (items, users)
    for side in (of(data) for of in order):
        latents[side.site] = rows(rng, side, latents[side.other], latents[side.site], model, data)
    return latents
