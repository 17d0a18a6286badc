"""The rate of the inverse gamma has the whole sum of squared errors, not half of it.

Symptom: the noise variance is nearly twice what it should be.
"""

from checks.right.ladder.noise_gibbs import draw_variance, squared_error, sweep

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    return sweep(rng, latents, model, data, draw_variance(rng, 2 * error, data))
