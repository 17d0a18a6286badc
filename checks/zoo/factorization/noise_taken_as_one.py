"""The noise variance is left at 1, whatever the model says.

Symptom: nothing, until the noise variance is not 1.
"""

from dataclasses import replace

from checks.right.factorization import row_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return row_gibbs.transition(rng, latents, replace(model, noise_variance=1.0), data)
