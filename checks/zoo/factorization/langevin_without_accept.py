"""The unadjusted Langevin algorithm: no accept step.

Symptom: posteriors are a little too wide, the more so the larger the step.
"""

from checks.right.factorization.mala import STEP, drift
from checks.right.factorization.pieces import noise

BATCHED = True


def transition(rng, latents, model, data):
    for _ in range(3):
        latents = {site: x + STEP * noise(rng, x) for site, x in drift(latents, model, data).items()}
    return latents
