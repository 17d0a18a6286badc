"""N - 1 ratings are counted, as in a sample variance.

Symptom: the noise variance is a little too large.
"""

from checks.right.ladder.noise_gibbs import draw_variance, squared_error, sweep
from models.rungs.noise import SHAPE

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    return sweep(rng, latents, model, data, draw_variance(rng, error, data, shape=SHAPE - 0.5))
