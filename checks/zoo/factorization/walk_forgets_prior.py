"""A random walk accepted on the likelihood alone.

Symptom: U and V grow for ever along directions the ratings do not pin down.
"""

from checks.right.factorization.pieces import accept, noise, square
from checks.right.factorization.random_walk import STEP

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(4):
        new = {site: x + STEP * noise(rng, x) for site, x in latents.items()}
        prior = (square(latents) - square(new)) / (2 * model.prior_variance)
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data) - prior, new, latents)
    return latents
