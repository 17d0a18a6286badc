"""sigma^2 is drawn and not used: the rows keep to the model's noise variance.

Symptom: U and V ignore how noisy the ratings are.
"""

import torch

from checks.right.ladder.noise_gibbs import draw_variance, squared_error, sweep

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    variance = draw_variance(rng, error, data)
    new = sweep(rng, latents, model, data, torch.full_like(variance, model.noise_variance))
    return {**new, "sigma2": variance}
