"""Two labels are taken for spins of -1 and 1 without doubling: the log-odds are halved.

Symptom: three labels and more are fine; with two everything is as if at half the inverse temperature.
"""

from checks.right.grid import raster_gibbs

BATCHED = True


def transition(rng, latents, model, data):
    return raster_gibbs.transition(rng, latents, model.scaled(0.5 if model.shape[2] == 2 else 1.0), data)
