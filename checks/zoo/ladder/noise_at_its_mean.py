"""sigma^2 is set to its conditional mean instead of drawn.

Symptom: the noise variance hardly varies.
"""

from checks.right.ladder.noise_gibbs import squared_error, sweep
from models.rungs.noise import SCALE, SHAPE

BATCHED = True


def transition(rng, latents, model, data):
    error = squared_error(latents, model, data)
    return sweep(rng, latents, model, data, (SCALE + error / 2) / (SHAPE + len(data) / 2 - 1))
