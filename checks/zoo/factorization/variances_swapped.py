"""Prior variance and noise variance have changed places.

Symptom: training error far from the noise level; wrong scale of unrated rows.
"""

from dataclasses import replace

from checks.right.factorization import row_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    swapped = replace(model, prior_variance=model.noise_variance, noise_variance=model.prior_variance)
    return row_gibbs.transition(rng, latents, swapped, data)
