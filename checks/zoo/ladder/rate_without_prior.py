"""The rate of the inverse gamma forgets the prior's scale.

Symptom: with few ratings the noise comes out too small.
"""

from checks.right.ladder.noise_gibbs import draw_variance, squared_error, sweep

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    return sweep(rng, latents, model, data, draw_variance(rng, error, data, scale=0.0))
