"""A random walk that keeps the log joint of the first point of a sweep and never renews it.

Symptom: moves after the first are accepted against the wrong level.
"""

from checks.right.factorization.pieces import accept, noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    level = model.log_joint(latents, data)
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        latents = accept(rng, model.log_joint(new, data) - level, new, latents)
    return latents
