"""A random walk whose rejected steps return the midpoint, 'to keep moving'.

Symptom: the chain is too close to where it came from, and off the posterior.
"""

from checks.right.factorization.pieces import accept, noise
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        half = {site: (x + new[site]) / 2 for site, x in latents.items()}
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data), new, half)
    return latents
