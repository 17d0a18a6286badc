"""A random walk accepted on half the log ratio, as if it were a standard deviation.

Symptom: posteriors are too wide by the square root of two.
"""

from checks.right.factorization.pieces import accept, noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, (model.log_joint(new, data) - model.log_joint(latents, data)) / 2, new, latents)
    return latents
