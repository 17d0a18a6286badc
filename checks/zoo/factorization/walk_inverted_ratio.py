"""A random walk with the acceptance ratio upside down.

Symptom: the chain runs away from the ratings.
"""

from checks.right.factorization.pieces import accept, noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, model.log_joint(latents, data) - model.log_joint(new, data), new, latents)
    return latents
