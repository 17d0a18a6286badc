"""The shape of the inverse gamma is 3 + N instead of 3 + N / 2.

Symptom: the noise comes out too small, and too sure.
"""

from checks.right.ladder.noise_gibbs import draw_variance, squared_error, sweep
from models.rungs.noise import SHAPE

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    variance = draw_variance(rng, error, data, shape=SHAPE + len(data) / 2)
    return sweep(rng, latents, model, data, variance)
