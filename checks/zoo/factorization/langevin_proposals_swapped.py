"""MALA whose two proposal densities have changed places.

Symptom: posteriors are too narrow.
"""

from checks.right.factorization.mala import STEP, drift, log_proposal
from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(3):
        new = {site: x + STEP * noise(rng, x) for site, x in drift(latents, model, data).items()}
        ratio = model.log_joint(new, data) - model.log_joint(latents, data)
        ratio = ratio + log_proposal(new, latents, model, data) - log_proposal(latents, new, model, data)
        latents = accept(rng, ratio, new, latents)
    return latents
