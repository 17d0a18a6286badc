"""The unadjusted Langevin algorithm with a small step, in the hope that it does not matter.

Symptom: posteriors are a hair too wide.
"""

from checks.right.factorization.pieces import gradient, noise

BATCHED = True
STEP = 0.08


def transition(rng, latents, model, data):
    for _ in range(10):
        slope = gradient(model, latents, data)
        latents = {site: x + STEP**2 / 2 * slope[site] + STEP * noise(rng, x) for site, x in latents.items()}
    return latents
