"""Over-relaxation whose fresh noise is 1 - alpha instead of sqrt(1 - alpha^2).

Symptom: posteriors are too narrow.
"""

from checks.right.factorization.over_relaxation import ALPHA, rows
from checks.right.factorization.pieces import items, users

BATCHED = True


def transition(rng, latents, model, data):
    latents = dict(latents)
    for side in (users(data), items(data)):
        latents[side.site] = rows(rng, side, latents[side.other], latents[side.site], model, data, fresh=1 - ALPHA)
    return latents
