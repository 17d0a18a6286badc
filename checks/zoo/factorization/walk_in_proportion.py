"""A random walk whose steps are proportional to each entry, with no correction for it.

Symptom: entries near zero are visited too often.
"""

from checks.right.factorization.pieces import accept, noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * x * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data), new, latents)
    return latents
