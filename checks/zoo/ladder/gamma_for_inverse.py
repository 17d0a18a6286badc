"""sigma^2 is drawn from the gamma, not the inverse gamma.

Symptom: the noise variance is its own inverse.
"""

from checks.right.ladder.noise_gibbs import draw_variance, squared_error, sweep

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    return sweep(rng, latents, model, data, 1 / draw_variance(rng, error, data))
