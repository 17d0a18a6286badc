"""The noise variance is squared, as if it were a standard deviation.

Symptom: below 1 rating unit predictions follow the ratings too closely, above it too loosely.
"""

from dataclasses import replace

from checks.right.factorization import row_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return row_gibbs.transition(rng, latents, replace(model, noise_variance=model.noise_variance**2), data)
