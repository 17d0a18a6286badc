"""A random walk that accepts improvements only.

Symptom: it climbs to a mode and stays.
"""

from checks.right.factorization.pieces import accept, noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, 1e9 * (model.log_joint(new, data) - model.log_joint(latents, data)), new, latents)
    return latents
