"""MALA accepted on p(new) / p(old), as if the proposal were symmetric.

Symptom: posteriors are too narrow: the drift towards the mode is not made up for.
"""

from checks.right.factorization.mala import STEP, drift
from checks.right.factorization.pieces import accept, noise

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(3):
        new = {site: x + STEP * noise(rng, x) for site, x in drift(latents, model, data).items()}
        latents = accept(rng, model.log_joint(new, data) - model.log_joint(latents, data), new, latents)
    return latents
