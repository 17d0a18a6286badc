"""A random walk that always accepts.

Symptom: U and V drift away without end.
"""

from checks.right.factorization.pieces import noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        latents = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
    return latents
