"""Langevin steps with the noise of variance step^2 / 2, accepted as if it were step^2.

Symptom: posteriors are off by a temperature.
"""

from checks.right.factorization.mala import STEP, drift, log_proposal
from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(3):
        new = {site: x + STEP * noise(rng, x) / 2**0.5 for site, x in drift(latents, model, data).items()}
        ratio = model.log_joint(new, data) - model.log_joint(latents, data)
        ratio = ratio + log_proposal(latents, new, model, data) - log_proposal(new, latents, model, data)
        latents = accept(rng, ratio, new, latents)
    return latents
